// The statistics of a tenant: bars of status, channel and time, columns of each day, and how far the leads have come.

import { byId, copyOf, fillTable, h, partsOf, set, write } from "./dom.js";
import { platform } from "./fields.js";
import { counted, NONE, number, PLATFORMS, share, utcDay } from "./format.js";
import { FUNNEL } from "./state.js";

/** How many days the columns show, today among them. */
export const DAYS = 30;

// Of a bar: its key, its label, its number, and the filter that shows its leads, if the list has one.
const STATUSES = ["Hot", "Warm", "Cold"].map((status) => {
  const key = status.toLowerCase();
  return [key, status, (numbers) => numbers[`${key}_leads`], ["lead_status", status]];
});
const CHANNELS = Object.entries(PLATFORMS).map(([key, label]) => {
  return [key, label, (numbers) => numbers.by_platform[key], ["platform", key]];
});
const PERIODS = ["7", "30"].map((days) => {
  return [`days${days}`, `In ${days} days`, (numbers) => numbers[`leads_last_${days}_days`], ["days", days]];
});
const without = ({ total_leads: all, ...of }) => all - of.hot_leads - of.warm_leads - of.cold_leads;
const CHARTS = [
  ["Status", [...STATUSES, ["none", "No status", without]]],
  ["Channel", CHANNELS],
  ["Last message", [...PERIODS, ["total", "At any time", (numbers) => numbers.total_leads]]],
];
// What a single lead among thousands is drawn as: a column that is seen.
const LEAST = 0.02;

/**
 * The statistics; `choose(name, value)` is called for a bar whose leads a viewer wants to see, `change(values)` for
 * another funnel, and `nameOf(agent)` returns what an agent is called.
 */
export class Statistics {
  #bars = [];
  #days = [
    new Days("Messages", "message", (bucket) => bucket.messages),
    new Days("New leads", "new lead", (bucket) => bucket.new.leads),
  ];

  constructor({ choose, change, nameOf }) {
    const charts = CHARTS.map(([title, bars]) => {
      const rows = bars.map((bar) => this.#bar(bar, choose));
      return h("table", { class: "chart card" }, h("caption", {}, title), h("tbody", {}, ...rows));
    });
    const days = this.#days.map(({ element }) => element);
    byId("funnel").before(h("div", { class: "charts" }, ...charts), h("div", { class: "charts" }, ...days));
    this.nameOf = nameOf;
    this.funnel = partsOf(byId("funnel")).funnel;
    for (const name of FUNNEL) {
      byId(name).addEventListener("change", ({ target }) => change({ [name]: target.value }));
    }
    this.clear();
  }

  /** Show that nothing is known. */
  clear() {
    for (const days of this.#days) {
      days.clear();
    }
    for (const { row, value, part } of this.#bars) {
      write(value, "…");
      write(part, "");
      draw(row, 0);
    }
    const unknown = ["All", ...Array(7).fill("…")];
    fillTable(
      this.funnel,
      [unknown],
      () => "",
      (texts) => texts,
    );
  }

  /** Show statistics. */
  show(statistics) {
    for (const { row, value, part, read } of this.#bars) {
      const count = read(statistics);
      write(value, number(count));
      write(part, share(count, statistics.total_leads));
      draw(row, count / Math.max(1, statistics.total_leads));
    }
  }

  /** Show the messages and the new leads by day. */
  showSeries(series) {
    for (const days of this.#days) {
      days.show(series);
    }
  }

  /** Show how far all leads of a time have come, and those of each platform or agent. */
  showFunnel({ by_platform: platforms = {}, by_agent: agents = {}, ...all }) {
    const named = (parts, nameOf) => Object.entries(parts).map(([id, part]) => [nameOf(id), part, id]);
    const rows = [["All", all, ""], ...named(platforms, platform), ...named(agents, this.nameOf)];
    fillTable(this.funnel, rows, ([, , id]) => id, textsOfFunnel);
  }

  /** Show whether they are open, which bars are the filters of the list, and of what the funnel is. */
  mark(state) {
    byId("statistics").hidden = state.statistics === "";
    for (const { button, filter } of this.#bars.filter((bar) => bar.filter)) {
      set(button, { "aria-pressed": String(state[filter[0]] === filter[1]) });
    }
    for (const name of FUNNEL) {
      byId(name).value = state[name];
    }
  }

  #bar([key, label, read, filter], choose) {
    const value = h("span", { class: "value" });
    const part = h("span", { class: "part" });
    const press = () => choose(...filter);
    const button = h("button", { type: "button", "aria-pressed": "false", onclick: press }, label);
    const head = h("th", { scope: "row" }, filter ? button : label);
    const row = h(
      "tr",
      { class: key },
      head,
      h("td", { class: "bar" }),
      h("td", { class: "count" }, value, part),
    );
    this.#bars.push({ row, value, part, button, read, filter });
    return row;
  }
}

/** Columns by day, with the number of today or of the day that a viewer points at. */
class Days {
  #days = [];
  // The place of the day that a viewer points at; null while nobody points.
  #chosen = null;

  /** Columns with a title, of what `noun` names; `read(bucket)` is the number in a bucket of the series. */
  constructor(title, noun, read) {
    Object.assign(this, { noun, read, element: copyOf("by-day") });
    Object.assign(this, partsOf(this.element));
    set(this.element, { "aria-label": `${title} by day` });
    write(this.title, `${title} by day`);
    write(this.head, title);
    const { plot } = this;
    set(plot, {
      "aria-label": `Day of ${title.toLowerCase()}`,
      max: DAYS - 1,
      oninput: () => this.#choose(Number(plot.value)),
      onfocus: () => this.#choose(Number(plot.value)),
      onblur: () => this.#choose(null),
      onpointermove: ({ clientX }) => {
        const { left, width } = plot.getBoundingClientRect();
        this.#choose(Math.floor(((clientX - left) / width) * DAYS));
      },
      // A finger leaves as soon as it has pointed.
      onpointerleave: ({ pointerType }) => pointerType !== "touch" && this.#choose(null),
    });
  }

  clear() {
    this.#days = [];
    this.rows.replaceChildren();
    for (const text of [this.first, this.last, this.top, this.half, this.none]) {
      write(text, "");
    }
    this.#choose(null);
  }

  show({ buckets }) {
    this.#days = buckets.map((bucket) => ({ start: bucket.start, count: this.read(bucket) }));
    const most = Math.max(...this.#days.map(({ count }) => count));
    const top = roundedUp(most);
    write(this.none, most ? "" : `None in these ${DAYS} days.`);
    write(this.top, most ? number(top) : "");
    write(this.half, most > 1 ? number(top / 2) : "");
    write(this.first, utcDay(this.#days[0].start));
    write(this.last, utcDay(this.#days.at(-1).start));
    fillTable(
      this.rows,
      this.#days,
      ({ start }) => start,
      ({ start, count }) => [utcDay(start), number(count)],
    );
    for (const [place, { count }] of this.#days.entries()) {
      draw(this.rows.children[place], count && Math.max(LEAST, count / top));
    }
    this.#choose(this.#chosen);
  }

  /** Show the number of a day; null for that of today, to which nobody points. */
  #choose(place) {
    const last = this.#days.length - 1;
    this.#chosen = place;
    this.plot.value = place ?? DAYS - 1;
    const at = Math.min(last, Number(this.plot.value));
    for (const [other, row] of [...this.rows.children].entries()) {
      row.classList.toggle("chosen", place !== null && other === at);
    }
    const day = last < 0 ? "" : at === last ? "Today so far" : utcDay(this.#days[at].start);
    const count = last < 0 ? "…" : counted(this.#days[at].count, this.noun);
    write(this.day, day);
    write(this.number, count);
    set(this.plot, { "aria-valuetext": day ? `${day}: ${count}` : "Not known yet" });
  }
}

/** Draws a part of the whole, from 0 to 1. */
function draw(element, part) {
  element.style.setProperty("--part", part);
}

/** Returns an even number to which the axis goes: 2, 4, 6, 10, 20, 40 and so on. */
function roundedUp(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  return [2, 4, 6, 10].map((step) => step * power).find((top) => top >= most);
}

function textsOfFunnel([name, { leads, ever, now, hours_to: hours }]) {
  const reached = (status) => `${number(ever[status])} ever, ${number(now[status])} now`;
  const time = ({ p50, p90 }) => (p50 === null ? NONE : `half in ${number(p50)}, 90% in ${number(p90)}`);
  const statuses = ["Cold", "Warm", "Hot"].map(reached);
  return [name, number(leads), ...statuses, number(now.none), time(hours.Warm), time(hours.Hot)];
}
