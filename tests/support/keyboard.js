// Installed in a page by tests/support/keyboard.py: notes each element that gets the focus, with the ring that it shows.
(() => {
  if (window.walk) return;
  const numbers = new Map(); // element -> number, in the order of the first focus

  const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const light = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([red, green, blue]) => 0.2126 * light(red) + 0.7152 * light(green) + 0.0722 * light(blue);

  function contrast(one, other) {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }

  function background(element) {
    for (let one = element; one; one = one.parentElement) {
      const found = channels(getComputedStyle(one).backgroundColor);
      if ((found[3] ?? 1) > 0.9) return found;
    }
    return [255, 255, 255];
  }

  // The best ring on the element, or on something around it that stands for it, such as the row of a table or the label of a radio button.
  function ring(element) {
    let best = 0;
    for (let one = element, depth = 0; one && depth < 5; one = one.parentElement, depth += 1) {
      const style = getComputedStyle(one);
      const width = style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
      if (width < 2) continue;
      const beside = parseFloat(style.outlineOffset) < 0 ? one : one.parentElement ?? one;
      best = Math.max(best, contrast(channels(style.outlineColor), background(beside)));
    }
    return best;
  }

  const nameOf = (element) => {
    const text = element.getAttribute("aria-label") || element.name || element.textContent.trim().slice(0, 40) || element.id;
    return `${element.tagName.toLowerCase()} "${text}"`;
  };

  // All radio buttons of a group are one stop.
  const stopOf = (element) =>
    element.type === "radio" ? [...document.getElementsByName(element.name)].find((one) => one.form === element.form) : element;

  window.walk = { stops: [], rings: new Map(), elements: [], ring };
  document.addEventListener("focusin", ({ target }) => {
    const stop = stopOf(target);
    if (!numbers.has(stop)) {
      numbers.set(stop, numbers.size);
      walk.elements.push(stop);
    }
    const number = numbers.get(stop);
    walk.stops.push(number);
    if (!walk.rings.has(number)) walk.rings.set(number, target.matches(":focus-visible") ? ring(target) : 0);
  }, true);

  walk.begin = () => {
    walk.stops = [];
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
    walk.stops = [];
  };
  // Chromium reports the first focus twice about once in forty walks. That is no round, unless the page has only one stop.
  // An element that htmx has replaced since does not come again, so it cannot be where a round begins.
  const reported = () => {
    const stops = walk.stops.filter((number) => walk.elements[number].isConnected);
    return stops.length > 2 && stops[0] === stops[1] ? stops.slice(1) : stops;
  };
  walk.hasComeRound = () => reported().length > 1 && reported().lastIndexOf(reported()[0]) > 0;
  walk.round = () => reported().slice(0, reported().indexOf(reported()[0], 1));
  walk.names = () => walk.elements.map(nameOf);
  walk.faint = () => [...walk.rings].filter(([, found]) => found < 3).map(([number, found]) => `${nameOf(walk.elements[number])} ${found.toFixed(1)}:1`);

  walk.isInside = (dialog) => walk.elements.every((one) => one === document.body || dialog.contains(one));

  const isSticky = (element) => {
    for (let one = element; one; one = one.parentElement) if (["fixed", "sticky"].includes(getComputedStyle(one).position)) return true;
    return false;
  };

  // Where the element is seen: what a scrolling list hides is at its edge.
  function boxOf(element) {
    const box = element.getBoundingClientRect();
    let { top, bottom } = box;
    for (let one = element.parentElement; one && one !== document.body; one = one.parentElement) {
      if (getComputedStyle(one).overflowY === "visible") continue;
      const around = one.getBoundingClientRect();
      [top, bottom] = [Math.min(top, around.bottom), Math.min(bottom, around.bottom)];
    }
    return { top, bottom, left: box.left, right: box.right };
  }

  // Pairs of stops of which the second is above the first, or left of it in the same line. To the right is a new column, which may begin above.
  walk.backwards = () => {
    for (const one of document.querySelectorAll("*")) if (one.scrollTop || one.scrollLeft) one.scrollTo(0, 0);
    const main = document.querySelector("main") ?? document.body;
    const shown = walk.elements.filter((one) => one.isConnected && main.contains(one) && !isSticky(one) && one.getBoundingClientRect().width > 1);
    const found = [];
    for (let place = 1; place < shown.length; place += 1) {
      const [before, after] = [boxOf(shown[place - 1]), boxOf(shown[place])];
      if (shown[place - 1].contains(shown[place])) continue;
      const isAbove = after.bottom <= before.top && after.top < before.top && after.left < before.right;
      const isLeft = after.right <= before.left && after.top < before.bottom - 4 && after.bottom > before.top + 4 && Math.abs(after.top - before.top) < 12;
      if (isAbove || isLeft) found.push(`${nameOf(shown[place])} follows ${nameOf(shown[place - 1])}`);
    }
    return found;
  };
})();
