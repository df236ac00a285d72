// Which tenant is shown, and the token that a viewer gives for it.

import { ApiError } from "./client.js";
import { byId, h, set, write } from "./dom.js";
import { visible } from "./format.js";

const READY_MILLISECONDS = 5000;
// Of the id of a tenant with a name; templates/page.html has the same.
const MOST_OF_ID = 11;

/** Returns what chooses the tenant of this page; `choose(tenant)` is called for another one. */
export function access(client, choose) {
  return document.body.dataset.asksWhoCalls === "yes" ? new Asked(client, choose) : new Open(choose);
}

/** Returns what a viewer reads of a tenant: its name with its id as a hint, or its id. */
function title(tenant, name) {
  const letters = [...tenant];
  const id = letters.length > MOST_OF_ID ? `${letters.slice(0, MOST_OF_ID - 1).join("")}…` : tenant;
  return visible(name ? `${name} · ${id}` : tenant);
}

/** The form for tenant and token, where the API asks who calls. */
class Asked {
  first = "";
  tenant = "";
  #names = new Map();

  constructor(client, choose) {
    this.client = client;
    this.section = byId("access");
    this.user = byId("access-user");
    this.token = byId("access-token");
    byId("access-form").addEventListener("submit", (event) => {
      event.preventDefault();
      client.token = this.token.value.trim();
      choose(this.user.value);
    });
    byId("access-change").addEventListener("click", () => this.ask("Choose another tenant or token."));
    byId("access-forget").addEventListener("click", () => {
      client.token = this.token.value = "";
      this.token.focus();
    });
  }

  /** Whether the page knows what it needs to ask for this tenant. */
  isEnough(tenant) {
    return tenant !== "" && this.client.token !== "";
  }

  /** Whether the tenant exists: its token was accepted. */
  knows() {
    return true;
  }

  /** Show which tenant it is. */
  show(tenant) {
    this.tenant = tenant;
    this.section.hidden = true;
    byId("access-now").hidden = tenant === "";
    write(byId("access-tenant"), title(tenant, this.#names.get(tenant)));
    set(byId("access-tenant"), { title: tenant });
  }

  /** Note what the API calls a tenant; an empty text for no name. */
  learn(tenant, name) {
    this.#names.set(tenant, name);
    this.show(tenant);
  }

  /** Ask for a tenant and a token, and say why. */
  ask(why = "Your administrator gives you the two texts that belong here.") {
    write(byId("access-why"), why);
    this.section.hidden = false;
    this.user.value = this.tenant;
    this.token.value = "";
    (this.tenant ? this.token : this.user).focus();
  }
}

/** The list of tenants with a field for another one, where the API asks nobody. */
class Open {
  constructor(choose) {
    this.select = byId("tenant");
    this.typed = byId("tenant-typed");
    for (const option of this.select?.options ?? []) {
      write(option, visible(option.text));
    }
    this.select?.addEventListener("change", () => {
      if (this.select.value) {
        choose(this.select.value);
      } else {
        this.show("");
        this.typed.focus();
      }
    });
    byId("tenant-form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.typed.value) {
        choose(this.typed.value);
      }
    });
  }

  /** The tenant to begin with; an empty text where none is known. */
  get first() {
    return this.select?.options[0].value ?? "";
  }

  isEnough(tenant) {
    return tenant !== "";
  }

  knows(tenant) {
    return Boolean(this.#optionOf(tenant));
  }

  show(tenant) {
    byId("no-tenants")?.toggleAttribute("hidden", tenant !== "");
    // The last one, for any other tenant, has an empty value.
    const option = this.#optionOf(tenant) ?? this.#optionOf("");
    if (option) {
      option.selected = true;
      byId("typed").hidden = option.value !== "";
    }
    this.typed.value = tenant;
  }

  learn(tenant, name) {
    const option = this.#optionOf(tenant);
    if (option) {
      write(option, title(tenant, name));
    } else if (this.select && name) {
      this.#optionOf("").before(h("option", { value: tenant, title: tenant }, title(tenant, name)));
      this.show(tenant);
    }
  }

  ask() {
    this.typed.focus();
  }

  #optionOf(tenant) {
    return [...(this.select?.options ?? [])].find((option) => option.value === tenant);
  }
}

/** Says in words why a request failed. */
export function reason(error) {
  const known = {
    0: "The API does not answer.",
    403: "This token may not read this tenant.",
    429: "This tenant has used up its requests for now.",
  };
  const parts = [known[error.status] ?? `${error.message.replace(/\.$/, "")}.`];
  if (error.reference) {
    parts.push(h("small", {}, ` Reference ${visible(error.reference)}.`));
  }
  return parts;
}

/** Says why the page knows no tenant, and loads the page again as soon as the API can read its data. */
export function waitForTheDatabase(notice) {
  const again = () => location.reload();
  notice.show(new ApiError(503, document.body.dataset.problem), Date.now() + READY_MILLISECONDS, again);
  setTimeout(async () => {
    const answer = await fetch("/health/ready", { cache: "no-store" }).catch(() => null);
    if (answer?.ok) {
      again();
    } else {
      waitForTheDatabase(notice);
    }
  }, READY_MILLISECONDS);
}
