// Whether what is shown is so: one state, of what requests, stream and the age of the data say; and when to ask next.

import { Stream } from "./stream.js";

// All in milliseconds. Between two requests while nothing is in the way:
const TICK = 2000;
const LONGEST = 60_000;
// After a change that was told: several at once are one. And while changes are told, but none was.
const SOON = 150;
const TOLD = 20_000;
// While the API does not answer at all.
const UNANSWERED = 4000;
// How often the state is looked at, and how long an answer takes at most before somebody is told.
const LOOK = 500;
const SLOW = 5000;
// After the last answer, nobody waits for the next one any more.
const GIVEN_UP = 10_000;
// How old the data may be: the projector brings them up to date within a second, or is looked at more often. The API is
// asked then whether they are late, as often: a refresh from cron leaves a minute or more between two.
const FRESH = 10_000;
// What keeps no data from being updated.
const NO_DELAY = "not_filled";

// Of the requests that are left, the part that a page uses by itself: two pages use them up, and no more.
const OWN_PART = 0.5;
// Of the limit, the part that is kept for what viewers do.
const RESERVE = 0.1;

/**
 * The connection to the API: it runs `ask()` again and again while the page is visible.
 *
 * `changed(phone, lead)` is called for what the stream tells, `isHurried()` says whether something is to be asked for
 * soon, and `show(state)` is called with the state, again and again.
 */
export class Connection {
  #timer = 0;
  #runs = false;
  #askedAt = 0;
  #dueAt = 0;
  #failures = 0;
  #error = null;
  #answeredAt = 0;
  // Of the sources that are shown, how many failed when they were asked last, and since how many answers no fewer.
  #failing = 0;
  #stuck = 0;
  #isDoubted = false;
  #wasTold = false;
  #isLate = false;
  #judgedAt = 0;

  constructor(client, { ask, changed, isHurried, show }) {
    Object.assign(this, { client, ask, isHurried, show });
    this.stream = new Stream(client, changed);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        clearTimeout(this.#timer);
      } else if (this.#runs) {
        this.askIn(Math.max(0, this.#dueAt - Date.now()));
      }
    });
    addEventListener("offline", () => this.#doubt());
    addEventListener("online", () => this.#doubt());
    setInterval(() => this.#look(), LOOK);
  }

  /**
   * The state: `live`, `stale` while the data are late, `paused` by the rate limit, `reconnecting` as soon as an answer
   * or the stream fails, and `offline` when that goes on; an empty text before there is anything to say.
   */
  get state() {
    if (this.#failures > 0 || this.#failing > 0) {
      const isOver = Date.now() - this.#answeredAt > GIVEN_UP;
      return this.#error?.status === 429 ? "paused" : isOver ? "offline" : "reconnecting";
    }
    const isSlow = this.#askedAt > 0 && Date.now() - this.#askedAt > SLOW;
    if (this.#isDoubted || (isSlow && !document.hidden)) {
      return "reconnecting";
    }
    if (this.client.asOf === null) {
      return "";
    }
    return this.#isLate ? "stale" : "live";
  }

  /** Milliseconds until the next request that nobody has asked for. */
  get pause() {
    const usual = pause(this.client.limit, this.client.now, this.#failures, this.#error?.retryAfter);
    if (this.#failures > 0) {
      return this.#error.status === 0 ? Math.min(usual, UNANSWERED) : usual;
    }
    if (!this.stream.isOn || this.isHurried() || this.client.age >= FRESH) {
      return usual;
    }
    // What failed is asked for again soon, and less often the longer it fails.
    return this.#failing > 0 ? Math.min(TOLD, pause(this.client.limit, this.client.now, this.#stuck)) : TOLD;
  }

  /** Follow a tenant in place of the one before; "" for none, and nothing is asked for. */
  follow(tenant) {
    this.stream.follow(tenant);
    this.#failures = 0;
    this.#failing = this.#stuck = 0;
    this.#error = null;
    this.#isDoubted = this.#wasTold = false;
    this.#answeredAt = Date.now();
    if (!tenant) {
      this.rest();
    }
  }

  /** Ask for nothing by itself, until the next askIn(). */
  rest() {
    this.#runs = false;
    clearTimeout(this.#timer);
  }

  /** Ask after so many milliseconds, and go on from there. */
  askIn(milliseconds) {
    this.#runs = true;
    clearTimeout(this.#timer);
    this.#dueAt = Date.now() + milliseconds;
    if (!document.hidden) {
      this.#timer = setTimeout(() => this.#tick(), milliseconds);
    }
  }

  /** Ask after the usual pause, and go on from there. */
  goOn() {
    // Where the pause relies on the stream, #look() has to notice that it ends, however soon that is.
    this.#wasTold ||= this.#failures === 0 && this.stream.isOn;
    this.askIn(this.pause);
  }

  /** Ask soon, because something has changed. */
  hurry() {
    if (this.#dueAt > Date.now() + SOON && this.#failures === 0) {
      this.askIn(Math.max(SOON, this.pause - TICK));
    }
  }

  /** Note an answer, and how many of the sources that are shown failed when they were asked last. */
  succeeded(failing) {
    this.#failures = 0;
    this.#isDoubted = false;
    this.#stuck = failing > 0 && failing >= this.#failing ? this.#stuck + 1 : 0;
    this.#failing = failing;
    this.#answeredAt = Date.now();
    this.#say();
  }

  /** Note that there was none. */
  failed(error) {
    this.#failures += 1;
    this.#error = error;
    this.#say();
  }

  /** Say that nobody knows, and find out. */
  #doubt() {
    if (this.#runs) {
      this.#isDoubted = true;
      this.askIn(0);
      this.#say();
    }
  }

  #look() {
    const isTold = this.stream.isOn;
    // The stream has failed, or is there again.
    if (this.#wasTold !== isTold && (!isTold || this.#failures > 0)) {
      this.#doubt();
    }
    this.#wasTold = isTold;
    this.#judge();
    this.#say();
  }

  /** Find out whether the data are late for those who update them. */
  async #judge() {
    if (this.client.age < FRESH || this.client.asOf === null) {
      this.#isLate = false;
      this.#judgedAt = 0;
    } else if (this.#runs && !document.hidden && Date.now() > this.#judgedAt + FRESH) {
      this.#judgedAt = Date.now();
      const answer = await fetch("/health/ready", { cache: "no-store" }).catch(() => null);
      const told = await answer?.json().catch(() => null);
      // An API that does not say has another reason to be asked about.
      this.#isLate = !answer?.ok || (told?.warnings ?? []).some(({ code }) => code !== NO_DELAY);
    }
  }

  #say() {
    this.show(this.state);
  }

  async #tick() {
    if (this.#askedAt > 0 || !this.#runs) {
      return;
    }
    this.#askedAt = Date.now();
    try {
      await this.ask();
    } finally {
      this.#askedAt = 0;
    }
    if (this.#runs) {
      this.goOn();
    }
  }
}

/**
 * Returns the milliseconds until the next request that nobody has asked for.
 *
 * `limit` is the rest of the rate limit or null, `now` the time of the API, `failures` the failed requests in a row,
 * and `retryAfter` the seconds that the API wants to be left alone.
 */
export function pause(limit, now, failures = 0, retryAfter = 0) {
  const afterFailure = failures ? TICK * 2 ** Math.min(failures - 1, 4) : TICK;
  return Math.min(LONGEST, Math.max(afterFailure, retryAfter * 1000, withinLimit(limit, now)));
}

function withinLimit(limit, now) {
  const rest = limit ? limit.endsAt - now : 0;
  if (rest <= 0) {
    return TICK;
  }
  const own = (limit.left - limit.amount * RESERVE) * OWN_PART;
  return own < 1 ? rest : rest / own;
}
