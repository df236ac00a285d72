// One lead: who it is, its scores, its conversations, where each field comes from, and its messages.

import { byId, h, partsOf, reconcile, set, write } from "./dom.js";
import { fieldsOf, platform, SCORES, shown } from "./fields.js";
import { counted, phone as inGroups, NONE, number, short, visible } from "./format.js";
import { showChannels } from "./icons.js";
import { showStatus, showTime } from "./list.js";

const STEPS = [1, 2, 3];

/** The view of a lead; `close()` is called when a viewer leaves it. */
export class LeadView {
  constructor(thread, close) {
    this.thread = thread;
    this.section = byId("lead");
    this.title = byId("lead-title");
    Object.assign(this, partsOf(this.section));
    this.scoreParts = new Map(SCORES.map(([key, label]) => [key, score(label)]));
    this.total = h("span", { class: "value" });
    const of15 = h("span", { class: "of" }, " of 15");
    this.scores.append(
      h("div", { class: "total" }, h("dt", {}, "Score"), h("dd", {}, this.total, of15)),
      ...[...this.scoreParts.values()].map(({ element }) => element),
    );
    this.section.querySelector(".close").addEventListener("click", close);
    this.section.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        close();
      }
    });
  }

  /** Open a lead, of which the list may know everything already. */
  open(phone, lead, now) {
    this.section.hidden = false;
    this.problem.hidden = true;
    this.content.hidden = !lead;
    this.thread.open(lead?.total_messages ?? 0);
    write(this.title, visible(lead?.name ?? phone));
    if (lead) {
      this.show(lead, now);
    }
    this.title.focus({ preventScroll: true });
  }

  close() {
    this.section.hidden = true;
  }

  /** Say why there is no lead. */
  explain(text) {
    this.content.hidden = true;
    this.problem.hidden = false;
    write(this.problem, text);
  }

  /** Show a lead as the API has it. */
  show(lead, now) {
    this.problem.hidden = true;
    this.content.hidden = false;
    const known = inGroups(lead.customer_phone, lead.platforms);
    write(this.title, lead.name === null ? known : visible(lead.name));
    const others = [lead.name === null ? "" : known, visible(lead.company ?? "")];
    write(this.sub, others.filter(Boolean).join(" · "));
    showStatus(this.status, lead.lead_status);
    showChannels(this.platforms, lead.platforms);
    showTime(this.time, lead.last_message_at, now);
    this.#showContact(lead);
    write(this.total, lead.total_score === null ? NONE : number(lead.total_score));
    for (const [key] of SCORES) {
      showScore(this.scoreParts.get(key), lead[key]);
    }
    write(this.conversation_count, counted(lead.conversation_count, "conversation"));
    reconcile(this.conversations, lead.conversations, (one) => one.conversation_id, row(5), showConversation);
    reconcile(
      this.fields,
      fieldsOf(lead),
      ([key]) => key,
      row(3),
      (element, [key, label, origin]) => {
        const texts = [label, shown(key, lead[key]), origin];
        texts.forEach((text, place) => {
          write(element.cells[place], text);
        });
      },
    );
  }

  #showContact({ email, customer_phone: phone, platforms }) {
    const links = [];
    if (email) {
      links.push(h("a", { href: `mailto:${encodeURIComponent(email)}`, dir: "auto" }, visible(email)));
    }
    if (platforms.includes("whatsapp") && /^\d{5,15}$/.test(phone)) {
      links.push(h("a", { href: `tel:+${phone}` }, "Call"));
    }
    const hrefs = (nodes) => nodes.map((node) => node.href).join();
    if (hrefs([...this.contact.children]) !== hrefs(links)) {
      this.contact.replaceChildren(...links);
    }
  }
}

function score(label) {
  const steps = STEPS.map(() => h("i"));
  const value = h("span", { class: "value" });
  const picture = h("span", { class: "steps", "aria-hidden": "true" }, ...steps);
  return { element: h("div", {}, h("dt", {}, label), h("dd", {}, picture, value)), steps, value };
}

function showScore({ steps, value }, given) {
  steps.forEach((step, place) => {
    step.classList.toggle("on", given !== null && place < given);
  });
  write(value, given === null ? NONE : number(given));
}

function row(cells) {
  return () => {
    const others = Array.from({ length: cells - 1 }, () => h("td", { dir: "auto" }));
    return h("tr", {}, h("th", { scope: "row", dir: "auto" }), ...others);
  };
}

function showConversation(element, one) {
  const texts = [
    visible(one.agent_name ?? one.agent_id ?? NONE),
    `${platform(one.platform)}${one.is_active ? "" : ", ended"}`,
    number(one.message_count),
    short(one.created_at),
    one.last_message_at ? short(one.last_message_at) : NONE,
  ];
  texts.forEach((text, place) => {
    write(element.cells[place], text);
  });
  set(element, { title: visible(one.conversation_id) });
}
