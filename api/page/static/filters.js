// Search, filters and order of the list: the filters that matter with their counts, the others behind “More”.

import { CHOICES, LABELS, ORDERS, STATUSES, said } from "./choices.js";
import { byId, h, set, write } from "./dom.js";
import { number, PLATFORMS } from "./format.js";
import { channelIcon } from "./icons.js";
import { Known } from "./known.js";
import { activeFilters, DEFAULTS, FILTERS } from "./state.js";

const TYPING_MILLISECONDS = 350;
// Of the filters with counts: the filter, its values with their names, and whether it takes several of them.
const COUNTED = [
  ["lead_status", STATUSES.map((name) => [name, name]), true],
  ["platform", Object.entries(PLATFORMS), true],
  ["has_email", [["true", "With email"]], false],
  ["days", [["7", "Last 7 days"]], false],
];
// What the panel has, in groups.
const GROUPS = [
  ["Conversation", ["last_message_sender", "has_conversation", "is_active", "agent_id", "phone_number_id"]],
  ["Profile", ["has_email", "has_extraction", "min_total_score", "max_total_score"]],
  ["Time", ["days", "from_date", "to_date"]],
];
const NAMES = ["agent_id", "phone_number_id"];
// A range and a number of days each say when: one of them at a time.
const DATES = { from_date: "", to_date: "" };

/** The form; `change(values)` is called with the parts of the state that a viewer changes. */
export class Filters {
  #typing = 0;
  #known = new Known();
  #state = DEFAULTS;
  #counted = [];

  constructor(change, saveView) {
    this.change = (values) => change({ offset: DEFAULTS.offset, ...values });
    this.form = byId("filters");
    this.search = h("input", {
      type: "search",
      id: "search",
      maxlength: "200",
      placeholder: "Search name, email, company or phone",
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
    this.more = this.#toggle("filter-panel", () => this.#turn(), "More filters ", this.count);
    this.statistics = this.#toggle("statistics", () => this.#turnStatistics(), "Statistics");
    this.chips = h("span", { id: "chips", class: "chips" });
    this.form.append(
      labelled("search", "Search", this.search),
      h(
        "div",
        { class: "buttons" },
        saveView,
        this.more,
        this.statistics,
        labelled("order", "Sort by", this.order),
      ),
      h("div", { class: "quick" }, ...COUNTED.map((one) => this.#quick(...one)), this.chips),
      this.panel,
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#searchNow();
    });
  }

  /** Show the filters of a state. */
  show(state) {
    if (state.tenant !== this.#state.tenant) {
      this.#known.forget();
      this.clear();
    }
    this.#state = state;
    // Nobody's typing is overwritten.
    if (document.activeElement !== this.search || !this.#typing) {
      this.search.value = state.search;
    }
    for (const control of this.panel.querySelectorAll("select, input[type=date]")) {
      control.value = state[control.id];
    }
    for (const control of this.#named) {
      control.value = this.#known.textOf(control.id, state[control.id]);
    }
    for (const { button, name, value } of this.#counted) {
      set(button, { "aria-pressed": String(state[name].split(",").includes(value)) });
    }
    this.order.value = `${state.sort_by} ${state.sort_order}`;
    set(this.statistics, { "aria-expanded": String(state.statistics !== "") });
    const inPanel = GROUPS.flatMap(([, names]) => names).filter((name) => state[name] !== "");
    write(this.count, inPanel.length ? number(inPanel.length) : "");
    this.#chips();
  }

  clear() {
    for (const { count } of this.#counted) {
      write(count, "");
    }
  }

  /** Show how many leads each value has, beside the other filters. */
  countFacets(facets) {
    for (const { name, value, button, count } of this.#counted.filter((one) => one.name in facets)) {
      const leads = facets[name][value] ?? 0;
      write(count, number(leads));
      button.classList.toggle("nothing", leads === 0);
    }
  }

  /** Offer the agents and channels of leads that are shown, and call those that are filters by their names. */
  learn(leads) {
    if (!this.#known.learn(leads)) {
      return;
    }
    for (const control of this.#named) {
      if (control !== document.activeElement) {
        control.value = this.#known.textOf(control.id, this.#state[control.id]);
      }
    }
    if (!this.chips.contains(document.activeElement)) {
      this.#chips();
    }
  }

  /** Take all filters away. */
  reset() {
    this.#stopTyping();
    this.change(Object.fromEntries(FILTERS.map((name) => [name, ""])));
    this.search.focus();
  }

  /** Show what nothing else above the list shows as a filter that is set. */
  #chips() {
    const isPressed = (name) =>
      this.#counted.some((one) => one.name === name && this.#state[name].split(",").includes(one.value));
    const names = activeFilters(this.#state);
    const chips = names
      .filter((name) => name !== "search" && !isPressed(name))
      .map((name) => {
        const value =
          name in this.#known.lists
            ? this.#known.textOf(name, this.#state[name])
            : said(name, this.#state[name]);
        const text = `${LABELS[name]}: ${value}`;
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
    if (names.length > 0) {
      chips.push(h("button", { type: "button", class: "plain", onclick: () => this.reset() }, "Remove all"));
    }
    this.chips.replaceChildren(...chips);
  }

  #quick(name, options, takesSeveral) {
    const group = options.map(([value, text]) => {
      const count = h("span", { class: "count" });
      const press = () => this.#press(name, value, takesSeveral);
      const button = h("button", {
        type: "button",
        class: `toggle ${value}`,
        "aria-pressed": "false",
        onclick: press,
      });
      button.append(
        ...(name === "platform" ? [channelIcon(value, { isNamed: true })] : []),
        text,
        " ",
        count,
      );
      this.#counted.push({ name, value, button, count });
      return button;
    });
    return h("span", { class: "group", role: "group", "aria-label": LABELS[name] }, ...group);
  }

  #press(name, value, takesSeveral) {
    const before = this.#state[name].split(",").filter(Boolean);
    const isOn = before.includes(value);
    const others = takesSeveral ? before.filter((one) => one !== value) : [];
    const values = [...others, ...(isOn ? [] : [value])];
    this.change({ [name]: values.join(","), ...(name === "days" ? DATES : {}) });
  }

  #panel() {
    const groups = GROUPS.map(([title, names]) =>
      h(
        "fieldset",
        {},
        h("legend", {}, title),
        h("div", { class: "fields" }, ...names.map((name) => this.#control(name))),
      ),
    );
    return h("div", { id: "filter-panel", class: "panel", hidden: true }, ...groups);
  }

  #control(name) {
    if (NAMES.includes(name)) {
      return this.#name(name);
    }
    return name in DATES ? this.#date(name) : this.#choice(name, name === "days" ? DATES : {});
  }

  get #named() {
    return this.panel.querySelectorAll("input[list]");
  }

  #choice(name, others = {}) {
    const pick = (value) => this.change({ [name]: value, ...others });
    return labelled(name, LABELS[name], select(name, CHOICES[name], pick));
  }

  #date(id) {
    const pick = (event) => this.change({ [id]: event.target.value, days: "" });
    return labelled(id, LABELS[id], h("input", { type: "date", id, onchange: pick }));
  }

  /** A field for a name that is offered, or for any id. */
  #name(id) {
    const pick = ({ target }) => this.change({ [id]: this.#known.idOf(id, target.value.trim()) });
    const list = this.#known.lists[id];
    const field = h("input", {
      id,
      list: list.id,
      maxlength: "255",
      placeholder: "Any",
      dir: "auto",
      spellcheck: "false",
      onchange: pick,
      // What is chosen from the list is whole.
      oninput: (event) => event.inputType === "insertReplacementText" && pick(event),
    });
    return labelled(id, LABELS[id], h("span", {}, field, list));
  }

  #toggle(controls, onclick, ...content) {
    return h(
      "button",
      { type: "button", "aria-expanded": "false", "aria-controls": controls, onclick },
      ...content,
    );
  }

  #turn() {
    this.panel.hidden = !this.panel.hidden;
    set(this.more, { "aria-expanded": String(!this.panel.hidden) });
  }

  #turnStatistics() {
    this.change({ statistics: this.#state.statistics ? "" : "open", offset: this.#state.offset });
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

function labelled(id, text, control) {
  return h("div", { class: `field for-${id}` }, h("label", { for: id }, text), control);
}

function select(id, options, chosen) {
  const choices = options.map(([value, text]) => h("option", { value }, text));
  return h("select", { id, onchange: (event) => chosen(event.target.value) }, ...choices);
}
