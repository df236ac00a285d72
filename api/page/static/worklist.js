// Whom to answer now: those who wait in groups, and the leads that this browser has put aside.

import { byId, partsOf, set, write } from "./dom.js";
import { number, visible } from "./format.js";
import { store, stored } from "./state.js";

const MARKS = "leads-put-aside";
const HORIZON = "leads-horizon";
// Marks of a tenant: as many as one look-up takes.
const MOST = 500;
const HOUR = 3_600_000;
/** So soon a reply window closes that is warned of, in milliseconds. */
export const SOON = 2 * HOUR;
const UNDO_MILLISECONDS = 10_000;

/** Returns whether the list of a state is of those who wait. */
export function isWorklist(state) {
  return state.last_message_sender === "user";
}

/** Returns the value of the filter `days` that a viewer has chosen for those who wait. */
export function horizon() {
  return String(stored(HORIZON) ?? "7");
}

export function keepHorizon(days) {
  store(HORIZON, days);
}

/** Returns the group of a lead that waits. */
export function groupOf({ waiting_since: since }, now) {
  if (now - Date.parse(since) < HOUR) {
    return "Waiting for less than an hour";
  }
  const isToday = Date.parse(since) >= new Date(now).setHours(0, 0, 0, 0);
  return isToday ? "Waiting since earlier today" : "Waiting since before today";
}

/** Returns until when a choice puts a lead aside; null for until it writes again. */
function endOf(choice, now) {
  const day = new Date(now);
  const days = { tomorrow: 1, monday: (8 - day.getDay()) % 7 || 7 }[choice];
  if (days) {
    day.setDate(day.getDate() + days);
    return day.setHours(9, 0, 0, 0);
  }
  return choice ? now + Number(choice) * HOUR : null;
}

/**
 * The leads that are put aside: of each phone, the time of the message that is settled, until when, and when its
 * reply window ends.
 *
 * `renew(lead)` is called when they have changed, with the lead that is back if a viewer wants it back.
 */
export class Worklist {
  #tenant = "";
  #marks = {};
  #timer = 0;
  /** How many leads wait within the horizon, how many at all, and how many whose window closes soon. */
  total = null;
  all = null;
  closing = null;

  constructor({ go, renew, announce }) {
    Object.assign(this, { renew, announce, bar: byId("worklist"), undo: byId("undo") });
    Object.assign(this, partsOf(this.bar), partsOf(this.undo));
    this.older.addEventListener("click", () => go({ days: "", offset: "0" }));
    this.aside.addEventListener("click", () => go({ done: this.isOpen ? "" : "shown" }));
    // Another tab of this browser.
    addEventListener("storage", ({ key }) => {
      if (key === MARKS) {
        this.open(this.#tenant);
        renew();
      }
    });
  }

  /** The phones of the leads that are put aside. */
  get phones() {
    return Object.keys(this.#marks);
  }

  /** Read what is kept of a tenant. */
  open(tenant) {
    if (tenant !== this.#tenant) {
      this.total = this.all = this.closing = null;
      this.undo.hidden = true;
    }
    this.#tenant = tenant;
    this.#marks = stored(MARKS)?.[tenant] ?? {};
  }

  /** Returns whether a lead is put aside: not once its customer has written again. */
  isAside({ customer_phone: phone, last_customer_message_at: at }, now) {
    return this.#marks[phone]?.at === at && this.#holds(this.#marks[phone], now);
  }

  #holds({ until }, now) {
    return until === null || now < until;
  }

  /** Put a lead aside for a choice of the page, and offer to take that back. */
  put(lead, choice, now) {
    const { customer_phone: phone, last_customer_message_at: at, reply_window_ends_at: end, name } = lead;
    const others = Object.entries(this.#marks).filter(([other]) => other !== phone);
    this.#keep([...others, [phone, { at, end, until: endOf(choice, now) }]].slice(-MOST));
    write(this.said, `${visible(name ?? phone)} is ${choice ? "snoozed" : "done until they write again"}.`);
    this.announce(this.said.textContent);
    this.back.onclick = () => this.take(lead);
    this.undo.hidden = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => set(this.undo, { hidden: true }), UNDO_MILLISECONDS);
  }

  /** Bring a lead back. */
  take(lead) {
    this.#keep(Object.entries(this.#marks).filter(([phone]) => phone !== lead.customer_phone));
    this.undo.hidden = true;
    this.renew(lead);
  }

  /** Forget the marks of leads that wait no more, or have written again. */
  check(leads) {
    const isOver = (lead) => lead.last_message_sender !== "user" || !this.isAside(lead, 0);
    const over = new Set(leads.filter(isOver).map((lead) => lead.customer_phone));
    if (this.phones.some((phone) => over.has(phone))) {
      this.#keep(Object.entries(this.#marks).filter(([phone]) => !over.has(phone)));
    }
  }

  #keep(marks) {
    this.#marks = Object.fromEntries(marks);
    store(MARKS, { ...stored(MARKS), [this.#tenant]: this.#marks });
  }

  /** Returns how many leads are left to do, and how many of these soon; null while that is not known. */
  left(now) {
    const since = horizon() ? now - Number(horizon()) * 24 * HOUR : 0;
    const aside = Object.values(this.#marks).filter((mark) => this.#holds(mark, now));
    const isClosing = ({ end }) => Date.parse(end) > now && Date.parse(end) <= now + SOON;
    const without = (total, marks) => (total === null ? null : Math.max(0, total - marks.length));
    return {
      waiting: without(
        this.total,
        aside.filter(({ at }) => Date.parse(at) >= since),
      ),
      closing: without(this.closing, aside.filter(isClosing)),
    };
  }

  /** Show the bar above a list of which so many leads are put aside; `isAlone` if it has no other filter. */
  show(state, aside, isAlone) {
    const hidden = isAlone && state.days === horizon() ? this.all - (this.total ?? this.all) : 0;
    this.isOpen = state.done !== "";
    this.older.hidden = hidden <= 0;
    this.marks.hidden = aside === 0 && !this.isOpen;
    this.bar.hidden = !isWorklist(state) || (this.older.hidden && this.marks.hidden);
    write(this.older, `Show ${number(hidden)} older`);
    write(this.aside, this.isOpen ? "Hide done and snoozed" : `Show ${number(aside)} done or snoozed`);
  }
}
