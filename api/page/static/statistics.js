// The statistics of a tenant, for who wants more than the numbers above the list.

import { Activity } from "./activity.js";
import { byId, h, set, svg, write } from "./dom.js";
import { number, share } from "./format.js";

const WIDTH = 100;

// Of a bar: its key, its label, its number, and the filter that shows its leads, if the list has one.
const CHARTS = [
  [
    "Status",
    [
      ["hot", "Hot", (one) => one.hot_leads, ["lead_status", "Hot"]],
      ["warm", "Warm", (one) => one.warm_leads, ["lead_status", "Warm"]],
      ["cold", "Cold", (one) => one.cold_leads, ["lead_status", "Cold"]],
      ["none", "No status", (one) => one.total_leads - one.hot_leads - one.warm_leads - one.cold_leads],
    ],
  ],
  [
    "Channel",
    [
      ["whatsapp", "WhatsApp", (one) => one.by_platform.whatsapp, ["platform", "whatsapp"]],
      ["instagram", "Instagram", (one) => one.by_platform.instagram, ["platform", "instagram"]],
      ["webchat", "Webchat", (one) => one.by_platform.webchat, ["platform", "webchat"]],
    ],
  ],
  [
    "Last message",
    [
      ["days7", "In 7 days", (one) => one.leads_last_7_days, ["days", "7"]],
      ["days30", "In 30 days", (one) => one.leads_last_30_days, ["days", "30"]],
      ["total", "At any time", (one) => one.total_leads],
    ],
  ],
];

/** The statistics; `choose(name, value)` is called for a bar whose leads a viewer wants to see. */
export class Statistics {
  #bars = new Map();
  #activities = [
    new Activity("Messages", "message", (bucket) => bucket.messages),
    new Activity("New leads", "new lead", (bucket) => bucket.new.leads),
  ];

  constructor(choose) {
    const charts = CHARTS.map(([title, bars]) =>
      h(
        "table",
        { class: "chart" },
        h("caption", {}, title),
        h("tbody", {}, ...bars.map((bar) => this.#bar(bar, choose))),
      ),
    );
    byId("statistics").append(
      h("p", { class: "hint" }, "All leads of the tenant, whatever the list is filtered by."),
      h("div", { class: "charts" }, ...charts),
      h("div", { class: "charts by-day" }, ...this.#activities.map((one) => one.element)),
    );
    this.clear();
  }

  /** Show that nothing is known. */
  clear() {
    for (const activity of this.#activities) {
      activity.clear();
    }
    for (const { value, part, rect } of this.#bars.values()) {
      write(value, "…");
      write(part, "");
      set(rect, { width: 0 });
    }
  }

  /** Show statistics. */
  show(statistics) {
    for (const [key, , read] of CHARTS.flatMap(([, bars]) => bars)) {
      const count = read(statistics);
      const { value, part, rect } = this.#bars.get(key);
      write(value, number(count));
      write(part, share(count, statistics.total_leads));
      set(rect, { width: (WIDTH * count) / Math.max(1, statistics.total_leads) });
    }
  }

  /** Show the messages and the new leads by day. */
  showSeries(series) {
    for (const activity of this.#activities) {
      activity.show(series);
    }
  }

  /** Show whether they are open, and which bars are the filters of the list. */
  mark(state) {
    byId("statistics").hidden = state.statistics === "";
    for (const { button, filter } of this.#bars.values()) {
      if (button) {
        set(button, { "aria-pressed": String(state[filter[0]] === filter[1]) });
      }
    }
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
