// Which part of the list is shown, and the way to the others.

import { reason } from "./access.js";
import { byId, h, partsOf, set, write } from "./dom.js";
import { number } from "./format.js";

const KEPT_MILLISECONDS = 60_000;

// Where the buttons lead.
const TARGETS = {
  first: () => 0,
  previous: ({ offset, limit }) => Math.max(0, offset - limit),
  next: ({ offset, limit }) => offset + limit,
  last: ({ total, limit }) => Math.floor((total - 1) / limit) * limit,
};

/** The bar below the list: `go(values)` is called with the part of the state that changes; `file(excel)` gets a file. */
export class Paging {
  constructor(go, file) {
    Object.assign(this, partsOf(byId("paging")));
    this.csv.addEventListener("click", () => this.#export(() => file("")));
    this.excel.addEventListener("click", () => this.#export(() => file("excel")));
    for (const [part, target] of Object.entries(TARGETS)) {
      // One that is disabled would lose the focus.
      const turn = () => this[part].ariaDisabled === "true" || go({ offset: String(target(this.page)) });
      this[part].addEventListener("click", turn);
    }
    this.size = byId("limit");
    this.size.addEventListener("change", () => go({ limit: this.size.value, offset: "0" }));
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
    const range = count ? `${number(offset + 1)}–${number(offset + count)}` : "0";
    write(byId("shown"), `${range} of ${number(total)}`);
    for (const [part, isEnd] of Object.entries({
      first: !offset,
      previous: !offset,
      next: !hasMore,
      last: !hasMore,
    })) {
      set(this[part], { "aria-disabled": String(isEnd) });
    }
    byId("paging").hidden = total === 0;
  }
}
