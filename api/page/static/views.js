// The views of the list as tabs with their counts: three that each tenant has, and those that a viewer has saved.

import { NAMES } from "./choices.js";
import { byId, h, partsOf, write } from "./dom.js";
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
    const { tabs, form, name, cancel } = partsOf(byId("views"));
    Object.assign(this, { tabs, form, name });
    form.addEventListener("submit", (event) => this.#save(event));
    form.addEventListener("keydown", (event) => event.key === "Escape" && this.#close());
    cancel.addEventListener("click", () => this.#close());
    /** Stands beside the filters: on a phone the tabs need all of their line. */
    this.keep = byId("save-view");
    this.keep.addEventListener("click", () => this.#open());
  }

  clear() {
    this.#counts.clear();
    this.#close();
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
    for (const tab of this.tabs.querySelectorAll("a[data-view]")) {
      this.#write(tab, tab.dataset.view);
    }
  }

  /** How many leads wait; null while that is not known. */
  get waiting() {
    return this.#counts.get(WAITING) ?? null;
  }

  /** Show the tabs, and which of them the list is. */
  show(state) {
    const focused = this.tabs.contains(document.activeElement) ? document.activeElement.dataset.view : null;
    this.#state = state;
    const saved = this.#saved();
    const views = [...GIVEN, ...saved.map((one) => ({ ...one, isSaved: true }))];
    const current = this.#current(views);
    this.title = visible(current.name);
    const tabs = views.flatMap((view) => this.#tab(view, view === current));
    this.tabs.replaceChildren(...tabs);
    const shown = tabs.find((tab) => tab.hasAttribute("aria-current"));
    const last = this.tabs.querySelector(".gone") ?? shown;
    this.tabs.scrollLeft = last.offsetLeft + last.offsetWidth - this.tabs.clientWidth;
    tabs.find((tab) => focused !== null && tab.dataset.view === focused)?.focus();
    const isOther = !views.some((view) => isExactly(state, whole(view)));
    this.keep.hidden = !isOther || activeFilters(state).length === 0 || saved.length >= MOST_SAVED;
    if (this.keep.hidden) {
      this.#close();
    }
  }

  #tab(view, isCurrent) {
    const { name, isSaved } = view;
    const { tenant, limit } = this.#state;
    const tab = h("a", {
      href: fragment({ ...DEFAULTS, tenant, limit, ...whole(view) }),
      "aria-current": isCurrent ? "page" : null,
      "data-view": name,
      "data-saved": isSaved,
    });
    tab.append(h("bdi", {}, visible(name)), h("span", { class: "count" }));
    this.#write(tab, isSaved ? null : name);
    if (!isSaved || !isCurrent) {
      return [tab];
    }
    const label = `Delete the view ${visible(name)}`;
    return [
      tab,
      h(
        "button",
        {
          type: "button",
          class: "gone",
          "aria-label": label,
          title: label,
          onclick: () => this.#delete(name),
        },
        "×",
      ),
    ];
  }

  #write(tab, name) {
    const count = this.#counts.get(name);
    write(tab.querySelector(".count"), Number.isInteger(count) ? number(count) : "");
  }

  /** Returns the view that the state is of: of several, the one with most filters. */
  #current(views) {
    const fitting = views.filter(({ values }) =>
      Object.entries(values).every(([name, value]) => this.#state[name] === value),
    );
    const filters = ({ values }) => NAMES.filter((name) => values[name]).length;
    return fitting.reduce((best, one) => (filters(one) > filters(best) ? one : best));
  }

  #open() {
    this.form.hidden = false;
    this.keep.hidden = true;
    this.name.focus();
  }

  #close() {
    if (this.form.hidden) {
      return;
    }
    this.form.hidden = true;
    this.name.value = "";
    this.keep.hidden = false;
    if (document.activeElement === document.body) {
      this.keep.focus();
    }
  }

  #save(event) {
    event.preventDefault();
    const name = this.name.value.trim();
    if (!name || GIVEN.some((one) => one.name === name)) {
      this.name.value = "";
      return;
    }
    const changed = KEPT.filter((one) => this.#state[one] !== DEFAULTS[one]);
    const values = Object.fromEntries(changed.map((one) => [one, this.#state[one]]));
    this.#store([...this.#saved().filter((one) => one.name !== name), { name, values }]);
    this.#close();
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

/** Returns all that the tab of a view sets. */
function whole({ values, more = () => ({}) }) {
  return { ...values, ...more() };
}

function isExactly(state, values) {
  return KEPT.every((name) => state[name] === (values[name] ?? DEFAULTS[name]));
}
