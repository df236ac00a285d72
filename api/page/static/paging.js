// Which part of the list is shown, and the way to the others.

import { reason } from "./access.js";
import { byId, h, partsOf, set, write } from "./dom.js";
import { number } from "./format.js";

const KEPT_MILLISECONDS = 60_000;

/** The bar below the list: `go(values)` is called with the part of the state that changes; `file(excel)` gets a file. */
export class Paging {
  constructor(go, file) {
    this.page = { total: 0, limit: 50, offset: 0 };
    const { first, previous, next, last, csv, excel, note } = partsOf(byId("paging"));
    this.note = note;
    csv.addEventListener("click", () => this.#export(() => file("")));
    excel.addEventListener("click", () => this.#export(() => file("excel")));
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

  /** Save all leads of the list in a file, and say so. */
  async #export(get) {
    write(this.note, "Getting the file …");
    try {
      const { name, content } = await get();
      const link = h("a", { href: URL.createObjectURL(content), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MILLISECONDS);
      write(this.note, `${name} is saved.`);
    } catch (error) {
      this.note.replaceChildren(...reason(error));
    }
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
