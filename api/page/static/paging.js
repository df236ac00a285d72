// Which part of the list is shown, and the way to the others.

import { byId, h, set, write } from "./dom.js";
import { number } from "./format.js";

const SIZES = ["25", "50", "100"];

/** The bar below the list; `go(values)` is called with the part of the state that changes. */
export class Paging {
  constructor(go) {
    this.page = { total: 0, limit: 50, offset: 0 };
    this.shown = h("p", { id: "shown" });
    const button = (text, name, target) => {
      const move = () => {
        if (one.getAttribute("aria-disabled") !== "true") {
          go({ offset: String(target(this.page)) });
        }
      };
      // One that is disabled would lose the focus.
      const one = h("button", { type: "button", "aria-label": name, onclick: move }, text);
      return one;
    };
    this.back = [
      button("«", "First page", () => 0),
      button("Previous", "Previous page", ({ offset, limit }) => Math.max(0, offset - limit)),
    ];
    this.on = [
      button("Next", "Next page", ({ offset, limit }) => offset + limit),
      button("»", "Last page", ({ total, limit }) => Math.floor((total - 1) / limit) * limit),
    ];
    const sizes = SIZES.map((size) => h("option", { value: size }, size));
    this.size = h(
      "select",
      { id: "limit", onchange: () => go({ limit: this.size.value, offset: "0" }) },
      ...sizes,
    );
    byId("paging").append(
      this.shown,
      h("span", { class: "steps" }, ...this.back, ...this.on),
      h("span", { class: "size" }, h("label", { for: "limit" }, "Leads on a page"), this.size),
    );
  }

  /** Show which part of the list an answer is. */
  show({ total, limit, offset, hasMore }, count) {
    this.page = { total, limit, offset };
    this.size.value = String(limit);
    const range = count
      ? `${number(offset + 1)}–${number(offset + count)} of ${number(total)}`
      : `0 of ${number(total)}`;
    write(this.shown, range);
    for (const one of this.back) {
      set(one, { "aria-disabled": String(offset === 0) });
    }
    for (const one of this.on) {
      set(one, { "aria-disabled": String(!hasMore) });
    }
    byId("paging").hidden = total === 0;
  }
}
