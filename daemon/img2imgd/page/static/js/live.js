import { read } from "./api.js";

/**
 * What the daemon tells by itself: one stream of events while the page is in sight. A hidden page
 * holds no connection, since browsers allow few to one server.
 */

const RETRY = 2000; // milliseconds before a stream that was refused is asked for again
const PATIENCE = 1500; // milliseconds before a lost connection is told: a restart is no news

class Live extends EventTarget {
  now = null; // the last that was told
  lostSince = null;
  #stream = null;
  #timer = 0;
  #telling = 0;
  #cut = false; // results may have come while nobody listened

  start() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#close();
      else this.#open();
    });
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", () => this.#open());
    this.#open();
  }

  #open() {
    if (this.#stream || document.hidden) return;
    clearTimeout(this.#timer);
    const stream = new EventSource("/api/events");
    this.#stream = stream;
    stream.addEventListener("now", (event) => {
      this.#found();
      this.now = JSON.parse(event.data);
      this.#tell("now", this.now);
    });
    for (const name of ["results", "failures"]) {
      stream.addEventListener(name, (event) => this.#tell(name, JSON.parse(event.data)));
    }
    stream.addEventListener("error", () => this.#lost(stream));
  }

  #close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#telling);
    this.#telling = 0;
    this.#stream?.close();
    this.#stream = null;
    this.#cut = true;
  }

  #found() {
    clearTimeout(this.#telling);
    this.#telling = 0;
    const missed = this.#cut;
    this.#cut = false;
    if (this.lostSince !== null) {
      this.lostSince = null;
      this.#tell("found");
    }
    if (missed) this.#tell("missed");
  }

  #lost(stream) {
    this.#cut = true;
    const closed = stream.readyState === EventSource.CLOSED;
    const first = this.lostSince === null && !this.#telling;
    // A stream does not say why it ended. Where the token counts no more, this leads to the login.
    if (first || closed) read("/api/now").catch(() => {});
    if (first) {
      this.#telling = setTimeout(() => {
        this.#telling = 0;
        this.lostSince = Date.now();
        this.#tell("lost");
      }, PATIENCE);
    }
    if (closed) {
      // Answered with an error, a login page perhaps: the browser itself does not try again.
      this.#stream = null;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#open(), RETRY);
    }
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

export const live = new Live();
