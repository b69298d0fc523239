/**
 * A grid of thousands of tiles of which only those near the window are in the page. It is as tall as
 * all of them, so the scroll bar tells the truth; the tile with the focus always stays.
 */

const SPARE_ROWS = 2; // above and below the window
const WORDS = 3.25; // rem below each picture
const GAP = 1.25; // rem
const NARROW = 42; // rem of width below which tiles are small

export class Gallery {
  /**
   * `itemAt(index)` gives an item, or undefined while it is not loaded; `create(item)` makes
   * `{ node, update(item) }`; `onRange(last)` tells how far one can see.
   */
  constructor(list, { itemAt, keyOf, create, onRange }) {
    Object.assign(this, { list, itemAt, keyOf, create, onRange });
    this.total = 0;
    this.columns = 1;
    this.tiles = new Map(); // index → { node, key, update }
    this.focused = -1;
    this.planned = false;
    new ResizeObserver(() => this.measure()).observe(list);
    addEventListener("scroll", () => this.plan(), { passive: true });
    list.addEventListener("keydown", (event) => this.#move(event));
    list.addEventListener("focusin", (event) => this.#keepFocus(event));
  }

  /** So many tiles in all; they are looked at anew. */
  setTotal(total) {
    this.total = total;
    this.measure();
  }

  /** Forget every tile: other items stand at their places now. */
  reset() {
    for (const { node } of this.tiles.values()) node.remove();
    this.tiles.clear();
    this.focused = -1;
    this.plan();
  }

  measure() {
    const width = this.list.clientWidth;
    if (!width) return; // not shown
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const narrow = width < NARROW * rem;
    const gap = (narrow ? GAP / 2 : GAP) * rem;
    this.columns = Math.max(2, Math.floor((width + gap) / ((narrow ? 9 : 14.5) * rem + gap)));
    const tile = (width - gap * (this.columns - 1)) / this.columns;
    this.stepX = tile + gap;
    this.stepY = tile + (WORDS + GAP / 2) * rem;
    this.list.style.setProperty("--tile", `${tile}px`);
    this.list.style.height = `${Math.ceil(this.total / this.columns) * this.stepY}px`;
    this.plan();
  }

  /** Draw with the next frame, once. */
  plan() {
    if (this.planned) return;
    this.planned = true;
    requestAnimationFrame(() => {
      this.planned = false;
      this.#draw();
    });
  }

  /** The tile at this index, scrolled into sight, with the focus. */
  focus(index) {
    if (index < 0 || index >= this.total) return;
    this.focused = index;
    const row = Math.floor(index / this.columns);
    const top = this.list.getBoundingClientRect().top + scrollY + row * this.stepY;
    const margin = 96;
    if (top < scrollY + margin) scrollTo({ top: top - margin });
    else if (top + this.stepY > scrollY + innerHeight - margin) {
      scrollTo({ top: top + this.stepY - innerHeight + margin });
    }
    this.#draw();
    this.tiles.get(index)?.node.querySelector("a")?.focus({ preventScroll: true });
  }

  #draw() {
    if (!this.stepY || !this.list.clientWidth) return;
    const above = -this.list.getBoundingClientRect().top;
    const firstRow = Math.max(0, Math.floor(above / this.stepY) - SPARE_ROWS);
    const lastRow = Math.floor((above + innerHeight) / this.stepY) + SPARE_ROWS;
    const first = Math.min(firstRow * this.columns, this.total);
    const end = Math.max(first, Math.min(this.total, (lastRow + 1) * this.columns));
    this.first = first; // Tab comes in here, until an arrow or a click chose another
    for (const [index, tile] of this.tiles) {
      if ((index < first || index >= end) && index !== this.focused) {
        tile.node.remove();
        this.tiles.delete(index);
      }
    }
    for (let index = first; index < end; index += 1) this.#place(index);
    if (this.focused >= 0 && this.focused < this.total) this.#place(this.focused);
    if (end > first) this.onRange(end - 1);
  }

  #place(index) {
    const item = this.itemAt(index);
    const key = item === undefined ? `loading ${index}` : this.keyOf(item);
    let tile = this.tiles.get(index);
    if (!tile || tile.key !== key) {
      tile?.node.remove();
      tile = { ...this.create(item), key };
      this.tiles.set(index, tile);
      this.#insert(index, tile.node);
    }
    if (item !== undefined) tile.update(item);
    const x = (index % this.columns) * this.stepX;
    const y = Math.floor(index / this.columns) * this.stepY;
    tile.node.style.transform = `translate(${x}px, ${y}px)`;
    tile.node.setAttribute("aria-posinset", index + 1);
    tile.node.setAttribute("aria-setsize", this.total);
    const link = tile.node.querySelector("a");
    if (link) link.tabIndex = index === (this.focused < 0 ? this.first : this.focused) ? 0 : -1;
  }

  /** In the order of the list also for screen readers. */
  #insert(index, node) {
    node.dataset.index = index;
    let after = this.list.lastElementChild;
    while (after && Number(after.dataset.index) > index) after = after.previousElementSibling;
    if (after) after.after(node);
    else this.list.prepend(node);
  }

  #keepFocus(event) {
    const index = Number(event.target.closest("[data-index]")?.dataset.index ?? -1);
    if (index === this.focused) return;
    this.focused = index;
    this.plan();
  }

  #move(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const at = Math.max(0, this.focused);
    const target = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at + this.columns,
      ArrowUp: at - this.columns,
      Home: 0,
      End: this.total - 1,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.focus(target);
  }
}
