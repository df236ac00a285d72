// The views of the list as tabs with their counts: three that each tenant has, and those that a viewer has saved.

import { NAMES } from "./choices.js";
import { byId, h, partsOf, write } from "./dom.js";
import { number, visible } from "./format.js";
import { activeFilters, DEFAULTS, fragment } from "./state.js";

const SAVED = "leads-views";
const MOST_SAVED = 20;
const KEPT = [...NAMES, "sort_by", "sort_order"];

const WAITING = "Waiting for us";
// Of a view: its name, its filters, and its count of the facets without a filter.
const GIVEN = [
  ["All", {}, (facets) => facets.has_email.true + facets.has_email.false],
  [WAITING, { last_message_sender: "user" }, (facets) => facets.last_message_sender.user],
  ["Hot", { lead_status: "Hot" }, (facets) => facets.lead_status.Hot],
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
    for (const [name, , read] of GIVEN) {
      this.#counts.set(name, read(facets));
    }
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
    const views = [
      ...GIVEN.map(([name, values]) => ({ name, values })),
      ...saved.map((one) => ({ ...one, isSaved: true })),
    ];
    const current = this.#current(views);
    this.title = visible(current.name);
    const tabs = views.flatMap((view) => this.#tab(view, view === current));
    this.tabs.replaceChildren(...tabs);
    const shown = tabs.find((tab) => tab.hasAttribute("aria-current"));
    const last = this.tabs.querySelector(".gone") ?? shown;
    this.tabs.scrollLeft = last.offsetLeft + last.offsetWidth - this.tabs.clientWidth;
    tabs.find((tab) => focused !== null && tab.dataset.view === focused)?.focus();
    const isOther = !views.some((view) => isExactly(state, view.values));
    this.keep.hidden = !isOther || activeFilters(state).length === 0 || saved.length >= MOST_SAVED;
    if (this.keep.hidden) {
      this.#close();
    }
  }

  #tab({ name, values, isSaved }, isCurrent) {
    const { tenant, limit } = this.#state;
    const tab = h("a", {
      href: fragment({ ...DEFAULTS, tenant, limit, ...values }),
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
    write(tab.querySelector(".count"), count === undefined ? "" : number(count));
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
    if (!name || GIVEN.some(([one]) => one === name)) {
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
    const kept = all()[this.#state.tenant];
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
    localStorage.setItem(SAVED, JSON.stringify({ ...all(), [this.#state.tenant]: views }));
  }
}

function all() {
  try {
    return JSON.parse(localStorage.getItem(SAVED)) ?? {};
  } catch {
    return {};
  }
}

function isExactly(state, values) {
  return KEPT.every((name) => state[name] === (values[name] ?? DEFAULTS[name]));
}
