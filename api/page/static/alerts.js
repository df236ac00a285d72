// A notification when somebody begins to wait, for who has asked for it in this browser.

import { byId, set } from "./dom.js";
import { phone as inGroups, oneLine, visible } from "./format.js";

const ASKED = "leads-notify";
// What is older was written before, and is told late.
const RECENT_MILLISECONDS = 300_000;

/** Tells it while nobody looks; `open(phone)` is called for a notification that a viewer presses. */
export class Alerts {
  #waiting = new Set();

  constructor(open) {
    this.open = open;
    this.button = byId("notify");
    this.button.hidden = !("Notification" in window);
    this.button.addEventListener("click", () => this.#turn());
    this.#show();
  }

  get #isOn() {
    return localStorage.getItem(ASKED) === "yes" && Notification.permission === "granted";
  }

  /** Note which leads wait already, in place of what was known of another tenant. */
  clear() {
    this.#waiting.clear();
  }

  /** Note who waits, and tell it of a lead that did not wait before. */
  note(lead, now, { isNew }) {
    const { customer_phone: phone, last_message_sender: sender, last_message_at: at } = lead;
    if (sender !== "user") {
      this.#waiting.delete(phone);
    } else if (!this.#waiting.has(phone)) {
      this.#waiting.add(phone);
      if (isNew && !document.hasFocus() && this.#isOn && now - Date.parse(at) < RECENT_MILLISECONDS) {
        this.#tell(lead);
      }
    }
  }

  #tell(lead) {
    const { customer_phone: phone, name, platforms, last_message_text: text } = lead;
    const title = `${name === null ? inGroups(phone, platforms) : visible(name)} waits for an answer`;
    try {
      const notification = new Notification(title, { body: oneLine(text ?? ""), tag: phone });
      notification.onclick = () => {
        window.focus();
        notification.close();
        this.open(phone);
      };
    } catch {
      // A phone has the interface, and lets no page use it.
      this.button.hidden = true;
    }
  }

  async #turn() {
    const isWanted = !this.#isOn;
    if (isWanted) {
      await Notification.requestPermission();
    }
    localStorage.setItem(ASKED, isWanted ? "yes" : "no");
    this.#show();
  }

  #show() {
    if (!this.button.hidden) {
      const isRefused = Notification.permission === "denied";
      const why = "This browser lets this page show no notifications: its settings can change that";
      set(this.button, {
        "aria-pressed": String(this.#isOn),
        title: isRefused ? why : "While this tab is open and hidden, notify me when somebody begins to wait",
      });
    }
  }
}
