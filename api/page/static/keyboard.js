// The keys of every day. `?` lists them, as templates/page.html has them.

import { byId } from "./dom.js";

const TYPING = "input, select, textarea, [contenteditable]";

/** Runs `actions[key]()` for a key that nobody types as a text; one that returns false leaves the key to the browser. */
export function listenToKeys(actions) {
  const help = byId("keys");
  byId("keys-button").addEventListener("click", () => help.showModal());
  addEventListener("keydown", (event) => {
    const isTyped = event.target.closest?.(TYPING);
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyped || help.open) {
      return;
    }
    const action = event.key === "?" ? () => help.showModal() : actions[event.key];
    if (action && action() !== false) {
      event.preventDefault();
    }
  });
}
