// Single-key shortcuts; ? lists them. None of them changes data. Switched off with data-keys="off" on <html> (WCAG 2.1.4).
import { show } from "./dialogs.js";

const rows = () => [...document.querySelectorAll("[data-rows] tbody tr, [data-rows] > li")].filter((row) => row.querySelector("a"));
let at = -1;
let wentG = 0;

const isTyping = (target) => target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

function step(by) {
  const all = rows();
  if (!all.length) return;
  at = Math.max(0, Math.min(all.length - 1, at + by));
  (all[at].querySelector(".row-link") ?? all[at].querySelector("a")).focus();
}

const inRow = (selector) => document.activeElement.closest("tr, li")?.querySelector(selector);

function go(key) {
  const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
  if (link) location.assign(link.href);
  return Boolean(link);
}

const actions = {
  "/": () => document.querySelector("[data-search]")?.focus(),
  "?": () => show(document.getElementById("keys")),
  j: () => step(1),
  k: () => step(-1),
  x: () => inRow("input[type=checkbox]")?.click(),
  e: () => (inRow("[data-edit]") ?? [...document.querySelectorAll("[data-edit]")].find((link) => !link.closest("tr, li")))?.click(),
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    const palette = document.getElementById("palette");
    if (!palette) return;
    event.preventDefault();
    show(palette);
    palette.querySelector("input")?.select();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog:modal")) return;
  if (document.documentElement.dataset.keys === "off") return;
  const isSecond = event.timeStamp - wentG < 1200;
  wentG = event.key === "g" ? event.timeStamp : 0;
  if (isSecond && go(event.key)) return event.preventDefault();
  if (actions[event.key]) {
    event.preventDefault();
    actions[event.key]();
  }
});

// Enter in the palette opens the first result, once the results match the typed text; until then, the form searches.
document.addEventListener("submit", (event) => {
  const results = event.target.matches?.("dialog [data-results]") && event.target.querySelector("[data-found]");
  const first = event.target.querySelector?.(".result");
  if (!results || !first || !results.dataset.found) return;
  if (results.dataset.found !== event.target.querySelector("input").value.trim().split(/\s+/).join(" ")) return;
  event.preventDefault();
  location.assign(first.href);
});

// Escape leaves the search field; arrows move through the results of the palette.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.matches?.("[data-search]")) event.target.blur();
  const results = event.target.closest?.("[data-results]");
  if (!results || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  const all = [...results.querySelectorAll("input, .result")];
  const next = all[all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) {
    event.preventDefault();
    next.focus();
  }
});
