/** An open job: its stage, what it was made of, and the way to its neighbours. */

import { read } from "./api.js";
import { button, byId, icon, iconButton, make } from "./dom.js";
import { retry, whatToCorrect } from "./failures.js";
import { live } from "./live.js";
import { cancel } from "./now.js";
import { onResults, reach, results, search } from "./results.js";
import { note } from "./say.js";
import { stage } from "./stage.js";
import { ago, bytes, count, counted, date, duration, fileName } from "./words.js";

const SWIPE = 60; // pixels sideways that mean "the next one"
const STATES = { failed: "failed", cancelled: "cancelled", queued: "in the queue", running: "being painted",
                 publishing: "being published", claiming: "being taken in", replaced: "replaced by a newer save" };

const MAIN = ["style", "strength", "guidance_scale", "steps", "seed", "n", "size", "model", "scheduler"];

const view = byId("view-job");
let shown = null; // id
let job = null;
let setting = null;
const listeners = new Set();
let back = "#results";

/** Open a job; `from` is the view that one came from. */
export async function showJob(id, from) {
  if (from) back = from;
  shown = id;
  hideStage();
  if (!results.begun) search("");
  let told;
  try {
    told = await read(`/api/jobs/${encodeURIComponent(id)}`);
  } catch (refusal) {
    if (shown === id) showRefusal(refusal);
    return;
  }
  if (shown !== id) return;
  job = told;
  build();
  document.title = `${fileName(job.picture)} – img2imgd`;
  byId("title-job").focus({ preventScroll: true });
  scrollTo({ top: 0 });
}

/** The view goes. */
export function hideJob() {
  shown = null;
  job = null;
  hideStage();
  view.replaceChildren();
}

function hideStage() {
  setting?.stop();
  setting = null;
}

/** Call this with each job that is opened. */
export const onJob = (listener) => listeners.add(listener);

/** True for a job that is listed among the failures. */
export const isFailure = ({ state, published }) => state === "failed" || (state === "cancelled" && !published);

/** True for one that was cancelled and kept what was painted. */
const isCut = ({ state, published }) => state === "cancelled" && published !== "";

const keptOf = ({ frames_list: frames }) => frames.filter(({ state }) => state === "published").length;

function build() {
  for (const listener of listeners) listener(job);
  hideStage();
  setting = stage(job);
  view.replaceChildren(make("article", { class: "job" }, bar(), setting.node, words()));
  showNeighbours();
}

function showRefusal(refusal) {
  view.replaceChildren(make(
    "div", { class: "empty" }, icon("picture"),
    make("h1", { id: "title-job", tabindex: -1 }, refusal.status === 404 ? "No such job" : refusal.message),
    make("p", {}, refusal.advice || refusal.message),
    make("a", { class: "button strong", href: "#results" }, "All results"),
  ));
  byId("title-job").focus();
}

function bar() {
  const pictures = job.frames > 1 ? counted(job.frames, "picture") : "";
  const told = [STATES[job.state], job.ended_at ? ago(job.ended_at) : "",
                isCut(job) ? `${count(keptOf(job))} of ${pictures}` : pictures];
  return make(
    "div", { class: "job-bar" },
    iconButton("quiet", "cancel", "Close", close),
    make("div", { class: "names" },
      make("h1", { id: "title-job", tabindex: -1, title: job.picture }, fileName(job.picture)),
      make("span", { class: "number", title: date(job.ended_at) }, told.filter(Boolean).join(" · "))),
    neighbourButton("newer", "newer", "Newer job", -1),
    neighbourButton("older", "older", "Older job", 1),
  );
}

function neighbourButton(id, iconName, label, step) {
  const node = iconButton("plain", iconName, label, () => go(step));
  node.id = id;
  return node;
}

function showNeighbours() {
  const at = results.items.findIndex((item) => item.id === shown);
  for (const [id, step] of [["newer", -1], ["older", 1]]) {
    const node = byId(id);
    if (node) node.disabled = at < 0 || at + step < 0 || at + step >= results.total;
  }
}
onResults(showNeighbours);

/** To the newer (-1) or older (1) neighbour in the list of results. */
async function go(step) {
  const at = results.items.findIndex((item) => item.id === shown);
  if (at < 0) return;
  await reach(at + step + 1);
  const next = results.items[at + step];
  if (next) location.replace(`#job/${encodeURIComponent(next.id)}`);
}

/** Back to where one came from. */
export function close() {
  location.hash = back;
}

function words() {
  const publishedAt = job.frames_list.find((frame) => frame.url)?.url ?? null;
  const node = make(
    "div", { class: "job-words" },
    make("p", { class: "job-prompt" }, job.prompt),
    actions(publishedAt),
    troubles(),
    settings(),
    files(),
    make("details", {}, make("summary", {}, "Sidecar"), make("pre", { tabindex: 0, "aria-label": "Sidecar" }, job.sidecar)),
    facts(),
  );
  return node;
}

function actions(url) {
  const copy = button("strong", "copy", "Copy sidecar", async () => {
    const copied = await copyText(job.sidecar);
    note(copied ? "The sidecar is copied." : "The browser did not allow copying; the text is below.");
  });
  const all = [copy];
  if (url && job.frames === 1) {
    all.push(make("a", { class: "button plain", href: url, target: "_blank", rel: "noopener" }, icon("file"), "Open the file"));
  }
  if (job.retry || job.ordered) {
    const again = button("plain", "retry", job.ordered ? "Retry asked" : "Retry", async () => {
      again.disabled = true;
      again.words.textContent = (await retry(job)) ? "Retry asked" : "Retry";
    });
    again.disabled = job.ordered;
    all.push(again);
  }
  if (!job.ended_at) all.push(button("plain", "cancel", "Cancel", () => cancel(job)));
  return make("div", { class: "buttons" }, ...all);
}

function troubles() {
  const told = [];
  if (job.reason) told.push(make("p", { class: "bad" }, job.reason));
  if (job.advice) told.push(make("p", {}, job.advice));
  if (job.correct && job.retry) told.push(make("p", {}, whatToCorrect(job)));
  if (isCut(job)) {
    told.push(make("p", {}, `Cancelled: ${count(keptOf(job))} of ${counted(job.frames, "picture")} were painted and kept.`));
  }
  if (job.gone) told.push(make("p", {}, "Its files are no longer in the outbox; the views here are smaller copies."));
  const notes = isCut(job) ? job.notes.filter((text) => !text.startsWith("Cancelled by hand")) : job.notes;
  for (const text of notes) told.push(make("p", {}, text));
  for (const frame of job.frames_list.filter((one) => one.state === "failed").slice(0, 20)) {
    told.push(make("p", { class: "bad" }, `${frame.label || `Picture ${frame.index + 1}`}: ${frame.reason}`));
  }
  return told.length ? make("div", { class: "notes" }, ...told) : null;
}

/** The few that people look for first, the others behind a fold. */
function settings() {
  if (!job.settings.length) return null;
  const main = job.settings.filter(([key, value]) => MAIN.includes(key) && !(key === "n" && value === "1"));
  const rest = job.settings.filter(([key]) => !MAIN.includes(key));
  return make("section", { "aria-label": "Settings" }, rows(main),
    rest.length ? make("details", {}, make("summary", {}, "All settings"), rows(rest)) : null);
}

function rows(pairs) {
  return make("dl", { class: "settings" }, ...pairs.flatMap(([key, value]) => [
    make("dt", {}, key.replaceAll("_", " ")),
    make("dd", {}, value === "" ? "none" : value),
  ]));
}

function files() {
  const tiles = job.animations.slice(0, 8).map((animation, which) => [
    "animation", which, `${animation.format.toUpperCase()}, ${bytes(animation.bytes)}`]);
  if (job.sheet) tiles.push(["sheet", 0, `Sheet, ${bytes(job.sheet.bytes)}`]);
  if (!tiles.length) return null;
  return make("div", { class: "files" }, ...tiles.map(([mode, which, label]) => {
    const picture = mode === "animation" ? poster(which) : job.sheet.url;
    return make("button", { type: "button", onclick: () => openMode(mode, which) },
      make("span", { class: "thumb" },
        picture ? make("img", { alt: "", src: picture, loading: "lazy" }) : null,
        icon(mode === "animation" ? "play" : "sheet")),
      make("span", { class: "hint" }, label));
  }));
}

/** A late picture of the morph that an animation shows. */
function poster(which) {
  const frames = job.frames_list.filter((frame) => frame.thumb);
  const own = job.animations.length > 1 ? frames.filter((frame) => frame.group === which) : frames;
  return own[Math.floor(own.length * 0.7)]?.thumb ?? null;
}

function openMode(mode, which) {
  setting.choose(mode, which);
  scrollTo({ top: 0 });
}

function facts() {
  const told = [];
  if (job.published) told.push(`In the outbox: ${job.published}`);
  if (job.seconds !== null) told.push(`Took ${duration(job.seconds)}${job.attempts > 1 ? `, ${count(job.attempts)} attempts` : ""}.`);
  told.push(`Job ${job.id}, from ${job.inbox}.`);
  const links = [...job.animations.map((one) => [one.url, one.format]), ...(job.sheet ? [[job.sheet.url, "sheet"]] : [])];
  return make("div", { class: "notes hint" }, ...told.map((text) => make("p", {}, text)),
    links.length ? make("p", {}, "Files: ", ...links.flatMap(([url, name], at) => [
      at ? ", " : "", make("a", { href: url, target: "_blank", rel: "noopener" }, name)])) : null);
}

/** Into the clipboard, also where the page has no secure context (plain http in a local network). */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make("textarea", { class: "unseen", "aria-hidden": true });
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}

/** Keys of the open job; true where one was used. */
export function jobKey(event) {
  if (event.target.matches("input, textarea, select")) return false;
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    go(event.key === "ArrowLeft" ? -1 : 1);
    return true;
  }
  return false;
}

let began = null;
view.addEventListener("touchstart", (event) => {
  const inside = event.target.closest(".canvas, .film, input, pre");
  began = inside || event.touches.length > 1 ? null : event.touches[0];
}, { passive: true });
view.addEventListener("touchend", (event) => {
  if (!began) return;
  const end = event.changedTouches[0];
  const [x, y] = [end.clientX - began.clientX, end.clientY - began.clientY];
  began = null;
  if (Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y)) go(x > 0 ? -1 : 1);
}, { passive: true });

/** A job that was open while it ran has ended, or moved on: look again. */
export async function refreshJob() {
  if (!job || job.ended_at) return;
  const id = shown;
  try {
    const told = await read(`/api/jobs/${encodeURIComponent(id)}`);
    if (shown !== id) return;
    const same = told.state === job.state && painted(told) === painted(job);
    job = told;
    if (!same) build();
  } catch {
    // The next event asks again.
  }
}

const painted = (one) => one.frames_list.filter((frame) => frame.view).length;
live.addEventListener("results", refreshJob);
live.addEventListener("failures", refreshJob);
