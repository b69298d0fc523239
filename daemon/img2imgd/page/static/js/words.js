/** Times, sizes and numbers as people say them. Pure functions. */

const NUMBER = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** 10,000 */
export const count = (number) => NUMBER.format(number);

/** "1 picture", "31 pictures" */
export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** "40 s", "12 min", "3 h 5 min", "2 days": as exact as matters. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 36) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return counted(Math.round(hours / 24), "day");
}

/** "about 40 s left"; rounded, so that the text does not flicker. */
export function left(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 5) return "a moment left";
  const step = seconds < 90 ? 5 : 60;
  return `about ${duration(Math.round(seconds / step) * step)} left`;
}

/** "just now", "5 min ago", a date after a day. */
export function ago(iso, now = Date.now()) {
  const at = Date.parse(iso);
  const seconds = (now - at) / 1000;
  if (Number.isNaN(at)) return "";
  if (seconds < 45) return "just now";
  if (seconds < 86400) return `${duration(Math.max(60, seconds)).replace(/^(\d+) s$/, "1 min")} ago`;
  return DATE.format(at);
}

/** The full date and time, for titles. */
export const date = (iso) => (iso ? DATE.format(Date.parse(iso)) : "");

/** "14:02" */
export const clock = (iso) => CLOCK.format(Date.parse(iso));

/** "in 8 s" until a moment, "" where it has passed. */
export function until(iso, now = Date.now()) {
  const seconds = (Date.parse(iso) - now) / 1000;
  return seconds > 0 ? `in ${duration(Math.ceil(seconds))}` : "any moment";
}

/** "112 GB" */
export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = number;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 9.95 && unit > 1 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** The last part of a path. */
export const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);

/** "cancelled, 6 of 29": a job that was cancelled and kept some of its pictures. */
export const cancelled = (kept, frames) => `cancelled, ${count(kept)} of ${count(frames)}`;

/** "sweep of 31", "4 pictures", "" for a single one. */
export function kind(card) {
  if (card.frames <= 1) return "";
  return card.kind === "sweep" ? `sweep of ${card.frames}` : `${card.frames} pictures`;
}
