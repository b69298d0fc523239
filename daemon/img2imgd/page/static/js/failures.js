/** What could not be painted: the picture, the reason, what to do, and a button to try again. */

import { act, read } from "./api.js";
import { KeyedList, button, byId, icon, make, setAttribute, setText, show } from "./dom.js";
import { ask, complain, note } from "./say.js";
import { ago, counted, date, fileName } from "./words.js";

const CHUNK = 60;

const known = { items: [], next: null, total: 0 };
const list = new KeyedList(byId("failures"), failure);
let visible = false;

/** Show the view. */
export function showFailures() {
  visible = true;
  refreshFailures();
}

/** The view goes. */
export function hideFailures() {
  visible = false;
}

/** Something failed, or was retried: look again, if anybody looks. */
export async function refreshFailures() {
  if (!visible) return;
  const limit = Math.min(200, Math.max(CHUNK, known.items.length));
  try {
    const told = await read(`/api/failures?limit=${limit}`);
    Object.assign(known, told);
    draw();
  } catch (refusal) {
    complain(refusal);
  }
}

byId("failures-more").addEventListener("click", async () => {
  try {
    const told = await read(`/api/failures?limit=${CHUNK}&before=${encodeURIComponent(known.next)}`);
    known.items.push(...told.items);
    Object.assign(known, { next: told.next, total: told.total });
    draw();
  } catch (refusal) {
    complain(refusal);
  }
});

byId("retry-all").addEventListener("click", async () => {
  const text = "Every job that failed and whose files are still there is tried again.";
  if (!(await ask("Retry all failures?", text, "Retry all", "Not now"))) return;
  try {
    await act("/api/retry-failed");
    note("All that can be retried will be.");
    await refreshFailures();
  } catch (refusal) {
    complain(refusal);
  }
});

function draw() {
  list.show(known.items, (item) => item.id);
  show(byId("failures-more"), known.next !== null);
  show(byId("retry-all"), known.items.filter((item) => item.retry && !item.ordered).length > 1);
  setText(byId("failures-count"), known.total ? counted(known.total, "job") : "");
  const empty = byId("failures-empty");
  show(empty, known.total === 0);
  if (!known.total && !empty.children.length) {
    empty.append(icon("done"), make("h2", {}, "Nothing has failed"),
                 make("p", {}, "Pictures that cannot be painted come here, each with the reason and what to do."));
  }
}

/** What to do about a sidecar that was refused. */
export const whatToCorrect = ({ correct }) => `Correct ${correct} in the failed folder, then Retry.`;

/** Ask for a job to be tried again; true where the daemon took it. */
export async function retry(job) {
  try {
    await act(`/api/jobs/${encodeURIComponent(job.id)}/retry`);
    note(`${fileName(job.picture)} will be tried again.`, ["See now", "#now"]);
    return true;
  } catch (refusal) {
    complain(refusal);
    return false;
  }
}

function failure(first) {
  let item = first;
  const picture = make("div", { class: "failure-picture" },
    first.thumb ? make("img", { alt: "", src: first.thumb, loading: "lazy" }) : icon("picture"));
  const name = make("a", { href: `#job/${encodeURIComponent(first.id)}` });
  const when = make("span", { class: "hint" });
  const reason = make("p", { class: "failure-reason" });
  const advice = make("p", { class: "failure-advice" });
  const prompt = make("p", { class: "row-prompt" });
  const again = button("plain", "retry", "Retry", async () => {
    again.disabled = true;
    if (await retry(item)) item = { ...item, ordered: true };
    await refreshFailures();
    update(item);
  });
  setAttribute(again, "aria-label", `Retry ${fileName(first.picture)}`);
  const why = make("p", { class: "hint" });
  const node = make(
    "li", { class: "failure" }, picture,
    make("div", { class: "failure-text" }, make("h2", {}, name), prompt, reason, advice, when),
    make("div", { class: "failure-act" }, again, why),
  );

  function update(next) {
    item = next;
    setText(name, fileName(item.picture));
    setAttribute(name, "title", item.picture);
    setText(prompt, item.prompt);
    setText(reason, item.state === "cancelled" ? item.reason || "Cancelled." : item.reason);
    setText(advice, [item.advice, item.correct && item.retry ? whatToCorrect(item) : ""].filter(Boolean).join("\n"));
    setText(when, ago(item.ended_at));
    setAttribute(when, "title", date(item.ended_at));
    show(again, item.retry || item.ordered);
    again.disabled = item.ordered;
    setText(again.words, item.ordered ? "Retry asked" : "Retry");
    setText(why, item.retry || item.ordered ? "" : item.retry_why);
  }
  return { node, update };
}
