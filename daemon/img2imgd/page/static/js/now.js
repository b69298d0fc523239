/** The view of now: what is painted, what waits, and why. Updated in place, several times a minute. */

import { act, read } from "./api.js";
import { KeyedList, button, byId, changePicture, icon, iconButton, make, setAttribute, setText, show } from "./dom.js";
import { live } from "./live.js";
import { announce, ask, complain, note } from "./say.js";
import { ago, bytes, count, counted, date, fileName, kind, left, until } from "./words.js";

const PHASES = {
  painting: "Painting",
  reading: "Reading the picture",
  loading: "Loading the model",
  assembling: "Making animation and sheet",
  publishing: "Moving it to the outbox",
  waiting: "Waiting",
};
const QUARTER = 25; // percent between two announcements of a job

const running = new KeyedList(byId("running"), work);
const queue = new KeyedList(byId("queue"), queued);
const waiting = new KeyedList(byId("waiting"), waitingFile);

/** Show what the daemon told. */
export function showNow(now) {
  running.show(now.running, (job) => job.id);
  byId("running").classList.toggle("many", now.running.length > 2);
  const others = more((now.counts.running ?? 0) - now.running.length, " being painted");
  setText(byId("running-more"), now.loading && !now.running.length ? `Loading the model ${now.loading} …` : others);
  queue.show(now.queued, (job) => job.id);
  waiting.show(now.waiting, (file) => `${file.inbox}/${file.file}`);
  show(byId("queue-part"), now.queued_total > 0);
  setText(byId("queue-total"), count(now.queued_total));
  setText(byId("queue-more"), more(now.queued_total - now.queued.length));
  show(byId("waiting-part"), now.waiting_total > 0);
  setText(byId("waiting-total"), count(now.waiting_total));
  setText(byId("waiting-more"), more(now.waiting_total - now.waiting.length));
  showResting(now);
  showFacts(now);
}

/** The clock has gone on: texts that count down. */
export function tick() {
  for (const time of document.querySelectorAll("#view-now [data-until]")) {
    setText(time, until(time.dataset.until));
  }
}

/** How far a job is, from 0 to 1; null where nobody knows yet. */
export function fraction(job) {
  if (job.cancelling) return null; // frames that are left out are no progress
  if (job.phase === "assembling" || job.phase === "publishing") return 1;
  if (job.steps > 0) return Math.min(1, job.steps_done / job.steps);
  return null;
}

const more = (number, what = "") => (number > 0 ? `and ${count(number)} more${what}` : "");

/** Cancel a job once somebody has said yes. */
export async function cancel(job) {
  const kept = job.frames > 1 ? "Pictures that are finished are kept." : "Its original goes to failed.";
  const yes = await ask(`Cancel ${fileName(job.picture)}?`, kept, "Cancel the job", "Keep painting");
  if (!yes) return;
  try {
    await act(`/api/jobs/${encodeURIComponent(job.id)}/cancel`);
    note(`${fileName(job.picture)} will be cancelled.`);
  } catch (refusal) {
    complain(refusal);
  }
}

/** A job at work: input beside preview, how far, how long, cancel. */
function work(first) {
  let job = first;
  let announced = 0;
  const input = make("img", { alt: `${fileName(job.picture)} as it was dropped`, src: job.input });
  const preview = make("img", { alt: `${fileName(job.picture)} as it is painted`, hidden: true });
  const none = make("p", {});
  const fill = make("div", { class: "bar-fill" });
  const bar = make("div", { class: "bar", role: "progressbar", "aria-label": `Progress of ${fileName(job.picture)}`,
                            "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
  const phase = make("span", {});
  const time = make("span", { class: "work-left" });
  const name = make("h2", {});
  const prompt = make("p", { class: "work-prompt" });
  const node = make(
    "article", { class: "work", role: "listitem" },
    make("div", { class: "work-pictures" },
      make("figure", {}, make("div", { class: "work-picture" }, input), make("figcaption", {}, "dropped")),
      make("figure", {}, make("div", { class: "work-picture" }, none, preview), make("figcaption", {}, "painted so far"))),
    make("div", { class: "work-head" },
      make("div", {}, name, prompt),
      iconButton("quiet", "cancel", `Cancel ${fileName(job.picture)}`, () => cancel(job))),
    make("div", {}, bar, make("p", { class: "work-figures" }, phase, time)),
  );

  function update(item) {
    job = item;
    setText(name, fileName(job.picture));
    setAttribute(name, "title", job.picture);
    setText(prompt, job.prompt);
    changePicture(input, job.input);
    if (job.preview) changePicture(preview, job.preview);
    show(preview, Boolean(job.preview));
    setText(none, job.preview ? "" : "The first look comes soon.");
    setText(phase, described(job));
    setText(time, job.cancelling ? "" : left(job.seconds_left));
    showFraction(fraction(job));
  }

  function showFraction(done) {
    if (job.cancelling) { // stays where it was
      bar.classList.remove("unknown");
      setAttribute(bar, "aria-valuetext", described(job));
      return;
    }
    const known = done !== null && job.phase === "painting";
    bar.classList.toggle("unknown", !known && done !== 1 && job.phase !== "waiting");
    fill.style.transform = known || done === 1 ? `translateX(${(done - 1) * 100}%)` : "";
    const percent = Math.round((done ?? 0) * 100);
    setAttribute(bar, "aria-valuenow", known || done === 1 ? percent : null);
    setAttribute(bar, "aria-valuetext", known ? `${percent} percent, ${described(job)}` : PHASES[job.phase]);
    if (known && percent >= announced + QUARTER) {
      announced = percent - (percent % QUARTER);
      announce(`${fileName(job.picture)}: ${announced} percent painted`);
    }
  }

  return { node, update };
}

function described(job) {
  if (job.cancelling) return "Being cancelled; pictures that are finished are kept";
  const word = PHASES[job.phase] ?? job.phase;
  if (job.phase !== "painting") return word;
  const steps = `step ${count(job.steps_done)} of ${count(job.steps)}`;
  if (job.frames <= 1) return `${word}, ${steps}`;
  return `${count(job.frames_done)} of ${counted(job.frames, "picture")}, ${steps}`;
}

/** A job in the queue. */
function queued(first) {
  let job = first;
  const place = make("span", { class: "row-place" });
  const name = make("span", {});
  const size = make("span", { class: "badge" });
  const prompt = make("p", { class: "row-prompt" });
  const why = make("p", { class: "row-why" });
  const node = make(
    "li", {}, place,
    make("div", {}, make("p", { class: "row-name" }, name, size), prompt, why),
    iconButton("quiet", "cancel", `Cancel ${fileName(job.picture)}`, () => cancel(job)),
  );

  function update(item) {
    job = item;
    setText(place, count(job.position));
    setText(name, fileName(job.picture));
    setText(size, kind(job));
    show(size, job.frames > 1);
    setText(prompt, job.prompt);
    setText(why, job.why);
    show(why, job.why !== "");
  }
  return { node, update };
}

/** A file that lies in an inbox and is not claimed. */
function waitingFile() {
  const name = make("p", { class: "row-name" });
  const why = make("p", { class: "row-prompt" });
  const time = make("span", { class: "row-until" });
  const node = make("li", {}, make("div", {}, name, why), time);

  function update(file) {
    setText(name, file.file);
    setAttribute(name, "title", file.inbox);
    setText(why, file.why);
    if (file.until) time.dataset.until = file.until;
    else delete time.dataset.until;
    setText(time, file.until ? until(file.until) : "");
  }
  return { node, update };
}

let restingBuilt = false;

function showResting(now) {
  const place = byId("resting");
  const rests = !now.running.length && !now.queued_total;
  show(place, rests);
  if (!rests || restingBuilt) return;
  restingBuilt = true;
  const where = make("span", {}, "an inbox");
  place.append(
    icon("brush"),
    make("h2", {}, "Nothing to paint"),
    make("p", {}, "Drop a picture and a sidecar into ", where, ", or add one here."),
    make("a", { class: "button strong", href: "#drop" }, "Add a picture"),
  );
  nameInboxes(where);
}

async function nameInboxes(where) {
  try {
    const { inboxes } = await read("/api/drop");
    const names = inboxes.slice(0, 3).flatMap(({ name }, at) => [at ? " or " : "", make("code", {}, name)]);
    if (names.length) where.replaceChildren(...names);
  } catch {
    // The sentence holds without names.
  }
}

function showFacts(now) {
  const facts = [
    now.model && `Model ${now.model}${now.device ? ` on ${now.device}` : ""}`,
    now.free_bytes !== null && `${bytes(now.free_bytes)} free`,
    `${counted(now.counts.done ?? 0, "job")} done`,
    `img2imgd ${now.version} on ${now.host}`,
  ].filter(Boolean);
  const place = byId("facts");
  if (place.children.length !== facts.length) place.replaceChildren(...facts.map(() => make("span", {})));
  facts.forEach((fact, at) => setText(place.children[at], fact));
}

/** Banners in plain words: paused, waits for, a config that is not used, unavailable, no connection. */
export function bannersOf(now) {
  const told = [];
  if (live.lostSince !== null) {
    told.push({ key: "lost", kind: "lost", title: "No connection to the daemon.",
                text: "What you see is what it last told. It is asked again every two seconds." });
  }
  if (!now) return told;
  if (now.paused_since) {
    told.push({ key: "paused", title: "Paused.", resume: true,
                text: `Nothing is painted since ${ago(now.paused_since)}; what you drop is kept.`
                  .replace("since just now", "for now").replace(/since (.*) ago/, "since $1"),
                hint: date(now.paused_since) });
  }
  if (now.waits_for) told.push({ key: "waits", title: "Waiting.", text: now.waits_for });
  if (now.not_reloaded) {
    told.push({ key: "config", title: "The config was changed and is not used.", text: now.not_reloaded });
  }
  for (const { inbox, why } of now.unavailable) {
    told.push({ key: `away ${inbox}`, title: `${inbox} cannot be served now.`, text: why });
  }
  return told;
}

/** One banner, for a KeyedList. */
export function banner(told) {
  const title = make("strong", {});
  const text = make("span", {});
  const node = make("div", { class: `banner ${told.kind ?? ""}` }, make("p", {}, title, " ", text));
  if (told.resume) node.append(button("plain", "resume", "Resume", resume));
  function update(item) {
    setText(title, item.title);
    setText(text, item.text);
    setAttribute(node, "title", item.hint ?? null);
  }
  return { node, update };
}

/** Let painting go on. */
export const resume = () => order("/api/resume", "Painting goes on.");

/** Stop painting, and free the device. */
export const pause = () => order("/api/pause", "Painting pauses after this step.");

async function order(url, text) {
  try {
    await act(url);
    note(text);
  } catch (refusal) {
    complain(refusal);
  }
}
