/** Before and after: one line that mouse, finger and keyboard move across two pictures. */

import { icon, make, setAttribute } from "./dom.js";

/**
 * `before` and `after` are `{ url, alt }`. Gives `{ node, setAfter({ url, alt }), fit(mode) }`.
 * A real range input lies over the pictures, invisible: it brings keys, touch and screen readers.
 */
export function compare(before, after) {
  const under = make("img", { class: "after", alt: after.alt, src: after.url, draggable: "false" });
  const over = make("img", { class: "before", alt: before.alt, src: before.url, draggable: "false" });
  const range = make("input", { type: "range", class: "compare-range", min: 0, max: 100, step: 1,
                                "aria-label": "Before and after" });
  const line = make("div", { class: "compare-line" }, make("span", { class: "compare-grip" }, icon("grip")));
  const left = make("span", { class: "tag left" }, "before");
  const right = make("span", { class: "tag right" }, "after");
  const node = make("div", { class: "canvas compare" }, under, over, line, left, right, range);

  function move() {
    const cut = Number(range.value);
    node.style.setProperty("--cut", `${cut}%`);
    setAttribute(range, "aria-valuetext", `${cut} percent before, ${100 - cut} percent after`);
    left.style.opacity = cut < 12 ? "0" : "1";
    right.style.opacity = cut > 88 ? "0" : "1";
  }
  range.value = "50";
  range.addEventListener("input", move);
  follow(node, (x) => {
    range.value = String(Math.round(x * 100));
    move();
  }, { pressed: true, focus: range });
  move();

  return {
    node,
    setAfter(next) {
      under.src = next.url;
      under.alt = next.alt;
    },
  };
}

/**
 * Tell where a pointer is across an element, from 0 to 1: while it is pressed, and with a mouse also
 * while it hovers unless `pressed`. A finger that moves up or down scrolls the page instead.
 */
export function follow(node, tell, { pressed, focus }) {
  let held = false;
  const at = (event) => {
    const box = node.getBoundingClientRect();
    tell(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    held = true;
    node.setPointerCapture(event.pointerId);
    event.preventDefault(); // the range input below would move by its own measure
    focus?.focus({ preventScroll: true, focusVisible: false });
    at(event);
  });
  node.addEventListener("pointermove", (event) => {
    if (held || (!pressed && event.pointerType === "mouse")) at(event);
  });
  for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => (held = false));
}
