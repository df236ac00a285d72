// Search, filters and order of the list: the filters that matter with their counts, the others behind “More”.

import { AttributeFilters } from "./attributes.js";
import { FILTERS, NAMES, said } from "./choices.js";
import { byId, h, partsOf, set, write } from "./dom.js";
import { platform } from "./fields.js";
import { number, PLATFORMS } from "./format.js";
import { channelIcon } from "./icons.js";
import { channelName, Known } from "./known.js";
import { activeFilters, DEFAULTS } from "./state.js";

const TYPING_MILLISECONDS = 350;
const IN_PANEL = NAMES.filter((name) => FILTERS[name].group);

/** The form; `change(values)` is called with what a viewer changes, `askForAttributes` as AttributeFilters says. */
export class Filters {
  #typing = 0;
  #known = { agent_id: new Known("agent_id"), phone_number_id: new Known("phone_number_id") };
  #state = DEFAULTS;
  #counted = [];

  constructor(change, askForAttributes) {
    this.change = (values) => change({ offset: DEFAULTS.offset, ...values });
    this.form = byId("filters");
    Object.assign(this, partsOf(this.form));
    this.quick.prepend(...this.#groups());
    this.platforms = this.quick.querySelector("[aria-label=Platform]");
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
      this.#forget();
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
    this.#nameIds();
    for (const { button, name, value } of this.#counted) {
      set(button, { "aria-pressed": String(state[name].split(",").includes(value)) });
    }
    this.order.value = `${state.sort_by} ${state.sort_order}`;
    set(this.statistics, { "aria-expanded": String(state.statistics !== "") });
    const inPanel = IN_PANEL.filter((name) => state[name] !== "");
    write(this.count, inPanel.length ? number(inPanel.length) : "");
    this.#chips();
  }

  /** Show how many leads each value has, beside the other filters. */
  countFacets(facets) {
    this.#offerPlatforms(Object.keys(facets.platform));
    for (const { name, value, button, count } of this.#counted.filter((one) => one.name in facets)) {
      const leads = Object.hasOwn(facets[name], value) ? facets[name][value] : 0;
      write(count, number(leads));
      button.classList.toggle("nothing", leads === 0);
      button.hidden = leads === 0 && name === "platform" && !(value in PLATFORMS);
    }
  }

  /** Offer the agents and channels of conversations, and call those that are filters by their names. */
  learn(conversations) {
    const { agent_id: agents, phone_number_id: channels } = this.#known;
    const isNew = conversations.map((one) => [
      agents.learn(one.agent_id, one.agent_name),
      channels.learn(one.phone_number_id, channelName(one)),
    ]);
    if (!isNew.flat().includes(true)) {
      return;
    }
    agents.offer();
    channels.offer();
    this.#nameIds();
    if (!this.chips.contains(document.activeElement)) {
      this.#chips();
    }
  }

  /** Returns what an agent is called. */
  agentName(id) {
    return this.#known.agent_id.textOf(id);
  }

  /** Show the ids of the state by their names, but where a viewer types. */
  #nameIds() {
    for (const control of this.panel.querySelectorAll("input[list]")) {
      if (control !== document.activeElement) {
        control.value = this.#known[control.id].textOf(this.#state[control.id]);
      }
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
      this.#counted.some(
        (one) => one.name === name && one.button.matches("[aria-pressed=true]:not([hidden])"),
      );
    const names = activeFilters(this.#state);
    const chips = names
      .filter((name) => name !== "search" && !isPressed(name))
      .map((name) => {
        const value = this.#known[name]?.textOf(this.#state[name]) ?? said(name, this.#state[name]);
        const text = `${FILTERS[name].label}: ${value}`;
        const take = () => {
          this.#stopTyping();
          this.change({ [name]: "", ...this.#others(name, "") });
          this.search.focus();
        };
        return h(
          "button",
          { type: "button", class: "chip", "aria-label": `Remove the filter ${text}`, onclick: take },
          h("bdi", { class: "clip" }, text),
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
    const group = Object.entries(buttons).map(([value, text]) => this.#toggle(name, value, text, hasSeveral));
    return h("span", { class: "group flow", role: "group", "aria-label": label }, ...group);
  }

  #toggle(name, value, text, hasSeveral) {
    // The API counts no days.
    const count = h("span", { class: "count", hidden: name === "days" });
    const press = () => this.#press(name, value, hasSeveral);
    const attributes = {
      type: "button",
      class: `toggle ${name === "lead_status" ? value.toLowerCase() : ""}`,
      onclick: press,
    };
    const icon = name === "platform" ? channelIcon(value, { isNamed: true }) : null;
    const isPressed = this.#state[name].split(",").includes(value);
    const button = h("button", { ...attributes, "aria-pressed": String(isPressed) }, icon, text, " ", count);
    this.#counted.push({ name, value, button, count });
    return button;
  }

  /** Offer the platforms that leads are on, beside those that are always offered. */
  #offerPlatforms(names) {
    const isOffered = (name) => this.#counted.some((one) => one.name === "platform" && one.value === name);
    const others = names.filter((name) => !isOffered(name));
    this.platforms.append(...others.map((name) => this.#toggle("platform", name, platform(name), true)));
  }

  /** Forget what is known of a tenant. */
  #forget() {
    for (const ids of Object.values(this.#known)) {
      ids.forget();
    }
    this.attributes.forget();
    for (const { count } of this.#counted) {
      write(count, "");
    }
  }

  #press(name, value, hasSeveral) {
    const before = this.#state[name].split(",").filter(Boolean);
    const isOn = before.includes(value);
    const others = hasSeveral ? before.filter((one) => one !== value) : [];
    const values = [...others, ...(isOn ? [] : [value])];
    this.change({ [name]: values.join(","), ...this.#others(name, values.join(",")) });
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
    const { label, choices = {}, any = "Any", isDate, isNamed } = FILTERS[name];
    const change = (value) => this.change({ [name]: value, ...this.#others(name, value) });
    const pick = { id: name, onchange: ({ target }) => change(target.value) };
    const options = [["", any], ...Object.entries(choices)].map(([value, text]) =>
      h("option", { value }, text),
    );
    const plain = isDate ? h("input", { type: "date", ...pick }) : h("select", pick, ...options);
    return h("div", {}, h("label", { for: name }, label), isNamed ? this.#name(name, change) : plain);
  }

  /** Returns the filters that a choice changes with it. */
  #others(name, value) {
    const others = {
      days: { from_date: "", to_date: "" },
      from_date: { days: "" },
      to_date: { days: "" },
      became: value ? {} : { became_days: "" },
      became_days: value && !this.#state.became ? { became: "Hot" } : {},
    };
    return others[name] ?? {};
  }

  /** A field for a name that is offered, or for any id. */
  #name(id, change) {
    const { list } = this.#known[id];
    const pick = ({ target }) => change(this.#known[id].idOf(target.value.trim()));
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
