// Search, filters and order of the list, and the filters that are set as chips.

import { byId, h, set, write } from "./dom.js";
import { number, PLATFORMS, visible } from "./format.js";
import { activeFilters, DEFAULTS, FILTERS } from "./state.js";

const TYPING_MILLISECONDS = 350;
const STATUSES = ["Hot", "Warm", "Cold"];
const LABELS = {
  search: "Search",
  lead_status: "Status",
  platform: "Platform",
  has_extraction: "Extraction",
  has_email: "Email",
  min_total_score: "Score from",
  max_total_score: "Score to",
  days: "Active",
  from_date: "Active from",
  to_date: "Active to",
};
const WITH = [
  ["", "Any"],
  ["true", "With"],
  ["false", "Without"],
];
const DAYS = [
  ["", "Any time"],
  ["1", "Last 24 hours"],
  ["7", "Last 7 days"],
  ["30", "Last 30 days"],
  ["90", "Last 90 days"],
];
const SCORES = [
  ["", "Any"],
  ...Array.from({ length: 11 }, (_, place) => [String(place + 5), number(place + 5)]),
];
const ORDERS = [
  ["last_message_at desc", "Last activity, newest first"],
  ["last_message_at asc", "Last activity, oldest first"],
  ["total_score desc", "Score, highest first"],
  ["total_score asc", "Score, lowest first"],
  ["total_messages desc", "Most messages first"],
  ["total_messages asc", "Fewest messages first"],
  ["first_contact_at desc", "First contact, newest first"],
  ["first_contact_at asc", "First contact, oldest first"],
  ["name asc", "Name, A to Z"],
  ["name desc", "Name, Z to A"],
];

/** The form; `change(values)` is called with the parts of the state that a viewer changes. */
export class Filters {
  #typing = 0;

  constructor(change) {
    this.change = (values) => change({ offset: DEFAULTS.offset, ...values });
    this.form = byId("filters");
    this.search = h("input", {
      type: "search",
      id: "search",
      maxlength: "200",
      placeholder: "Name, email, company or phone",
      dir: "auto",
      spellcheck: "false",
      oninput: () => this.#searchSoon(),
    });
    this.order = select("order", ORDERS, (value) => {
      const [sort_by, sort_order] = value.split(" ");
      this.change({ sort_by, sort_order });
    });
    this.panel = this.#panel();
    this.count = h("span", { class: "count" });
    this.toggle = h(
      "button",
      {
        type: "button",
        "aria-expanded": "false",
        "aria-controls": "filter-panel",
        onclick: () => this.#turn(),
      },
      "Filters ",
      this.count,
    );
    this.form.append(
      labelled("search", "Search", this.search),
      this.toggle,
      labelled("order", "Sort by", this.order),
      this.panel,
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#searchNow();
    });
  }

  /** Show the filters of a state. */
  show(state) {
    // Nobody's typing is overwritten.
    if (document.activeElement !== this.search || !this.#typing) {
      this.search.value = state.search;
    }
    for (const control of this.panel.querySelectorAll("select, input[type=date]")) {
      control.value = state[control.id];
    }
    for (const box of this.panel.querySelectorAll("input[type=checkbox]")) {
      box.checked = state[box.name].split(",").includes(box.value);
    }
    this.order.value = `${state.sort_by} ${state.sort_order}`;
    const active = activeFilters(state).filter((name) => name !== "search");
    write(this.count, active.length ? number(active.length) : "");
    this.#chips(state, activeFilters(state));
  }

  /** Take all filters away. */
  reset() {
    this.#stopTyping();
    this.change(Object.fromEntries(FILTERS.map((name) => [name, ""])));
    this.search.focus();
  }

  #chips(state, names) {
    const chips = names.map((name) => {
      const text = `${LABELS[name]}: ${said(name, state[name])}`;
      const take = () => {
        this.#stopTyping();
        this.change({ [name]: "" });
        this.search.focus();
      };
      return h(
        "button",
        { type: "button", class: "chip", "aria-label": `Remove the filter ${text}`, onclick: take },
        h("bdi", {}, text),
        h("span", { "aria-hidden": "true" }, " ×"),
      );
    });
    if (names.length > 1) {
      chips.push(h("button", { type: "button", class: "plain", onclick: () => this.reset() }, "Remove all"));
    }
    byId("chips").replaceChildren(...chips);
  }

  #panel() {
    const pick = (name) => (value) => this.change({ [name]: value });
    // A range and a number of days each say when: one of them at a time.
    const days = select("days", DAYS, (value) => this.change({ days: value, from_date: "", to_date: "" }));
    const date = (id) =>
      h("input", {
        type: "date",
        id,
        onchange: (event) => this.change({ [id]: event.target.value, days: "" }),
      });
    return h(
      "div",
      { id: "filter-panel", class: "panel", hidden: true },
      this.#boxes(
        "lead_status",
        STATUSES.map((name) => [name, name]),
      ),
      this.#boxes("platform", Object.entries(PLATFORMS)),
      labelled(
        "has_extraction",
        LABELS.has_extraction,
        select("has_extraction", WITH, pick("has_extraction")),
      ),
      labelled("has_email", LABELS.has_email, select("has_email", WITH, pick("has_email"))),
      labelled(
        "min_total_score",
        LABELS.min_total_score,
        select("min_total_score", SCORES, pick("min_total_score")),
      ),
      labelled(
        "max_total_score",
        LABELS.max_total_score,
        select("max_total_score", SCORES, pick("max_total_score")),
      ),
      labelled("days", LABELS.days, days),
      labelled("from_date", LABELS.from_date, date("from_date")),
      labelled("to_date", LABELS.to_date, date("to_date")),
      h("button", { type: "button", onclick: () => this.reset() }, "Reset"),
    );
  }

  #boxes(name, options) {
    const changed = () => {
      const chosen = this.panel.querySelectorAll(`input[name=${name}]:checked`);
      this.change({ [name]: [...chosen].map((box) => box.value).join(",") });
    };
    const boxes = options.map(([value, text]) =>
      h("label", {}, h("input", { type: "checkbox", name, value, onchange: changed }), ` ${text}`),
    );
    return h("fieldset", {}, h("legend", {}, LABELS[name]), ...boxes);
  }

  #turn() {
    this.panel.hidden = !this.panel.hidden;
    set(this.toggle, { "aria-expanded": String(!this.panel.hidden) });
  }

  #searchSoon() {
    this.#stopTyping();
    this.#typing = setTimeout(() => this.#searchNow(), TYPING_MILLISECONDS);
  }

  #searchNow() {
    this.#stopTyping();
    this.change({ search: this.search.value.trim() });
  }

  #stopTyping() {
    clearTimeout(this.#typing);
    this.#typing = 0;
  }
}

function said(name, value) {
  if (name === "days") {
    return DAYS.find(([days]) => days === value)?.[1] ?? `Last ${value} days`;
  }
  if (name.startsWith("has_")) {
    return value === "true" ? "with" : "without";
  }
  const names = name === "platform" ? value.split(",").map((one) => PLATFORMS[one] ?? one) : value.split(",");
  return visible(names.join(", "));
}

function labelled(id, text, control) {
  return h("div", { class: `field for-${id}` }, h("label", { for: id }, text), control);
}

function select(id, options, chosen) {
  const choices = options.map(([value, text]) => h("option", { value }, text));
  return h("select", { id, onchange: (event) => chosen(event.target.value) }, ...choices);
}
