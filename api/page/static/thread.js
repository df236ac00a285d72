// The messages of a lead, the newest at the end.

import { byId, copyOf, h, keepPlace, mark, partsOf, reconcile, set, write } from "./dom.js";
import { platform, sender } from "./fields.js";
import { clock, counted, exact, longDay, visible } from "./format.js";

const PAGE = 50;
// The most that the API gives at once.
const MOST = 200;
const LONG_TEXT = 1500;
// So near to the end, in pixels, a reader follows what arrives.
const AT_END = 60;

/** The thread; `ask(query)` gets a page of messages, and `announce(text)` tells who cannot see it. */
export class Thread {
  #ask;
  #announce;

  constructor(ask, announce) {
    this.#ask = ask;
    this.#announce = announce;
    const { earlier, nothing, talk, scroller, newer } = partsOf(byId("lead"));
    Object.assign(this, { earlier, nothing, list: talk, scroller, newer });
    earlier.addEventListener("click", () => this.#showEarlier());
    newer.addEventListener("click", () => this.#toEnd());
    // Whatever takes or gives room above: what was last in sight stays so, which nobody has scrolled to then.
    let height = 0;
    scroller.addEventListener("scroll", () => scroller.clientHeight === height && this.#noteEnd());
    new ResizeObserver(() => {
      height = scroller.clientHeight;
      scroller.scrollTop = scroller.scrollHeight - height - this.belowSight;
    }).observe(scroller);
    this.open();
  }

  /** Begin with a lead. */
  open() {
    this.messages = [];
    this.total = null;
    this.unread = 0;
    /** Pixels of the thread below what is in sight. */
    this.belowSight = 0;
    this.list.replaceChildren();
    this.newer.hidden = this.earlier.hidden = true;
    this.explain("Loading …");
  }

  /** Say why there is nothing to see. */
  explain(text) {
    write(this.nothing, text);
  }

  /** The query of the end of the thread: of all that is shown, as far as the API gives it at once. */
  get query() {
    return `sort_order=desc&limit=${Math.min(MOST, Math.max(PAGE, this.messages.length))}`;
  }

  /** Whether the newest message is one of ours that was not sent. */
  get hasFailed() {
    const newest = this.messages.at(-1);
    return newest?.sender === "agent" && newest.status === "failed";
  }

  /** Show the end of the thread as an answer has it, the newest message first. */
  show({ messages, pagination }) {
    const end = messages.toReversed();
    const ids = new Set(end.map((message) => message.message_id));
    const shown = new Map(this.messages.map((message, place) => [message.message_id, place]));
    const isShown = (message) => shown.has(message.message_id);
    const fresh = this.total === null ? [] : end.filter((message) => !isShown(message));
    // Without a common message there is a gap before the end, and what was before it is left out.
    const earlier = this.messages.slice(0, shown.get(end.find(isShown)?.message_id) ?? 0);
    this.messages = [...earlier.filter((message) => !ids.has(message.message_id)), ...end];
    this.total = pagination.total;
    this.#render(fresh);
  }

  async #showEarlier() {
    const first = encodeURIComponent(this.messages[0].message_id);
    set(this.earlier, { "aria-busy": "true" });
    const data = await this.#ask(`sort_order=desc&limit=${PAGE}&before=${first}`);
    set(this.earlier, { "aria-busy": null });
    if (!data) {
      return;
    }
    const had = this.list.firstElementChild;
    this.messages = [...data.messages.toReversed(), ...this.messages];
    this.#render([]);
    this.#announce(`${counted(data.messages.length, "earlier message")} shown.`);
    if (this.earlier.hidden) {
      had?.scrollIntoView({ block: "nearest" });
      this.scroller.focus({ preventScroll: true });
    }
  }

  #render(fresh) {
    const follows = this.belowSight < AT_END || this.list.childElementCount === 0;
    const items = itemsOf(this.messages);
    const rows = [...this.list.children];
    const update = () => {
      this.earlier.hidden = this.total <= this.messages.length;
      reconcile(this.list, items, (one) => one.key, make, refresh);
    };
    // The line of a day goes up when earlier messages of that day come.
    keepPlace(this.scroller, rows, (row) => row.classList.contains("message"), update);
    this.explain(items.length ? "" : "No messages. Only templates were sent to this lead.");
    this.nothing.hidden = items.length > 0;
    if (follows) {
      this.#toEnd();
    } else {
      this.#count(this.unread + fresh.length);
      this.#noteEnd();
    }
    if (fresh.length) {
      const keys = new Set(fresh.map((one) => one.message_id));
      mark([...this.list.children].filter((row) => keys.has(row.dataset.key)));
      const last = fresh[fresh.length - 1];
      const text = visible((last.text ?? "").slice(0, 200));
      this.#announce(`${counted(fresh.length, "new message")}. ${sender(last.sender)}: ${text}`);
    }
  }

  #noteEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.belowSight = scrollHeight - scrollTop - clientHeight;
    if (this.unread && this.belowSight < AT_END) {
      this.#count(0);
    }
  }

  #toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.belowSight = 0;
    this.#count(0);
  }

  #count(unread) {
    this.unread = unread;
    if (unread === 0 && document.activeElement === this.newer) {
      this.scroller.focus({ preventScroll: true });
    }
    this.newer.hidden = unread === 0;
    write(this.newer, `${counted(unread, "new message")} ↓`);
  }
}

/** Returns the messages with a line before each day and before each change of the conversation. */
function itemsOf(messages) {
  const items = [];
  let day = "";
  let conversation = null;
  for (const message of messages) {
    const today = longDay(message.timestamp);
    if (today !== day) {
      items.push({ key: `day ${today}`, line: today });
      day = today;
    }
    if (conversation !== null && conversation !== message.conversation_id) {
      const agent = visible(message.agent_name ?? "an agent without a name");
      items.push({ key: `to ${message.message_id}`, line: `${platform(message.platform)}, ${agent}` });
    }
    conversation = message.conversation_id;
    items.push({ key: message.message_id, message });
  }
  return items;
}

function make({ message }) {
  return message ? copyOf("message") : h("li", { class: "line row hint" });
}

function refresh(row, { line, message }) {
  if (!message) {
    write(row, line);
    return;
  }
  set(row, { class: `message ${message.sender === "user" ? "user" : "agent"}` });
  const isAgent = message.sender === "agent" && message.agent_name;
  write(row.querySelector(".sender"), isAgent ? visible(message.agent_name) : sender(message.sender));
  const time = row.querySelector("time");
  set(time, { datetime: message.timestamp, title: exact(message.timestamp) });
  write(time, clock(message.timestamp));
  const state = row.querySelector(".state");
  set(state, { class: `state ${message.status}` });
  write(state, message.status === "sent" ? "" : message.status);
  const text = visible(message.text ?? "");
  const place = row.querySelector(".text");
  if (text.length > LONG_TEXT && row.dataset.whole !== "yes") {
    write(place, `${text.slice(0, LONG_TEXT)} …`);
    if (!row.querySelector("button")) {
      row.append(
        h("button", { type: "button", onclick: (event) => showWhole(row, event.target) }, "Show all of it"),
      );
    }
    row.whole = text;
  } else {
    write(place, text || "(no text)");
  }
}

function showWhole(row, button) {
  row.dataset.whole = "yes";
  write(row.querySelector(".text"), row.whole);
  button.remove();
}
