// A browser opens six connections to a site over HTTP/1.1, for all tabs together, and a stream takes
// one of them for as long as a reply is live. Therefore only so many tabs have a seat for a stream.

const SEATS = 4;

export class Seat {
  #locks;
  #leave = null;
  #taking = null;

  /** @param {LockManager | undefined} locks none without a secure context */
  constructor(locks = globalThis.navigator?.locks) {
    this.#locks = locks;
  }

  /** Whether this tab has one. */
  get isTaken() {
    return this.#leave !== null;
  }

  /**
   * Take a seat if one is free. It is kept until `leave`, or until the tab is closed.
   * @returns {Promise<boolean>} whether this tab has one
   */
  async take() {
    if (this.isTaken || !this.#locks) return this.isTaken;
    this.#taking ??= this.#takeAny().finally(() => (this.#taking = null));
    return this.#taking;
  }

  /** Give it to another tab. A page that holds one is not kept for the way back. */
  leave() {
    this.#leave?.();
    this.#leave = null;
  }

  async #takeAny() {
    for (let number = 1; number <= SEATS && !this.isTaken; number++) await this.#takeOne(number);
    return this.isTaken;
  }

  /** A lock is held for as long as the promise that its callback gave is open. */
  #takeOne(number) {
    return new Promise((resolve) => {
      const hold = (lock) => {
        if (!lock) return resolve();
        return new Promise((leave) => {
          this.#leave = leave;
          resolve();
        });
      };
      const options = { ifAvailable: true };
      this.#locks.request(`holdfast-stream-${number}`, options, hold).catch(() => resolve());
    });
  }
}
