// A part that is asked for again and not there after 150 ms is busy: a line marks it, and an empty part shows a skeleton.
const PATIENCE = 150;
const waiting = new Map(); // the context of a request -> its timer

document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  if (!(ctx.target instanceof Element)) return;
  waiting.set(ctx, setTimeout(() => {
    if (!ctx.target.textContent.trim()) ctx.target.dataset.skeleton = "";
    ctx.target.setAttribute("aria-busy", "true");
  }, PATIENCE));
});

function there({ detail: { ctx } }) {
  if (!waiting.has(ctx)) return;
  clearTimeout(waiting.get(ctx));
  waiting.delete(ctx);
  if ([...waiting.keys()].some((other) => other.target === ctx.target)) return; // a later request still fills the part
  ctx.target?.removeAttribute("aria-busy");
  delete ctx.target?.dataset.skeleton;
}

document.addEventListener("htmx:after:request", there); // before the swap, while the element that asked is still in the page
document.addEventListener("htmx:error", there);
document.addEventListener("htmx:finally:request", there); // a later request has taken its place
