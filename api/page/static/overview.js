// Cards and charts over the statistics of a tenant.

import { Activity } from "./activity.js";
import { byId, h, set, svg, write } from "./dom.js";
import { number, share } from "./format.js";

const WIDTH = 100;

// Of a card: its key, its title, and its value and its whole of the statistics.
const CARDS = [
  ["total", "Leads", (one) => [one.total_leads]],
  ["hot", "Hot", (one) => [one.hot_leads, one.total_leads]],
  ["scored", "Extracted", (one) => [one.leads_with_extraction, one.total_leads]],
  ["week", "Active in 7 days", (one) => [one.leads_last_7_days, one.total_leads]],
  ["month", "Active in 30 days", (one) => [one.leads_last_30_days, one.total_leads]],
];

// Of a bar: its key, its label, its number, and the filter that shows its leads, if the list has one.
const CHARTS = [
  [
    "Status",
    [
      ["hot", "Hot", (one) => one.hot_leads, ["lead_status", "Hot"]],
      ["warm", "Warm", (one) => one.warm_leads, ["lead_status", "Warm"]],
      ["cold", "Cold", (one) => one.cold_leads, ["lead_status", "Cold"]],
      ["none", "None yet", (one) => one.total_leads - one.hot_leads - one.warm_leads - one.cold_leads],
    ],
  ],
  [
    "Platform",
    [
      ["whatsapp", "WhatsApp", (one) => one.by_platform.whatsapp, ["platform", "whatsapp"]],
      ["instagram", "Instagram", (one) => one.by_platform.instagram, ["platform", "instagram"]],
      ["webchat", "Webchat", (one) => one.by_platform.webchat, ["platform", "webchat"]],
    ],
  ],
  [
    "Last activity",
    [
      ["days7", "Last 7 days", (one) => one.leads_last_7_days, ["days", "7"]],
      ["days30", "8 to 30 days", (one) => one.leads_last_30_days - one.leads_last_7_days],
      ["older", "Earlier", (one) => one.total_leads - one.leads_last_30_days],
    ],
  ],
];

/** The overview; `choose(name, value)` is called for a bar whose leads a viewer wants to see, or no more. */
export class Overview {
  #cards = new Map();
  #bars = new Map();
  #activity = new Activity();

  constructor(choose) {
    const cards = h("dl", { class: "cards" }, ...CARDS.map((card) => this.#card(card)));
    const charts = CHARTS.map(([title, bars]) =>
      h(
        "table",
        { class: "chart" },
        h("caption", {}, title),
        h("tbody", {}, ...bars.map((bar) => this.#bar(bar, choose))),
      ),
    );
    // Where there is room for them, they are open; elsewhere the list is near.
    const open = matchMedia("(min-width: 44.01rem)").matches;
    const box = h(
      "details",
      { open },
      h("summary", {}, "Charts"),
      h("div", { class: "charts" }, ...charts, this.#activity.element),
    );
    byId("overview").append(cards, box);
    this.clear();
  }

  /** Show that nothing is known. */
  clear() {
    this.#activity.clear();
    for (const { value, part } of this.#cards.values()) {
      write(value, "…");
      write(part, "");
    }
    for (const { value, part, rect } of this.#bars.values()) {
      write(value, "…");
      write(part, "");
      set(rect, { width: 0 });
    }
  }

  /** Show statistics. */
  show(statistics) {
    for (const [key, , read] of CARDS) {
      const [count, whole] = read(statistics);
      const { value, part } = this.#cards.get(key);
      write(value, number(count));
      write(part, whole === undefined ? "" : share(count, whole));
    }
    for (const [key, , read] of CHARTS.flatMap(([, bars]) => bars)) {
      const count = read(statistics);
      const { value, part, rect } = this.#bars.get(key);
      write(value, number(count));
      write(part, share(count, statistics.total_leads));
      set(rect, { width: (WIDTH * count) / Math.max(1, statistics.total_leads) });
    }
  }

  /** Show the activity by day. */
  showSeries(series) {
    this.#activity.show(series);
  }

  /** Show which bars are the filters of the list. */
  mark(state) {
    for (const { button, filter } of this.#bars.values()) {
      if (button) {
        set(button, { "aria-pressed": String(state[filter[0]] === filter[1]) });
      }
    }
  }

  #card([key, title]) {
    const value = h("span", { class: "value" });
    const part = h("span", { class: "part" });
    this.#cards.set(key, { value, part });
    return h("div", { class: `card ${key}` }, h("dt", {}, title), h("dd", {}, value, part));
  }

  #bar([key, label, , filter], choose) {
    const value = h("span", { class: "value" });
    const part = h("span", { class: "part" });
    const rect = svg("rect", { class: "bar", width: 0, height: 8, rx: 1 });
    const button = filter
      ? h("button", { type: "button", "aria-pressed": "false", onclick: () => choose(...filter) }, label)
      : null;
    this.#bars.set(key, { value, part, rect, button, filter });
    const picture = svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} 8`, preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "track", width: WIDTH, height: 8 }),
      rect,
    );
    return h(
      "tr",
      { class: key },
      h("th", { scope: "row" }, button ?? label),
      h("td", { class: "picture" }, picture),
      h("td", { class: "count" }, value, part),
    );
  }
}
