// form[data-saves]: its save bar appears at the first unsaved edit. Discard restores the values. Leaving the page asks for confirmation.
const forms = () => document.querySelectorAll("form[data-saves]");
const state = (form) => new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string")).toString();
const first = new WeakMap();
let leaving = false;

const bars = (form) => form.querySelectorAll(".savebar");

function begin(root = document) {
  root.querySelectorAll("form[data-saves]").forEach((form) => {
    if (!first.has(form)) first.set(form, form.hasAttribute("data-unsaved") ? "" : state(form));
    look(form);
  });
}

function changed(form) {
  const [before, now] = [new URLSearchParams(first.get(form)), new FormData(form)];
  const names = new Set([...before.keys(), ...now.keys()]);
  return [...names].filter((name) => String(before.getAll(name)) !== String(now.getAll(name).filter((value) => typeof value === "string"))).length;
}

function look(form) {
  const isDirty = first.has(form) && state(form) !== first.get(form);
  bars(form).forEach((bar) => {
    bar.toggleAttribute("data-dirty", isDirty);
    const count = bar.querySelector("[data-count]");
    if (count && isDirty) {
      const number = changed(form);
      count.textContent = number === 1 ? "1 unsaved change" : `${number} unsaved changes`;
    }
  });
  return isDirty;
}

document.addEventListener("input", (event) => event.target.form?.matches("form[data-saves]") && look(event.target.form));
document.addEventListener("change", (event) => event.target.form?.matches("form[data-saves]") && look(event.target.form));
document.addEventListener("reset", (event) => setTimeout(() => event.target.matches("form[data-saves]") && look(event.target)));
document.addEventListener("submit", (event) => { if (event.target.matches("form[data-saves]")) leaving = true; });
document.addEventListener("htmx:after:swap", () => begin());
window.addEventListener("beforeunload", (event) => {
  if (!leaving && [...forms()].some(look)) event.preventDefault();
});
window.addEventListener("pageshow", () => { leaving = false; });
begin();
