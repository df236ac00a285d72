// Agents and channels of the leads that were shown: a viewer chooses them by name, and the API takes their ids.

import { h } from "./dom.js";
import { platform } from "./fields.js";
import { visible } from "./format.js";

// Ids of each kind. Nobody reads a longer list, and any other id can be typed.
const MOST = 500;

/** The filters whose values are ids with names. */
export class Known {
  #names = { agent_id: new Map(), phone_number_id: new Map() };
  #ids = { agent_id: new Map(), phone_number_id: new Map() };

  constructor() {
    /** Of each filter, the list that offers what is known. */
    this.lists = Object.fromEntries(
      Object.keys(this.#names).map((filter) => [filter, h("datalist", { id: `known-${filter}` })]),
    );
  }

  forget() {
    for (const [filter, names] of Object.entries(this.#names)) {
      names.clear();
      this.#offer(filter);
    }
  }

  /** Learn the names that leads have. Returns whether there were new ones. */
  learn(leads) {
    const before = this.#count();
    for (const one of leads.flatMap((lead) => lead.conversations)) {
      this.#note("agent_id", one.agent_id, one.agent_name);
      this.#note("phone_number_id", one.phone_number_id, channelName(one));
    }
    if (this.#count() === before) {
      return false;
    }
    for (const filter of Object.keys(this.#names)) {
      this.#offer(filter);
    }
    return true;
  }

  /** Returns what a viewer reads in place of an id: its name, with the id where others have that name too. */
  textOf(filter, id) {
    const names = this.#names[filter];
    const name = names.get(id);
    if (!name) {
      return visible(id);
    }
    const isShared = [...names].some(([other, one]) => other !== id && (one === name || other === name));
    return visible(isShared ? `${name} (${id})` : name);
  }

  /** Returns the id that a text is known for, or else the text itself. */
  idOf(filter, text) {
    return this.#ids[filter].get(text) ?? text;
  }

  #count() {
    return Object.values(this.#names).reduce((count, names) => count + names.size, 0);
  }

  #note(filter, id, name) {
    const names = this.#names[filter];
    if (id !== null && !names.has(id) && names.size < MOST) {
      names.set(id, name);
    }
  }

  #offer(filter) {
    const texts = [...this.#names[filter].keys()].map((id) => [this.textOf(filter, id), id]);
    this.#ids[filter] = new Map(texts.sort(([one], [other]) => one.localeCompare(other)));
    const options = [...this.#ids[filter].keys()].map((value) => h("option", { value }));
    this.lists[filter].replaceChildren(...options);
  }
}

function channelName(conversation) {
  const { agent_name: agent } = conversation;
  return [platform(conversation.platform), ...(agent ? [agent] : [])].join(", ");
}
