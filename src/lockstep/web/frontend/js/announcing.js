// Says what live updates changed to people who do not see it: the status beside the heading, and the progress. At most once in five seconds;
// the state after the last change is always said.
const EVERY = 5000;
const region = document.getElementById("announced");
let said = shown();
let last = -Infinity; // when something was said
let timer = 0;

function shown() {
  const bar = document.querySelector("progress[role=progressbar]");
  const status = document.getElementById("status-word")?.textContent.trim();
  const progress = bar && `${bar.getAttribute("aria-label")}: ${bar.getAttribute("aria-valuetext")}`;
  return [status, progress].filter(Boolean).join(". ");
}

function say() {
  timer = 0;
  if (shown() === said) return;
  said = shown();
  last = Date.now();
  region.textContent = said;
}

function noticed() {
  if (!timer && shown() !== said) timer = setTimeout(say, Math.max(0, last + EVERY - Date.now()));
}

if (region) document.addEventListener("htmx:after:swap", noticed);
