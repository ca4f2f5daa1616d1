// Theme and width of the rail: the server renders them from cookies, so that the page does not flicker; this code only avoids a reload.
const root = document.documentElement;

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-look]")) return;
  event.preventDefault();
  const data = new FormData(form, event.submitter);
  if (data.has("theme")) {
    const theme = data.get("theme");
    theme === "system" ? delete root.dataset.theme : (root.dataset.theme = theme);
    form.querySelectorAll("button[name=theme]").forEach((button) => button.setAttribute("aria-checked", String(button.value === theme)));
  }
  if (data.has("rail")) {
    root.dataset.rail = data.get("rail");
    form.querySelectorAll("[name=rail]").forEach((field) => { field.value = data.get("rail") === "narrow" ? "wide" : "narrow"; });
  }
  await fetch(form.action, { method: "POST", body: new URLSearchParams(data), redirect: "manual" });
});

// The rail on narrow screens.
document.addEventListener("click", (event) => {
  const rail = document.getElementById("rail");
  const opens = event.target.closest("[data-rail-opens]");
  if (opens && rail) {
    event.preventDefault();
    rail.setAttribute("data-open", "");
    rail.querySelector("a")?.focus();
  } else if (rail?.hasAttribute("data-open") && !rail.contains(event.target)) rail.removeAttribute("data-open");
});
document.addEventListener("keydown", (event) => {
  const rail = document.getElementById("rail");
  if (event.key === "Escape" && rail?.hasAttribute("data-open")) {
    rail.removeAttribute("data-open");
    document.querySelector("[data-rail-opens]")?.focus();
  }
});
