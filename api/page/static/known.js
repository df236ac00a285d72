// Agents and channels of the leads that were shown: a viewer chooses them by name, and the API takes their ids.

import { h } from "./dom.js";
import { platform } from "./fields.js";
import { visible } from "./format.js";

// Ids of each kind. Nobody reads a longer list, and any other id can be typed.
const MOST = 500;

/** The ids that a filter takes, with their names; `list` offers what is known. */
export class Known {
  #texts = new Map();
  #ids = new Map();

  constructor(filter) {
    this.list = h("datalist", { id: `known-${filter}` });
  }

  forget() {
    this.#texts.clear();
    this.#ids.clear();
    this.offer();
  }

  /** Learn what an id is called; with the id in the text where another one has that name. Returns whether it is new. */
  learn(id, name) {
    if (id === null || this.#texts.has(id) || this.#texts.size >= MOST) {
      return false;
    }
    const isShared = name && this.#ids.has(visible(name));
    const text = visible(isShared ? `${name} (${id})` : name || id);
    this.#texts.set(id, text);
    this.#ids.set(text, id);
    return true;
  }

  /** Offer all that is known. */
  offer() {
    const texts = [...this.#ids.keys()].sort((text, other) => text.localeCompare(other));
    this.list.replaceChildren(...texts.map((value) => h("option", { value })));
  }

  /** Returns what a viewer reads in place of an id. */
  textOf(id) {
    return this.#texts.get(id) ?? visible(id);
  }

  /** Returns the id that a text is known for, or else the text itself. */
  idOf(text) {
    return this.#ids.get(text) ?? text;
  }
}

/** Returns what the channel of a conversation is called. */
export function channelName({ platform: name, agent_name: agent }) {
  return [platform(name), agent].filter(Boolean).join(", ");
}
