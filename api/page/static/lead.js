// One lead: who it is, its scores, its conversations, where each field comes from, and its messages.

import { attributesOf, isAttribute, labelOf, withAttributes } from "./attributes.js";
import { byId, fillTable, h, partsOf, set, write } from "./dom.js";
import { platform, readMeanings, SCORES, shown } from "./fields.js";
import { counted, dayOf, phone as inGroups, NONE, number, short, visible } from "./format.js";
import { showChannels } from "./icons.js";
import { doneText, showStatus, showTime, showWindow } from "./list.js";

const STEPS = [1, 2, 3];
// So many changes of the status are in its line.
const MOST_STEPS = 3;
const ATTRIBUTE = "An attribute of the winning extraction; if it has none, of the winning contact.";
const COPIED_MILLISECONDS = 2000;

/** Returns whether a lead has the place of the list. */
export function isInPlaceOfList() {
  return matchMedia("(max-width: 62rem)").matches;
}

/**
 * The view of a lead; `close()` is called when a viewer leaves it, `step(by)` for the next or previous one, and
 * `turn(choice)` to put it aside or bring it back.
 */
export class LeadView {
  #copied = "";
  #timer = 0;
  #meanings = null;

  constructor(thread, { close, step, turn, announce }) {
    this.thread = thread;
    this.section = byId("lead");
    this.title = byId("lead-title");
    Object.assign(this, partsOf(this.section));
    this.scoreParts = new Map(SCORES.map(([key, label]) => [key, score(label)]));
    this.scores.append(...[...this.scoreParts.values()].map(({ element }) => element));
    this.leave.addEventListener("click", close);
    this.previous.addEventListener("click", () => step(-1));
    this.next.addEventListener("click", () => step(1));
    this.done.addEventListener("click", () => turn(""));
    this.snooze.addEventListener("change", () => {
      turn(this.snooze.value);
      this.snooze.value = "";
    });
    // A page that did not come by https has no clipboard.
    this.copy.hidden = !navigator.clipboard;
    this.copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(this.#copied);
      announce(`${this.#copied} is copied.`);
      clearTimeout(this.#timer);
      write(this.copy, "Copied");
      this.#timer = setTimeout(() => write(this.copy, "Copy"), COPIED_MILLISECONDS);
    });
    this.every.addEventListener("toggle", async () => {
      this.#meanings ??= await readMeanings();
      this.#showFields();
    });
    // On a phone the head gives its room to the messages as soon as somebody reads them.
    this.about.open = !isInPlaceOfList();
    for (const move of ["wheel", "touchmove"]) {
      const collapse = () => isInPlaceOfList() && set(this.about, { open: false });
      this.scroller.addEventListener(move, collapse, { passive: true });
    }
  }

  /** Open a lead, of which the list may know everything already. */
  open(phone, lead, now, isAside) {
    this.section.hidden = false;
    this.problem.hidden = this.failed.hidden = true;
    this.lead = null;
    this.content.hidden = !lead;
    this.thread.open();
    write(this.title, visible(lead?.name ?? phone));
    write(this.copy, "Copy");
    write(this.history, "History of the status");
    this.transitions.replaceChildren();
    if (lead) {
      this.show(lead, now, isAside);
    }
    this.title.focus({ preventScroll: true });
  }

  close() {
    this.section.hidden = true;
  }

  /** Show whether there is a lead before and after this one. */
  showSteps(hasPrevious, hasNext) {
    set(this.previous, { "aria-disabled": String(!hasPrevious) });
    set(this.next, { "aria-disabled": String(!hasNext) });
  }

  /** Say why there is no lead. */
  explain(text) {
    this.content.hidden = true;
    this.problem.hidden = false;
    write(this.problem, text);
  }

  /** Show a lead as the API has it. */
  show(lead, now, isAside) {
    this.lead = lead;
    this.problem.hidden = true;
    this.content.hidden = false;
    const known = inGroups(lead.customer_phone, lead.platforms);
    write(this.title, lead.name === null ? known : visible(lead.name));
    const others = [lead.name === null ? "" : known, visible(lead.company ?? ""), visible(lead.email ?? "")];
    write(this.sub, others.filter(Boolean).join(" · "));
    showStatus(this.status, lead.lead_status);
    showChannels(this.platforms, lead.platforms);
    this.#showActions(lead);
    this.showWaiting(now, isAside);
    write(this.score, lead.total_score === null ? "No score" : `Score ${number(lead.total_score)} of 15`);
    for (const [key] of SCORES) {
      showScore(this.scoreParts.get(key), lead[key]);
    }
    write(this.conversation_count, counted(lead.conversation_count, "conversation"));
    fillTable(this.conversations, lead.conversations, (one) => one.conversation_id, textsOfConversation);
    this.#showFields();
  }

  #showFields() {
    const { conversations: _, ...fields } = withAttributes(this.lead);
    const meaning = (key) => (isAttribute(key) ? ATTRIBUTE : (this.#meanings?.[key] ?? ""));
    fillTable(
      this.fields,
      Object.entries(fields),
      ([key]) => key,
      ([key, value]) => [labelOf(key), shown(value), meaning(key)],
    );
  }

  /** Show how the lead came to its status. */
  showHistory({ transitions, pagination }) {
    const steps = transitions.slice(0, MOST_STEPS);
    const more = pagination.total - steps.length;
    const texts = steps.map(step).reverse();
    const score = transitions[0]?.total_score ? `, ${number(transitions[0].total_score)}` : "";
    const line = [...(more > 0 ? [`${number(more)} earlier`] : []), ...texts].join(" · ") + score;
    write(this.history, line || "No status yet");
    fillTable(this.transitions, transitions, (one) => one.changed_at, textsOfTransition);
  }

  /** Show since when the lead waits, until when one may answer, and what puts it aside. */
  showWaiting(now, isAside) {
    const { last_message_sender: sender, last_message_at: at, waiting_since: since } = this.lead;
    const waits = sender === "user";
    showTime(this.time, since ?? at, now);
    showWindow(this.window, this.lead, now);
    write(this.done, doneText(isAside));
    this.done.hidden = !waits;
    this.snooze.hidden = !waits || isAside;
  }

  #showActions({ email, customer_phone: phone, platforms }) {
    const isPhone = platforms.includes("whatsapp") && /^\d{5,15}$/.test(phone);
    const hrefs = {
      whatsapp: isPhone && `https://wa.me/${phone}`,
      instagram: platforms.includes("instagram") && instagram(phone),
      call: isPhone && `tel:+${phone}`,
      mail: email && `mailto:${encodeURIComponent(email)}`,
    };
    for (const [part, href] of Object.entries(hrefs)) {
      set(this[part], { href: href || null, hidden: !href });
    }
    set(this.mail, { title: email && visible(email) });
    const copied = isPhone ? `+${phone}` : phone;
    if (copied !== this.#copied) {
      clearTimeout(this.#timer);
      write(this.copy, "Copy");
    }
    this.#copied = copied;
    set(this.copy, { title: `Copy ${visible(this.#copied)}` });
  }
}

/** Returns the chat with a name on Instagram. No link leads to the number that it mostly gives: its inbox does. */
function instagram(identifier) {
  const isName = /^(?=.*[a-z])[\w.]{1,30}$/i.test(identifier);
  return isName ? `https://ig.me/m/${identifier}` : "https://www.instagram.com/direct/inbox/";
}

function score(label) {
  const steps = STEPS.map(() => h("i"));
  const value = h("span", { class: "value" });
  const picture = h("span", { class: "steps row", "aria-hidden": "true" }, ...steps);
  return {
    element: h("div", {}, h("dt", { class: "hint" }, label), h("dd", { class: "row" }, picture, value)),
    steps,
    value,
  };
}

function showScore({ steps, value }, given) {
  steps.forEach((step, place) => {
    step.classList.toggle("on", given !== null && place < given);
  });
  write(value, given === null ? NONE : number(given));
}

/** Returns a change of the status in words; the oldest of those that are shown says what was before. */
function step({ from_status: from, lead_status: to, changed_at: at }, place, { length }) {
  const before = place === length - 1 ? (from ?? "") : null;
  return [before, before === "" ? "" : "→", to ?? "No status", dayOf(at)].filter(Boolean).join(" ");
}

function textsOfTransition({ changed_at: at, from_status: from, lead_status: to, total_score: score }) {
  return [short(at), from ?? NONE, to ?? NONE, score === null ? NONE : number(score)];
}

function textsOfConversation(one) {
  return [
    visible(one.agent_name ?? one.agent_id ?? NONE),
    `${platform(one.platform)}${one.is_active ? "" : ", ended"}${attributesOf(one)}`,
    number(one.message_count),
    short(one.created_at),
    one.last_message_at ? short(one.last_message_at) : NONE,
  ];
}
