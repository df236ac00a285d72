// What the filters of the list are called, and what there is to choose from.

import { inWords } from "./attributes.js";
import { number, PLATFORMS, visible } from "./format.js";

const WITH = { true: "With", false: "Without" };
const STATUSES = { Hot: "Hot", Warm: "Warm", Cold: "Cold" };
const DAYS = { 1: "1 day", 7: "7 days", 14: "14 days", 30: "30 days" };
const ofTalk = (label, choices, any) => ({ label, choices, any, group: "Conversation" });
const SCORES = Object.fromEntries(Array.from({ length: 11 }, (_, place) => [place + 5, number(place + 5)]));

/**
 * Each filter with the `label` of its control and its chip.
 *
 * `group` is where the panel has it: with `choices`, which are its values with their names, or as a date, or as an id
 * with a name. `any` is what no choice is called. `buttons` are values that have a button with a count; of those of
 * `hasSeveral` more than one is pressed.
 */
export const FILTERS = {
  search: { label: "Search" },
  lead_status: { label: "Status", buttons: STATUSES, hasSeveral: true },
  last_message_sender: ofTalk("Waiting for", { user: "Us", agent: "The customer" }, "Anybody"),
  waiting_minutes: ofTalk("Waiting at least", { 30: "30 minutes", 60: "1 hour", 1440: "1 day" }),
  reply_window: ofTalk("Reply window", { open: "Open", closed: "Closed", none: "None" }),
  reply_window_hours: ofTalk("Window closes", { 2: "Within 2 hours", 12: "Within 12 hours" }),
  has_conversation: ofTalk("Conversation", WITH),
  is_active: ofTalk("Conversation state", { true: "Open", false: "Ended" }),
  agent_id: { label: "Agent", group: "Conversation", isNamed: true },
  phone_number_id: { label: "Channel", group: "Conversation", isNamed: true },
  has_email: { label: "Email", group: "Profile", choices: WITH, buttons: { true: "With email" } },
  has_extraction: { label: "Scores", group: "Profile", choices: WITH },
  min_total_score: { label: "Score from", group: "Profile", choices: SCORES },
  max_total_score: { label: "Score to", group: "Profile", choices: SCORES },
  days: {
    label: "Last message",
    group: "Time",
    any: "Any time",
    choices: { 1: "Last 24 hours", 7: "Last 7 days", 30: "Last 30 days", 90: "Last 90 days" },
    buttons: { 7: "Last 7 days" },
  },
  // Last of the buttons: further platforms come after them.
  platform: { label: "Platform", buttons: PLATFORMS, hasSeveral: true },
  from_date: { label: "Last message since", group: "Time", isDate: true },
  to_date: { label: "Last message until", group: "Time", isDate: true },
  became: { label: "Became", group: "Status", choices: STATUSES, any: "Any status" },
  became_days: { label: "Became it within", group: "Status", any: "Any time", choices: DAYS },
  status_days: { label: "Status unchanged for", group: "Status", any: "Any time", choices: DAYS },
  attributes: { label: "Attributes" },
};

/** The filters, in the order of the address. */
export const NAMES = Object.keys(FILTERS);

/** Returns the value of a filter in words. */
export function said(name, value) {
  const { choices = {}, buttons = {} } = FILTERS[name];
  if (name === "attributes") {
    return inWords(value);
  }
  if (name === "days" && !Object.hasOwn(choices, value)) {
    return `last ${visible(value)} days`;
  }
  const isChoice = Object.hasOwn(choices, value);
  const words = value.split(",").map((word) => (Object.hasOwn(buttons, word) ? buttons[word] : word));
  return isChoice ? choices[value].toLowerCase() : visible(words.join(", "));
}
