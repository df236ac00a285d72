// Requests to the public endpoints: with the token of the viewer, and only for what has changed.

const TOKEN = "leads-token";
const MOST_MILLISECONDS = 30_000;

/** An answer that is no success; `status` is 0 where there was none. */
export class ApiError extends Error {
  constructor(status, message, { code = "", reference = "", retryAfter = 0 } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.reference = reference;
    this.retryAfter = retryAfter;
  }
}

/** Asks the API, and keeps the last answer of each source, so that it may say that nothing has changed. */
export class Client {
  #kept = new Map();
  #notedAt = 0;

  constructor() {
    /** The rest of the rate limit as the last answer had it; null where there is no limit. */
    this.limit = null;
    /** Milliseconds by which the clock of the API is ahead of this one. */
    this.ahead = 0;
    /** Up to when the data are complete; null before the first answer. */
    this.asOf = null;
    this.setAside = 0;
  }

  get token() {
    return sessionStorage.getItem(TOKEN) ?? "";
  }

  set token(value) {
    if (value) {
      sessionStorage.setItem(TOKEN, value);
    } else {
      sessionStorage.removeItem(TOKEN);
    }
    this.#kept.clear();
  }

  /** The time of the API. */
  get now() {
    return Date.now() + this.ahead;
  }

  /** How old the data were when they came, in milliseconds; without end if they are as of no moment. */
  get age() {
    return this.asOf === null ? Number.POSITIVE_INFINITY : this.#notedAt + this.ahead - this.asOf;
  }

  /** The headers that every request has. */
  get headers() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  /**
   * Returns the body of an answer, whether it differs from the one before of this source, and the tenant's name.
   *
   * A question is sent as JSON. Throws ApiError, and AbortError when the signal says so.
   */
  async get(source, path, signal, question) {
    const kept = this.#kept.get(source);
    const known = kept?.path === path ? kept : undefined;
    const headers = { ...this.headers, Accept: "application/json" };
    if (known?.etag) {
      headers["If-None-Match"] = known.etag;
    }
    const either = AbortSignal.any([signal, AbortSignal.timeout(MOST_MILLISECONDS)]);
    const response = await this.#fetch(path, headers, either, question).catch((error) => {
      signal.throwIfAborted();
      throw error;
    });
    this.#note(response.headers);
    const tenantName = decodeURIComponent(response.headers.get("X-Tenant-Name") ?? "");
    if (response.status === 304 && known) {
      return { body: known.body, changed: false, tenantName };
    }
    const body = await response.json().catch(() => null);
    signal.throwIfAborted();
    if (!response.ok || body === null) {
      throw failure(response, body);
    }
    this.ahead = Date.parse(body.timestamp) - Date.now();
    const text = JSON.stringify([body.data, body.pagination]);
    this.#kept.set(source, { path, text, body, etag: response.headers.get("ETag") });
    return { body, changed: text !== known?.text, tenantName };
  }

  /** Returns a file and the name that the API gives it. Throws ApiError, also if the file ends too soon. */
  async file(path) {
    const response = await this.#fetch(path, this.headers);
    if (!response.ok) {
      throw failure(response, await response.json().catch(() => null));
    }
    const name = /filename="([^"]*)"/.exec(response.headers.get("Content-Disposition"))?.[1];
    try {
      return { name, content: await response.blob() };
    } catch {
      throw new ApiError(0, "The file was not sent to its end.");
    }
  }

  async #fetch(path, headers, signal, question) {
    // A Blob says of which type it is.
    const body = question && new Blob([JSON.stringify(question)], { type: "application/json" });
    const sent = body && { method: "POST", body };
    try {
      return await fetch(path, { ...sent, headers, signal, cache: "no-store", credentials: "omit" });
    } catch (error) {
      throw new ApiError(0, "The API does not answer.", { cause: error });
    }
  }

  #note(headers) {
    const read = (name) => Number(headers.get(name));
    this.#notedAt = Date.now();
    if (headers.has("X-RateLimit-Limit")) {
      this.limit = {
        amount: read("X-RateLimit-Limit"),
        left: read("X-RateLimit-Remaining"),
        endsAt: read("X-RateLimit-Reset") * 1000,
      };
    }
    if (headers.has("X-Data-As-Of")) {
      this.asOf = Date.parse(headers.get("X-Data-As-Of"));
      this.setAside = read("X-Data-Dead-Letters");
    } else if (headers.has("ETag")) {
      // An answer with data that are as of no moment.
      this.asOf = null;
    }
  }
}

function failure(response, body) {
  return new ApiError(response.status, body?.message ?? `The API answered ${response.status}.`, {
    code: response.headers.get("X-Error-Code") ?? "",
    reference: body?.correlationId ?? response.headers.get("X-Correlation-Id") ?? "",
    retryAfter: Number(response.headers.get("Retry-After")) || 0,
  });
}
