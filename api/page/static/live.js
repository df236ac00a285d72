// What has changed, told by an event stream: one for all tabs of a browser that show the same tenant.

const QUIET_MILLISECONDS = 15_000;
const FIRST_PAUSE = 2000;
const LONGEST_PAUSE = 60_000;
// What no other try would change.
const FINAL = [400, 401, 403, 404];

/** Tells `changed` which lead has changed, or "" for any. Where there is no stream, `isOn` says so. */
export class Live {
  #channel = null;
  #ending = null;
  #heardAt = 0;
  #last = "";

  constructor(client, changed) {
    this.client = client;
    this.changed = changed;
  }

  /** Whether a change is told soon, by this tab or by another one. */
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

  #hear({ phone, last }) {
    this.#heardAt = Date.now();
    this.#last = last || this.#last;
    if (phone !== undefined) {
      this.changed(phone);
    }
  }

  async #keepOpen(tenant, channel, signal) {
    let pause = FIRST_PAUSE;
    while (!signal.aborted) {
      let retry = 0;
      const tell = (message) => {
        this.#hear(message);
        channel.postMessage(message);
      };
      try {
        const response = await this.#open(tenant, signal);
        if (FINAL.includes(response.status)) {
          return;
        }
        if (response.ok) {
          for await (const event of events(response.body)) {
            retry = event.retry ?? retry;
            pause = FIRST_PAUSE;
            const isChange = "data" in event;
            const phone = isChange && event.event !== "gone" ? JSON.parse(event.data).customer_phone : "";
            tell({ last: event.id, ...(isChange ? { phone } : {}) });
          }
        }
      } catch {
        // It is tried again, and the page asks meanwhile.
      }
      pause = retry ? FIRST_PAUSE : Math.min(2 * pause, LONGEST_PAUSE);
      await new Promise((resolve) => setTimeout(resolve, retry || pause));
    }
  }

  #open(tenant, signal) {
    const headers = { Accept: "text/event-stream" };
    if (this.client.token) {
      headers.Authorization = `Bearer ${this.client.token}`;
    }
    if (this.#last) {
      headers["Last-Event-ID"] = this.#last;
    }
    const path = `/users/${encodeURIComponent(tenant)}/lead-changes`;
    return fetch(path, { headers, signal, cache: "no-store", credentials: "omit" });
  }
}

/** Yields the events of a stream, with their fields; one that only says that it is there has none. */
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
