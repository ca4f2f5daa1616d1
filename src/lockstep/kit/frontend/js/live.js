// Live updates: <body data-live-topics="status cycle"> listens to /events; elements with data-live (topics) and an id are read again from the
// page's own address, at most once a second, when one of their topics is told. A stream that stalls is said so, with the time of the last data.
import { htmx } from "./start.js";

const TOPICS = ["progress", "cycle", "status", "change", "source"];
const SILENT = 40000; // the server sends at least a beat every 15 s
const EVERY = 1000;
let source = null;
let due = new Set();
let timer = 0;
let last = Date.now();
let loading = false;

const parts = () => [...document.querySelectorAll("[data-live][id]")];
const concerned = () => parts().filter((part) => part.dataset.live.split(" ").some((topic) => due.has(topic)));

async function refresh() {
  timer = 0;
  if (loading || document.hidden) return;
  const wanted = concerned().filter((part) => !part.contains(document.activeElement) || !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName));
  due = new Set();
  if (!wanted.length) return;
  loading = true;
  try {
    const answer = await fetch(location.href, { headers: { "X-Live": "yes" } });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of wanted) {
      const next = fresh.getElementById(part.id);
      if (!next || next.outerHTML === part.outerHTML || !part.isConnected) continue;
      const focused = part.contains(document.activeElement) ? document.activeElement.id || document.activeElement.getAttribute("href") : null;
      part.replaceWith(next);
      htmx.process(next);
      if (focused) (document.getElementById(focused) ?? next.querySelector(`[href="${CSS.escape(focused)}"]`))?.focus();
    }
    document.dispatchEvent(new CustomEvent("htmx:after:swap", { detail: { ctx: {} } }));
    last = Date.now();
  } catch { /* the stream says that it stalls */ } finally {
    loading = false;
  }
}

function told(topics) {
  topics.forEach((topic) => due.add(topic));
  last = Date.now();
  stalled(false);
  if (!timer) timer = setTimeout(refresh, EVERY);
}

function stalled(is) {
  const note = document.getElementById("stale");
  if (!note || note.hidden === !is) return;
  note.hidden = !is;
  if (is) note.querySelector("[data-since]").textContent = new Date(last).toLocaleTimeString();
}

function connect() {
  source?.close();
  source = new EventSource("/events");
  TOPICS.forEach((topic) => source.addEventListener(topic, () => told([topic])));
  source.addEventListener("reset", () => told(TOPICS));
  source.addEventListener("beat", () => { last = Date.now(); stalled(false); });
  source.addEventListener("open", () => stalled(false));
}

if (document.body.hasAttribute("data-live-topics") && parts().length) {
  connect();
  setInterval(() => {
    if (document.hidden) return;
    stalled(Date.now() - last > SILENT || source.readyState === EventSource.CLOSED);
    if (source.readyState === EventSource.CLOSED && Date.now() - last < SILENT * 3) connect();
  }, 5000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) told(TOPICS); });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-live-retry]")) { connect(); told(TOPICS); } });
  window.addEventListener("pagehide", () => source?.close());
}
