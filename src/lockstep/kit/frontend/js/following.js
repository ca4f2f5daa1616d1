// What was typed last is always what is shown. An element with data-follows="MILLISECONDS" sends its hx-get or hx-post (hx-trigger "follow")
// once typing pauses: after input in itself, or in the form with the ID data-of. With data-at-focus it also asks when it first has the focus.
// Text that was typed before htmx was ready is not lost, and a request that failed is repeated until it is answered or no longer wanted.
import { htmx } from "./start.js";
import { isTouched } from "./touched.js";

const AGAIN = 1000; // after the first failure; the pause doubles
const LONGEST = 15000;
const states = new WeakMap(); // follower -> {shown, sent, timer, failures}

const followers = () => [...document.querySelectorAll("[data-follows]")];
const formOf = (one) => document.getElementById(one.dataset.of);
const entries = (form) => new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === "string")).toString();
const textOf = (one) => (one.dataset.of ? entries(formOf(one)) : one.value);

// At first the page shows the answer for what the server put into the field or the form.
function stateOf(one) {
  if (!states.has(one)) {
    const shown = one.dataset.of ? ([...formOf(one)?.elements ?? []].some(isTouched) ? null : textOf(one)) : one.defaultValue;
    states.set(one, { shown, sent: null, timer: 0, failures: 0 });
  }
  return states.get(one);
}

function later(one, pause) {
  const state = stateOf(one);
  clearTimeout(state.timer);
  state.timer = setTimeout(() => ask(one), pause);
}

function ask(one) {
  const state = stateOf(one);
  clearTimeout(state.timer);
  state.timer = 0;
  if (!one.isConnected || textOf(one) === (state.sent ?? state.shown)) return;
  htmx.trigger(one, "follow", {}, false); // heard by nobody while htmx is not ready; then htmx:after:process asks
}

const pauseOf = (one) => Number.parseInt(one.dataset.follows, 10);

function heard(target, pause) {
  for (const one of followers()) {
    if (one.dataset.of ? target.form === formOf(one) : target === one) later(one, pause ?? pauseOf(one));
  }
}

document.addEventListener("input", ({ target }) => heard(target));
document.addEventListener("change", ({ target }) => heard(target, 0));
document.addEventListener("search", ({ target }) => heard(target, 0));
document.addEventListener("reset", ({ target }) => {
  setTimeout(() => followers().filter((one) => one.dataset.of && formOf(one) === target).forEach(ask));
});
document.addEventListener("focusin", ({ target }) => {
  if (target.dataset?.atFocus === undefined) return;
  const state = stateOf(target);
  if (state.shown === "" && state.sent === null) state.shown = null;
  if (state.shown === null && !state.timer) ask(target);
});

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  const one = ctx.sourceElement;
  if (!one.matches?.("[data-follows]")) return;
  const state = stateOf(one);
  clearTimeout(state.timer);
  state.timer = 0;
  state.sent = ctx.followed = textOf(one);
  state.ctx = ctx;
  ctx.isFollowing = true;
  ctx.isRepeated = state.failures > 0;
});

document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
  const one = ctx.sourceElement;
  const state = ctx.followed === undefined ? null : stateOf(one);
  if (state?.ctx !== ctx) return; // a later request has taken its place
  state.sent = null;
  const status = ctx.response?.status ?? 0;
  if (status && status !== 429 && status < 500) {
    state.shown = ctx.followed;
    state.failures = 0;
    if (!state.timer) later(one, 0);
    return;
  }
  state.shown = null;
  later(one, Math.min(LONGEST, AGAIN * 2 ** state.failures));
  state.failures += 1;
});

// Something is ready that was not: ask for what was typed in the meantime.
document.addEventListener("htmx:after:process", () => followers().filter((one) => !stateOf(one).timer).forEach(ask));
