// <time datetime data-relative>: shown relative to now, with the exact local and UTC time in its title.
const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

function relative(seconds) {
  const whole = Math.round(Math.abs(seconds));
  const [unit, length] = UNITS.find(([, size]) => whole >= size) ?? ["second", 1];
  if (unit === "second" && whole < 5) return "now";
  return words.format(Math.round(seconds / length), unit);
}

function refresh() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = `${exact.format(at)} (${time.dateTime.replace("T", " ").replace(/(\.\d+)?(Z|\+00:00)$/, " UTC")})`;
    if (time.dataset.relative !== undefined) {
      const text = relative((at - Date.now()) / 1000);
      if (time.textContent !== text) time.textContent = text;
    } else if (time.dataset.local !== undefined) time.textContent = exact.format(at);
  }
}

refresh();
setInterval(refresh, 15000);
document.addEventListener("htmx:after:swap", refresh);
