// A text area with data-completes="ID" completes the word before the caret with the options of the datalist ID: functions by name,
// attributes after an opening bracket. A list box in the sense of ARIA; Escape closes it, Tab and Enter take the marked entry.
import { tokens } from "./expression_tokens.js";

const SHOWN = 8;
let open = null; // {area, list, entries, at, begin}

// The word before the caret, or the attribute that is not closed yet; nothing within a text.
function wordBefore(area) {
  const last = tokens(area.value.slice(0, area.selectionStart)).at(-1);
  return last?.kind === "word" || (last?.kind === "attribute" && !last.text.endsWith("]")) ? last.text : "";
}

function close() {
  if (!open) return;
  open.list.remove();
  open.area.removeAttribute("aria-activedescendant");
  open.area.setAttribute("aria-expanded", "false");
  open = null;
}

function suggest(area) {
  const word = wordBefore(area);
  const options = [...(document.getElementById(area.dataset.completes)?.options ?? [])];
  const folded = word.toLowerCase();
  const fits = (option) => option.value.toLowerCase().startsWith(folded) && option.value !== word;
  const entries = word.length > 0 ? options.filter(fits).slice(0, SHOWN) : [];
  close();
  if (entries.length === 0) return;
  const list = document.createElement("ul");
  list.className = "completions";
  list.id = "completions";
  list.role = "listbox";
  list.setAttribute("aria-label", "Completions");
  entries.forEach((option, place) => {
    const item = document.createElement("li");
    item.id = `completion-${place}`;
    item.role = "option";
    const [name, meaning] = [document.createElement("code"), document.createElement("span")];
    name.textContent = option.label;
    meaning.className = "muted";
    meaning.textContent = option.dataset.meaning ?? "";
    item.append(name, meaning);
    item.addEventListener("mousedown", (event) => {
      event.preventDefault();
      take(place);
    });
    list.append(item);
  });
  area.parentElement.classList.add("completes");
  area.after(list);
  open = { area, list, entries, at: 0, begin: area.selectionStart - word.length };
  area.setAttribute("aria-expanded", "true");
  area.setAttribute("aria-controls", "completions");
  mark(0);
}

function mark(place) {
  open.at = (place + open.entries.length) % open.entries.length;
  [...open.list.children].forEach((item, number) => item.setAttribute("aria-selected", String(number === open.at)));
  open.area.setAttribute("aria-activedescendant", `completion-${open.at}`);
  open.list.children[open.at].scrollIntoView({ block: "nearest" });
}

function take(place) {
  const { area, entries, begin } = open;
  const value = entries[place].value;
  const isFunction = !value.startsWith("[");
  const rest = area.value.slice(area.selectionStart);
  const text = isFunction && !rest.startsWith("(") ? `${value}(` : value;
  close();
  area.setRangeText(text, begin, area.selectionStart + (!isFunction && rest.startsWith("]") ? 1 : 0), "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
  close();
}

document.addEventListener("input", (event) => {
  if (event.target.dataset?.completes && event.isTrusted) suggest(event.target);
});
document.addEventListener("keydown", (event) => {
  if (!open || event.target !== open.area) return;
  const moves = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in moves) mark(open.at + moves[event.key]);
  else if (event.key === "Enter" || event.key === "Tab") take(open.at);
  else if (event.key === "Escape") close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}, true);
document.addEventListener("focusout", (event) => { if (open && event.target === open.area) close(); });
document.addEventListener("focusin", ({ target }) => {
  if (!target.dataset?.completes) return;
  target.setAttribute("role", "combobox");
  target.setAttribute("aria-autocomplete", "list");
  target.setAttribute("aria-expanded", "false");
});
