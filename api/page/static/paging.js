// Which part of the list is shown, and the way to the others.

import { byId, partsOf, set, write } from "./dom.js";
import { number } from "./format.js";

/** The bar below the list; `go(values)` is called with the part of the state that changes. */
export class Paging {
  constructor(go) {
    this.page = { total: 0, limit: 50, offset: 0 };
    const { first, previous, next, last } = partsOf(byId("paging"));
    this.back = [first, previous];
    this.on = [next, last];
    this.#goes(first, () => 0, go);
    this.#goes(previous, ({ offset, limit }) => Math.max(0, offset - limit), go);
    this.#goes(next, ({ offset, limit }) => offset + limit, go);
    this.#goes(last, ({ total, limit }) => Math.floor((total - 1) / limit) * limit, go);
    this.size = byId("limit");
    this.size.addEventListener("change", () => go({ limit: this.size.value, offset: "0" }));
  }

  #goes(button, target, go) {
    button.addEventListener("click", () => {
      // One that is disabled would lose the focus.
      if (button.getAttribute("aria-disabled") !== "true") {
        go({ offset: String(target(this.page)) });
      }
    });
  }

  /** Show which part of the list an answer is. */
  show({ total, limit, offset, hasMore }, count) {
    this.page = { total, limit, offset };
    this.size.value = String(limit);
    const range = count
      ? `${number(offset + 1)}–${number(offset + count)} of ${number(total)}`
      : `0 of ${number(total)}`;
    write(byId("shown"), range);
    for (const one of this.back) {
      set(one, { "aria-disabled": String(offset === 0) });
    }
    for (const one of this.on) {
      set(one, { "aria-disabled": String(!hasMore) });
    }
    byId("paging").hidden = total === 0;
  }
}
