// What has changed, told by an event stream: one for all tabs of a browser that show the same tenant.

// The API sends something every five seconds, and this comment while it cannot reach its database.
const QUIET_MILLISECONDS = 8000;
const AWAY = "the database cannot be reached now";
const FIRST_PAUSE = 2000;
const LONGEST_PAUSE = 60_000;
// What no other try would change.
const FINAL = [400, 401, 403, 404];

/** Tells `changed(phone, lead)` which lead has changed, with "" for any; the lead itself is there in one tab alone. */
export class Stream {
  #channel = null;
  #ending = null;
  #heardAt = 0;
  #last = "";

  constructor(client, changed) {
    Object.assign(this, { client, changed });
  }

  /** Whether a change is told soon, by this tab or by another one: not while the stream says that it cannot tell. */
  get isOn() {
    return Date.now() - this.#heardAt < QUIET_MILLISECONDS;
  }

  /** Follow a tenant in place of the one before; "" for none. */
  follow(tenant) {
    this.#ending?.abort();
    this.#channel?.close();
    this.#heardAt = 0;
    this.#last = "";
    if (!tenant || !navigator.locks) {
      return;
    }
    const name = `leads ${tenant} ${this.client.token}`;
    const channel = new BroadcastChannel(name);
    const ending = new AbortController();
    this.#channel = channel;
    this.#ending = ending;
    channel.onmessage = ({ data }) => this.#hear(data);
    // The tab that has the lock has the stream, and the next one gets both from it.
    navigator.locks
      .request(name, { signal: ending.signal }, () => this.#keepOpen(tenant, channel, ending.signal))
      .catch(() => {});
  }

  #hear({ phone, last, isLost }, lead) {
    this.#heardAt = isLost ? 0 : Date.now();
    this.#last = last || this.#last;
    if (phone !== undefined) {
      this.changed(phone, lead);
    }
  }

  async #keepOpen(tenant, channel, signal) {
    const tell = (message, lead) => {
      if (!signal.aborted) {
        this.#hear(message, lead);
        channel.postMessage(message);
      }
    };
    let pause = FIRST_PAUSE;
    while (!signal.aborted) {
      let retry = 0;
      try {
        const response = await this.#open(tenant, signal);
        if (FINAL.includes(response.status)) {
          return;
        }
        if (response.ok) {
          for await (const event of events(response.body)) {
            retry = event.retry ?? retry;
            pause = FIRST_PAUSE;
            const change = "data" in event ? JSON.parse(event.data) : null;
            const phone = change && (event.event === "gone" ? "" : change.customer_phone);
            tell({ last: event.id, phone: phone ?? undefined, isLost: event[""] === AWAY }, change?.lead);
          }
        }
      } catch {
        // It is tried again, and the page asks meanwhile.
      }
      tell({ isLost: true });
      pause = retry ? FIRST_PAUSE : Math.min(2 * pause, LONGEST_PAUSE);
      await new Promise((resolve) => setTimeout(resolve, retry || pause));
    }
  }

  #open(tenant, signal) {
    const headers = { ...this.client.headers, Accept: "text/event-stream" };
    if (this.#last) {
      headers["Last-Event-ID"] = this.#last;
    }
    const path = `/users/${encodeURIComponent(tenant)}/lead-changes`;
    return fetch(path, { headers, signal, cache: "no-store", credentials: "omit" });
  }
}

/** Yields the events of a stream, with their fields; a comment is the field without a name. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      return;
    }
    const parts = (text + value).split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const fields = part.split("\n").map((line) => /^(\w*): ?(.*)$/s.exec(line)?.slice(1) ?? ["", ""]);
      yield Object.fromEntries(fields);
    }
  }
}
