/** Making and updating elements. Text only ever becomes text nodes: names and prompts are hostile. */

import { PATHS } from "./icons.js";

const SVG = "http://www.w3.org/2000/svg";

/** The element of the page with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * A new element. `properties` are attributes (`class`, `href`, `aria-label`; `true` gives an empty
 * one, `null` and `false` none) and listeners (`onclick: function`); children are nodes or texts.
 */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else setAttribute(node, name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Set an attribute only where it changes; `null` and `false` remove it. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else {
    const text = value === true ? "" : String(value);
    if (node.getAttribute(name) !== text) node.setAttribute(name, text);
  }
}

/** Set a text only where it changes, so that nothing is laid out again for nothing. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Show or hide. */
export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** One of the page's own icons. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of [["class", "icon"], ["viewBox", "0 0 24 24"], ["aria-hidden", "true"]]) {
    svg.setAttribute(key, value);
  }
  for (const data of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", data);
    svg.append(path);
  }
  return svg;
}

/** A button with an icon and a text; its text is `button.words`. */
export function button(kind, iconName, text, onclick) {
  const words = make("span", {}, text);
  const node = make("button", { type: "button", class: kind, onclick }, icon(iconName), words);
  node.words = words;
  return node;
}

/** A button that shows an icon alone, and says its name to screen readers and on hovering. */
export function iconButton(kind, iconName, label, onclick) {
  return make("button", { type: "button", class: `${kind} icon-only`, "aria-label": label,
                          title: label, onclick }, icon(iconName));
}

/** Replace a picture only when the next one is there, so that nothing flickers. */
export function changePicture(image, url) {
  if (image.dataset.wanted === url) return;
  image.dataset.wanted = url;
  if (!image.getAttribute("src")) {
    image.src = url;
    return;
  }
  const next = new Image();
  next.src = url;
  next.decode().then(
    () => {
      if (image.dataset.wanted === url) image.src = url;
    },
    () => {
      if (image.dataset.wanted === url) delete image.dataset.wanted; // asked for again next time
    },
  );
}

/**
 * Children of `parent` that stand for items, kept by key: what stays is updated in place and never
 * made anew, so focus and pictures survive. `create(item)` gives `{ node, update(item) }`.
 */
export class KeyedList {
  constructor(parent, create) {
    this.parent = parent;
    this.create = create;
    this.entries = new Map();
  }

  show(items, keyOf) {
    const wanted = new Map(items.map((item) => [keyOf(item), item]));
    for (const [key, entry] of this.entries) {
      if (!wanted.has(key)) {
        entry.node.remove();
        this.entries.delete(key);
      }
    }
    let place = this.parent.firstElementChild;
    for (const [key, item] of wanted) {
      let entry = this.entries.get(key);
      if (!entry) {
        entry = this.create(item);
        this.entries.set(key, entry);
      }
      entry.update(item);
      if (entry.node === place) place = place.nextElementSibling;
      else this.parent.insertBefore(entry.node, place);
    }
  }
}
