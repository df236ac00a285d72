// The views of the list as tabs with their counts: three that each tenant has, and those that a viewer has saved.

import { NAMES } from "./choices.js";
import { byId, h, partsOf, reconcile, set, write } from "./dom.js";
import { number, visible } from "./format.js";
import { activeFilters, DEFAULTS, fragment, store, stored } from "./state.js";
import { horizon } from "./worklist.js";

const SAVED = "leads-views";
const MOST_SAVED = 20;
const KEPT = [...NAMES, "sort_by", "sort_order"];

const WAITING = "Waiting for us";
const CLOSING = "Window closes within 2 h";
const WAITS = { last_message_sender: "user" };
const LONGEST_FIRST = { sort_by: "waiting_since", sort_order: "asc" };
const SOONEST_FIRST = { sort_by: "reply_window_ends_at", sort_order: "asc" };
// Of a view: its name, the filters that make it, and what else its tab sets.
const GIVEN = [
  { name: "All", values: {} },
  { name: WAITING, values: WAITS, more: () => ({ days: horizon(), ...LONGEST_FIRST }) },
  { name: CLOSING, values: { ...WAITS, reply_window_hours: "2" }, more: () => SOONEST_FIRST },
  { name: "Hot", values: { lead_status: "Hot" } },
];

/** The tabs; `announce(text)` says what was saved. */
export class Views {
  #state = DEFAULTS;
  #counts = new Map();
  /** The name of the view that is shown. */
  title = "";

  constructor(announce) {
    this.announce = announce;
    Object.assign(this, partsOf(byId("views")));
    this.gone.addEventListener("click", () => this.#delete(this.#current(this.#saved()).name));
    this.name = byId("view-name");
    const dialog = byId("view");
    dialog.addEventListener("close", () => dialog.returnValue && this.#save(this.name.value.trim()));
    /** Stands beside the filters: on a phone the tabs need all of their line. */
    this.keep = byId("save-view");
    this.keep.addEventListener("click", () => {
      this.name.value = dialog.returnValue = "";
      dialog.showModal();
    });
  }

  clear() {
    this.#counts.clear();
  }

  /** Show how many leads each view has. */
  count(facets) {
    const { has_email: email, lead_status: status } = facets;
    this.#counts.set("All", email.true + email.false).set("Hot", status.Hot);
    this.#writeAll();
  }

  /** Show how many leads are left to do. */
  countLeft({ waiting, closing }) {
    this.#counts.set(WAITING, waiting).set(CLOSING, closing);
    this.#writeAll();
  }

  #writeAll() {
    for (const tab of this.tabs.querySelectorAll("a:has(.count)")) {
      const count = this.#counts.get(tab.dataset.key);
      write(tab.lastElementChild, Number.isInteger(count) ? number(count) : "");
    }
  }

  /** How many leads wait; null while that is not known. */
  get waiting() {
    return this.#counts.get(WAITING) ?? null;
  }

  /** Show the tabs, and which of them the list is. */
  show(state) {
    this.#state = state;
    const { tenant, limit } = state;
    const saved = this.#saved();
    const views = [...GIVEN, ...saved];
    const current = this.#current(views);
    this.title = visible(current.name);
    reconcile(
      this.tabs,
      views,
      ({ name }) => name,
      makeTab,
      (tab, view) =>
        set(tab, {
          href: fragment({ ...DEFAULTS, tenant, limit, ...whole(view) }),
          "aria-current": view === current ? "page" : null,
        }),
    );
    this.#writeAll();
    const label = `Delete the view ${this.title}`;
    set(this.gone, { "aria-label": label, title: label, hidden: !saved.includes(current) });
    const tab = this.tabs.querySelector("[aria-current]");
    this.tabs.scrollLeft = tab.offsetLeft + tab.offsetWidth - this.tabs.clientWidth;
    const isOther = !views.some((view) => isExactly(state, whole(view)));
    this.keep.hidden = !isOther || activeFilters(state).length === 0 || saved.length >= MOST_SAVED;
  }

  /** Returns the view that the state is of: of several, the one with most filters. */
  #current(views) {
    const fitting = views.filter(({ values }) =>
      Object.entries(values).every(([name, value]) => this.#state[name] === value),
    );
    const filters = ({ values }) => NAMES.filter((name) => values[name]).length;
    return fitting.reduce((best, one) => (filters(one) > filters(best) ? one : best));
  }

  #save(name) {
    if (!name || GIVEN.some((view) => view.name === name)) {
      return;
    }
    const changed = KEPT.filter((one) => this.#state[one] !== DEFAULTS[one]);
    const values = Object.fromEntries(changed.map((one) => [one, this.#state[one]]));
    this.#store([...this.#saved().filter((one) => one.name !== name), { name, values }]);
    this.show(this.#state);
    this.tabs.querySelector("[aria-current]")?.focus();
    this.announce(`The view ${visible(name)} is saved in this browser.`);
  }

  #delete(name) {
    this.#store(this.#saved().filter((one) => one.name !== name));
    this.announce(`The view ${visible(name)} is deleted.`);
    this.show(this.#state);
    this.tabs.querySelector("[aria-current]")?.focus();
  }

  /** Returns the views that this browser keeps for the tenant; none of what somebody else has written there. */
  #saved() {
    const kept = stored(SAVED)?.[this.#state.tenant];
    return (Array.isArray(kept) ? kept : [])
      .filter(({ name, values }) => typeof name === "string" && typeof values === "object")
      .map(({ name, values }) => ({
        name,
        values: Object.fromEntries(
          KEPT.filter((one) => values[one]).map((one) => [one, String(values[one])]),
        ),
      }));
  }

  #store(views) {
    store(SAVED, { ...stored(SAVED), [this.#state.tenant]: views });
  }
}

function makeTab(view) {
  const count = GIVEN.includes(view) ? h("span", { class: "count" }) : null;
  return h("a", { class: "row" }, h("bdi", {}, visible(view.name)), count);
}

/** Returns all that the tab of a view sets. */
function whole({ values, more = () => ({}) }) {
  return { ...values, ...more() };
}

function isExactly(state, values) {
  return KEPT.every((name) => state[name] === (values[name] ?? DEFAULTS[name]));
}
