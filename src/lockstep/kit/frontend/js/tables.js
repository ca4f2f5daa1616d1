// On narrow windows a row is shown as a card (tables.css), so each cell gets its column heading.
function label() {
  for (const table of document.querySelectorAll(".table-box > .table")) {
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])].map((cell) => (cell.querySelector(".visually-hidden") ? "" : cell.textContent.trim()));
    for (const row of table.tBodies[0]?.rows ?? [])
      for (const cell of row.cells) {
        if (cell.tagName !== "TD" || cell.colSpan > 1) continue;
        const word = heads[cell.cellIndex] ?? "";
        if (word) cell.dataset.label = word;
        else if (!cell.querySelector(":scope > input")) cell.classList.add("actions");
      }
  }
}

label();
document.addEventListener("htmx:after:swap", label);
