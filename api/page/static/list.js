// The table of leads.

import { byId, copyOf, h, partsOf, reconcile, set, write } from "./dom.js";
import { sender } from "./fields.js";
import { ago, exact, initials, NONE, number, oneLine, phone, visible } from "./format.js";
import { channelIcon, showChannels } from "./icons.js";
import { keepPlace, mark } from "./place.js";

const TINTS = ["#0f766e", "#1f5fae", "#7c3aed", "#b0307a", "#b45309", "#4d7c0f"];
const EMPTY = {
  match: ["No lead passes these filters."],
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
 * The list; `hrefOf(phone)` is the address of a lead, `sort(by, order)` is called for another order, and
 * `resetFilters()` to show all leads.
 */
export class List {
  #parts = new WeakMap();
  #texts = new Map();

  constructor({ hrefOf, sort, resetFilters }) {
    this.hrefOf = hrefOf;
    this.resetFilters = resetFilters;
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

  /** Say why there is no lead: `match`, `tenant` or `unknown`; null where there are leads. */
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
  show(leads, now, { isLive }) {
    const texts = new Map(leads.map((lead) => [lead.customer_phone, JSON.stringify(lead)]));
    const isSame = (key) => texts.get(key) === this.#texts.get(key);
    const changed = isLive ? leads.filter((lead) => !isSame(lead.customer_phone)) : [];
    const update = () =>
      reconcile(
        this.body,
        leads,
        (lead) => lead.customer_phone,
        () => this.#row(),
        (row, lead) => this.#update(row, lead, now),
      );
    if (isLive) {
      keepPlace(document.scrollingElement, [...this.body.rows], (row) => isSame(row.dataset.key), update);
    } else {
      update();
    }
    this.#texts = texts;
    const phones = new Set(changed.map((lead) => lead.customer_phone));
    mark([...this.body.rows].filter((row) => phones.has(row.dataset.key)));
    return changed.length;
  }

  /** Show by what the list is sorted, and which lead is open. */
  mark(state) {
    const order = state.sort_order === "asc" ? "ascending" : "descending";
    for (const head of this.heads) {
      set(head, { "aria-sort": state.sort_by === head.dataset.by ? order : null });
    }
    for (const row of this.body.rows) {
      set(this.#parts.get(row).link, {
        "aria-current": row.dataset.key === state.lead ? "true" : null,
        href: this.hrefOf(row.dataset.key),
      });
    }
  }

  /** Make a change around the list that leaves its rows where the reader sees them. */
  keepPlace(change) {
    keepPlace(document.scrollingElement, [...this.body.rows], () => true, change);
  }

  /** Move the focus to the next or previous lead; to the first one if none has it. Returns whether there is one. */
  step(by) {
    const rows = [...this.body.rows];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const row = rows[at < 0 ? 0 : at + by];
    row?.querySelector("a").focus();
    return row !== undefined;
  }

  /** Move the focus to a lead, if it is in the list. */
  focus(phone) {
    const row = [...this.body.rows].find((one) => one.dataset.key === phone);
    (row ? this.#parts.get(row).link : byId("list")).focus({ preventScroll: true });
  }

  #row() {
    const row = copyOf("row");
    this.#parts.set(row, partsOf(row));
    return row;
  }

  #update(row, lead, now) {
    const parts = this.#parts.get(row);
    set(parts.link, { href: this.hrefOf(lead.customer_phone) });
    write(parts.link, lead.name === null ? phone(lead.customer_phone, lead.platforms) : visible(lead.name));
    write(parts.phone, lead.name === null ? "" : phone(lead.customer_phone, lead.platforms));
    showAvatar(parts.avatar, lead);
    set(row, { class: lead.last_message_sender === "user" ? "waits" : null });
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

/** Shows how long ago it is by now, of all moments on the page. */
export function renewTimes(now) {
  for (const element of document.querySelectorAll("#leads time[datetime], .when[datetime]")) {
    write(element, ago(element.dateTime, now));
  }
}
