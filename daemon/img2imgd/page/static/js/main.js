/** The page's start: views and their addresses, keys, colours, and who hears what the daemon tells. */

import { KeyedList, byId, icon, make, setAttribute, setText, show } from "./dom.js";
import { hideDrop, receive, showDrop, trackDrops } from "./drop.js";
import { hideFailures, refreshFailures, showFailures } from "./failures.js";
import { close, hideJob, isFailure, jobKey, onJob, refreshJob, showJob } from "./job.js";
import { live } from "./live.js";
import { banner, bannersOf, fraction, pause, showNow, tick } from "./now.js";
import { freshResults, hideResults, onResults, search, results, showLatest, showResults } from "./results.js";
import { VIEWS, readRoute } from "./routes.js";
import { announce } from "./say.js";
import { cancelled, count, fileName } from "./words.js";

const TITLES = { now: "Now", results: "Results", failures: "Failures", drop: "Add pictures", job: "Job" };
const banners = new KeyedList(byId("banners"), banner);
let shown = null;

function route() {
  const next = readRoute(location.hash);
  const last = shown;
  if (last?.view === next.view && last.id === next.id) return;
  if (last && last.view !== next.view) hide(last.view);
  shown = next;
  for (const view of [...VIEWS, "job"]) show(byId(`view-${view}`), view === next.view);
  if (next.view !== "job") mark(next.view, "page");
  else if (last?.view !== "job") mark(last?.view === "failures" ? "failures" : "results", "true");
  setTitle();
  if (next.view === "results") showResults(next.query);
  else if (next.view === "job") showJob(next.id, last && last.view !== "job" ? addressOf(last) : null);
  else {
    if (next.view === "failures") showFailures();
    if (next.view === "drop") showDrop();
    if (next.view === "now") showLatest();
    scrollTo({ top: 0 });
  }
  if (last && next.view !== "job") byId(`title-${next.view}`).focus({ preventScroll: true });
}

/** The view that the navigation shows: the page itself, or where an open job is listed. */
function mark(view, current) {
  for (const link of document.querySelectorAll(".views a")) {
    setAttribute(link, "aria-current", link.dataset.view === view ? current : null);
  }
}
onJob((job) => mark(isFailure(job) ? "failures" : "results", "true"));

const addressOf = ({ view }) =>
  view === "results" && results.query ? `#results?q=${encodeURIComponent(results.query)}` : `#${view}`;

function hide(view) {
  if (view === "results") hideResults();
  if (view === "failures") hideFailures();
  if (view === "drop") hideDrop();
  if (view === "job") hideJob();
}

function setTitle() {
  if (shown?.view === "job") return; // says its own name
  const job = live.now?.running.find((one) => one.phase === "painting");
  const done = job && fraction(job);
  const percent = job && done !== null ? `${Math.round(done * 100)} % ` : "";
  const title = `${percent}${TITLES[shown?.view ?? "now"]} – img2imgd`;
  if (document.title !== title) document.title = title;
}

function showBanners() {
  const told = bannersOf(live.now);
  banners.show(told, (one) => one.key);
  const mayPause = live.now && live.lostSince === null && !live.now.paused_since;
  show(byId("pause"), Boolean(mayPause));
}

const endOf = ({ state, picture, kept, frames }) =>
  `${fileName(picture)}${state === "cancelled" ? `: ${cancelled(kept, frames)} pictures kept` : " is painted"}`;

live.addEventListener("now", ({ detail: now }) => {
  showNow(now);
  showBanners();
  const open = Math.max(now.running.length, now.counts.running ?? 0) + now.queued_total;
  setText(byId("count-now"), open ? count(open) : "");
  setTitle();
  trackDrops(now);
});
live.addEventListener("lost", showBanners);
live.addEventListener("found", showBanners);
live.addEventListener("missed", () => {
  freshResults();
  refreshFailures();
  refreshJob();
});
live.addEventListener("results", async () => {
  const known = results.items[0]?.id;
  await freshResults();
  const newest = results.items[0];
  if (newest && known && newest.id !== known) announce(endOf(newest));
});
live.addEventListener("failures", ({ detail }) => {
  setText(byId("count-failures"), detail.total ? count(detail.total) : "");
  refreshFailures();
});
onResults(showLatest);
setInterval(() => {
  if (shown?.view === "now" && !document.hidden) tick();
}, 1000);

// Keys: / searches, Esc closes, arrows in an open job go to its neighbours.
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input:not([type=range], [type=checkbox]), textarea, select");
  if (event.key === "Escape" && !byId("ask").open) {
    if (event.target === byId("search") && byId("search").value) return; // clears it first
    if (shown.view === "job") close();
    else event.target.blur?.();
  } else if (event.key === "/" && !typing) {
    event.preventDefault();
    if (shown.view !== "results") {
      location.hash = "#results";
      route();
    }
    byId("search").focus();
  } else if (shown.view === "job" && !typing && jobKey(event)) event.preventDefault();
});

byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // its address is no view
  byId("content").focus();
});
byId("pause").addEventListener("click", pause);

// Colours: the system's, light, dark.
const THEMES = ["auto", "light", "dark"];
const LABELS = { auto: "as the system's", light: "light", dark: "dark" };

function theme(chosen) {
  const root = document.documentElement;
  if (chosen === "auto") delete root.dataset.theme;
  else root.dataset.theme = chosen;
  const button = byId("theme");
  button.replaceChildren(icon(chosen));
  setAttribute(button, "aria-label", `Colours: ${LABELS[chosen]}`);
  setAttribute(button, "title", `Colours: ${LABELS[chosen]}`);
}

byId("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? "auto";
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  theme(next);
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Storage can be switched off; the choice then holds until the page goes.
  }
});

// Pictures dropped or pasted anywhere.
let dragged = 0;
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => {
  if (!hasFiles(event)) return;
  dragged += 1;
  show(byId("veil"), true);
});
addEventListener("dragleave", (event) => {
  if (!hasFiles(event)) return;
  dragged = Math.max(0, dragged - 1);
  show(byId("veil"), dragged > 0);
});
addEventListener("dragover", (event) => {
  if (hasFiles(event)) event.preventDefault();
});
addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  dragged = 0;
  show(byId("veil"), false);
  take([...event.dataTransfer.files]);
});
addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) take(files);
});

function take(files) {
  location.hash = "#drop";
  receive(files);
}

/** A picture that cannot be shown: a sign in its place. */
function unseen({ target: image }) {
  if (image.tagName !== "IMG") return;
  image.classList.add("broken");
  if (!image.parentElement?.querySelector(".no-picture")) {
    image.after(make("span", { class: "no-picture" }, icon("picture")));
  }
}

function seen({ target: image }) {
  if (image.tagName !== "IMG" || !image.classList.contains("broken")) return;
  image.classList.remove("broken");
  if (!image.parentElement?.querySelector("img.broken")) image.parentElement?.querySelector(".no-picture")?.remove();
}

for (const node of document.querySelectorAll("[data-icon]")) node.prepend(icon(node.dataset.icon));
theme(document.documentElement.dataset.theme ?? "auto");
document.addEventListener("error", unseen, true); // these two do not bubble
document.addEventListener("load", seen, true);
addEventListener("hashchange", route);
history.scrollRestoration = "manual";
route();
if (!results.begun) search("");
live.start();
