import type { VectorView } from '../../store/crdt/vector.ts';

/** Up to where an origin is known elsewhere, and since when we know that. */
interface Word {
  readonly to: number;
  readonly at: number;
}

/** The oldest word that is still waited for, and the newest. */
interface Heard {
  readonly first: Word;
  readonly last: Word;
}

/** What peers have given word of, and nobody has brought yet. */
export class Words<L> {
  readonly #known: (origin: string) => number;
  readonly #heard = new Map<L, Map<string, Heard>>();

  /** `known`: up to where an origin is known here. */
  constructor(known: (origin: string) => number) {
    this.#known = known;
  }

  take(link: L, vector: VectorView, now: number): void {
    const heard = this.#heard.get(link) ?? new Map<string, Heard>();
    for (const [origin, to] of vector) {
      const last = { to, at: now };
      if (to > this.#known(origin)) heard.set(origin, { first: this.#first(heard, origin) ?? last, last });
    }
    if (heard.size > 0) this.#heard.set(link, heard);
  }

  /** A link to ask for what has not come since `before`, and all that there is to ask it for; that is not waited for any more. */
  overdue(before: number): { readonly link: L; readonly origins: readonly string[] } | undefined {
    for (const [link, heard] of this.#heard) {
      const origins = this.pending(link);
      if (!origins.some((origin) => this.#first(heard, origin)!.at <= before)) continue;
      this.#heard.delete(link);
      return { link, origins };
    }
    return undefined;
  }

  /** Origins of which a link has given word, and what it spoke of has not come. */
  pending(link: L): string[] {
    const heard = this.#heard.get(link);
    return heard ? [...heard.keys()].filter((origin) => this.#first(heard, origin)) : [];
  }

  /** When the oldest word came that is still waited for. */
  get oldest(): number | undefined {
    let oldest: number | undefined;
    for (const [link, heard] of this.#heard) {
      for (const origin of [...heard.keys()]) {
        const first = this.#first(heard, origin);
        if (first && first.at < (oldest ?? Number.POSITIVE_INFINITY)) oldest = first.at;
      }
      if (heard.size === 0) this.#heard.delete(link);
    }
    return oldest;
  }

  forget(link: L): void {
    this.#heard.delete(link);
  }

  /** The oldest word of an origin that has not come true: after that, a steady stream waits for its newest one. */
  #first(heard: Map<string, Heard>, origin: string): Word | undefined {
    const { first, last } = heard.get(origin) ?? {};
    if (!first || !last || first.to > this.#known(origin)) return first;
    if (last.to > this.#known(origin)) {
      heard.set(origin, { first: last, last });
      return last;
    }
    heard.delete(origin);
    return undefined;
  }
}
