/** Calls that have not ended. One that is repeated meanwhile is the same call: it has the same answer. */
export class Underway {
  readonly #calls = new Map<string, Promise<unknown>>();

  /** `call`: what tells it from every other, as JSON has it. */
  once<T>(call: readonly unknown[], begin: () => Promise<T>): Promise<T> {
    const key = JSON.stringify(call);
    const begun = this.#calls.get(key) as Promise<T> | undefined;
    if (begun) return begun;
    const answer = begin().finally(() => this.#calls.delete(key));
    this.#calls.set(key, answer);
    return answer;
  }
}
