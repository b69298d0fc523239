/** Views have addresses: `#now`, `#results?q=lake`, `#failures`, `#drop`, `#job/ID`. Pure functions. */

export const VIEWS = ["now", "results", "failures", "drop"];

/** What an address shows: `{ view, id, query }`; unknown ones show now. */
export function readRoute(hash) {
  const [path, search] = hash.replace(/^#/, "").split("?");
  const query = new URLSearchParams(search ?? "").get("q") ?? "";
  if (path.startsWith("job/")) {
    try {
      return { view: "job", id: decodeURIComponent(path.slice(4)), query };
    } catch {
      return { view: "now", id: null, query: "" };
    }
  }
  return { view: VIEWS.includes(path) ? path : "now", id: null, query };
}
