import type { Tracker } from '../plan/tracker.ts';
import type { Clock } from '../ports/clock.ts';
import type { Operation, Target } from '../ports/target.ts';
import { Lane } from './lane.ts';

export interface BackgroundOptions<R> {
  /** What the work on a resource may hang with. Work of one group is done by one call, that of several at once. */
  readonly groupOf: (resource: R) => string;
  /** Groups that are worked on at the same time. */
  readonly atOnce: number;
  /** Whether what an operation stands on is there. Asked again at each kick. */
  readonly ready: (operation: Operation<R>) => boolean;
  /** These have been tried, well or not. */
  readonly changed: (keys: readonly string[]) => void;
}

/** The work of one group that is under way. */
interface Work {
  /** It failed before. */
  readonly again: boolean;
  /** Keys of which something was heard since it began, that may be what it fails for. */
  readonly hurried: Set<string>;
}

/**
 * A lane beside the passes, for work that may be slow or hang: nobody waits for it. It starts what is due at each
 * kick, and keeps its own timer for what has failed.
 */
export class BackgroundLane<R extends { readonly kind: string }> extends Lane<R> {
  readonly #options: BackgroundOptions<R>;
  readonly #clock: Clock;
  readonly #working = new Map<string, Work>();
  #cancel: () => void = () => {};
  #closed = false;

  constructor(
    name: string,
    tracker: Tracker<R>,
    target: Pick<Target<R>, 'apply'>,
    clock: Clock,
    options: BackgroundOptions<R>,
  ) {
    super(name, tracker, target, clock);
    this.#clock = clock;
    this.#options = options;
  }

  /** Starts what is due and ready, as far as there is room. */
  kick(): void {
    if (this.#closed) return;
    const { groupOf, ready, atOnce } = this.#options;
    const due = this.due((one) => !this.#working.has(groupOf(one.resource)) && ready(one));
    const groups = [...Map.groupBy(due, ({ resource }) => groupOf(resource))];
    const failed = (operations: readonly Operation<R>[]) =>
      operations.some(({ key }) => this.failures.has(key));
    // Many that hang hold up nobody new: what has failed before goes last, and gets half of the room.
    const [again, fresh] = [true, false].map((is) => groups.filter(([, all]) => failed(all) === is));
    for (const [group, operations] of fresh ?? []) {
      if (this.#working.size < atOnce) void this.#work(group, operations, false);
    }
    for (const [group, operations] of again ?? []) {
      const tried = [...this.#working.values()].filter((work) => work.again).length;
      if (this.#working.size < atOnce && tried < atOnce / 2) void this.#work(group, operations, true);
    }
    this.#schedule();
  }

  override hurry(among: (key: string) => boolean = () => true): void {
    super.hurry(among);
    for (const [group, { hurried }] of this.#working) {
      for (const { key, resource } of this.tracker.pending(among)) {
        if (this.#options.groupOf(resource) === group) hurried.add(key);
      }
    }
  }

  /** Starts nothing more. What is under way ends with its target. */
  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  async #work(group: string, operations: readonly Operation<R>[], again: boolean): Promise<void> {
    const work: Work = { again, hurried: new Set() };
    this.#working.set(group, work);
    await this.apply(operations);
    this.#working.delete(group);
    super.hurry((key) => work.hurried.has(key));
    if (this.#closed) return;
    this.#options.changed(operations.map(({ key }) => key));
    this.kick();
  }

  /** Comes back when the next pause is over. What is due already waits for room or for what it stands on. */
  #schedule(): void {
    this.#cancel();
    this.nextRetry(); // forgets what is not to be tried again
    const now = this.#clock.now();
    const later = [...this.failures.values()].map(({ retryAt }) => retryAt).filter((at) => at > now);
    if (later.length > 0) this.#cancel = this.#clock.after(Math.min(...later) - now, () => this.kick());
  }
}
