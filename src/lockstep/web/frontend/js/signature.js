// The help of a text area with data-completes tells the signature of the function around the caret, with the present argument and its meaning.
import { callAt } from "./expression_tokens.js";

const usual = new WeakMap(); // help -> its own text

const helpOf = (area) => document.getElementById(area.getAttribute("aria-describedby")?.split(" ")[0] ?? "");

function signature(area) {
  const call = callAt(area.value, area.selectionStart);
  const options = [...(document.getElementById(area.dataset.completes)?.options ?? [])];
  const option = call && options.find((one) => one.value.toLowerCase() === call.name.toLowerCase());
  if (!option?.dataset.parameters) return null;
  const parameters = JSON.parse(option.dataset.parameters);
  const first = parameters.findIndex((one) => one.repeats);
  const rounds = parameters.length - first;
  const at = call.argument < parameters.length || first < 0 ? call.argument : first + ((call.argument - first) % rounds);
  return { name: option.value, parameters, at };
}

function show(area) {
  const help = helpOf(area);
  if (!help) return;
  if (!usual.has(help)) {
    usual.set(help, help.textContent);
    help.setAttribute("aria-live", "polite");
  }
  const found = document.activeElement === area ? signature(area) : null;
  const shown = found ? `${found.name} ${found.at}` : "";
  if ((help.dataset.shown ?? "") === shown) return;
  help.dataset.shown = shown;
  if (!found) {
    help.textContent = usual.get(help);
    return;
  }
  const names = found.parameters.flatMap((one, place) => {
    const name = document.createElement(place === found.at ? "strong" : "span");
    name.textContent = one.name + (one.optional ? "?" : "");
    return place ? [", ", name] : [name];
  });
  const code = document.createElement("code");
  code.append(`${found.name}(`, ...names, found.parameters.some((one) => one.repeats) ? ", ...)" : ")");
  const meaning = found.parameters[found.at]?.meaning;
  help.replaceChildren(code, meaning ? ` ${meaning}` : found.at > 0 ? " has no further argument" : "");
}

for (const kind of ["input", "keyup", "click", "focusin", "focusout"]) {
  document.addEventListener(kind, ({ target }) => {
    if (target.dataset?.completes) setTimeout(() => show(target));
  });
}
