/** The stage of an open job: before and after, the morph, the animation, the sheet, all frames. */

import { make, setAttribute } from "./dom.js";
import { compare } from "./compare.js";
import { morph } from "./morph.js";
import { counted } from "./words.js";

const FITS = { cover: "cover", contain: "contain", stretch: "fill" };

/** The modes that a job offers: [id, label], the first is the usual one. */
export function modesOf(job) {
  const frames = job.frames_list.filter((frame) => frame.view);
  const sizes = new Map();
  for (const { group } of frames) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const modes = [];
  if (Math.max(0, ...sizes.values()) > 1) modes.push(["morph", "Morph"]);
  if (frames.length) modes.push(["compare", "Compare"]);
  if (job.animations.length) modes.push(["animation", "Animation"]);
  if (job.sheet) modes.push(["sheet", "Sheet"]);
  if (!modes.length) modes.push(["input", "The picture"]);
  return modes;
}

/** `{ node, choose(mode, which), stop() }`: everything left of the words. */
export function stage(job) {
  const frames = job.frames_list.filter((frame) => frame.view);
  const groups = grouped(frames);
  const modes = modesOf(job);
  const board = make("div", { class: "board" });
  const tabs = make("div", { class: "choices", role: "group", "aria-label": "How to look at it" });
  const picker = make("div", { class: "choices", role: "group", "aria-label": "Which morph" });
  const below = make("div", {});
  const film = make("div", { class: "film", role: "group", "aria-label": "Pictures of this job" });
  const node = make("div", { class: "job-stage" }, tabs, board, below, picker, film);
  let current = groups.length > 1 && groups[0].length > 1 ? middle(groups[0]) : middle(frames);
  let mode = modes[0][0];
  let playing = 0; // which animation
  let moving = null;
  let sliding = null;
  let wheel = 0;

  for (const [id, label] of modes) {
    tabs.append(make("button", { type: "button", "data-mode": id, onclick: () => choose(id) }, label));
  }
  tabs.hidden = modes.length < 2;
  const names = groupNames(groups);
  picker.hidden = groups.length < 2 || groups.every((group) => group.length === 1);
  groups.forEach((group, number) => {
    picker.append(make("button", { type: "button", onclick: () => pickGroup(number) }, names[number]));
  });

  function groupOf(frame) {
    return groups.find((group) => group.includes(frame)) ?? frames;
  }

  /** The strip shows one morph, or all pictures where there is none. */
  function strip() {
    const group = groupOf(current);
    const shown = group.length > 1 ? group : frames;
    film.hidden = shown.length < 2 || mode === "animation" || mode === "sheet";
    if (film.shown === shown) return;
    film.shown = shown;
    film.replaceChildren(...shown.map((frame) =>
      make("button", { type: "button", "aria-label": frame.label || `picture ${frame.index + 1}`,
                       title: frame.label, onclick: () => pick(frame) },
           make("img", { alt: "", loading: "lazy", src: frame.thumb ?? frame.view }))));
  }

  function pick(frame) {
    moving?.stop();
    if (mode === "morph") moving.go(groupOf(frame).indexOf(frame));
    else setCurrent(frame);
  }

  function pickGroup(number) {
    const place = groupOf(current).indexOf(current);
    const group = groups[number];
    const frame = group[Math.min(place, group.length - 1)];
    setCurrent(frame);
    if (mode === "morph") moving.show(group);
    if (mode === "animation" && job.animations.length === groups.length) choose("animation", number);
  }

  function setCurrent(frame) {
    current = frame;
    sliding?.setAfter(after());
    strip();
    const shown = film.shown ?? [];
    [...film.children].forEach((tile, at) => setAttribute(tile, "aria-pressed", String(shown[at] === frame)));
    [...picker.children].forEach((tile, at) => setAttribute(tile, "aria-pressed", String(groups[at].includes(frame))));
    clearTimeout(wheel);
    wheel = setTimeout(() => follow(shown.indexOf(frame)), 60);
  }

  /** Keep the chosen tile in sight, sideways only. */
  function follow(at) {
    const tile = film.children[at];
    if (tile) film.scrollTo({ left: tile.offsetLeft - film.offsetLeft - (film.clientWidth - tile.clientWidth) / 2 });
  }

  const after = () => ({ url: current.view, alt: [current.label, current.prompt].filter(Boolean).join(": ") });

  /** Another way to look at it; `which` of several animations. */
  function choose(id, which = null) {
    mode = id;
    const own = groups.findIndex((group) => group.includes(current));
    playing = which ?? (job.animations.length === groups.length ? Math.max(0, own) : 0);
    moving?.stop();
    moving = null;
    sliding = null;
    below.replaceChildren();
    board.replaceChildren(build(id));
    for (const tab of tabs.children) setAttribute(tab, "aria-pressed", String(tab.dataset.mode === id));
    if (current) setCurrent(current);
  }

  function build(id) {
    if (id === "morph") {
      const group = groupOf(current);
      const place = group.indexOf(current);
      moving = morph(group, setCurrent);
      moving.go(place);
      below.append(moving.row);
      return sized(moving.node, moving.image);
    }
    if (id === "compare") {
      sliding = compare({ url: job.input, alt: "before: the picture that was dropped" }, after());
      const [under, over] = sliding.node.querySelectorAll("img");
      over.style.objectFit = FITS[job.settings.find(([key]) => key === "fit")?.[1]] ?? "cover";
      return sized(sliding.node, under);
    }
    const [url, alt] = {
      animation: () => [job.animations[playing].url, `Animation of ${counted(frames.length, "picture")}`],
      sheet: () => [job.sheet.url, `Contact sheet of ${counted(frames.length, "picture")}`],
      input: () => [job.input, "The picture that was dropped"],
    }[id]();
    const image = make("img", { class: "whole", alt, src: url });
    return sized(make("div", { class: "canvas" }, image), image);
  }

  /** As large as the window allows, in the picture's own proportions. */
  function sized(canvas, image) {
    if (job.size) canvas.style.setProperty("--ratio", job.size[0] / job.size[1]);
    image.addEventListener("load", () => {
      if (image.naturalHeight) canvas.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
    });
    return canvas;
  }

  board.classList.toggle("with-film", frames.length > 1);
  choose(mode);
  return {
    node,
    choose,
    stop() {
      moving?.stop();
      clearTimeout(wheel);
    },
  };
}

const middle = (list) => list[Math.floor(list.length / 2)] ?? null;

function grouped(frames) {
  const groups = new Map();
  for (const frame of frames) {
    if (!groups.has(frame.group)) groups.set(frame.group, []);
    groups.get(frame.group).push(frame);
  }
  return [...groups.values()];
}

/** What tells the morphs apart: style, then seed, then prompt, as many as it takes. */
function groupNames(groups) {
  const firsts = groups.map((group) => group[0]);
  const told = firsts.map(() => []);
  const apart = () => new Set(told.map((parts) => parts.join(" · "))).size === groups.length;
  for (const key of ["style", "seed", "prompt"]) {
    if (apart() || new Set(firsts.map((frame) => frame[key])).size < 2) continue;
    firsts.forEach((frame, at) => told[at].push(key === "seed" ? `seed ${frame.seed}` : frame[key] || `no ${key}`));
  }
  return told.map((parts, at) => parts.join(" · ") || `${at + 1}`);
}
