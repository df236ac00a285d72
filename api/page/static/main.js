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
import { List } from "./list.js";
import { Notice } from "./notice.js";
import { Paging } from "./paging.js";
import { Sources } from "./sources.js";
import { activeFilters, DEFAULTS, FUNNEL, fragment, read, sameFilters, sameList } from "./state.js";
import { Statistics } from "./statistics.js";
import { Thread } from "./thread.js";
import { Views } from "./views.js";
import { isWorklist, keepHorizon, Worklist } from "./worklist.js";

const client = new Client();
const notice = new Notice();
const announce = (text) => notice.announce(text);
const viewer = access(client, (tenant) => go({ ...DEFAULTS, tenant }, { isAnew: true }));
const statistics = new Statistics({
  choose: (name, value) =>
    go({
      [name]: state[name] === value ? "" : value,
      offset: "0",
      ...(name === "days" ? { from_date: "", to_date: "" } : {}),
    }),
  change: (values) => go(values),
  nameOf: (agent) => filters.agentName(agent),
});
const views = new Views(announce);
const filters = new Filters(
  (values) => go(values),
  (names) => sources.attributes(names),
);
const list = new List({
  hrefOf: (phone) => fragment({ ...state, lead: phone }),
  sort: (sort_by, sort_order) => go({ sort_by, sort_order, offset: "0" }),
  resetFilters: () => filters.reset(),
  turn: (phone) => turn(phone, ""),
});
const worklist = new Worklist({
  go: (values) => go(values),
  renew(lead) {
    showLeads();
    if (lead && state.lead === "") {
      list.focus(lead.customer_phone);
    }
  },
  announce,
});
const paging = new Paging(
  (values) => go(values),
  (kind) => sources.file(kind),
);
const thread = new Thread((query) => sources.messages(query), announce);
const leadView = new LeadView(thread, {
  close: () => go({ lead: "" }),
  step,
  turn: (choice) => turn(state.lead, choice),
  announce,
});
const sources = new Sources(client, thread, worklist);
const alerts = new Alerts((lead) => go({ lead }));
const connection = new Connection(client, {
  ask: () => ask(sources.next()),
  isHurried: () => sources.isHurried,
  show: (is) => notice.fresh(is, client),
  changed(phone, lead) {
    if (lead) {
      alerts.note(lead, client.now, { isNew: true });
    }
    if (worklist.phones.includes(phone)) {
      sources.hurry("marked");
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
// Of the list as the API has it, and without those that are put aside.
let listed = [];
let leads = [];
// The sources of which the state needs an answer and has none yet.
let missing = new Set();
// Null before the first answer, and an empty text for none.
let tenantName = null;
// Where in the list the lead is that is open, or was before it went out of it.
let openAt = 0;
// How far the list was scrolled when a lead took its place.
let readerWasAt = 0;

/** Shows another state, under an address of its own. */
function go(values, { isAnew = false, isNext = false } = {}) {
  const next = { ...state, ...values };
  if ("days" in values && isWorklist(state) && isWorklist(next)) {
    keepHorizon(values.days);
  }
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

/** Puts a lead aside or brings it back, and goes on to the next one. */
function turn(phone, choice) {
  const lead = listed.find((one) => one.customer_phone === phone) ?? leadView.lead;
  if (worklist.isAside(lead, client.now)) {
    worklist.take(lead);
    return;
  }
  const at = leads.findIndex((one) => one.customer_phone === phone);
  const next = leads[at + 1] ?? leads[at - 1];
  worklist.put(lead, choice, client.now);
  sources.plan(state);
  showLeads();
  if (!isWorklist(state) || state.done !== "") {
    return;
  }
  if (state.lead) {
    go({ lead: next?.customer_phone ?? "" }, { isNext: true });
  } else {
    list.focus(next?.customer_phone);
  }
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
    worklist.open(state.tenant);
    tenantName = null;
  }
  const wanted = [];
  if (isOther) {
    statistics.clear();
    views.clear();
    listed = leads = [];
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
  if (state.statistics) {
    const isNew = isOther || !before.statistics;
    const isOtherFunnel = isNew || FUNNEL.some((name) => before[name] !== state[name]);
    const hasAgents = state.funnel_by === "agent";
    wanted.push(...(isNew ? ["stats", "series"] : []));
    wanted.push(...(isOtherFunnel ? [...(hasAgents ? ["agents"] : []), "funnel"] : []));
  }
  // Without filters it is the facets that count the views.
  if (isOther || missing.has("facets")) {
    wanted.push("views");
  }
  if (isOther || before.days !== state.days) {
    wanted.push("waiting", "closing", "marked");
  }
  if (isOther || before.lead !== state.lead) {
    wanted.unshift(...openLead(before));
  }
  list.mark(state);
  // Those of the list before are not grouped as those that come.
  if (!isOtherList) {
    showLeads();
  }
  showLeft();
  sources.plan(state);
  load(wanted);
}

/** Shows nothing any more, and asks for a tenant or a token. */
function stopAndAsk(why) {
  connection.follow("");
  byId("main").hidden = true;
  shownState = null;
  viewer.ask(why);
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
  const known = listed.find((lead) => lead.customer_phone === state.lead);
  leadView.open(state.lead, known, client.now, known && worklist.isAside(known, client.now));
  return known ? ["messages", "lead", "history"] : ["lead", "messages", "history"];
}

/** Asks for the sources that a viewer waits for, one after the other, and then for each every now and then. */
async function load(wanted) {
  connection.rest();
  const asked = state;
  // What the state before was still waiting for comes after what the viewer has just asked for.
  missing = new Set([...wanted, ...missing].filter((source) => sources.isShown(source)));
  for (const source of missing) {
    await ask(source);
    if (state !== asked || shownState === null) {
      return;
    }
  }
  connection.goOn();
}

/** Asks for a source and shows it, or says why it failed. */
async function ask(source) {
  const asked = state;
  try {
    const found = await sources.ask(source, state, client.now);
    sources.noteFailure(source, false);
    if (asked !== state) {
      return;
    }
    // What the state has no answer to yet is shown even if the API says that it is as it was.
    const isLive = !missing.delete(source);
    if (found === null) {
      return;
    }
    if (tenantName !== found.tenantName) {
      tenantName = found.tenantName;
      viewer.learn(state.tenant, tenantName);
      if (!byId("list-empty").hidden) {
        list.noteEmpty(whyEmpty());
      }
    }
    if (sources.failing === 0) {
      notice.clear();
    }
    connection.succeeded(sources.failing);
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
  } finally {
    // An answer that came for the state before was not shown.
    if (asked !== state && sources.isShown(source)) {
      missing.add(source);
    }
  }
}

const show = {
  facets({ data }) {
    filters.countFacets(data);
    if (activeFilters(state).length === 0) {
      show.views({ data });
    }
  },
  views({ data }) {
    views.count(data);
    worklist.all = data.last_message_sender.user;
    showLeft();
  },
  waiting({ pagination }) {
    worklist.total = pagination.total;
    showLeft();
  },
  closing({ pagination }) {
    worklist.closing = pagination.total;
    showLeft();
  },
  marked({ data }) {
    worklist.check(data);
    showLeads();
  },
  stats: ({ data }) => statistics.show(data),
  series: ({ data }) => statistics.showSeries(data),
  funnel: ({ data }) => statistics.showFunnel(data),
  history: ({ data }) => leadView.showHistory(data),
  agents({ data }) {
    const names = Object.entries(data.agent_names);
    filters.learn(names.map(([agent_id, agent_name]) => ({ agent_id, agent_name, phone_number_id: null })));
  },
  list({ data, pagination }, isLive) {
    // A page that has come to be past the end.
    if (data.length === 0 && pagination.total > 0) {
      go({ offset: String(Math.floor((pagination.total - 1) / pagination.limit) * pagination.limit) });
      return;
    }
    listed = data;
    worklist.check(data);
    for (const lead of data) {
      alerts.note(lead, client.now, { isNew: isLive });
    }
    filters.learn(data.flatMap((lead) => lead.conversations));
    set(list.table, { "aria-busy": null });
    explainList(sources.unbuilt);
    paging.show(pagination, data.length);
    const changed = showLeads(isLive);
    list.mark(state);
    list.noteEmpty(leads.length > 0 ? null : whyEmpty());
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
    leadView.show(data, client.now, worklist.isAside(data, client.now));
  },
  messages({ data }) {
    thread.show(data);
    leadView.failed.hidden = !thread.hasFailed;
  },
};

/** Shows the leads that are not put aside. Returns how many of them are not as they were. */
function showLeads(isLive = true) {
  // While it waits for the database, or asks for a token, there is no list.
  if (shownState === null) {
    return 0;
  }
  const { now } = client;
  const isAside = (lead) => worklist.isAside(lead, now);
  const isHiding = isWorklist(state) && state.done === "";
  leads = listed.filter((lead) => !isHiding || !isAside(lead));
  const changed = list.show(leads, now, { isLive, isAside });
  if (listed.length > 0) {
    list.noteEmpty(leads.length > 0 ? null : "done");
  }
  if (leadView.lead) {
    leadView.showWaiting(now, isAside(leadView.lead));
  }
  leadView.showSteps(Boolean(neighbour(-1)), Boolean(neighbour(1)));
  showLeft();
  return changed;
}

/** Shows how much is left to do. */
function showLeft() {
  views.countLeft(worklist.left(client.now));
  const isAlone = activeFilters(state).every((name) => ["last_message_sender", "days"].includes(name));
  worklist.show(state, listed.filter((lead) => worklist.isAside(lead, client.now)).length, isAlone);
  showTitle();
}

/** Says what is wrong with the list, or what it lacks; nothing for an empty text. */
function explainList(text) {
  write(byId("list-problem"), text);
  byId("list-problem").hidden = text === "";
}

function whyEmpty() {
  if (listed.length > 0) {
    return "done";
  }
  if (activeFilters(state).length > 0) {
    return "match";
  }
  return tenantName || viewer.knows(state.tenant) ? "tenant" : "unknown";
}

function fail(source, error) {
  set(list.table, { "aria-busy": null });
  sources.noteFailure(source, false);
  if (error.status === 404 && ["lead", "messages", "history"].includes(source)) {
    show.lead({ data: null });
    return;
  }
  if (error.status === 400 && source === "list") {
    explainList(error.message);
    return;
  }
  // The list says so.
  if (error.code === "not_built" && source !== "list") {
    return;
  }
  if ([401, 403].includes(error.status)) {
    const why = error.status === 401 ? error.message : "This token may not read this tenant.";
    stopAndAsk(`${why.replace(/\.$/, "")}.`);
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
  d: () => (state.lead || list.focused) && turn(state.lead || list.focused, ""),
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
setInterval(() => showLeads(), 10_000);
// A window comes to its end while nothing changes.
setInterval(() => sources.hurry("closing"), 60_000);

if (document.body.dataset.problem) {
  waitForTheDatabase(notice);
} else {
  apply();
}
