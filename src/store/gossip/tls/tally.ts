/** Counts by reason, for metrics. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(reason: string): void {
    this.#counts.set(reason, this.of(reason) + 1);
  }

  of(reason: string): number {
    return this.#counts.get(reason) ?? 0;
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }
}
