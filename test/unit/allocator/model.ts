import type { Counts, Query, Taken } from '../../../src/allocator/allocator.ts';
import type { Range } from '../../../src/allocator/ranges.ts';

export interface NaiveOptions extends Range {
  readonly chunkSize: number;
  readonly restMs: number;
  readonly remember: number;
}

type State = { held: boolean; freedAt: number | undefined; freedOrder: number; reserved: boolean };

/** The allocator's contract without any cleverness: a state for each value, looked at one by one. */
export class NaiveAllocator {
  readonly #values = new Map<bigint, State>();
  readonly #owned = new Set<bigint>();
  readonly #options: NaiveOptions;
  #order = 0;

  constructor(options: NaiveOptions) {
    this.#options = options;
    for (let value = options.first; value <= options.last; value++) {
      this.#values.set(value, { held: false, freedAt: undefined, freedOrder: 0, reserved: false });
      this.#owned.add(this.chunkOf(value));
    }
  }

  chunkOf(value: bigint): bigint {
    return (value - this.#options.first) / BigInt(this.#options.chunkSize);
  }

  own(chunk: bigint): void {
    this.#owned.add(chunk);
  }

  disown(chunk: bigint, now: number): boolean {
    const inside = [...this.#values]
      .filter(([value]) => this.chunkOf(value) === chunk)
      .map(([, state]) => state);
    if (inside.some((state) => state.held || this.#rests(state, now))) return false;
    for (const state of inside) state.freedAt = undefined;
    this.#owned.delete(chunk);
    return true;
  }

  reserve(first: bigint, last: bigint): void {
    for (const [value, state] of this.#values) {
      if (value < first || value > last) continue;
      state.reserved = true;
      state.freedAt = undefined;
    }
  }

  held(value: bigint): boolean {
    return this.#values.get(value)?.held ?? false;
  }

  take(value: bigint): Taken {
    const state = this.#values.get(value);
    if (!state) return 'outside';
    if (state.held) return 'held';
    if (state.reserved) return 'reserved';
    if (!this.#owned.has(this.chunkOf(value))) return 'foreign';
    this.#hold(state);
    return 'taken';
  }

  next({ now, range, skip, strict }: Query): bigint | undefined {
    const open = [...this.#values].filter(
      ([value, state]) =>
        !(state.held || state.reserved) &&
        this.#owned.has(this.chunkOf(value)) &&
        (!range || (value >= range.first && value <= range.last)) &&
        !skip?.(value),
    );
    const fresh = open.find(([, state]) => state.freedAt === undefined);
    const freed = open.filter(([, state]) => state.freedAt !== undefined);
    freed.sort(([, a], [, b]) => a.freedOrder - b.freedOrder);
    const oldest = strict ? freed.find(([, state]) => !this.#rests(state, now)) : freed[0];
    const [value, state] = fresh ?? oldest ?? [];
    if (state) this.#hold(state);
    return value;
  }

  free(value: bigint, now: number): boolean {
    const state = this.#values.get(value);
    if (!state?.held) return false;
    state.held = false;
    if (!state.reserved && this.#owned.has(this.chunkOf(value))) {
      state.freedAt = now;
      state.freedOrder = ++this.#order;
    }
    const freed = [...this.#values.values()].filter((one) => one.freedAt !== undefined);
    freed.sort((a, b) => a.freedOrder - b.freedOrder);
    for (const one of freed.slice(0, Math.max(0, freed.length - this.#options.remember))) {
      if (!this.#rests(one, now)) one.freedAt = undefined;
    }
    return true;
  }

  counts(now: number, range?: Range): Counts {
    const counts = { size: 0n, held: 0n, resting: 0n, reserved: 0n, foreign: 0n, free: 0n };
    for (const [value, state] of this.#values) {
      if (range && (value < range.first || value > range.last)) continue;
      counts.size++;
      if (state.held) counts.held++;
      else if (state.reserved) counts.reserved++;
      else if (this.#rests(state, now)) counts.resting++;
      else if (!this.#owned.has(this.chunkOf(value))) counts.foreign++;
      else counts.free++;
    }
    return counts;
  }

  /** What a restart would find in the store. */
  records(now: number): { held: bigint[]; resting: { value: bigint; at: number }[] } {
    const all = [...this.#values];
    const freed = all
      .filter(([, state]) => this.#rests(state, now))
      .sort(([, a], [, b]) => a.freedOrder - b.freedOrder);
    return {
      held: all.filter(([, state]) => state.held).map(([value]) => value),
      resting: freed.map(([value, state]) => ({ value, at: state.freedAt! })),
    };
  }

  #hold(state: State): void {
    state.held = true;
    state.freedAt = undefined;
  }

  #rests(state: State, now: number): boolean {
    return state.freedAt !== undefined && now - state.freedAt < this.#options.restMs;
  }
}
