// data-opens="ID" opens a <dialog>, data-closes closes the one around it. If the server sends a dialog open, it becomes modal.
let opener = null;

function show(dialog, from) {
  if (!(dialog instanceof HTMLDialogElement) || dialog.matches(":modal")) return;
  opener = from ?? document.activeElement;
  dialog.open = false; // close() would tell later that it was closed, and the address would lose the dialog
  dialog.showModal();
  if (dialog.dataset.mustAnswer !== undefined) history.replaceState(null, "", dialog.dataset.leaves); // a reload sends no form again
  dialog.querySelector('.dialog-body :is([aria-invalid], input:not([type=hidden], :disabled), select, textarea)')?.focus();
}

document.addEventListener("click", (event) => {
  const opens = event.target.closest("[data-opens]");
  if (opens) {
    const dialog = document.getElementById(opens.dataset.opens);
    if (dialog) {
      event.preventDefault();
      show(dialog, opens);
    }
    return;
  }
  const closes = event.target.closest("[data-closes]");
  if (closes && closes.closest("dialog:modal")) {
    if (!closes.closest("dialog").dataset.leaves) event.preventDefault();
    closes.closest("dialog").close();
  } else if (event.target instanceof HTMLDialogElement && event.target.dataset.light !== undefined) event.target.close(); // its backdrop
});

document.addEventListener("cancel", (event) => {
  if (event.target.dataset?.mustAnswer !== undefined) event.preventDefault();
}, true);

document.addEventListener("close", (event) => {
  if (!(event.target instanceof HTMLDialogElement)) return;
  const back = event.target.dataset.leaves; // the address without the dialog
  if (back) history.replaceState(null, "", back);
  opener?.isConnected && opener.focus();
  opener = null;
}, true);

// What gets the focus when a dialog that the server sent closes: the link to this address, or else the content of the page.
const linkToHere = () => [...document.querySelectorAll("a[href]")].find((link) => link.href === location.href && !link.closest("dialog")) ?? document.getElementById("main");

const openSent = (root) => root.querySelectorAll?.("dialog[open]").forEach((dialog) => show(dialog, linkToHere()));
openSent(document);
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => openSent(ctx?.target?.parentNode ?? document));

// A typed confirmation: data-confirms="214" on an input enables the submit button of its form once it was typed.
document.addEventListener("input", (event) => {
  const wanted = event.target.dataset?.confirms;
  if (wanted === undefined) return;
  const button = event.target.form?.querySelector("[data-confirmed]");
  if (button) button.disabled = event.target.value.trim() !== wanted;
});

export { show };
