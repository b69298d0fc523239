/** Adding pictures: chosen or dropped, sent with their settings, and followed until they are painted. */

import { read, upload } from "./api.js";
import { KeyedList, button, byId, icon, iconButton, make, setAttribute, setText, show } from "./dom.js";
import { dropForm } from "./form.js";
import { fraction } from "./now.js";
import { complain } from "./say.js";
import { bytes, counted } from "./words.js";

const TOO_FAST = 429;
const MOST_TRIES = 8;
const WAIT = 2000; // milliseconds before a hasty upload is tried again

let told = null; // what the daemon says of its inboxes and keys
let form = null;
let picked = []; // { file, url, state, fraction, problem, picture, job }
let list = null;
let sending = false;
let send = null;
let waiting = []; // files that came before the form

/** Show the view, and make the form the first time. */
export async function showDrop() {
  if (told) {
    form?.check();
    return;
  }
  try {
    told = await read("/api/drop");
  } catch (refusal) {
    complain(refusal);
    return;
  }
  build();
  receive(waiting);
  waiting = [];
}

/** The view goes; what is sent goes on. */
export function hideDrop() {
  if (sending) return;
  const over = (item) => item.state === "done" || item.state === "cancelled";
  for (const item of picked.filter(over)) URL.revokeObjectURL(item.url);
  picked = picked.filter((item) => !over(item));
  draw();
}

/** Pictures were chosen, dropped or pasted. */
export function receive(files) {
  if (!told) {
    waiting.push(...files);
    return;
  }
  if (!list) return;
  for (const file of files) picked.push({ key: crypto.getRandomValues(new Uint32Array(2)).join("-"), file,
                                          url: URL.createObjectURL(file), state: "picked", fraction: 0,
                                          problem: problemOf(file) });
  draw();
}

function problemOf(file) {
  const endings = told.accept.split(",").map((one) => one.trim().toLowerCase());
  if (!endings.some((ending) => file.name.toLowerCase().endsWith(ending))) return "This is no picture that can be read.";
  if (file.size > told.max_file_mb * 1e6) return `It has ${bytes(file.size)}; ${told.max_file_mb} MB are allowed.`;
  return "";
}

function build() {
  const place = byId("drop-place");
  if (!told.inboxes.length) {
    place.replaceChildren(make("div", { class: "empty" }, icon("drop"), make("h2", {}, "This page only shows"),
      make("p", {}, "Pictures are added by putting them into an inbox folder.")));
    return;
  }
  const input = make("input", { type: "file", accept: told.accept, multiple: true, class: "unseen", tabindex: -1,
                                "aria-label": "Pictures", onchange: () => {
                                  receive([...input.files]);
                                  input.value = "";
                                } });
  const zone = make(
    "div", { class: "zone" }, icon("drop"), make("strong", {}, "Drop pictures here"),
    make("p", {}, "or anywhere on this page, or paste one"),
    button("plain", "picture", "Choose pictures", () => input.click()), input,
    make("p", { class: "hint" }, `${told.accept.replaceAll(",", " ").replaceAll(".", "")}; up to ${told.max_file_mb} MB each`),
  );
  for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    zone.addEventListener(name, () => zone.classList.toggle("over", over));
  }
  const items = make("ul", { class: "picked", "aria-label": "Pictures to send" });
  list = new KeyedList(items, row);
  form = dropForm(told);
  send = button("strong", "drop", "Send", sendAll);
  const where = make("p", { class: "hint" }, "A picture and its sidecar go into the inbox folder, nothing else.");
  place.replaceChildren(make(
    "form", { class: "drop", novalidate: true, onsubmit: (event) => {
      event.preventDefault();
      sendAll();
    } },
    make("div", {}, zone, items),
    make("div", {}, form.node, make("div", { class: "send" }, send, where)),
  ));
  draw();
}

function draw() {
  if (!list) return;
  list.show(picked, (item) => item.key);
  const open = picked.filter((item) => item.state === "picked" && !item.problem).length;
  send.disabled = sending || !open;
  setText(send.words, sending ? "Sending …" : open > 1 ? `Send ${counted(open, "picture")}` : "Send");
}

function row(first) {
  const name = make("span", { class: "row-name" });
  const state = make("p", { class: "hint", role: "status" });
  const link = make("a", { hidden: true }, "See it");
  const fill = make("div", { class: "bar-fill" });
  const bar = make("div", { class: "bar", role: "progressbar", "aria-label": `Progress of ${first.file.name}`,
                            "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
  const away = iconButton("quiet", "cancel", `Take ${first.file.name} away`, () => {
    URL.revokeObjectURL(first.url);
    picked = picked.filter((item) => item !== first);
    draw();
  });
  const image = make("img", { alt: "", src: first.url, onerror: () => show(image, false) });
  const node = make("li", {}, make("div", { class: "thumb" }, image),
                    make("div", {}, name, state, link, bar), away);

  function update(item) {
    setText(name, item.picture ?? item.file.name);
    setText(state, item.problem || wordsOf(item));
    state.className = item.problem ? "error" : "hint";
    const moving = ["sending", "painting"].includes(item.state);
    show(bar, moving);
    const part = item.fraction ?? 0;
    fill.style.transform = `translateX(${(part - 1) * 100}%)`;
    setAttribute(bar, "aria-valuenow", Math.round(part * 100));
    show(away, !["sending"].includes(item.state));
    show(link, Boolean(item.job));
    if (item.job) setAttribute(link, "href", `#job/${encodeURIComponent(item.job)}`);
  }
  return { node, update };
}

function wordsOf(item) {
  switch (item.state) {
    case "picked": return bytes(item.file.size);
    case "sending": return item.fraction < 1 ? `Sending, ${Math.round(item.fraction * 100)} %` : "Being written into the inbox";
    case "sent": return "In the inbox; it is taken in when it has settled.";
    case "queued": return `In the queue${item.position ? `, number ${item.position}` : ""}.`;
    case "painting": return "Being painted.";
    case "failed": return "It failed.";
    case "cancelled": return "Cancelled; what was painted is kept.";
    default: return "Painted.";
  }
}

async function sendAll() {
  if (sending) return;
  sending = true;
  draw();
  try {
    const settings = JSON.stringify(form.settings());
    const { index } = form.inbox();
    for (const item of picked.filter((one) => one.state === "picked" && !one.problem)) {
      if (!(await sendOne(item, index, settings))) break;
    }
  } finally {
    sending = false;
    draw();
  }
}

/** False where the settings are wrong, so that the others need not be tried. */
async function sendOne(item, index, settings) {
  const body = new FormData();
  body.append("inbox", index);
  body.append("settings", settings);
  body.append("picture", item.file, item.file.name);
  item.state = "sending";
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await upload("/api/drop", body, (part) => {
        item.fraction = part;
        draw();
      });
      Object.assign(item, { state: "sent", picture: answer.picture, inbox: answer.inbox, since: answer.at });
      draw();
      return true;
    } catch (refusal) {
      if (refusal.status === TOO_FAST && tries < MOST_TRIES) {
        await new Promise((resolve) => setTimeout(resolve, WAIT));
        continue;
      }
      item.state = "picked";
      if (refusal.problems?.length) {
        form.showProblems(refusal.problems);
        byId("drop-place").querySelector("[aria-invalid=true]")?.focus();
        return false;
      }
      item.problem = [refusal.message, refusal.advice].filter(Boolean).join(" ");
      draw();
      return true;
    }
  }
}

/** Find what was sent in what the daemon tells: the person sees the job appear. */
export function trackDrops(now) {
  const open = picked.filter((item) => ["sent", "queued", "painting"].includes(item.state));
  for (const item of open) {
    const same = (card) => (item.job ? card.id === item.job : card.picture === item.picture && card.inbox === item.inbox);
    const running = now.running.find(same);
    const queued = now.queued.find(same);
    const card = running ?? queued;
    if (card) {
      Object.assign(item, { job: card.id, state: running ? "painting" : "queued", position: queued?.position,
                            fraction: running ? fraction(running) ?? 0 : 0 });
    } else if (item.job && item.state !== "sent") ended(item);
    else if (!item.job && !now.waiting.some(({ file }) => file === item.picture)) lookFor(item);
  }
  if (open.length) draw();
}

async function ended(item) {
  try {
    const job = await read(`/api/jobs/${encodeURIComponent(item.job)}`);
    if (!job.ended_at) return;
    item.state = job.published ? (job.state === "cancelled" ? "cancelled" : "done") : "failed";
    if (item.state === "failed") item.problem = job.reason || "It failed.";
    draw();
  } catch {
    // Asked again with the next event.
  }
}

/** So quick that it was never seen: among the results. */
async function lookFor(item) {
  if (item.looking) return;
  item.looking = true;
  try {
    for (const list of [`/api/results?limit=30`, `/api/failures?limit=30`]) {
      const told = await read(list);
      const card = told.items.find((one) => one.picture === item.picture && Date.parse(one.claimed_at) >= item.since - 5000);
      if (card) Object.assign(item, { job: card.id, state: "queued" });
      if (card) return await ended(item);
    }
  } catch {
    // Asked again with the next event.
  } finally {
    item.looking = false;
  }
}
