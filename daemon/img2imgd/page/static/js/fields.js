/** One field of the form per key of a sidecar, made from its JSON Schema. */

import { make, setAttribute, setText, show } from "./dom.js";

const LINES = new Set(["style"]); // one entry a line, several make a list
const LONG = 1000; // characters from which a text gets several lines
const LABELS = { n: "Variations", gif: "Animation", sheet: "Contact sheet", restore_size: "Size of the original" };

/** "guidance_scale" → "Guidance scale" */
export function labelOf(key) {
  const words = LABELS[key] ?? key.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

/** The kinds of value that a key takes, with their bounds. */
export function kindsOf(property) {
  const kinds = {};
  for (const one of property.anyOf ?? [property]) {
    if (one.enum) kinds.enum = one.enum;
    else if (one.$ref) kinds.object = one;
    else if (one.type && one.type !== "null") kinds[one.type] = one;
  }
  return kinds;
}

/**
 * A field: `{ key, node, value(), setDefault(value), setProblem(text) }`. `value()` is undefined
 * where the person said nothing, and the string as written where it is no valid value: the daemon
 * says what is wrong with it.
 */
export function field(key, property, names) {
  const kinds = names ? { enum: names } : kindsOf(property);
  const description = (property.description ?? "").replaceAll("`", "");
  const numeric = kinds.integer ?? kinds.number;
  if (key === "size") return textField(key, description, 1, readSize, "512, 768x512, keep or native");
  if (kinds.enum) return selectField(key, description, kinds.enum.map((one) => [String(one), one]));
  if (kinds.boolean) return selectField(key, description, [["yes", true], ["no", false]]);
  if (numeric) return numberField(key, description, numeric, Boolean(kinds.integer));
  if (LINES.has(key)) return textField(key, `${description} One a line.`, 2, readLines);
  const rows = (kinds.string?.maxLength ?? 0) > LONG ? 2 : 1;
  return textField(key, description, rows, (text) => text);
}

/** The frame of a field: label, the control, what it is for, what is wrong with it. */
export function framed(key, description, control, aside = null) {
  const id = `field-${key}`;
  control.id = id;
  const hint = make("p", { class: "hint", id: `${id}-hint` }, description);
  const problem = make("p", { class: "error", id: `${id}-problem`, hidden: true });
  setAttribute(control, "aria-describedby", `${id}-hint ${id}-problem`);
  const node = make("div", { class: "field", "data-key": key },
                    make("label", { for: id }, labelOf(key), aside), control, problem, hint);
  function setProblem(text) {
    setText(problem, text);
    show(problem, text !== "");
    setAttribute(control, "aria-invalid", text ? "true" : null);
  }
  return { key, node, control, setProblem };
}

function textField(key, description, rows, parse, example = "") {
  const control = rows > 1
    ? make("textarea", { rows, class: key === "prompt" ? null : "short", spellcheck: "false" })
    : make("input", { type: "text", spellcheck: "false", autocomplete: "off" });
  const made = framed(key, description, control);
  const placeholder = (value) => setAttribute(control, "placeholder", inWords(value) || example || null);
  placeholder(undefined);
  return {
    ...made,
    value: () => (control.value.trim() === "" ? undefined : parse(control.value.trim())),
    setDefault: placeholder,
  };
}

function numberField(key, description, bounds, whole) {
  const control = make("input", {
    type: "number", inputmode: whole ? "numeric" : "decimal", step: whole ? 1 : "any",
    min: bounds.minimum ?? bounds.exclusiveMinimum ?? null, max: bounds.maximum ?? null,
  });
  const none = { seed: "a new one each time", n: "1" }[key] ?? null;
  setAttribute(control, "placeholder", none);
  return {
    ...framed(key, description, control),
    value: () => (control.value === "" ? (control.validity.badInput ? NaN : undefined) : Number(control.value)),
    setDefault: (value) => setAttribute(control, "placeholder", value === undefined ? none : inWords(value)),
  };
}

function selectField(key, description, choices) {
  const usual = make("option", { value: "" }, "as usual");
  const control = make("select", {}, usual,
    ...choices.map(([text], at) => make("option", { value: String(at) }, text)));
  return {
    ...framed(key, description, control),
    value: () => (control.value === "" ? undefined : choices[Number(control.value)][1]),
    setDefault: (value) => setText(usual, value === undefined ? "as usual" : `as usual (${inWords(value)})`),
  };
}

/** Strength has a slider; it says nothing until it is moved, and can be put back. */
export function strengthField(property) {
  const description = (property.description ?? "").replaceAll("`", "");
  const control = make("input", { type: "range", class: "slide", min: 0.01, max: 1, step: 0.01 });
  const shown = make("output", {});
  const back = make("button", { type: "button", class: "quiet", hidden: true, onclick: () => reset() }, "as usual");
  const made = framed("strength", description, control, make("span", {}, shown, " ", back));
  let usual = 0.8;
  let set = false;

  function draw() {
    setText(shown, set ? Number(control.value).toFixed(2) : `${usual}, as usual`);
    setAttribute(control, "aria-valuetext", `strength ${set ? Number(control.value).toFixed(2) : usual}`);
    show(back, set);
  }
  function reset() {
    set = false;
    control.value = String(usual);
    draw();
    control.dispatchEvent(new Event("change", { bubbles: true }));
    control.focus();
  }
  control.addEventListener("input", () => {
    set = true;
    draw();
  });
  draw();
  return {
    ...made,
    value: () => (set && !control.disabled ? Number(control.value) : undefined),
    setDefault(value) {
      usual = value ?? usual;
      if (!set) control.value = String(usual);
      draw();
    },
  };
}

const AXES = {
  strength: [0.05, 0.95, 0.1],
  guidance_scale: [3, 12, 1.5],
  steps: [10, 50, 10],
  seed: [1, 8, 1],
};

/** A sweep along one axis: on or off, from, to, step. */
export function sweepField(property, schema) {
  const name = property.anyOf?.find((one) => one.$ref)?.$ref.split("/").pop();
  const known = Object.keys(schema.$defs?.[name]?.properties ?? AXES).filter((axis) => axis in AXES);
  const on = make("input", { type: "checkbox", id: "field-sweep", "aria-describedby": "field-sweep-problem" });
  const axis = make("select", { id: "sweep-axis" }, ...known.map((one) => make("option", { value: one }, labelOf(one))));
  const bounds = ["from", "to", "step"].map((part) =>
    make("input", { type: "number", step: "any", id: `sweep-${part}`, inputmode: "decimal" }));
  const problem = make("p", { class: "error", id: "field-sweep-problem", hidden: true });
  const box = make("fieldset", { class: "sweep-box", hidden: true },
    make("legend", { class: "unseen" }, "The sweep"),
    make("div", { class: "field" }, make("label", { for: "sweep-axis" }, "What varies"), axis),
    make("div", { class: "pair" }, ...bounds.map((input, at) =>
      make("div", { class: "field" }, make("label", { for: input.id }, ["From", "To", "Step"][at]), input))));
  const node = make("div", { class: "field", "data-key": "sweep" },
    make("div", { class: "check" }, on, make("label", { for: "field-sweep" }, "Sweep")),
    make("p", { class: "hint" }, "The same picture with one setting varied: a morph, with its animation and sheet."),
    problem, box);
  let usual = false;

  function preset() {
    AXES[axis.value].forEach((value, at) => (bounds[at].value = String(value)));
  }
  axis.addEventListener("change", preset);
  on.addEventListener("change", () => {
    show(box, on.checked && !usual);
    if (!box.hidden) box.scrollIntoView({ block: "nearest" });
  });
  preset();

  return {
    key: "sweep",
    node,
    axis: () => (on.checked && !usual ? axis.value : null),
    value() {
      if (!on.checked) return usual ? {} : undefined;
      if (usual) return undefined;
      const [from, to, step] = bounds.map((input) => (input.value === "" ? undefined : Number(input.value)));
      return { [axis.value]: Object.fromEntries(Object.entries({ from, to, step }).filter(([, one]) => one !== undefined)) };
    },
    setDefault(value) {
      const before = usual;
      usual = Boolean(value && Object.keys(value).length);
      if (usual !== before) on.checked = usual;
      show(box, on.checked && !usual);
    },
    setProblem(text) {
      setText(problem, text);
      show(problem, text !== "");
    },
  };
}

function inWords(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(inWords).join(", ");
  if (typeof value === "object") return value.name ?? JSON.stringify(value);
  return String(value);
}

/** "768" → 768, "768x512" → [768, 512]; other words as they are. */
export function readSize(text) {
  const pair = text.match(/^(\d+)\s*[x×,]\s*(\d+)$/i);
  if (pair) return [Number(pair[1]), Number(pair[2])];
  return /^\d+$/.test(text) ? Number(text) : text.toLowerCase();
}

/** One line is a text, several are a list. */
export function readLines(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.length === 1 ? lines[0] : lines;
}
