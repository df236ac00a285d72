// The table of leads.

import { byId, h, reconcile, set, write } from "./dom.js";
import { sender } from "./fields.js";
import { ago, exact, initials, NONE, number, oneLine, phone, visible } from "./format.js";
import { channelIcon, showChannels } from "./icons.js";
import { keepPlace, mark } from "./place.js";

const TINTS = ["#0f766e", "#1f5fae", "#7c3aed", "#b0307a", "#b45309", "#4d7c0f"];
// Of a column: its class, its title, and what it sorts by, if it does, with the direction that it begins with.
const COLUMNS = [
  ["who", "Lead", "name", "asc"],
  ["last", "Last message"],
  ["status", "Status"],
  ["score", "Score", "total_score", "desc"],
  ["agent", "Agent"],
  ["messages", "Messages", "total_messages", "desc"],
  ["first", "First contact", "first_contact_at", "desc"],
  ["time", "Last activity", "last_message_at", "desc"],
];

/**
 * The list; `hrefOf(phone)` is the address of a lead, `sort(by, order)` is called for another order, and
 * `resetFilters()` to show all leads.
 */
export class List {
  #headers = new Map();
  #parts = new WeakMap();
  #texts = new Map();

  constructor({ hrefOf, sort, resetFilters }) {
    this.hrefOf = hrefOf;
    this.resetFilters = resetFilters;
    const heads = COLUMNS.map(([name, title, by, order]) => this.#head(name, title, by, order, sort));
    this.table = byId("leads");
    this.body = h("tbody", { role: "rowgroup" });
    set(this.table, { role: "table" });
    this.table.append(
      h("caption", { class: "unseen" }, "Leads"),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads)),
      this.body,
    );
    this.body.addEventListener("keydown", moveByArrows);
  }

  clear() {
    this.#texts.clear();
    this.body.replaceChildren();
    this.table.hidden = true;
    byId("list-empty").hidden = byId("paging").hidden = true;
    byId("skeleton").hidden = false;
  }

  /** Say why there is no lead, if there is none. */
  noteEmpty(isEmpty, isFiltered) {
    const box = byId("list-empty");
    byId("skeleton").hidden = true;
    this.table.hidden = isEmpty;
    box.hidden = !isEmpty;
    if (!isEmpty) {
      return;
    }
    box.replaceChildren(
      h(
        "p",
        {},
        isFiltered
          ? "No lead passes these filters."
          : "This tenant has no leads yet, or there is no such tenant.",
      ),
      isFiltered
        ? h("button", { type: "button", onclick: this.resetFilters }, "Remove all filters")
        : h(
            "p",
            { class: "hint" },
            "A lead appears here within a second of its first conversation or template.",
          ),
    );
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
    for (const [by, head] of this.#headers) {
      const order = state.sort_order === "asc" ? "ascending" : "descending";
      set(head, { "aria-sort": state.sort_by === by ? order : null });
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

  /** Move the focus to a lead, if it is in the list. */
  focus(phone) {
    const row = [...this.body.rows].find((one) => one.dataset.key === phone);
    (row ? this.#parts.get(row).link : byId("list")).focus({ preventScroll: true });
  }

  #head(name, title, by, order, sort) {
    const attributes = { scope: "col", class: name, role: "columnheader" };
    if (!by) {
      return h("th", attributes, title);
    }
    const head = h("th", attributes);
    const turn = () => {
      const current = head.getAttribute("aria-sort");
      const other = current === "ascending" ? "desc" : "asc";
      sort(by, current ? other : order);
    };
    head.append(h("button", { type: "button", onclick: turn }, title));
    this.#headers.set(by, head);
    return head;
  }

  #row() {
    const parts = {
      link: h("a", { dir: "auto" }),
      avatar: h("span", { class: "avatar", "aria-hidden": "true" }),
      phone: h("bdi", { class: "phone" }),
      company: h("bdi", { class: "company" }),
      status: h("span", { class: "pill" }),
      score: h("span", { class: "number" }),
      channels: h("span", { class: "channels" }),
      from: h("span", { class: "from" }),
      agent: h("bdi"),
      text: h("span", { class: "text", dir: "auto" }),
      messages: h("span", { class: "number" }),
      first: h("time"),
      time: h("time"),
    };
    const sub = h("span", { class: "sub" }, parts.phone, parts.company);
    const who = h("span", { class: "person" }, parts.avatar, h("span", {}, parts.link, sub));
    const row = h(
      "tr",
      { role: "row" },
      h("th", { scope: "row", class: "who", role: "rowheader" }, who),
      cell("last", h("span", { class: "line" }, parts.channels, parts.from, parts.text)),
      cell("status", parts.status),
      cell("score", parts.score),
      cell("agent", parts.agent),
      cell("messages", parts.messages),
      cell("first", parts.first),
      cell("time", parts.time),
    );
    this.#parts.set(row, parts);
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
  for (const element of document.querySelectorAll(":is(#leads, .when) time[datetime]")) {
    write(element, ago(element.dateTime, now));
  }
}

function cell(name, ...children) {
  return h("td", { class: name, role: "cell" }, ...children);
}

function moveByArrows(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const link = step && event.target.closest("tr")?.[step]?.querySelector("a");
  if (link) {
    event.preventDefault();
    link.focus();
  }
}
