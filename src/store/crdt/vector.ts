import { createHash } from 'node:crypto';
import type { Dot } from './record.ts';

/** What is known of an origin's writes: up to which sequence each was seen, or what replaced it. */
export type VectorView = ReadonlyMap<string, number>;

/** A version vector that grows. Origins that nothing is known of have no entry. */
export class Vector {
  readonly #known: Map<string, number>;

  constructor(known: Iterable<readonly [string, number]> = []) {
    this.#known = new Map([...known].filter(([, sequence]) => sequence > 0));
  }

  /** The sequence up to which the origin is known, 0 for none. */
  of(origin: string): number {
    return this.#known.get(origin) ?? 0;
  }

  covers({ origin, sequence }: Dot): boolean {
    return this.of(origin) >= sequence;
  }

  /** Never goes back. */
  advance(origin: string, sequence: number): void {
    if (sequence > this.of(origin)) this.#known.set(origin, sequence);
  }

  join(other: VectorView): void {
    for (const [origin, sequence] of other) this.advance(origin, sequence);
  }

  get view(): VectorView {
    return this.#known;
  }
}

/** Whether `a` knows all that `b` knows. */
export function coversAll(a: VectorView, b: VectorView): boolean {
  for (const [origin, sequence] of b) if ((a.get(origin) ?? 0) < sequence) return false;
  return true;
}

/** 8 bytes, the same for the same knowledge: what two replicas compare before they send vectors. */
export function vectorHash(vector: VectorView): string {
  const text = [...vector.keys()].sort().map((origin) => `${origin}:${vector.get(origin)};`);
  return createHash('sha256').update(text.join('')).digest('hex').slice(0, 16);
}
