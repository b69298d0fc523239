/** What the page says by itself: notes that pass, questions, and words for screen readers. */

import { byId, make, setText } from "./dom.js";

const SHOWN = 6000; // milliseconds
const MOST = 3;

/** A note at the lower edge; `link` is [text, address]. */
export function note(text, link = null) {
  const toast = make("div", { class: "toast", role: "status" }, make("span", {}, text));
  if (link) toast.append(make("a", { href: link[1] }, link[0]));
  const place = byId("toasts");
  while (place.children.length >= MOST) place.firstElementChild.remove();
  place.append(toast);
  setTimeout(() => toast.remove(), SHOWN);
}

/** The note of a refusal: what is wrong and what to do. */
export const complain = (refusal) => note([refusal.message, refusal.advice].filter(Boolean).join(" "));

/** Words for screen readers alone, when they are free. */
export const announce = (text) => setText(byId("polite"), text);

addEventListener("hashchange", () => byId("ask").close("")); // asked about what is no longer in sight

/** Ask before something that cannot be taken back. True where the answer is yes. */
export function ask(title, text, yes, no) {
  const dialog = byId("ask");
  setText(byId("ask-title"), title);
  setText(byId("ask-text"), text);
  setText(byId("ask-yes"), yes);
  setText(byId("ask-no"), no);
  dialog.returnValue = "";
  dialog.showModal();
  byId("ask-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
