// Asks again and again while the page is visible: one request, then a pause.

/** Runs `ask` after each pause; `ask` returns the next pause in milliseconds. */
export class Ticker {
  #timer = 0;
  #asking = false;
  #runs = false;

  constructor(ask) {
    this.ask = ask;
    this.dueAt = 0;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        clearTimeout(this.#timer);
      } else if (this.#runs) {
        this.#wait(Math.max(0, this.dueAt - Date.now()));
      }
    });
  }

  /** Ask after so many milliseconds, and go on from there. */
  start(milliseconds) {
    this.#runs = true;
    this.#wait(milliseconds);
  }

  stop() {
    this.#runs = false;
    clearTimeout(this.#timer);
  }

  #wait(milliseconds) {
    clearTimeout(this.#timer);
    this.dueAt = Date.now() + milliseconds;
    if (!document.hidden) {
      this.#timer = setTimeout(() => this.#tick(), milliseconds);
    }
  }

  async #tick() {
    if (this.#asking || !this.#runs) {
      return;
    }
    this.#asking = true;
    try {
      const next = await this.ask();
      if (this.#runs) {
        this.#wait(next);
      }
    } finally {
      this.#asking = false;
    }
  }
}
