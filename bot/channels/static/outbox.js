/**
 * Messages on their way out: one at a time, in order, kept in memory and tried again with the same
 * client id until the gateway has them. The gateway takes one client id once, so trying again is safe.
 */

import { Problem } from "./api.js";

const FIRST_WAIT = 1_000; // milliseconds
const LONGEST_WAIT = 30_000;

/** A new client id: 128 random bits. (`crypto.randomUUID` is missing where a page is not https.) */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  #items = [];
  #sending = false;
  #timer = 0;
  #failures = 0;
  #paused = false;
  #hooks;

  /**
   * @param {object} hooks
   *   send(item): delivers one item or throws Problem;
   *   onSent(item), onLate(items, problem), onRefused(item, problem), onGone(items): what came of it.
   */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  get empty() {
    return this.#items.length === 0;
  }

  /** Takes `item` ({clientId, …}) and begins to send. */
  add(item) {
    this.#items.push(item);
    if (this.#failures) this.#hooks.onLate([item], null);
    this.#drain();
  }

  /** Tries at once, for when the connection has come back. */
  wake() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#drain();
  }

  /** Goes on after `onGone`. */
  goOn() {
    this.#paused = false;
    this.wake();
  }

  /** The gateway has shown that it holds this message, whatever became of our own request. */
  settle(clientId) {
    if (this.#sending && this.#items[0]?.clientId === clientId) return;
    this.#items = this.#items.filter((item) => item.clientId !== clientId);
    if (this.empty) this.clear();
  }

  /** Forgets everything unsent. */
  clear() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#items = [];
    this.#failures = 0;
    this.#paused = false;
  }

  async #drain() {
    if (this.#sending || this.#timer || this.#paused) return;
    this.#sending = true;
    while (this.#items.length && !this.#paused) {
      const item = this.#items[0];
      try {
        await this.#hooks.send(item);
        this.#done(item);
        this.#hooks.onSent(item);
      } catch (error) {
        const problem = error instanceof Problem ? error : new Problem(0);
        if (problem.passing) {
          this.#later(problem);
          break;
        }
        if (problem.status === 401) {
          this.#paused = true;
          this.#failures = 0;
          this.#hooks.onGone([...this.#items]);
          break;
        }
        this.#done(item);
        this.#hooks.onRefused(item, problem);
      }
    }
    this.#sending = false;
  }

  #done(item) {
    this.#items = this.#items.filter((each) => each !== item);
    this.#failures = 0;
  }

  #later(problem) {
    const wait = Math.max(Math.min(FIRST_WAIT * 2 ** this.#failures, LONGEST_WAIT), problem.retryAfter);
    this.#failures += 1;
    // A little chance, so that a whole class does not come back in the same second.
    this.#timer = setTimeout(() => this.wake(), wait * (0.8 + 0.4 * Math.random()));
    this.#hooks.onLate([...this.#items], problem);
  }
}
