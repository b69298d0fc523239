/** The gallery of results: newest first, loaded as one scrolls, searched by name and prompt. */

import { read } from "./api.js";
import { byId, icon, make, setAttribute, setText, show } from "./dom.js";
import { Gallery } from "./gallery.js";
import { complain } from "./say.js";
import { ago, cancelled, counted, date, fileName, kind } from "./words.js";

const CHUNK = 120;
const AHEAD = 60; // loaded before one sees them
const NEAR_TOP = 120; // pixels of scrolling within which somebody is at the top
const PAUSE = 200; // milliseconds after the last key of a search

/** What has been loaded: shared with the open job, which steps through it. */
export const results = { items: [], next: null, total: 0, query: "", begun: false };

const held = { items: [], more: 0 }; // new ones that wait until somebody wants to see them
let loading = null;
let round = 0; // answers to an older search are late
let place = 0; // where the list was scrolled to
let visible = false;
const listeners = new Set();

const gallery = new Gallery(byId("gallery"), {
  itemAt: (index) => results.items[index],
  keyOf: (item) => item.id,
  create: tile,
  onRange: (last) => reach(last + AHEAD),
});

/** Call this when items are loaded or new. */
export const onResults = (listener) => listeners.add(listener);

/** Show the view; `query` is what is looked for. */
export function showResults(query) {
  visible = true;
  if (!results.begun || query !== results.query) search(query);
  byId("search").value = query;
  gallery.measure();
  scrollTo({ top: place });
}

/** The view goes: remember where it was. */
export function hideResults() {
  if (visible) place = scrollY;
  visible = false;
}

/** Begin anew with what is looked for. */
export function search(query) {
  Object.assign(results, { items: [], next: null, total: 0, query, begun: true });
  Object.assign(held, { items: [], more: 0 });
  showFresh();
  round += 1;
  loading = null;
  place = 0;
  gallery.reset();
  return load();
}

/** Load until there are so many, or all. */
export async function reach(number) {
  while (results.items.length < Math.min(number, results.total) && results.next !== null) {
    const before = results.items.length;
    await load();
    if (results.items.length === before) return; // refused; the next scrolling asks again
  }
}

function load() {
  loading ??= loadChunk(round).finally(() => {
    loading = null;
  });
  return loading;
}

function url(limit, before) {
  const query = new URLSearchParams({ limit });
  if (before) query.set("before", before);
  if (results.query) query.set("q", results.query);
  return `/api/results?${query}`;
}

async function loadChunk(ofRound) {
  try {
    const told = await read(url(CHUNK, results.next));
    if (ofRound !== round) return;
    const known = new Set(results.items.map((item) => item.id));
    results.items.push(...told.items.filter((item) => !known.has(item.id)));
    results.next = told.next;
    results.total = told.next === null ? results.items.length : Math.max(told.total, results.items.length);
    changed();
  } catch (refusal) {
    if (ofRound === round) complain(refusal);
  }
}

function changed() {
  gallery.setTotal(results.total);
  const [one, many] = results.query ? ["match", "matches"] : ["job", "jobs"];
  setText(byId("results-count"), results.total ? counted(results.total, one, many) : "");
  showEmpty();
  for (const listener of listeners) listener();
}

/** Something was published: at the top if one is there, else it waits behind a button. */
export async function freshResults() {
  if (!results.begun) return;
  const ofRound = round;
  let told;
  try {
    told = await read(url(CHUNK, null));
  } catch {
    return; // the next event asks again
  }
  if (ofRound !== round) return;
  const known = new Set(results.items.map((item) => item.id));
  for (const item of told.items) if (known.has(item.id)) refresh(item);
  held.items = told.items.filter((item) => !known.has(item.id));
  held.more = told.total;
  if (!held.items.length) return;
  const looking = visible && (scrollY > NEAR_TOP || byId("gallery").contains(document.activeElement));
  if (looking) showFresh();
  else takeFresh();
}

function refresh(item) {
  const at = results.items.findIndex((known) => known.id === item.id);
  results.items[at] = item;
  gallery.plan();
}

function takeFresh() {
  if (held.items.length >= CHUNK) {
    search(results.query); // so many that there may be a gap
    return;
  }
  results.items.unshift(...held.items);
  results.total = Math.max(held.more, results.items.length);
  held.items = [];
  showFresh();
  changed();
}

function showFresh() {
  const button = byId("fresh");
  show(button, held.items.length > 0);
  setText(button, `${counted(held.items.length, "new picture")} at the top`);
}

byId("fresh").addEventListener("click", () => {
  takeFresh();
  scrollTo({ top: 0 });
  byId("title-results").focus({ preventScroll: true });
});

function tile(first) {
  if (first === undefined) {
    const node = make("li", { class: "tile", "aria-label": "Loading" }, make("span", { class: "tile-picture" }));
    return { node, update() {} };
  }
  const image = make("img", { alt: "", loading: "lazy", decoding: "async", src: first.thumb });
  const badge = make("span", { class: "badge" });
  const gone = make("span", { class: "badge" }, "taken away");
  const prompt = make("span", { class: "tile-prompt" });
  const name = make("span", { class: "tile-name" });
  const link = make(
    "a", { href: `#job/${encodeURIComponent(first.id)}` },
    make("span", { class: "tile-picture" }, image, make("span", { class: "tile-badges" }, gone, badge)),
    make("span", { class: "tile-words" }, prompt, name),
  );
  const node = make("li", { class: "tile" }, link);

  function update(item) {
    const cut = item.state === "cancelled";
    setText(badge, cut ? cancelled(item.kept, item.frames) : kind(item));
    show(badge, cut || item.frames > 1);
    show(gone, item.gone);
    node.classList.toggle("gone", item.gone);
    setText(prompt, item.prompt || fileName(item.picture));
    setText(name, `${fileName(item.picture)} · ${ago(item.ended_at)}`);
    setAttribute(link, "title", `${item.picture}\n${date(item.ended_at)}`);
  }
  return { node, update };
}

function showEmpty() {
  const box = byId("results-empty");
  show(box, results.total === 0);
  if (results.total) return;
  box.replaceChildren(icon("results"), ...(results.query ? [
    make("h2", {}, "Nothing like that"),
    make("p", {}, `No file name or prompt holds “${results.query}”.`),
  ] : [
    make("h2", {}, "No pictures yet"),
    make("p", {}, "Drop a picture and a sidecar into an inbox: what becomes of it appears here."),
    make("a", { class: "button strong", href: "#drop" }, "Add a picture"),
  ]));
}

let typing = 0;
byId("search").addEventListener("input", (event) => {
  clearTimeout(typing);
  const query = event.target.value.trim();
  typing = setTimeout(() => {
    history.replaceState(null, "", query ? `#results?q=${encodeURIComponent(query)}` : "#results");
    search(query);
  }, PAUSE);
});

/** The latest few, for the view of now. */
export function showLatest() {
  const strip = byId("latest");
  const items = results.query ? [] : results.items.slice(0, 14);
  show(byId("latest-part"), items.length > 0);
  const wanted = items.map((item) => item.id).join(" ");
  if (strip.dataset.shown === wanted) return;
  strip.dataset.shown = wanted;
  const kept = new Map([...strip.children].map((node) => [node.dataset.id, node]));
  strip.replaceChildren(...items.map((item) => kept.get(item.id) ?? latest(item)));
}

function latest(item) {
  const label = `${fileName(item.picture)}: ${item.prompt}`;
  const link = make("a", { href: `#job/${encodeURIComponent(item.id)}`, title: label, "aria-label": label },
                    make("img", { alt: "", src: item.thumb, loading: "lazy" }));
  return make("li", { "data-id": item.id }, link);
}
