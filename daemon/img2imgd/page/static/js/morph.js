/** The morph under the finger: frames of a sweep, moved through by pointer, keys or by itself. */

import { iconButton, icon, make, setAttribute, setText } from "./dom.js";
import { follow } from "./compare.js";

const BEAT = 140; // milliseconds per frame while it plays
const NEAR = 24; // large pictures kept ready on each side; thumbnails stand in for the others

/**
 * `frames` are those of one morph. Gives `{ node, row, index, go(index), show(frames), stop() }`;
 * `onMove(frame, index)` hears of each move.
 */
export function morph(frames, onMove) {
  const image = make("img", { alt: "", draggable: "false", decoding: "sync" });
  const node = make("div", { class: "canvas morph" }, image);
  const value = make("p", { class: "morph-value", "aria-hidden": true }); // the slider itself says it
  const range = make("input", { type: "range", class: "slide", min: 0, step: 1, "aria-label": "Move through the sweep" });
  const play = iconButton("plain", "play", "Play", toggle);
  const row = make("div", { class: "morph-row" }, play, range, value);
  const ready = new Map(); // URL → Image that is or will be loaded
  let shown = [];
  let at = 0;
  let timer = 0;
  let way = 1;

  range.addEventListener("input", () => {
    stop();
    go(Number(range.value));
  });
  follow(node, (x) => {
    stop();
    go(Math.min(shown.length - 1, Math.floor(x * shown.length)));
  }, { pressed: false, focus: range });

  function go(index) {
    at = index;
    const frame = shown[index];
    if (!frame) return;
    range.value = String(index);
    setText(value, frame.label);
    setAttribute(range, "aria-valuetext", frame.label);
    setAttribute(image, "alt", `${frame.label}: ${frame.prompt}`);
    draw();
    prepare();
    onMove(frame, index);
  }

  /** The large picture if it is here, else the thumbnail until it is. */
  function draw() {
    const frame = shown[at];
    const large = load(frame.view);
    const url = large?.complete && large.naturalWidth ? frame.view : frame.thumb ?? frame.view;
    if (url && image.getAttribute("src") !== url) image.src = url;
  }

  function load(url) {
    if (!url) return null;
    let picture = ready.get(url);
    if (!picture) {
      picture = new Image();
      picture.decoding = "async";
      picture.addEventListener("load", () => shown[at]?.view === url && draw());
      picture.src = url;
      ready.set(url, picture);
    }
    return picture;
  }

  /** Neighbours first, then outwards; what is far away is let go of. */
  function prepare() {
    const wanted = new Set();
    for (let away = 0; away <= NEAR; away += 1) {
      for (const index of [at + away, at - away]) {
        const frame = shown[index];
        if (frame?.view) {
          wanted.add(frame.view);
          load(frame.view);
        }
      }
    }
    for (const url of ready.keys()) if (!wanted.has(url) && ready.size > 4 * NEAR) ready.delete(url);
  }

  function toggle() {
    if (timer) stop();
    else start();
  }

  function start() {
    play.replaceChildren(icon("pause"));
    name("Stop");
    timer = setInterval(() => {
      if (at + way < 0 || at + way >= shown.length) way = -way;
      go(Math.min(shown.length - 1, Math.max(0, at + way)));
    }, BEAT);
  }

  function stop() {
    if (!timer) return;
    clearInterval(timer);
    timer = 0;
    play.replaceChildren(icon("play"));
    name("Play");
  }

  function name(text) {
    setAttribute(play, "aria-label", text);
    setAttribute(play, "title", text);
  }

  /** Other frames, at the same place. */
  function show(next) {
    shown = next.filter((frame) => frame.view);
    range.max = String(Math.max(0, shown.length - 1));
    for (const frame of shown) new Image().src = frame.thumb ?? frame.view; // small, and all at once
    go(Math.min(at, Math.max(0, shown.length - 1)));
  }

  at = Math.floor(frames.length / 2);
  show(frames);
  return { node, row, image, go, show, stop, toggle, frame: () => shown[at] };
}
