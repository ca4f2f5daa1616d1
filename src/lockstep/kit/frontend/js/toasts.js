// One polite live region. A toast with an error stays until it is dismissed, any other for six seconds.
const page = document.getElementById("toasts");

// Everything outside a modal dialog is inert and behind it, so its toasts are in the dialog.
function box() {
  const dialog = [...document.querySelectorAll("dialog:modal")].at(-1);
  if (!dialog) return page;
  const inside = dialog.querySelector(":scope > .toasts") ?? Object.assign(document.createElement("div"), { className: "toasts", role: "status" });
  dialog.append(inside);
  return inside;
}

function toast(text, tone = "ok") {
  const form = document.getElementById(`toast-${tone}`) ?? document.getElementById("toast-ok");
  const made = form?.content.firstElementChild.cloneNode(true);
  if (!made) return null;
  made.querySelector("[data-text]").textContent = text;
  box().append(made);
  arm(made);
  return made;
}

function arm(made) {
  if (!made.classList.contains("tone-error")) setTimeout(() => made.remove(), 6000);
}

document.addEventListener("click", (event) => event.target.closest("[data-dismisses]")?.closest(".toast")?.remove());
page?.querySelectorAll(".toast").forEach(arm);
document.addEventListener("toast", (event) => toast(event.detail?.text ?? event.detail?.value ?? "", event.detail?.tone)); // by HX-Trigger
window.addEventListener("kit:offline", () => toast("The server does not respond. Check the connection, then try again.", "error"));

export { toast };
