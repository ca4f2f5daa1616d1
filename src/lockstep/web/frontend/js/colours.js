// An expression in colours: the same text lies below the text area, whose own text is transparent. Without script the text area is plain.
import { tokens } from "./expression_tokens.js";

function paint(area, below) {
  const parts = tokens(area.value).map(({ kind, text }) => {
    if (kind === "blank" || kind === "other") return text;
    const part = document.createElement("span");
    part.className = `token-${kind}`;
    part.textContent = text;
    return part;
  });
  below.replaceChildren(...parts, "\n"); // a last line without text has a height, too
  below.scrollTop = area.scrollTop;
}

function colour(area) {
  const [box, below] = [document.createElement("div"), document.createElement("pre")];
  box.className = "coloured";
  below.className = "coloured-text textarea input-mono";
  below.setAttribute("aria-hidden", "true");
  area.replaceWith(box);
  box.append(below, area);
  const again = () => paint(area, below);
  area.addEventListener("input", again);
  area.addEventListener("scroll", again);
  area.form?.addEventListener("reset", () => setTimeout(again));
  again();
}

function colourAll() {
  const plain = document.querySelectorAll("textarea[data-completes]:not(.coloured > *)");
  for (const area of plain) if (area !== document.activeElement) colour(area); // moving it would end the focus
}

colourAll();
document.addEventListener("htmx:after:process", colourAll);
