// What a viewer has to know: a problem with the time of the next try, how fresh the data are, and what has changed.

import { reason } from "./access.js";
import { byId, h, set, write } from "./dom.js";
import { ago, counted, number, seconds } from "./format.js";

const OLD_MILLISECONDS = 60_000;

/** The bar of problems and the line of freshness. */
export class Notice {
  #timer = 0;

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

  /** Say how fresh the data are. */
  fresh(client) {
    const line = byId("freshness");
    if (client.asOf === null) {
      write(line, "");
      return;
    }
    const age = client.now - client.asOf;
    const isOld = age > OLD_MILLISECONDS;
    set(line, {
      class: `freshness ${isOld ? "old" : "now"}`,
      title: "Contains every change that was committed before this moment",
    });
    const time = isOld ? `Data are from ${ago(new Date(client.asOf).toISOString(), client.now)}` : "Live";
    const failing = client.setAside ? `, ${counted(client.setAside, "row")} set aside with an error` : "";
    line.replaceChildren(
      time,
      h("span", { class: "clock" }, ` · ${seconds(client.asOf - client.ahead)}`),
      failing,
    );
  }

  /** Tell it to who cannot see it. */
  announce(text) {
    write(byId("live"), text);
  }
}
