// How numbers, times and texts of customers are shown.

const LOCALE = navigator.languages.find((language) => language.startsWith("en")) ?? "en";
const NUMBER = new Intl.NumberFormat(LOCALE);
const SHARE = new Intl.NumberFormat(LOCALE, { style: "percent" });
const RELATIVE = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto", style: "short" });
/** Returns what writes a moment, an ISO text or milliseconds, in the zone of the viewer unless it has another. */
function formatter(options) {
  const format = new Intl.DateTimeFormat(LOCALE, options);
  return (moment) => format.format(new Date(moment));
}

export const clock = formatter({ timeStyle: "short" });
export const seconds = formatter({ timeStyle: "medium" });
export const longDay = formatter({ dateStyle: "full" });
/** A moment in full. */
export const exact = formatter({ dateStyle: "full", timeStyle: "long" });
export const utcDay = formatter({ weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
const day = formatter({ day: "numeric", month: "short", year: "numeric" });
const dayOfYear = formatter({ day: "numeric", month: "short" });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAYS = 24 * HOUR;

// Line breaks and tabs stay. Each other control character gets its picture, and a character that turns
// the direction of the text or is not seen gets its number.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/g;
const UNSEEN = /[\u0080-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

export const PLATFORMS = {
  __proto__: null,
  whatsapp: "WhatsApp",
  instagram: "Instagram",
  webchat: "Webchat",
};
export const NONE = "–";

/** Returns a number with separators. */
export function number(value) {
  return NUMBER.format(value);
}

/** Returns a number with its noun: “1 lead”, “2 leads”. */
export function counted(value, noun) {
  return `${NUMBER.format(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Returns a part of a whole in per cent; an empty text of nothing. */
export function share(part, whole) {
  if (whole === 0) {
    return "";
  }
  const value = part / whole;
  return value > 0 && value < 0.005 ? "<1%" : SHARE.format(value);
}

/** Returns a text with its hidden characters made visible. */
export function visible(text) {
  return text
    .replace(CONTROL, (one) => (one === "\u007f" ? "␡" : String.fromCharCode(0x2400 + one.charCodeAt(0))))
    .replace(UNSEEN, (one) => `‹${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);
}

// Of a calling code: its length follows from its first digits.
const CALLING_CODE = /^(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})/;

/** Returns a phone number in groups; any other identifier as it is. */
export function phone(text, platforms) {
  if (!/^\d{8,15}$/.test(text) || (platforms.length > 0 && !platforms.includes("whatsapp"))) {
    return visible(text);
  }
  const code = CALLING_CODE.exec(text)[0];
  return `+${code} ${text.slice(code.length).replace(/\d{3}(?=\d{3})/g, "$& ")}`;
}

/** Returns the first letters of the first and the last word of a name; an empty text where it has no letter. */
export function initials(name) {
  const words = (name ?? "").split(/\s+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends.map((word) => [...word][0].toLocaleUpperCase()).join("");
}

/** Returns the first line of a text, as a list has room for. */
export function oneLine(text) {
  return visible(text.slice(0, 400)).replace(/\s+/g, " ");
}

/** Returns how long ago a moment was; its date, if that is more than six days. */
export function ago(iso, now) {
  const moment = Date.parse(iso);
  const passed = now - moment;
  if (passed < 0 || passed >= 6.5 * DAYS) {
    return day(moment);
  }
  return passed < MINUTE ? "just now" : distance(passed, -1);
}

/** Returns how a reply window stands that ends at a moment; an empty text without one. */
export function windowText(iso, now) {
  const rest = Date.parse(iso) - now;
  return !iso ? "" : rest <= 0 ? "Window closed" : `Closes ${distance(rest, 1)}`;
}

function distance(length, sign) {
  const [size, unit] = length < HOUR ? [MINUTE, "minute"] : length < DAYS ? [HOUR, "hour"] : [DAYS, "day"];
  return RELATIVE.format(sign * Math.floor(length / size), unit);
}

/** Returns the day of a moment, without the year if it is this one. */
export function dayOf(iso) {
  return new Date(iso).getFullYear() === new Date().getFullYear() ? dayOfYear(iso) : day(iso);
}

/** Returns date and time. */
export function short(iso) {
  return `${day(iso)}, ${clock(iso)}`;
}
