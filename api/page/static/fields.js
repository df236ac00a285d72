// Each field of a lead: how a person calls it, what it means, and which rows of the platform decide it.

import { isAttribute, labelOf } from "./attributes.js";
import { exact, NONE, number, PLATFORMS, visible } from "./format.js";

const EXTRACTION = "The winning extraction: the latest one, over all conversations of the lead.";
const PROFILE = "The winning extraction; if it is blank there, the contact that was updated last.";
const ATTRIBUTE = "An attribute of the winning extraction; if it has none, of the winning contact.";
// A time as the API prints it.
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const SCORE = `${EXTRACTION} From 1 to 3.`;

// Each key in the order of the API, with its label and its origin.
const FIELDS = [
  ["customer_phone", "Phone", "The conversation or the template send; only the digits of a phone."],
  ["name", "Name", PROFILE],
  ["email", "Email", PROFILE],
  ["company", "Company", PROFILE],
  ["lead_status", "Status", `${EXTRACTION} Its tag is read as Hot, Warm or Cold.`],
  ["total_score", "Total score", `${EXTRACTION} As stored there; else the sum of its five scores.`],
  ["intent_score", "Intent", SCORE],
  ["urgency_score", "Urgency", SCORE],
  ["budget_score", "Budget", SCORE],
  ["fit_score", "Fit", SCORE],
  ["engagement_score", "Engagement", SCORE],
  ["platforms", "Platforms", "The channels of its conversations and of the templates that were sent."],
  ["conversation_count", "Conversations", "The number of its conversations."],
  ["total_messages", "Messages", "The messages of all its conversations."],
  ["template_sends_count", "Templates sent", "Template sends that went out: neither pending nor failed."],
  [
    "last_message_at",
    "Last activity",
    "The newest message; without one, what its conversation notes; without a conversation, the newest template.",
  ],
  ["last_message_text", "Last message", "The last message over all conversations."],
  ["last_message_sender", "Sender of the last message", "The last message over all conversations."],
  ["first_contact_at", "First contact", "The earliest conversation, message or template that went out."],
  ["waiting_since", "Waiting since", "The customer's first message after the newest one of an agent."],
  ["reply_window_ends_at", "Reply window ends", "The latest end of the windows of its conversations."],
  ["last_customer_message_at", "Last message of the customer", "The newest one over all conversations."],
  ["has_extraction", "Has an extraction", "Whether any of its conversations has an extraction."],
  ["extraction_id", "Extraction", "The id of the winning extraction."],
];

const KNOWN = new Set(["conversations", ...FIELDS.map(([key]) => key)]);

/** Returns the fields of a lead: what has no label above is called by its key, and comes last. */
export function fieldsOf(lead) {
  const others = Object.keys(lead).filter((key) => !KNOWN.has(key));
  return [...FIELDS, ...others.map((key) => [key, labelOf(key), isAttribute(key) ? ATTRIBUTE : ""])];
}

/** The five scores that make the total, with their labels. */
export const SCORES = FIELDS.filter(([, , origin]) => origin === SCORE);

/** Returns the value of a field as a text. */
export function shown(value) {
  if (value === null || value === undefined || value.length === 0) {
    return NONE;
  }
  if (typeof value === "boolean") {
    return value ? "Yes" : "No";
  }
  if (typeof value === "number") {
    return number(value);
  }
  if (Array.isArray(value)) {
    return value.map(platform).join(", ");
  }
  return TIME.test(value) ? exact(value) : visible(value);
}

/** Returns the name of a platform as people write it. */
export function platform(name) {
  return PLATFORMS[name] ?? visible(name ?? NONE);
}

/** Returns who has sent a message. */
export function sender(name) {
  return { user: "Customer", agent: "Agent" }[name] ?? visible(name ?? "Unknown sender");
}
