// Search, filters and order of the list, and the filters that are set as chips.

import { CHOICES, LABELS, ORDERS, STATUSES, said } from "./choices.js";
import { byId, h, set, write } from "./dom.js";
import { number, PLATFORMS } from "./format.js";
import { Known } from "./known.js";
import { activeFilters, DEFAULTS, FILTERS } from "./state.js";

const TYPING_MILLISECONDS = 350;

/** The form; `change(values)` is called with the parts of the state that a viewer changes. */
export class Filters {
  #typing = 0;
  #known = new Known();
  #state = DEFAULTS;

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
    if (state.tenant !== this.#state.tenant) {
      this.#known.forget();
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
    for (const box of this.panel.querySelectorAll("input[type=checkbox]")) {
      box.checked = state[box.name].split(",").includes(box.value);
    }
    this.order.value = `${state.sort_by} ${state.sort_order}`;
    const active = activeFilters(state).filter((name) => name !== "search");
    write(this.count, active.length ? number(active.length) : "");
    this.#chips(state, activeFilters(state));
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
    if (!byId("chips").contains(document.activeElement)) {
      this.#chips(this.#state, activeFilters(this.#state));
    }
  }

  /** Take all filters away. */
  reset() {
    this.#stopTyping();
    this.change(Object.fromEntries(FILTERS.map((name) => [name, ""])));
    this.search.focus();
  }

  #chips(state, names) {
    const chips = names.map((name) => {
      const value =
        name in this.#known.lists ? this.#known.textOf(name, state[name]) : said(name, state[name]);
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
    if (names.length > 1) {
      chips.push(h("button", { type: "button", class: "plain", onclick: () => this.reset() }, "Remove all"));
    }
    byId("chips").replaceChildren(...chips);
  }

  #panel() {
    const days = { from_date: "", to_date: "" };
    return h(
      "div",
      { id: "filter-panel", class: "panel", hidden: true },
      this.#boxes(
        "lead_status",
        STATUSES.map((name) => [name, name]),
      ),
      this.#boxes("platform", Object.entries(PLATFORMS)),
      ...["last_message_sender", "has_conversation", "is_active"].map((name) => this.#choice(name)),
      ...["agent_id", "phone_number_id"].map((name) => this.#name(name)),
      ...["has_extraction", "has_email", "min_total_score", "max_total_score"].map((name) =>
        this.#choice(name),
      ),
      // A range and a number of days each say when: one of them at a time.
      this.#choice("days", days),
      ...Object.keys(days).map((name) => this.#date(name)),
      h("button", { type: "button", onclick: () => this.reset() }, "Reset"),
    );
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

function labelled(id, text, control) {
  return h("div", { class: `field for-${id}` }, h("label", { for: id }, text), control);
}

function select(id, options, chosen) {
  const choices = options.map(([value, text]) => h("option", { value }, text));
  return h("select", { id, onchange: (event) => chosen(event.target.value) }, ...choices);
}
