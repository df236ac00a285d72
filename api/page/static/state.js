// What the page shows, as the fragment of its address: a server never gets to see that part.

import { chosen } from "./attributes.js";
import { NAMES } from "./choices.js";

/** What the funnel of the statistics is of. */
export const FUNNEL = ["funnel_from", "funnel_to", "funnel_by"];

export const DEFAULTS = Object.freeze({
  tenant: "",
  ...Object.fromEntries(NAMES.map((name) => [name, ""])),
  sort_by: "last_message_at",
  sort_order: "desc",
  limit: "50",
  offset: "0",
  statistics: "",
  ...Object.fromEntries(FUNNEL.map((name) => [name, ""])),
  done: "",
  lead: "",
});

const PAGE = ["sort_by", "sort_order", "limit", "offset"];

/** Returns the state that a fragment means. */
export function read(fragment) {
  const query = new URLSearchParams(fragment.replace(/^#/, ""));
  return Object.fromEntries(
    Object.entries(DEFAULTS).map(([name, value]) => [name, query.get(name) ?? value]),
  );
}

/** Returns the fragment of a state, with what is not as it is by default. */
export function fragment(state) {
  const changed = Object.entries(state).filter(([name, value]) => value !== DEFAULTS[name]);
  return `#${new URLSearchParams(changed)}`;
}

/** Returns the query of the list. Dates are days of the viewer's zone. */
export function listQuery(state) {
  const query = new URLSearchParams();
  for (const name of [...NAMES, ...PAGE]) {
    if (state[name] !== "" && state[name] !== DEFAULTS[name]) {
      query.set(name, state[name]);
    }
  }
  query.delete("attributes");
  for (const [name, value] of chosen(state.attributes)) {
    query.set(`attributes[${name}]`, value);
  }
  setDates(query, state.from_date, state.to_date);
  query.set("include", "waiting");
  return query;
}

/** Returns the query of a file with all leads of the list. */
export function fileQuery(state, kind) {
  const query = listQuery({ ...state, limit: DEFAULTS.limit, offset: DEFAULTS.offset });
  if (kind) {
    query.set("for", kind);
  }
  return query;
}

/** Returns the query of the counts beside the filters, of these facets. */
export function facetsQuery(state, facets) {
  const query = listQuery({ ...DEFAULTS, ...Object.fromEntries(NAMES.map((name) => [name, state[name]])) });
  query.set("facets", facets);
  query.delete("include");
  return query;
}

/** Returns the query of the funnel. */
export function funnelQuery({ funnel_from: from, funnel_to: to, funnel_by: by }) {
  const query = new URLSearchParams(by && { by });
  setDates(query, from, to);
  return query;
}

/** Gives a query the beginning of the first day and the end of the last one. */
function setDates(query, from, to) {
  if (from) {
    query.set("from_date", moment(from, 0));
  }
  if (to) {
    query.set("to_date", moment(to, 1));
  }
}

/** Returns the filters that are set. */
export function activeFilters(state) {
  return NAMES.filter((name) => state[name] !== "");
}

/** Returns whether two states have the same filters. */
export function sameFilters(one, other) {
  return NAMES.every((name) => one[name] === other[name]);
}

/** Returns whether two states have the same list. */
export function sameList(one, other) {
  return one.tenant === other.tenant && String(listQuery(one)) === String(listQuery(other));
}

/** Returns the first millisecond of a local day, or the last one if `later` is 1, as UTC. */
function moment(day, later) {
  const [year, month, date] = day.split("-").map(Number);
  const local = new Date(year, month - 1, date + later, 0, 0, 0, -later);
  return Number.isNaN(local.getTime()) ? day : local.toISOString();
}

/** Returns what this browser keeps by a name; null for nothing, and for what somebody else has written there. */
export function stored(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

/** Keeps something in this browser. */
export function store(name, value) {
  localStorage.setItem(name, JSON.stringify(value));
}
