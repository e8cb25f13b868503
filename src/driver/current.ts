import { CodedError } from '../errors.ts';

/** Something that another of its kind takes the place of, now and then. Who needs it in between waits for the next. */
export class Current<T> {
  #value: T | undefined;
  #users = 0;
  #waiting: (() => void)[] = [];
  #idle: (() => void)[] = [];

  get value(): T | undefined {
    return this.#value;
  }

  set(value: T): void {
    this.#value = value;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Nobody gets it any more. Ends when nobody uses it, after `ms` milliseconds at the latest. */
  async clear(ms: number): Promise<void> {
    this.#value = undefined;
    if (this.#users === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Does something with it, as soon as it is there. @throws NR_RESTARTING after `ms` milliseconds without one */
  async use<R>(ms: number, work: (value: T) => Promise<R>): Promise<R> {
    const until = performance.now() + ms;
    while (this.#value === undefined) await this.#wait(until - performance.now());
    this.#users += 1;
    try {
      return await work(this.#value);
    } finally {
      this.#users -= 1;
      if (this.#users === 0) for (const go of this.#idle.splice(0)) go();
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((one) => one !== go);
        reject(new CodedError('NR_RESTARTING', 'this host is about to become a member, or is one no more'));
      }, ms);
      this.#waiting.push(go);
    });
  }
}
