// The page: what is shown follows from the address, and what the API gives.

import { access, waitForTheDatabase } from "./access.js";
import { ApiError, Client } from "./client.js";
import { byId, set, write } from "./dom.js";
import { Filters } from "./filters.js";
import { counted } from "./format.js";
import { LeadView } from "./lead.js";
import { List, renewTimes } from "./list.js";
import { Live } from "./live.js";
import { Notice } from "./notice.js";
import { pause, SOON, TICK, TOLD } from "./pace.js";
import { Paging } from "./paging.js";
import { Sources } from "./sources.js";
import { activeFilters, DEFAULTS, fragment, read, sameFilters, sameList } from "./state.js";
import { Statistics } from "./statistics.js";
import { Thread } from "./thread.js";
import { Ticker } from "./ticker.js";
import { Views } from "./views.js";

const client = new Client();
const notice = new Notice();
const announce = (text) => notice.announce(text);
const viewer = access(client, (tenant) => {
  client.forget("list", "facets", "views", "stats", "series", "lead", "messages");
  go({ ...DEFAULTS, tenant }, { isAnew: true });
});
const statistics = new Statistics((name, value) =>
  go({
    [name]: state[name] === value ? "" : value,
    offset: "0",
    ...(name === "days" ? { from_date: "", to_date: "" } : {}),
  }),
);
const views = new Views(announce);
const filters = new Filters((values) => go(values));
const list = new List({
  hrefOf: (phone) => fragment({ ...state, lead: phone }),
  sort: (sort_by, sort_order) => go({ sort_by, sort_order, offset: "0" }),
  resetFilters: () => filters.reset(),
});
const paging = new Paging((values) => go(values));
const thread = new Thread((query) => sources.messages(query), announce);
const leadView = new LeadView(thread, () => go({ lead: "" }));
const sources = new Sources(client, thread);
const ticker = new Ticker(tick);
const live = new Live(client, (phone) => {
  sources.hurry("list");
  if (state.lead && (phone === state.lead || phone === "")) {
    sources.hurry("messages");
  }
  if (ticker.dueAt > Date.now() + SOON && failures === 0) {
    ticker.start(Math.max(SOON, nextPause() - TICK));
  }
});

let state = read(location.hash);
let shownState = null;
let leads = [];
let failures = 0;
// How far the list was scrolled when a lead took its place.
let readerWasAt = 0;
const isInPlaceOfList = () => matchMedia("(max-width: 62rem)").matches;

/** Shows another state, under an address of its own. */
function go(values, { isAnew = false } = {}) {
  const next = { ...state, ...values };
  if (fragment(next) !== fragment(state)) {
    // What is typed is one step back, not one for each letter.
    const isTyping = "search" in values && state.search !== "" && values.search !== "";
    history[isTyping ? "replaceState" : "pushState"](null, "", fragment(next));
    state = next;
    apply();
  } else if (isAnew) {
    shownState = null;
    apply();
  }
}

/** Brings the page into the state of the address, and asks for what that needs. */
function apply() {
  const before = shownState;
  if (!state.tenant) {
    state = { ...state, tenant: viewer.first };
  }
  viewer.show(state.tenant);
  if (!viewer.isEnough(state.tenant)) {
    stopAndAsk();
    return;
  }
  shownState = state;
  byId("main").hidden = false;
  filters.show(state);
  views.show(state);
  statistics.mark(state);
  const isOther = before?.tenant !== state.tenant;
  if (isOther) {
    live.follow(state.tenant);
  }
  const wanted = [];
  if (isOther) {
    statistics.clear();
    views.clear();
    leads = [];
    list.clear();
  }
  const isOtherList = isOther || !sameList(before, state);
  if (isOtherList) {
    wanted.push("list");
    set(list.table, { "aria-busy": "true" });
  }
  if (isOtherList && (isOther || !sameFilters(before, state))) {
    wanted.push("facets");
    // The counts that are there are those of the filters before.
    set(byId("filters"), { "aria-busy": "true" });
  }
  if (isOther && activeFilters(state).length > 0) {
    wanted.push("views");
  }
  if (state.statistics && (isOther || !before.statistics)) {
    wanted.push("stats", "series");
  }
  if (isOther || before.lead !== state.lead) {
    wanted.unshift(...openLead(before));
  }
  list.mark(state);
  sources.plan(state);
  load(wanted);
}

function stopAndAsk() {
  live.follow("");
  ticker.stop();
  byId("main").hidden = true;
  shownState = null;
  viewer.ask();
}

/** Opens the lead of the state, or closes the one that was open. Returns what is to be asked for. */
function openLead(before) {
  const isOpen = state.lead !== "";
  if (isOpen && !before?.lead) {
    readerWasAt = scrollY;
  }
  list.keepPlace(() => document.body.classList.toggle("has-lead", isOpen));
  if (!isOpen) {
    leadView.close();
    if (before?.lead) {
      if (isInPlaceOfList()) {
        scrollTo(0, readerWasAt);
      }
      list.focus(before.lead);
    }
    return [];
  }
  if (isInPlaceOfList()) {
    scrollTo(0, 0);
  }
  const known = leads.find((lead) => lead.customer_phone === state.lead);
  leadView.open(state.lead, known, client.now);
  return known ? ["messages", "lead"] : ["lead", "messages"];
}

/** Asks for several sources that a viewer waits for, one after the other, and then every now and then. */
async function load(wanted) {
  ticker.stop();
  const asked = state;
  let rest = 0;
  for (const source of wanted) {
    rest = await ask(source, { isLive: false });
    if (state !== asked || shownState === null) {
      return;
    }
  }
  ticker.start(rest || nextPause());
}

/** One request that nobody has asked for. Returns the pause after it. */
async function tick() {
  await ask(sources.next(), { isLive: true });
  return nextPause();
}

let retryAfter = 0;

function nextPause() {
  const usual = pause(client.limit, client.now, failures, retryAfter);
  return live.isOn && failures === 0 && !sources.isHurried ? TOLD : usual;
}

/** Asks for a source and shows it. Returns 0, or the pause that a failure asks for. */
async function ask(source, { isLive }) {
  const asked = state;
  try {
    const found = await sources.ask(source, state, client.now);
    sources.noteFailure(source, false);
    if (asked !== state || found === null) {
      return 0;
    }
    failures = retryAfter = 0;
    viewer.learn(state.tenant, found.tenantName);
    if (!sources.hasFailed) {
      notice.clear();
    }
    notice.fresh(client);
    if (source === "facets") {
      set(byId("filters"), { "aria-busy": null });
    }
    if (found.changed || !isLive) {
      show[source](found.body, isLive);
      sources.note(source, isLive && found.changed);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof ApiError)) {
      if (error.name === "AbortError") {
        return 0;
      }
      throw error;
    }
    return asked === state ? fail(source, error) : 0;
  }
}

const show = {
  facets({ data }) {
    filters.countFacets(data);
    if (activeFilters(state).length === 0) {
      views.count(data);
    }
  },
  views({ data }) {
    views.count(data);
  },
  stats({ data }) {
    statistics.show(data);
  },
  series({ data }) {
    statistics.showSeries(data);
  },
  list({ data, pagination }, isLive) {
    // A page that has come to be past the end.
    if (data.length === 0 && pagination.total > 0) {
      go({ offset: String(Math.floor((pagination.total - 1) / pagination.limit) * pagination.limit) });
      return;
    }
    leads = data;
    filters.learn(data);
    const changed = list.show(data, client.now, { isLive });
    set(list.table, { "aria-busy": null });
    byId("list-problem").hidden = true;
    list.mark(state);
    paging.show(pagination, data.length);
    list.noteEmpty(pagination.total === 0, activeFilters(state).length > 0);
    if (!isLive) {
      announce(`${counted(pagination.total, "lead")} found.`);
    } else if (changed) {
      announce(`${counted(changed, "lead")} changed.`);
    }
  },
  lead({ data }) {
    if (data === null) {
      leadView.explain("This lead does not exist. It may have been erased, or it has another phone now.");
      return;
    }
    // The first that is known of it: where its messages end.
    if (thread.total === null) {
      thread.open(data.total_messages);
    }
    leadView.show(data, client.now);
  },
  messages({ data }) {
    if (thread.show(data) || thread.isOutdated) {
      sources.hurry("messages");
    }
  },
};

function fail(source, error) {
  set(list.table, { "aria-busy": null });
  sources.noteFailure(source, false);
  if (error.status === 404 && (source === "lead" || source === "messages")) {
    show.lead({ data: null });
    return 0;
  }
  if (error.status === 400 && source === "list") {
    write(byId("list-problem"), error.message);
    byId("list-problem").hidden = false;
    return 0;
  }
  if ([401, 403].includes(error.status)) {
    live.follow("");
    shownState = null;
    ticker.stop();
    byId("main").hidden = true;
    const why = error.status === 401 ? error.message : "This token may not read this tenant.";
    viewer.ask(`${why.replace(/\.$/, "")}.`);
    return 0;
  }
  failures += 1;
  retryAfter = error.retryAfter;
  const wait = nextPause();
  sources.noteFailure(source, true);
  notice.show(error, Date.now() + wait, () => {
    sources.hurry(source);
    ticker.start(0);
  });
  return wait;
}

// The fragment is the state of the page, and no place in it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("list").focus();
});
addEventListener("popstate", () => {
  state = read(location.hash);
  apply();
});
setInterval(() => {
  notice.fresh(client);
  renewTimes(client.now);
}, 10_000);

if (document.body.dataset.problem) {
  waitForTheDatabase(notice);
} else {
  apply();
}
