// htmx and the code that every page needs. Pages also work without script: links are links and forms are forms.
import htmx from "htmx.org/dist/htmx.esm.js";

document.documentElement.classList.add("scripted");

const token = () => document.querySelector('meta[name="csrf"]')?.content ?? "";

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  if (ctx.request.method !== "GET") ctx.request.headers["X-CSRF-Token"] = token();
});

// A whole page instead of a part means that the session ended, a redirect was followed or the page failed, so show it as a page. A request
// that is repeated because the server failed (following.js) leaves the part as it is.
const isPartOf = (ctx) => Boolean(ctx.select) && new DOMParser().parseFromString(ctx.text, "text/html").querySelector(ctx.select) !== null;

document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (!ctx?.response?.headers.get("X-Whole-Page") || isPartOf(ctx)) return;
  event.preventDefault();
  if (ctx.isFollowing && ctx.response.status >= 429) offline(ctx);
  else location.assign(ctx.response.raw.url);
});

function offline(ctx) {
  if (!ctx?.isRepeated) window.dispatchEvent(new CustomEvent("kit:offline"));
}

document.addEventListener("htmx:error", ({ detail: { ctx } }) => offline(ctx));

export { htmx };
