// Search, filters and order of the list: the filters that matter with their counts, the others behind “More”.

import { AttributeFilters } from "./attributes.js";
import { FILTERS, NAMES, said } from "./choices.js";
import { byId, h, partsOf, set, write } from "./dom.js";
import { number } from "./format.js";
import { channelIcon } from "./icons.js";
import { Known } from "./known.js";
import { activeFilters, DEFAULTS } from "./state.js";

const TYPING_MILLISECONDS = 350;
const IN_PANEL = NAMES.filter((name) => FILTERS[name].group);
// A range and a number of days each say when: one of them at a time.
const DATES = { from_date: "", to_date: "" };

/** The form; `change(values)` is called with what a viewer changes, `askForAttributes` as AttributeFilters says. */
export class Filters {
  #typing = 0;
  #known = new Known();
  #state = DEFAULTS;
  #counted = [];

  constructor(change, askForAttributes) {
    this.change = (values) => change({ offset: DEFAULTS.offset, ...values });
    this.form = byId("filters");
    Object.assign(this, partsOf(this.form));
    this.quick.prepend(...this.#groups());
    this.panel.append(...this.#panel());
    this.attributes = new AttributeFilters(this.panel, askForAttributes, (attributes) =>
      this.change({ attributes }),
    );
    this.search.addEventListener("input", () => this.#searchSoon());
    this.more.addEventListener("click", () => this.#turn());
    this.statistics.addEventListener("click", () => this.#turnStatistics());
    this.order.addEventListener("change", () => {
      const [sort_by, sort_order] = this.order.value.split(" ");
      this.change({ sort_by, sort_order });
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#searchNow();
    });
  }

  /** Show the filters of a state. */
  show(state) {
    if (state.tenant !== this.#state.tenant) {
      this.#known.forget();
      this.attributes.forget();
      this.clear();
    }
    this.#state = state;
    this.#loadAttributes();
    // Nobody's typing is overwritten.
    if (document.activeElement !== this.search || !this.#typing) {
      this.search.value = state.search;
    }
    for (const control of this.panel.querySelectorAll("select, input[type=date]")) {
      control.value = state[control.id];
    }
    this.attributes.show(state.attributes);
    for (const control of this.#named) {
      control.value = this.#known.textOf(control.id, state[control.id]);
    }
    for (const { button, name, value } of this.#counted) {
      set(button, { "aria-pressed": String(state[name].split(",").includes(value)) });
    }
    this.order.value = `${state.sort_by} ${state.sort_order}`;
    set(this.statistics, { "aria-expanded": String(state.statistics !== "") });
    const inPanel = IN_PANEL.filter((name) => state[name] !== "");
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
    this.change(Object.fromEntries(NAMES.map((name) => [name, ""])));
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
        const text = `${FILTERS[name].label}: ${value}`;
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

  #groups() {
    return NAMES.filter((name) => FILTERS[name].buttons).map((name) => this.#group(name, FILTERS[name]));
  }

  #group(name, { label, buttons, hasSeveral }) {
    const group = Object.entries(buttons).map(([value, text]) => {
      // The API counts no days.
      const count = h("span", { class: "count", hidden: name === "days" });
      const press = () => this.#press(name, value, hasSeveral);
      const button = h("button", {
        type: "button",
        class: `toggle ${value.toLowerCase()}`,
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
    return h("span", { class: "group", role: "group", "aria-label": label }, ...group);
  }

  #press(name, value, hasSeveral) {
    const before = this.#state[name].split(",").filter(Boolean);
    const isOn = before.includes(value);
    const others = hasSeveral ? before.filter((one) => one !== value) : [];
    const values = [...others, ...(isOn ? [] : [value])];
    this.change({ [name]: values.join(","), ...this.#others(name) });
  }

  #panel() {
    return [...new Set(IN_PANEL.map((name) => FILTERS[name].group))].map((title) => {
      const controls = IN_PANEL.filter((name) => FILTERS[name].group === title).map((name) =>
        this.#control(name),
      );
      return h("fieldset", {}, h("legend", {}, title), h("div", { class: "fields" }, ...controls));
    });
  }

  #control(name) {
    const { label, choices, any = "Any", isDate, isNamed } = FILTERS[name];
    const change = (value) => this.change({ [name]: value, ...(isDate ? { days: "" } : this.#others(name)) });
    if (isNamed) {
      return labelled(name, label, this.#name(name, change));
    }
    if (isDate) {
      const pick = (event) => change(event.target.value);
      return labelled(name, label, h("input", { type: "date", id: name, onchange: pick }));
    }
    return labelled(name, label, select(name, [["", any], ...Object.entries(choices)], change));
  }

  /** Returns the filters that a choice takes away. */
  #others(name) {
    return name === "days" ? DATES : {};
  }

  get #named() {
    return this.panel.querySelectorAll("input[list]");
  }

  /** A field for a name that is offered, or for any id. */
  #name(id, change) {
    const pick = ({ target }) => change(this.#known.idOf(id, target.value.trim()));
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
    return h("span", {}, field, list);
  }

  #turn() {
    this.panel.hidden = !this.panel.hidden;
    set(this.more, { "aria-expanded": String(!this.panel.hidden) });
    this.#loadAttributes();
  }

  /** Load what the panel offers, while a viewer sees it. */
  #loadAttributes() {
    if (!this.panel.hidden) {
      this.attributes.load(this.#state.tenant);
    }
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
  return h("div", { class: "field" }, h("label", { for: id }, text), control);
}

function select(id, options, chosen) {
  const choices = options.map(([value, text]) => h("option", { value }, text));
  return h("select", { id, onchange: (event) => chosen(event.target.value) }, ...choices);
}
