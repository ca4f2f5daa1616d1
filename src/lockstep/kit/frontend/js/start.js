// htmx and the code that every page needs. Pages also work without script: links are links and forms are forms.
import htmx from "htmx.org/dist/htmx.esm.js";

document.documentElement.classList.add("scripted");

const token = () => document.querySelector('meta[name="csrf"]')?.content ?? "";

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  if (ctx.request.method !== "GET") ctx.request.headers["X-CSRF-Token"] = token();
});

// A whole page instead of a part means that the session ended or a redirect was followed, so show it as a page.
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx } = event.detail;
  if (ctx?.response?.headers.get("X-Whole-Page") && !ctx.select) {
    event.preventDefault();
    location.assign(ctx.response.raw.url);
  }
});

document.addEventListener("htmx:error", () => window.dispatchEvent(new CustomEvent("kit:offline")));

export { htmx };
