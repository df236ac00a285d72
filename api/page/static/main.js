// The page: what is shown follows from the address, and what the API gives.

import { access, waitForTheDatabase } from "./access.js";
import { Alerts } from "./alerts.js";
import { ApiError, Client } from "./client.js";
import { Connection } from "./connection.js";
import { byId, set, write } from "./dom.js";
import { Filters } from "./filters.js";
import { counted, number, visible } from "./format.js";
import { listenToKeys } from "./keyboard.js";
import { isInPlaceOfList, LeadView } from "./lead.js";
import { List, renewTimes } from "./list.js";
import { Notice } from "./notice.js";
import { Paging } from "./paging.js";
import { Sources } from "./sources.js";
import { activeFilters, DEFAULTS, fragment, read, sameFilters, sameList } from "./state.js";
import { Statistics } from "./statistics.js";
import { Thread } from "./thread.js";
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
const filters = new Filters(
  (values) => go(values),
  (names) => sources.attributes(names),
);
const list = new List({
  hrefOf: (phone) => fragment({ ...state, lead: phone }),
  sort: (sort_by, sort_order) => go({ sort_by, sort_order, offset: "0" }),
  resetFilters: () => filters.reset(),
});
const paging = new Paging(
  (values) => go(values),
  (kind) => sources.file(kind),
);
const thread = new Thread((query) => sources.messages(query), announce);
const leadView = new LeadView(thread, { close: () => go({ lead: "" }), step, announce });
const sources = new Sources(client, thread);
const alerts = new Alerts((lead) => go({ lead }));
const connection = new Connection(client, {
  ask: () => ask(sources.next(), { isLive: true }),
  isHurried: () => sources.isHurried,
  show: (is) => notice.fresh(is, client),
  changed(phone, lead) {
    if (lead) {
      alerts.note(lead, client.now, { isNew: true });
    }
    sources.hurry("list");
    if (state.lead && (phone === state.lead || phone === "")) {
      sources.hurry("messages");
    }
    connection.hurry();
  },
});

let state = read(location.hash);
let shownState = null;
let leads = [];
// Null before the first answer, and an empty text for none.
let tenantName = null;
// Where in the list the lead is that is open, or was before it went out of it.
let openAt = 0;
// How far the list was scrolled when a lead took its place.
let readerWasAt = 0;

/** Shows another state, under an address of its own. */
function go(values, { isAnew = false, isNext = false } = {}) {
  const next = { ...state, ...values };
  if (fragment(next) !== fragment(state)) {
    // What is typed is one step back, not one for each letter; so are leads that are read one after the other.
    const isTyping = "search" in values && state.search !== "" && values.search !== "";
    history[isTyping || isNext ? "replaceState" : "pushState"](null, "", fragment(next));
    state = next;
    apply();
  } else if (isAnew) {
    shownState = null;
    apply();
  }
}

/** Opens the next or previous lead of the list. */
function step(by) {
  const lead = neighbour(by);
  if (lead) {
    go({ lead: lead.customer_phone }, { isNext: true });
  }
}

/** Returns the lead after or before the one that is open, which may have left the list meanwhile. */
function neighbour(by) {
  const at = leads.findIndex((lead) => lead.customer_phone === state.lead);
  openAt = at < 0 ? openAt : at;
  return leads[at < 0 && by > 0 ? openAt : openAt + by];
}

/** Says in the title of the tab who waits, and what is shown. */
function showTitle() {
  const waiting = views.waiting ? `(${number(views.waiting)})` : "";
  const shown = state.lead === "" ? views.title : byId("lead-title").textContent;
  document.title = `${waiting} ${[shown, visible(tenantName || state.tenant)].join(" · ")}`.trim();
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
    connection.follow(state.tenant);
    alerts.clear();
    tenantName = null;
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
  showSteps();
  showTitle();
  sources.plan(state);
  load(wanted);
}

function stopAndAsk() {
  connection.follow("");
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
  const known = leads.find((lead) => lead.customer_phone === state.lead);
  leadView.open(state.lead, known, client.now);
  return known ? ["messages", "lead"] : ["lead", "messages"];
}

/** Asks for several sources that a viewer waits for, one after the other, and then every now and then. */
async function load(wanted) {
  connection.rest();
  const asked = state;
  for (const source of wanted) {
    await ask(source, { isLive: false });
    if (state !== asked || shownState === null) {
      return;
    }
  }
  connection.askIn(connection.pause);
}

/** Asks for a source and shows it, or says why it failed. */
async function ask(source, { isLive }) {
  const asked = state;
  try {
    const found = await sources.ask(source, state, client.now);
    sources.noteFailure(source, false);
    if (asked !== state || found === null) {
      return;
    }
    if (tenantName !== found.tenantName) {
      tenantName = found.tenantName;
      viewer.learn(state.tenant, tenantName);
      if (!byId("list-empty").hidden) {
        list.noteEmpty(whyEmpty());
      }
    }
    if (!sources.hasFailed) {
      notice.clear();
    }
    connection.succeeded(sources.hasFailed);
    if (source === "facets") {
      set(byId("filters"), { "aria-busy": null });
    }
    if (found.changed || !isLive) {
      show[source](found.body, isLive);
      sources.note(source, isLive && found.changed);
    }
    showTitle();
  } catch (error) {
    if (error instanceof ApiError) {
      if (asked === state) {
        fail(source, error);
      }
    } else if (error.name !== "AbortError") {
      throw error;
    }
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
    for (const lead of data) {
      alerts.note(lead, client.now, { isNew: isLive });
    }
    filters.learn(data);
    const changed = list.show(data, client.now, { isLive });
    set(list.table, { "aria-busy": null });
    byId("list-problem").hidden = true;
    list.mark(state);
    paging.show(pagination, data.length);
    showSteps();
    list.noteEmpty(pagination.total > 0 ? null : whyEmpty());
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

function showSteps() {
  leadView.showSteps(Boolean(neighbour(-1)), Boolean(neighbour(1)));
}

function whyEmpty() {
  if (activeFilters(state).length > 0) {
    return "match";
  }
  return tenantName || viewer.knows(state.tenant) ? "tenant" : "unknown";
}

function fail(source, error) {
  set(list.table, { "aria-busy": null });
  sources.noteFailure(source, false);
  if (error.status === 404 && (source === "lead" || source === "messages")) {
    show.lead({ data: null });
    return;
  }
  if (error.status === 400 && source === "list") {
    write(byId("list-problem"), error.message);
    byId("list-problem").hidden = false;
    return;
  }
  if ([401, 403].includes(error.status)) {
    connection.follow("");
    shownState = null;
    byId("main").hidden = true;
    const why = error.status === 401 ? error.message : "This token may not read this tenant.";
    viewer.ask(`${why.replace(/\.$/, "")}.`);
    return;
  }
  sources.noteFailure(source, true);
  connection.failed(error);
  notice.show(error, Date.now() + connection.pause, () => {
    sources.hurry(source);
    connection.askIn(0);
  });
}

listenToKeys({
  "/": () => byId("search").focus(),
  j: () => (state.lead ? step(1) : list.step(1)),
  k: () => (state.lead ? step(-1) : list.step(-1)),
  Escape: () => state.lead !== "" && go({ lead: "" }),
});

// The fragment is the state of the page, and no place in it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("list").focus();
});
addEventListener("popstate", () => {
  state = read(location.hash);
  apply();
});
setInterval(() => renewTimes(client.now), 10_000);

if (document.body.dataset.problem) {
  waitForTheDatabase(notice);
} else {
  apply();
}
