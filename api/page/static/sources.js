// What the page asks for: the public endpoints, one request at a time.

import { activeFilters, facetsQuery, fileQuery, funnelQuery, listQuery } from "./state.js";
import { DAYS } from "./statistics.js";
import { horizon } from "./worklist.js";

// In which order the page asks by itself.
const OF_LIST =
  "list waiting list facets list views list stats list series list closing list marked list funnel".split(
    " ",
  );
const OF_LEAD = "messages list messages facets messages lead waiting messages views closing history".split(
  " ",
);
// Of a lead that waits, and of one that is put aside.
const WAITING = "last_message_sender=user&fields=customer_phone&limit=1";
const OF_MARKED = "customer_phone,last_customer_message_at,last_message_sender";
// What is asked for beside the documented keys, or by values that came with a version: see Sources.unbuilt.
const FURTHER =
  "include sort_by sort_order waiting_minutes reply_window reply_window_hours became became_days status_days";
const NOTHING_KNOWN = {
  attributes: {},
  waiting_since: null,
  reply_window_ends_at: null,
  last_customer_message_at: null,
  status_since: null,
};
const OF_STATISTICS = ["stats", "series", "funnel", "agents"];
const ABOUT_LEAD = ["lead", "messages", "history"];
// What the page counts: each is kept by the read model, as long as no other filter is set.
const FACETS = "lead_status,platform,has_email,last_message_sender";
// A source that has changed has others change with it.
const FOLLOWERS = {
  list: ["facets"],
  messages: ["lead", "list"],
  lead: ["list", "history"],
  facets: ["views", "stats", "waiting"],
  waiting: ["marked"],
  stats: ["series", "funnel"],
};

/** Asks for each source by its name. */
export class Sources {
  #running = new Map();
  #queue = [];
  #failed = [];
  #isRetrying = false;
  #turn = 0;
  #order = OF_LIST;

  constructor(client, thread, worklist) {
    Object.assign(this, { client, thread, worklist });
    /** What the API says it has not built yet of what the list asks for; then the list is the plain one. */
    this.unbuilt = "";
  }

  /** Ask by itself for what a state shows. */
  plan(state) {
    this.state = state;
    this.#order = (state.lead === "" ? OF_LIST : OF_LEAD).filter((source) => this.isShown(source));
    this.#queue = this.#queue.filter((source) => this.#order.includes(source));
    this.#failed = this.#failed.filter((source) => this.#order.includes(source));
  }

  /** Returns whether the state that is planned for shows a source. */
  isShown(source) {
    const { lead, statistics, funnel_by: by } = this.state;
    if (ABOUT_LEAD.includes(source)) {
      return lead !== "";
    }
    if (OF_STATISTICS.includes(source)) {
      return statistics !== "" && (source !== "agents" || by === "agent");
    }
    if (source === "marked") {
      return this.worklist.phones.length > 0;
    }
    // Without filters the facets are the counts of the views.
    return source !== "views" || activeFilters(this.state).length > 0;
  }

  /** How many of the sources that are shown failed when they were asked last. */
  get failing() {
    return this.#failed.length;
  }

  /** Whether a source waits that is asked for before all others. */
  get isHurried() {
    return this.#queue.length > 0;
  }

  /** Returns the source whose turn it is. */
  next() {
    const hurried = this.#queue.shift();
    if (hurried) {
      return hurried;
    }
    // Every other turn is for what failed: it keeps none of the others waiting.
    this.#isRetrying = !this.#isRetrying && this.failing > 0;
    if (this.#isRetrying) {
      return this.#failed[0];
    }
    this.#turn = (this.#turn + 1) % this.#order.length;
    return this.#order[this.#turn];
  }

  /** Note that a source failed, behind those that failed before, or that it did not. */
  noteFailure(source, hasFailed) {
    this.#failed = this.#failed.filter((one) => one !== source);
    if (hasFailed) {
      this.#failed.push(source);
    }
  }

  /** Have a source asked for before all others. */
  hurry(source) {
    this.#queue = [source, ...this.#queue.filter((one) => one !== source)];
  }

  /** Have those asked for next that change together with a source. */
  note(source, hasChanged) {
    if (hasChanged) {
      const isNext = (other) => this.#order.includes(other) && !this.#queue.includes(other);
      this.#queue.push(...(FOLLOWERS[source] ?? []).filter(isNext));
    }
  }

  /**
   * Returns the answer of a source, and whether it has changed; null for one that nobody waits for any more.
   *
   * Throws ApiError.
   */
  async ask(source, state, now) {
    if (["messages", "history"].includes(source) && !hasAddress(state.lead)) {
      this.thread.explain("The API has no address for the messages of this identifier.");
      return null;
    }
    const { phones } = this.worklist;
    if (source === "marked" && phones.length === 0) {
      return null;
    }
    const question = source === "marked" ? { customer_phones: phones } : undefined;
    const path = this.#path(source, state, now);
    const found = await (["list", "lead"].includes(source)
      ? this.#getBuilt(source, path)
      : this.#get(source, path, question));
    if (source === "marked") {
      // One that is gone waits no more.
      const data = found.body.data.map((lead, place) => lead ?? { customer_phone: phones[place] });
      return { ...found, body: { data } };
    }
    if (source === "lead" && !hasAddress(state.lead)) {
      return { ...found, body: { ...found.body, data: found.body.data[0] ?? null } };
    }
    return found;
  }

  /** Returns which attributes there are, or the values of some; undefined if that fails. */
  async attributes(names) {
    const facets = names?.map((name) => `attributes.${name}`);
    const path = `${base(this.state)}/${facets ? `facets?facets=${facets}` : "attributes"}`;
    try {
      return (await this.#get("attributes", path)).body.data;
    } catch {
      return undefined;
    }
  }

  /** Returns a page of the messages of the lead that is open; undefined if that fails. */
  async messages(query) {
    try {
      const path = `${base(this.state)}/${encodeURIComponent(this.state.lead)}/messages?${query}`;
      const { body } = await this.#get("earlier", path);
      return body.data;
    } catch {
      return undefined;
    }
  }

  /** Returns a file with all leads of the list, and its name. Throws ApiError. */
  file(kind) {
    return this.client.file(`${base(this.state)}.csv?${fileQuery(this.state, kind)}`);
  }

  /** Returns an answer, without what is not built yet of the read model. */
  async #getBuilt(source, path) {
    try {
      const found = await this.#get(source, path);
      this.unbuilt = "";
      return found;
    } catch (error) {
      if (error.code !== "not_built") {
        throw error;
      }
      const [address, query] = path.split("?");
      const plain = new URLSearchParams(query);
      for (const name of FURTHER.split(" ")) {
        plain.delete(name);
      }
      const found = await this.#get(source, `${address}?${plain}`);
      this.unbuilt = error.message;
      const known = (lead) => ({ ...NOTHING_KNOWN, ...lead });
      const { data } = found.body;
      return { ...found, body: { ...found.body, data: Array.isArray(data) ? data.map(known) : known(data) } };
    }
  }

  #get(source, path, question) {
    this.#running.get(source)?.abort();
    const controller = new AbortController();
    this.#running.set(source, controller);
    return this.client.get(source, path, controller.signal, question);
  }

  #path(source, state, now) {
    const lead = encodeURIComponent(state.lead);
    const one = hasAddress(state.lead) ? `/${lead}?` : `?limit=1&customer_phone=${lead}&`;
    const paths = {
      list: `?${listQuery(state)}`,
      facets: `/facets?${facetsQuery(state, FACETS)}`,
      views: `/facets?facets=${FACETS}`,
      stats: "/stats",
      series: `/stats/series?${lastDays(now)}`,
      funnel: `/stats/funnel?${funnelQuery(state)}`,
      agents: "/facets?facets=agent_id&include=agent_names",
      lead: `${one}include=attributes,waiting,status_since`,
      history: `/${lead}/history?limit=100`,
      messages: `/${lead}/messages?${this.thread.query}`,
      waiting: `?${WAITING}${horizon() && `&days=${horizon()}`}`,
      closing: `?${WAITING}&reply_window_hours=2`,
      marked: `/lookup?fields=${OF_MARKED}`,
    };
    return `${base(state)}${paths[source]}`;
  }
}

/** Returns the query of the last days up to today, in UTC. */
function lastDays(now) {
  const day = (ago) => new Date(now - ago * 86_400_000).toISOString().slice(0, 10);
  return new URLSearchParams({ from_date: day(DAYS - 1), to_date: day(0) });
}

function base(state) {
  return `/users/${encodeURIComponent(state.tenant)}/leads`;
}

/** Returns whether a lead has an address of its own: none with a slash has, nor what means something in a path. */
function hasAddress(phone) {
  return !phone.includes("/") && ![".", "..", "stats", "facets", "lookup", "attributes"].includes(phone);
}
