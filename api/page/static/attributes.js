// Attributes: what else the platform knows of a lead or a conversation, and filters by those with few values.

import { h } from "./dom.js";
import { number, visible } from "./format.js";

const MOST_VALUES = 20;
// So many are looked at, those of most leads, and so many by one request.
const MOST = 16;
const AT_ONCE = 8;
const TYPES = ["text", "number", "boolean", "list"];
const PREFIX = "attributes.";
const FLAGS = { true: "Yes", false: "No" };

/** Returns the filters that a text means, which has them as a query string has its pairs. */
export function chosen(text) {
  return new Map(new URLSearchParams(text));
}

/** Returns such filters in words. */
export function inWords(text) {
  return [...chosen(text)].map(([name, value]) => `${wordsOf(name)} ${visible(value)}`).join(", ");
}

/** Returns a lead with each attribute as a key of its own. */
export function withAttributes({ attributes = {}, ...lead }) {
  const named = Object.entries(attributes).map(([name, value]) => [`${PREFIX}${name}`, shownValue(value)]);
  return { ...lead, ...Object.fromEntries(named) };
}

/** Returns whether a key is that of an attribute. */
export function isAttribute(key) {
  return key.startsWith(PREFIX);
}

/** Returns how a person calls an attribute, by its name or its key. */
export function labelOf(name) {
  const words = wordsOf(name);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Returns the attributes of a conversation as a text, which may be empty. */
export function attributesOf({ attributes = {} }) {
  const texts = Object.entries(attributes).map(([name, value]) => `${wordsOf(name)} ${shownValue(value)}`);
  return texts.map((text) => ` · ${visible(text)}`).join("");
}

/**
 * The filters in the panel, of a tenant whose viewer opens it.
 *
 * `ask(names)` returns the values of these attributes, and without names which attributes there are; undefined if that
 * fails. `change(text)` is called with the filters that are set.
 */
export class AttributeFilters {
  #tenant = "";
  #text = "";

  constructor(panel, ask, change) {
    this.ask = ask;
    this.change = change;
    this.fields = h("div", { class: "fields" });
    this.element = h("fieldset", { hidden: true }, h("legend", {}, "Attributes"), this.fields);
    panel.append(this.element);
  }

  /** Take away what another tenant has. */
  forget() {
    this.#tenant = "";
    this.element.hidden = true;
  }

  /** Offer the attributes with few values, unless they are offered already. */
  async load(tenant) {
    if (this.#tenant === tenant) {
      return;
    }
    this.#tenant = tenant;
    const found = await this.#few();
    if (this.#tenant !== tenant) {
      return;
    }
    if (found === undefined) {
      this.forget();
      return;
    }
    this.fields.replaceChildren(...found.map(([key, { values }]) => this.#control(key, Object.keys(values))));
    this.element.hidden = found.length === 0;
    this.show(this.#text);
  }

  /** Show the filters that are set. */
  show(text) {
    this.#text = text;
    const given = chosen(text);
    for (const control of this.fields.querySelectorAll("select")) {
      const value = given.get(control.name) ?? "";
      if (![...control.options].some((option) => option.value === value)) {
        control.append(h("option", { value }, visible(value)));
      }
      control.value = value;
    }
  }

  async #few() {
    const there = await this.ask();
    const usable = there
      ?.filter(({ type, leads }) => TYPES.includes(type) && leads > 0)
      .sort((attribute, other) => other.leads - attribute.leads);
    const names = [...new Set(usable?.map(({ name }) => name))].slice(0, MOST);
    const facets = {};
    for (let at = 0; at < names.length; at += AT_ONCE) {
      Object.assign(facets, await this.ask(names.slice(at, at + AT_ONCE)));
    }
    const isFew = ([, { distinct }]) => distinct > 0 && distinct <= MOST_VALUES;
    return there && Object.entries(facets).filter(isFew);
  }

  #control(key, values) {
    const name = key.replace(PREFIX, "");
    const id = `attribute-${name}`;
    const options = values.map((value) =>
      h("option", { value: value.replaceAll(",", "\\,") }, FLAGS[value] ?? visible(value)),
    );
    const select = h("select", { id, name, onchange: ({ target }) => this.#choose(name, target.value) });
    select.append(h("option", { value: "" }, "Any"), ...options);
    return h("div", {}, h("label", { for: id }, labelOf(name)), select);
  }

  #choose(name, value) {
    const given = chosen(this.#text);
    given.delete(name);
    if (value) {
      given.set(name, value);
    }
    this.change(String(new URLSearchParams([...given])));
  }
}

function wordsOf(name) {
  return name.replace(PREFIX, "").replaceAll("_", " ");
}

/** Returns a value of an attribute as a text. */
function shownValue(value) {
  if (Array.isArray(value)) {
    return value.map(shownValue).join(", ");
  }
  return typeof value === "number" ? number(value) : (FLAGS[value] ?? value);
}
