// What the filters and the order of the list are called, and what there is to choose from.

import { number, PLATFORMS, visible } from "./format.js";

export const STATUSES = ["Hot", "Warm", "Cold"];

/** Each filter as its control and its chip call it. */
export const LABELS = {
  search: "Search",
  lead_status: "Status",
  platform: "Platform",
  last_message_sender: "Waiting for",
  has_conversation: "Conversation",
  is_active: "Conversation state",
  agent_id: "Agent",
  phone_number_id: "Channel",
  has_extraction: "Scores",
  has_email: "Email",
  min_total_score: "Score from",
  max_total_score: "Score to",
  days: "Last message",
  from_date: "Last message since",
  to_date: "Last message until",
};

const WITH = [
  ["", "Any"],
  ["true", "With"],
  ["false", "Without"],
];
const SCORES = [
  ["", "Any"],
  ...Array.from({ length: 11 }, (_, place) => [String(place + 5), number(place + 5)]),
];

/** Of a filter that is a choice, its values with their names. */
export const CHOICES = {
  last_message_sender: [
    ["", "Anybody"],
    ["user", "Us"],
    ["agent", "The customer"],
  ],
  has_conversation: WITH,
  is_active: [
    ["", "Any"],
    ["true", "Open"],
    ["false", "Ended"],
  ],
  has_extraction: WITH,
  has_email: WITH,
  min_total_score: SCORES,
  max_total_score: SCORES,
  days: [
    ["", "Any time"],
    ["1", "Last 24 hours"],
    ["7", "Last 7 days"],
    ["30", "Last 30 days"],
    ["90", "Last 90 days"],
  ],
};

export const ORDERS = [
  ["last_message_at desc", "Last activity, newest first"],
  ["last_message_at asc", "Last activity, oldest first"],
  ["total_score desc", "Score, highest first"],
  ["total_score asc", "Score, lowest first"],
  ["total_messages desc", "Most messages first"],
  ["total_messages asc", "Fewest messages first"],
  ["first_contact_at desc", "First contact, newest first"],
  ["first_contact_at asc", "First contact, oldest first"],
  ["name asc", "Name, A to Z"],
  ["name desc", "Name, Z to A"],
];

/** Returns the value of a filter in words. */
export function said(name, value) {
  const choice = CHOICES[name]?.find(([one]) => one === value)?.[1];
  if (choice !== undefined) {
    return name === "days" ? choice : choice.toLowerCase();
  }
  if (name === "days") {
    return `Last ${visible(value)} days`;
  }
  const names = name === "platform" ? value.split(",").map((one) => PLATFORMS[one] ?? one) : value.split(",");
  return visible(names.join(", "));
}
