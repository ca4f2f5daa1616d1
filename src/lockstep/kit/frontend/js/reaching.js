// A form with a save bar is sent only while the server can be reached; otherwise the browser would replace the page, and what was typed, by
// an error page of its own, as it does without script and for the short forms.
import { toast } from "./toasts.js";

const LONGEST = 10_000; // milliseconds
const DOWN = [502, 503, 504]; // what a proxy answers for a server that is down
const LOST = "The server can't be reached, so nothing was saved. What you entered is still here: try again once the server responds.";
const asking = new WeakSet();
const reached = new WeakSet();
let said = null;

// Every server that shows pages has their stylesheet, and answers for it without the database and without a session.
async function isReachable() {
  try {
    const { href } = document.querySelector("link[rel=stylesheet]");
    const answer = await fetch(href, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(LONGEST) });
    return !DOWN.includes(answer.status);
  } catch {
    return false;
  }
}

// Before every other listener: for them, the form is submitted only when it is sent.
window.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (reached.delete(form) || !form.matches("form[data-saves]")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (asking.has(form)) return;
  asking.add(form);
  const isUp = await isReachable();
  asking.delete(form);
  said?.remove();
  if (!isUp) {
    said = toast(LOST, "error");
    return;
  }
  reached.add(form);
  form.requestSubmit(submitter);
  reached.delete(form); // if it was not valid any more
}, true);
