// The fields of a lead, and their values as texts.

import { exact, NONE, number, PLATFORMS, visible } from "./format.js";

// A time as the API prints it.
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** The five scores that make the total, with their labels. */
export const SCORES = ["Intent", "Urgency", "Budget", "Fit", "Engagement"].map((label) => {
  return [`${label.toLowerCase()}_score`, label];
});

/** Returns what the reference says of each field of a lead, by its key; nothing while it cannot be read. */
export async function readMeanings() {
  try {
    const { components } = await (await fetch("/openapi.json")).json();
    const fields = Object.entries(components.schemas.Lead.properties);
    // How to ask for it is for who asks.
    const plain = (text) => text.replace(/ Only with .*/, "").replaceAll("`", "");
    return Object.fromEntries(fields.map(([key, { description }]) => [key, plain(description)]));
  } catch {
    return {};
  }
}

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
