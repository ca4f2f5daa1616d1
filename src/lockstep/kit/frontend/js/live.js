// Live updates: <body data-live-topics="status cycle" data-live-after="EVENT"> listens to /events, from the event after which the page was
// read. Elements with data-live (topics) and an id are read again from the page's own address when one of their topics is told, at most once a second; an event
// says how long to wait when many pages are open, and each waits another part of it. What could not be read stays due, and so does a part in
// which a field has the focus or was changed. If the stream is silent or refused (a proxy may hold it back), the page asks by itself every
// ten seconds. Data that is old all the same is said to be, with the time of the last data.
import { htmx } from "./start.js";
import { isTouched } from "./touched.js";

const TOPICS = ["progress", "cycle", "status", "change", "source", "request"];
const QUIET = 20000; // the server sends a heartbeat at least every 15 s; without one, the page asks by itself
const ASKS = 10000; // how often it then asks, unless the server wants more time
const SILENT = 40000; // data that is older is said to be old
const EVERY = 1000; // unless the server asks for more
const AGAIN = 5000; // after a failure
const due = new Set(); // ids of the parts to read again
let source = null;
let seen = document.body.dataset.liveAfter ?? ""; // the last event
let pace = EVERY; // the pace that the server asked for
let timer = 0;
let last = Date.now(); // of the last data
let heard = last; // of the last message on the stream
let asked = last;
let loading = false;

const parts = () => [...document.querySelectorAll("[data-live][id]")];
const fieldsOf = (part) => [...part.querySelectorAll("input, select, textarea")];
const isEdited = (part) => fieldsOf(part).some((field) => field === document.activeElement || isTouched(field));

const pauseOf = () => (pace > EVERY ? pace * (0.5 + Math.random()) : EVERY);

function later(pause = pauseOf()) {
  if (!timer && due.size) timer = setTimeout(refresh, pause);
}

async function refresh() {
  timer = 0;
  if (loading || document.hidden) return; // checked again when loading ends or the page becomes visible
  const wanted = parts().filter((part) => due.has(part.id) && !isEdited(part));
  if (!wanted.length) return;
  wanted.forEach((part) => due.delete(part.id));
  loading = true;
  const isRead = await read(wanted);
  loading = false;
  if (!isRead) wanted.forEach((part) => due.add(part.id));
  later(isRead ? pauseOf() : Math.max(AGAIN, pauseOf()));
}

// True if the parts are up to date, or cannot be updated because the session has ended or the page no longer exists.
async function read(wanted) {
  try {
    const answer = await fetch(location.href, { headers: { "X-Live": "yes" } });
    if (answer.status >= 500) return false;
    if (!answer.ok || answer.redirected) return true;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of wanted) {
      if (isEdited(part)) due.add(part.id); // edited while the page was read
      else replace(part, fresh.getElementById(part.id));
    }
    document.dispatchEvent(new CustomEvent("htmx:after:swap", { detail: { ctx: {} } }));
    last = Date.now();
    stalled(false);
    return true;
  } catch {
    return false;
  }
}

function replace(part, next) {
  if (!next || next.outerHTML === part.outerHTML || !part.isConnected) return;
  const focused = part.contains(document.activeElement) ? document.activeElement.id || document.activeElement.getAttribute("href") : null;
  part.replaceWith(next);
  htmx.process(next);
  if (focused) (document.getElementById(focused) ?? next.querySelector(`[href="${CSS.escape(focused)}"]`))?.focus();
}

function readAgain(topics) {
  parts().filter((part) => part.dataset.live.split(" ").some((topic) => topics.includes(topic))).forEach((part) => due.add(part.id));
  later();
}

function told(topics) {
  last = heard = Date.now();
  stalled(false);
  readAgain(topics);
}

function stalled(is) {
  const note = document.getElementById("stale");
  if (!note || note.hidden === !is) return;
  note.hidden = !is;
  if (is) note.querySelector("[data-since]").textContent = new Date(last).toLocaleTimeString();
}

function connect() {
  source?.close();
  source = new EventSource(`/events?after=${encodeURIComponent(seen)}`);
  const hear = (name, topics) => source.addEventListener(name, (event) => { seen = event.lastEventId || seen; pace = Math.max(EVERY, Number.parseInt(event.data, 10) || 0); told(topics); });
  TOPICS.forEach((topic) => hear(topic, [topic]));
  hear("reset", TOPICS);
  source.addEventListener("beat", () => { last = heard = Date.now(); stalled(false); });
}

function check() {
  if (document.hidden) return;
  const now = Date.now();
  const isRefused = source?.readyState === EventSource.CLOSED;
  if ((isRefused || now - heard > QUIET) && now - asked >= Math.max(ASKS, pace)) {
    asked = now;
    readAgain(TOPICS);
  }
  stalled(now - last > SILENT);
  if (isRefused && now - last < SILENT * 3) connect();
}

// Somebody waits: read at once, and not after the pause that follows a failure.
function retry() {
  connect();
  readAgain(TOPICS);
  clearTimeout(timer);
  refresh();
}

if (document.body.hasAttribute("data-live-topics") && parts().length) {
  if (!document.hidden) connect();
  setInterval(check, 5000);
  // A hidden page does not listen, so that visible pages get the whole update rate.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return source?.close();
    connect();
    told(TOPICS);
  });
  ["focusout", "change"].forEach((name) => document.addEventListener(name, () => later()));
  document.addEventListener("click", (event) => { if (event.target.closest("[data-live-retry]")) retry(); });
  window.addEventListener("pagehide", () => source?.close());
  window.addEventListener("pageshow", (event) => { if (event.persisted && !document.hidden) connect(); });
}
