interface Event {
  readonly at: number;
  readonly order: number;
  call: (() => void) | undefined;
}

/** More than that in one step of time is a circle. */
const EVENTS_MAX = 1_000_000;

/** Time that passes only from one event to the next. */
export class Timeline {
  now = 0;
  /** A binary heap: the earliest first, and of the same moment the first that was made. */
  readonly #heap: Event[] = [];
  #order = 0;

  /** Calls after so many milliseconds; returns the way to cancel it. */
  after(ms: number, call: () => void): () => void {
    const event: Event = { at: this.now + Math.max(0, ms), order: this.#order++, call };
    this.#push(event);
    return () => {
      event.call = undefined;
    };
  }

  /** Lets everything happen that is due within so many milliseconds. @throws Error when that has no end */
  run(ms: number): void {
    const end = this.now + ms;
    let count = 0;
    for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) {
      this.#pop();
      this.now = next.at;
      if (++count > EVENTS_MAX) throw new Error(`more than ${EVENTS_MAX} things happen within ${ms} ms`);
      next.call?.();
    }
    this.now = end;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isEarlier(event, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isEarlier(heap[below + 1]!, heap[below]!)) below++;
      if (!isEarlier(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
  }
}

function isEarlier(one: Event, other: Event): boolean {
  return one.at === other.at ? one.order < other.order : one.at < other.at;
}
