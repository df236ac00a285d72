// A chart of numbers by day: columns for the eye, the number of one day, and a table for a screen reader.

import { copyOf, h, partsOf, reconcile, set, svg, write } from "./dom.js";
import { counted, number, utcDay } from "./format.js";

/** How many days the chart shows, today among them. */
export const DAYS = 30;

// Of the drawing, as templates/page.html has it.
const WIDTH = 300;
const HEIGHT = 100;
// What a single lead among thousands is drawn as: a column that is seen.
const LEAST = 2;
// Of the width of a day.
const PART = 0.7;
const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 7, PageDown: -7 };

/** The chart, whose number is that of today or of the day that a viewer points at. */
export class Activity {
  #one;
  #read;
  #days = [];
  // The day that a viewer points at: 0 is today, and -1 the day before; null while nobody points.
  #chosen = null;

  /** A chart with a title, of what `one` of it is called; `read(bucket)` is its number in a bucket of the series. */
  constructor(title, one, read) {
    this.#one = one;
    this.#read = read;
    this.element = copyOf("activity");
    Object.assign(this, partsOf(this.element));
    this.lines = [this.whole, this.half];
    set(this.element, { "aria-label": `${title} by day` });
    write(this.title, `${title} by day`);
    write(this.none, `None in these ${DAYS} days.`);
    write(this.caption, `${title} by day, in UTC`);
    write(this.head, title);
    set(this.plot, {
      "aria-label": `Day of ${title.toLowerCase()}`,
      onkeydown: (event) => this.#move(event),
      onfocus: () => this.#choose(this.#chosen ?? 0),
      onblur: () => this.#choose(null),
      onpointermove: (event) => this.#point(event),
      onpointerdown: (event) => this.#point(event),
      // A finger leaves as soon as it has pointed.
      onpointerleave: ({ pointerType }) => pointerType !== "touch" && this.#choose(null),
    });
    this.clear();
  }

  /** Show that nothing is known. */
  clear() {
    this.#days = [];
    this.#chosen = null;
    this.columns.replaceChildren();
    this.rows.replaceChildren();
    this.none.hidden = true;
    for (const text of [this.first, this.last, this.day, ...this.lines]) {
      write(text, "");
    }
    this.#write();
  }

  /** Show the days of a series. */
  show({ buckets }) {
    this.#days = buckets.map((bucket) => ({ start: bucket.start, number: this.#read(bucket) }));
    const most = Math.max(...this.#days.map((day) => day.number));
    const top = roundedUp(most);
    this.columns.replaceChildren(...this.#days.map((day, place) => this.#column(day, place, top)));
    this.none.hidden = most > 0;
    this.lines.forEach((line, place) => {
      write(line, most > place ? number(top / (place + 1)) : "");
    });
    write(this.first, utcDay(this.#days[0].start));
    write(this.last, utcDay(this.#days.at(-1).start));
    reconcile(this.rows, this.#days, (day) => day.start, makeRow, updateRow);
    this.#write();
  }

  #column(day, place, top) {
    const room = WIDTH / this.#days.length;
    const height = day.number && Math.max(LEAST, (HEIGHT * day.number) / top);
    return svg("rect", {
      // It goes on until midnight.
      class: place === this.#days.length - 1 ? "column today" : "column",
      x: room * (place + (1 - PART) / 2),
      y: HEIGHT - height,
      width: room * PART,
      height,
    });
  }

  /** Show the numbers of the day that is chosen. */
  #write() {
    const count = this.#days.length;
    set(this.plot, { "aria-valuemax": String(Math.max(1, count)) });
    if (count === 0) {
      write(this.number, "…");
      set(this.band, { width: 0 });
      set(this.plot, { "aria-valuenow": "1", "aria-valuetext": "Not known yet" });
      return;
    }
    const place = count - 1 + (this.#chosen ?? 0);
    const { start, number: found } = this.#days[place];
    const day = place === count - 1 ? "Today so far" : utcDay(start);
    write(this.day, day);
    write(this.number, counted(found, this.#one));
    set(this.band, {
      x: (WIDTH / count) * place,
      width: this.#chosen === null ? 0 : WIDTH / count,
    });
    set(this.plot, {
      "aria-valuenow": String(place + 1),
      "aria-valuetext": `${day}: ${counted(found, this.#one)}`,
    });
  }

  #choose(day) {
    if (this.#days.length === 0) {
      return;
    }
    this.#chosen = day === null ? null : Math.min(0, Math.max(1 - this.#days.length, day));
    this.#write();
  }

  #point({ clientX }) {
    const { left, width } = this.plot.getBoundingClientRect();
    const count = this.#days.length;
    this.#choose(Math.floor(((clientX - left) / width) * count) - count + 1);
  }

  #move(event) {
    // With these, the arrows are those of the browser.
    if (event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    const ends = { Home: 1 - this.#days.length, End: 0 };
    const day = ends[event.key] ?? (this.#chosen ?? 0) + (STEPS[event.key] ?? Number.NaN);
    if (!Number.isNaN(day)) {
      event.preventDefault();
      this.#choose(day);
    }
  }
}

/** Returns an even number to which the axis goes: 2, 4, 6, 10, 20, 40 and so on. */
function roundedUp(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  return [2, 4, 6, 10].map((step) => step * power).find((one) => one >= most);
}

function makeRow() {
  return h("tr", {}, h("th", { scope: "row" }), h("td"));
}

function updateRow(row, { start, number: found }) {
  const [day, count] = row.children;
  write(day, utcDay(start));
  write(count, number(found));
}
