// data-copies="ID" copies the text of an element, data-copy="TEXT" the text itself.
import { toast } from "./toasts.js";

async function write(text, place) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or a page without https
    const box = Object.assign(document.createElement("textarea"), { value: text });
    place.append(box); // in the dialog, because everything outside a modal one is inert
    box.select();
    document.execCommand("copy");
    box.remove();
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy],[data-copies]");
  if (!button) return;
  await write(button.dataset.copy ?? document.getElementById(button.dataset.copies)?.textContent.trim() ?? "", button.closest("dialog") ?? document.body);
  toast("Copied");
});
