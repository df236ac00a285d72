// What a viewer has to know: a problem with the time of the next try, how fresh the data are, and what has changed.

import { reason } from "./access.js";
import { byId, h, partsOf, set, write } from "./dom.js";
import { counted, number, seconds, short } from "./format.js";

// Of a state of the connection.
const WORDS = { live: "Live", paused: "Paused", reconnecting: "Reconnecting …", offline: "Offline" };

/** The bar of problems and the line of freshness. */
export class Notice {
  #timer = 0;
  #state = "";

  constructor() {
    this.line = partsOf(byId("freshness"));
  }

  /** Say why the last request failed, and count down to the next one. */
  show(error, nextAt, retry) {
    const left = h("span", { class: "left" });
    const count = () => {
      const rest = Math.max(0, Math.ceil((nextAt - Date.now()) / 1000));
      write(left, rest ? ` Trying again in ${number(rest)} s.` : " Trying again …");
    };
    this.clear();
    // Who listens hears the reason once, and not each second.
    set(left, { "aria-hidden": "true" });
    byId("notice").replaceChildren(
      h("p", {}, ...reason(error), left),
      h("button", { type: "button", onclick: retry }, "Try now"),
    );
    byId("notice").hidden = false;
    count();
    this.#timer = setInterval(count, 1000);
  }

  clear() {
    clearInterval(this.#timer);
    byId("notice").hidden = true;
    byId("notice").replaceChildren();
  }

  /** Say whether what is shown is so, and of which moment it is. */
  fresh(state, client) {
    const { word, clock, aside } = this.line;
    const isKnown = client.asOf !== null;
    const old = isKnown ? `Not updated since ${since(new Date(client.asOf - client.ahead))}` : "";
    set(byId("freshness"), { class: `freshness ${state}` });
    write(word, state === "stale" ? old : (WORDS[state] ?? ""));
    const as = state === "live" ? "" : "as of ";
    const isSaid = state === "stale" || !state || !isKnown;
    write(clock, isSaid ? "" : ` · ${as}${seconds(client.asOf - client.ahead)}`);
    write(aside, client.setAside ? `, ${counted(client.setAside, "row")} set aside with an error` : "");
    if (state === "stale" && this.#state === "live") {
      this.announce(old);
    }
    this.#state = state;
  }

  /** Tell it to who cannot see it. */
  announce(text) {
    write(byId("live"), text);
  }
}

function since(moment) {
  const isToday = moment.toDateString() === new Date().toDateString();
  return isToday ? seconds(moment.getTime()) : short(moment.toISOString());
}
