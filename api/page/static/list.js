// The table of leads.

import { byId, copyOf, h, keepPlace, mark, partsOf, reconcile, set, write } from "./dom.js";
import { sender } from "./fields.js";
import { ago, exact, initials, NONE, number, oneLine, phone, visible, windowText } from "./format.js";
import { channelIcon, showChannels } from "./icons.js";
import { groupOf, isWorklist, SOON } from "./worklist.js";

const TINTS = ["#0f766e", "#1f5fae", "#7c3aed", "#b0307a", "#b45309", "#4d7c0f"];
const EMPTY = {
  match: ["No lead passes these filters."],
  done: ["Nothing is left to do here.", "Who is done or snoozed comes back by itself."],
  tenant: [
    "This tenant has no leads yet.",
    "A lead appears here within a second of its first conversation or template.",
  ],
  unknown: [
    "Nothing is known of a tenant with this user_id.",
    "Check it, or choose another tenant. A new one is known by its first conversation or template, or by its name.",
  ],
};

/**
 * The list; `hrefOf(phone)` is the address of a lead, `sort(by, order)` is called for another order,
 * `resetFilters()` to show all leads, and `turn(phone)` to put a lead aside or bring it back.
 */
export class List {
  #parts = new WeakMap();
  #texts = new Map();
  #state = null;

  constructor({ hrefOf, sort, resetFilters, turn }) {
    Object.assign(this, { hrefOf, resetFilters, turn });
    this.table = byId("leads");
    this.body = partsOf(this.table).body;
    this.heads = [...this.table.querySelectorAll("th[data-by]")];
    for (const head of this.heads) {
      const { by, order } = head.dataset;
      head.firstElementChild.addEventListener("click", () => {
        const turned = head.ariaSort === "ascending" ? "desc" : "asc";
        sort(by, head.ariaSort ? turned : order);
      });
    }
    this.body.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (by && this.step(by)) {
        event.preventDefault();
      }
    });
  }

  clear() {
    this.#texts.clear();
    this.body.replaceChildren();
    this.table.hidden = true;
    byId("list-empty").hidden = byId("paging").hidden = true;
    byId("skeleton").hidden = false;
  }

  /** The rows of leads. */
  get rows() {
    return [...this.body.rows].filter((row) => this.#parts.has(row));
  }

  /** Say why there is no lead: `match`, `done`, `tenant` or `unknown`; null where there are leads. */
  noteEmpty(why) {
    byId("skeleton").hidden = true;
    this.table.hidden = why !== null;
    byId("list-empty").hidden = why === null;
    if (why !== null) {
      const [said, hint] = EMPTY[why];
      const reset = h("button", { type: "button", onclick: this.resetFilters }, "Remove all filters");
      const help = why === "match" ? reset : h("p", { class: "hint" }, hint);
      byId("list-empty").replaceChildren(h("p", {}, said), help);
    }
  }

  /** Show these leads in place of those that are there. Returns how many of them are not as they were. */
  show(leads, now, { isLive, isAside }) {
    const isGrouped = isWorklist(this.#state) && this.#state.sort_by === "waiting_since";
    const groups = new Set();
    const items = leads.flatMap((lead) => {
      const group = isGrouped && lead.waiting_since ? groupOf(lead, now) : "";
      const isFirst = group !== "" && !groups.has(group);
      groups.add(group);
      return isFirst ? [{ group }, lead] : [lead];
    });
    const texts = new Map(leads.map((lead) => [lead.customer_phone, JSON.stringify(lead)]));
    const isSame = (key) => texts.get(key) === this.#texts.get(key);
    const changed = isLive ? leads.filter((lead) => !isSame(lead.customer_phone)) : [];
    const update = () =>
      reconcile(
        this.body,
        items,
        ({ group, customer_phone: key }) => (group ? `group ${group}` : key),
        ({ group }) => (group ? heading(group) : this.#row()),
        (row, lead) => lead.group || this.#update(row, lead, now, isAside(lead)),
      );
    if (isLive) {
      keepPlace(document.scrollingElement, this.rows, (row) => isSame(row.dataset.key), update);
    } else {
      update();
    }
    this.#texts = texts;
    const phones = new Set(changed.map((lead) => lead.customer_phone));
    mark(this.rows.filter((row) => phones.has(row.dataset.key)));
    return changed.length;
  }

  /** Show by what the list is sorted, and which lead is open. */
  mark(state) {
    this.#state = state;
    this.table.classList.toggle("worklist", isWorklist(state));
    const order = state.sort_order === "asc" ? "ascending" : "descending";
    for (const head of this.heads) {
      set(head, { "aria-sort": state.sort_by === head.dataset.by ? order : null });
    }
    for (const row of this.rows) {
      set(this.#parts.get(row).link, {
        "aria-current": row.dataset.key === state.lead ? "true" : null,
        href: this.hrefOf(row.dataset.key),
      });
    }
  }

  /** Make a change around the list that leaves its rows where the reader sees them. */
  keepPlace(change) {
    keepPlace(document.scrollingElement, this.rows, () => true, change);
  }

  /** Move the focus to the next or previous lead; to the first one if none has it. Returns whether there is one. */
  step(by) {
    const at = this.rows.findIndex((row) => row.contains(document.activeElement));
    const row = this.rows[at < 0 ? 0 : at + by];
    row?.querySelector("a").focus();
    return row !== undefined;
  }

  /** The phone of the lead that has the focus; undefined if none has. */
  get focused() {
    return this.rows.find((row) => row.contains(document.activeElement))?.dataset.key;
  }

  /** Move the focus to a lead, if it is in the list. */
  focus(phone) {
    const row = this.rows.find((one) => one.dataset.key === phone);
    (row ? this.#parts.get(row).link : byId("list")).focus({ preventScroll: true });
  }

  #row() {
    const row = copyOf("row");
    const parts = partsOf(row);
    this.#parts.set(row, parts);
    parts.done.addEventListener("click", () => this.turn(row.dataset.key));
    return row;
  }

  #update(row, lead, now, isAside) {
    const parts = this.#parts.get(row);
    set(parts.link, { href: this.hrefOf(lead.customer_phone) });
    write(parts.link, lead.name === null ? phone(lead.customer_phone, lead.platforms) : visible(lead.name));
    write(parts.phone, lead.name === null ? "" : phone(lead.customer_phone, lead.platforms));
    showAvatar(parts.avatar, lead);
    const waits = lead.last_message_sender === "user";
    row.classList.toggle("waits", waits && !isAside);
    row.classList.toggle("aside", isAside);
    write(parts.done, doneText(isAside));
    showTime(parts.waits, lead.waiting_since, now);
    showWindow(parts.window, lead, now);
    write(parts.company, visible(lead.company ?? ""));
    showStatus(parts.status, lead.lead_status);
    set(parts.score, { class: lead.total_score === null ? "none" : "number" });
    write(parts.score, lead.total_score === null ? NONE : number(lead.total_score));
    showChannels(parts.channels, lead.platforms);
    write(parts.agent, visible(lead.conversations[0]?.agent_name ?? NONE));
    write(parts.from, lead.last_message_sender === null ? "" : `${sender(lead.last_message_sender)}: `);
    write(parts.text, oneLine(lead.last_message_text ?? "") || NONE);
    write(parts.messages, number(lead.total_messages));
    showTime(parts.first, lead.first_contact_at, now);
    showTime(parts.time, lead.last_message_at, now);
  }
}

function heading(group) {
  const cell = h("th", { role: "rowheader", scope: "rowgroup" }, group);
  return h("tr", { role: "row", class: "group" }, cell);
}

/** Returns what a button is called that puts a lead aside, or brings it back. */
export function doneText(isAside) {
  return isAside ? "Bring back" : "Done";
}

/** Shows how long one may still answer freely. */
export function showWindow(element, { reply_window_ends_at: end }, now) {
  const rest = end ? Date.parse(end) - now : 0;
  set(element, { class: rest > 0 && rest < SOON ? "window soon" : "window", title: end && exact(end) });
  write(element, windowText(end, now));
}

/** Shows the first letters of a name; of a lead without one, its channel. */
function showAvatar(place, lead) {
  const letters = initials(lead.name);
  const key = letters || (lead.platforms[0] ?? "");
  if (place.dataset.shown === key) {
    return;
  }
  place.dataset.shown = key;
  const sum = [...lead.customer_phone].reduce((all, one) => (all * 31 + one.codePointAt(0)) % 997, 0);
  set(place, { class: letters ? "avatar named" : "avatar" });
  place.style.setProperty("--tint", TINTS[sum % TINTS.length]);
  place.replaceChildren(letters || channelIcon(key, { isNamed: true }));
}

/** Shows a status as a pill. */
export function showStatus(pill, status) {
  set(pill, { class: `pill ${status?.toLowerCase() ?? "none"}` });
  write(pill, status ?? NONE);
}

/** Shows a moment as a distance, with the whole of it for who asks. */
export function showTime(element, iso, now) {
  set(element, { datetime: iso, title: iso ? exact(iso) : null });
  write(element, iso ? ago(iso, now) : NONE);
}
