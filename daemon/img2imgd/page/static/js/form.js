/** The form of a drop: fields from the schema, prompt first, and what they would make. */

import { act } from "./api.js";
import { make, setText, show } from "./dom.js";
import { field, framed, strengthField, sweepField } from "./fields.js";
import { counted } from "./words.js";

const FIRST = ["prompt", "strength", "seed", "n", "sweep"];
const NEVER = ["images"]; // the picture that is sent is the only one
const PAUSE = 350; // milliseconds after the last key before the daemon is asked

/**
 * `{ node, inbox(), settings(), check(), showProblems(problems) }`. Nobody is told off for a field that
 * they have not come to yet: `showProblems` of what was sent shows all.
 */
export function dropForm(told) {
  const properties = told.schema.properties;
  const inboxChoice = make("select", {}, ...told.inboxes.map((one) => make("option", { value: one.index }, one.name)));
  const inboxField = framed("inbox", "", inboxChoice);
  const fields = new Map();
  for (const key of Object.keys(properties)) {
    if (NEVER.includes(key)) continue;
    if (key === "strength") fields.set(key, strengthField(properties[key]));
    else if (key === "sweep") fields.set(key, sweepField(properties[key], told.schema));
    else fields.set(key, field(key, properties[key], key === "model" ? told.models : null));
  }
  const rest = [...fields.keys()].filter((key) => !FIRST.includes(key));
  const general = make("ul", { class: "error", role: "alert", hidden: true });
  const count = make("p", { role: "status" });
  const yaml = make("pre", { tabindex: 0, "aria-label": "The sidecar that is written" });
  const made = make("div", { class: "made" }, count,
    make("details", {}, make("summary", {}, "The sidecar that is written beside it"), yaml));
  const node = make(
    "div", { class: "form" },
    told.inboxes.length > 1 ? inboxField.node : null,
    get("prompt"), get("strength"),
    make("div", { class: "pair" }, get("seed"), get("n")),
    get("sweep"),
    make("details", { class: "rest" }, make("summary", {}, "More settings"),
      make("fieldset", {}, make("legend", { class: "unseen" }, "More settings"), ...rest.map(get))),
    general, made,
  );
  const touched = new Set();
  let timer = 0;
  let round = 0;

  function get(key) {
    return fields.get(key)?.node ?? null;
  }

  const inbox = () => told.inboxes[inboxChoice.selectedIndex] ?? told.inboxes[0];

  /** Only what the person said. */
  function settings() {
    const said = {};
    for (const [key, one] of fields) {
      const value = one.value();
      if (value !== undefined) said[key] = value;
    }
    return said;
  }

  function setDefaults() {
    for (const [key, one] of fields) one.setDefault(inbox().defaults[key]);
  }

  /** Ask the daemon what this would make; true where nothing is wrong. */
  async function check() {
    clearTimeout(timer);
    round += 1;
    const mine = round;
    try {
      const answer = await act("/api/check", { inbox: inbox().index, settings: settings() });
      if (mine !== round) return false;
      showProblems(answer.problems.filter(({ key }) => touched.has(topOf(key))));
      const good = answer.problems.length === 0;
      setText(count, good ? `Each picture gives ${counted(answer.frames, "picture")}.` : "");
      setText(yaml, answer.sidecar);
      show(made, good);
      return good;
    } catch (refusal) {
      if (mine === round) showProblems(refusal.problems.length ? refusal.problems
        : [{ key: "", message: refusal.message, advice: refusal.advice }]);
      return false;
    }
  }

  /** Each beside its field; those of no field below. */
  function showProblems(problems) {
    const texts = new Map();
    const others = [];
    for (const { key, message, advice } of problems) {
      const top = topOf(key);
      const text = [message, advice].filter(Boolean).join(" ");
      if (fields.has(top)) texts.set(top, [texts.get(top), text].filter(Boolean).join(" "));
      else others.push(key ? `${key}: ${text}` : text);
    }
    for (const [key, one] of fields) one.setProblem(texts.get(key) ?? "");
    general.replaceChildren(...others.map((text) => make("li", {}, text)));
    show(general, others.length > 0);
    if ([...texts.keys()].some((key) => rest.includes(key))) node.querySelector("details.rest").open = true;
  }

  const topOf = (key) => key.split(/[.[]/)[0];

  function changed(event) {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (key) touched.add(key);
    fields.get("strength").control.disabled = fields.get("sweep")?.axis() === "strength";
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE);
  }
  for (const event of ["input", "change"]) node.addEventListener(event, changed);
  node.addEventListener("focusout", (event) => {
    if (event.target.id === "field-prompt") changed(event); // left empty, it is needed after all
  });
  inboxChoice.addEventListener("change", setDefaults);
  setDefaults();
  show(made, false);
  check();
  return { node, inbox, settings, check, showProblems };
}
