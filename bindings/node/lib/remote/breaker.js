'use strict';
// Keeps requests away from a server that does not answer. After so many failures in a
// row nothing is asked for a while, which doubles each time; then one call, which is no
// request's, is let through, and what becomes of it decides.

class Breaker {
  #failures = 0;
  #openings = 0;
  #inARow = 0; // of them
  #openUntil = 0;
  #trying = false;

  constructor({ failures = 5, shortestMs = 1000, longestMs = 30000, now = () => performance.now(), random = Math.random } = {}) {
    Object.assign(this, { limit: failures, shortestMs, longestMs, now, random });
  }

  get isOpen() {
    return this.#openUntil > 0;
  }

  /** How often it has opened. */
  get openings() {
    return this.#openings;
  }

  /** Whether a call may be made now. */
  allows() {
    if (this.#openUntil === 0) return true;
    if (this.#trying || this.now() < this.#openUntil) return false;
    return (this.#trying = true);
  }

  success() {
    this.#failures = 0;
    if (this.#openUntil > 0) this.close();
    else this.#inARow = 0;
  }

  failure() {
    const wasTrial = this.#trying;
    this.#trying = false;
    // Those that were under way when it opened make it no longer.
    if (this.isOpen ? !wasTrial : ++this.#failures < this.limit) return;
    this.#openings++;
    const ms = Math.min(this.longestMs, this.shortestMs * 2 ** this.#inARow++);
    // Half of it is chance, so that ten machines do not come back at once.
    this.#openUntil = this.now() + ms * (0.5 + this.random() / 2);
    this.#failures = 0;
  }

  /** The call that was let through has said neither. */
  settle() {
    this.#trying = false;
  }

  close() {
    this.#openUntil = 0;
    this.#failures = 0;
    this.#trying = false;
  }
}

module.exports = { Breaker };
