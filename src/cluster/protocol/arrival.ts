import { z } from 'zod';
import type { Replica } from '../../store/replica.ts';
import { bootKey, type Greeting, haltOf, judge } from './greeting.ts';
import type { Members } from './members.ts';
import type { Ground, Method } from './ports.ts';
import type { Standing } from './standing.ts';

const ASK_MS = 1000;
const AGAIN_MS = 1000;
/** How often another one with our identity may be connected before one is a clone: its connection may be dead. */
const TWICE_MAX = 180;
/** How often somebody who has had an objection is asked in vain before this host goes on without it. */
const SILENT_MAX = 30;
/** Of a large cluster so many are asked, chosen at random. */
const ASKED_MAX = 64;

const greetingSchema = z.object({ boot: z.string(), bootSequence: z.number().int().positive() });
const answerSchema = z.object({
  verdict: z.enum(['rollback', 'clone', 'gone', 'twice', 'frozen']).nullable(),
  /** For one that is not known as a member: who is gone, and the last of their writes that counts. */
  gone: z.array(z.object({ id: z.string(), seal: z.number().int().nonnegative() })).optional(),
});

/**
 * The first words of each start: every member is asked whether it knows more of this host than its own disk does, before
 * this host tells or gives anything. Those that cannot be reached are not waited for, so that a host alone goes on alone;
 * but for a while for those that had an objection before.
 */
export class Arrival {
  readonly #replica: Replica;
  readonly #members: Members;
  readonly #standing: Standing;
  readonly #ground: Ground;
  readonly #boot: string;
  readonly #boots: (member: string) => Iterable<string>;
  #greeting: Greeting | undefined;
  #twice = 0;
  #silent = 0;
  #isFirst = true;
  #stopped = false;
  #cancel = () => {};

  constructor(parts: {
    replica: Replica;
    members: Members;
    standing: Standing;
    ground: Ground;
    boot: string;
    boots: (member: string) => Iterable<string>;
  }) {
    this.#replica = parts.replica;
    this.#members = parts.members;
    this.#standing = parts.standing;
    this.#ground = parts.ground;
    this.#boot = parts.boot;
    this.#boots = parts.boots;
    // With nobody to ask there is nothing to wait for.
    if (this.#others().length === 0) this.#standing.arrived();
    this.#begin();
  }

  /** What this host says of itself to others. Undefined until this start is on disk: nobody can be called before. */
  get greeting(): Greeting | undefined {
    return this.#greeting;
  }

  /** `greet`: what this host knows of one that has just started. */
  readonly serve: Method = (from, body, done) => {
    const greeting = { id: from, ...greetingSchema.parse(body) };
    const verdict = judge(greeting, this.#replica, this.#members, this.#boots(from));
    const frozen = verdict === undefined && this.#standing.frozen(from) ? 'frozen' : null;
    const gone = [...this.#members.allGone()].map(({ id, seal }) => ({ id, seal }));
    const isKnown = this.#members.get(from) !== undefined;
    done(undefined, { body: { verdict: verdict ?? frozen, ...(!isKnown && { gone }) } });
  };

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #begin(): void {
    const change = { key: bootKey(this.#replica.origin), value: { boot: this.#boot } };
    this.#replica.write([change], (error, [entry] = []) => {
      if (this.#stopped) return;
      if (error || !entry) {
        if (error) this.#standing.unwritten(error);
        return this.#later(() => this.#begin());
      }
      const bootSequence = entry.version.sequence;
      this.#greeting = { id: this.#replica.origin, boot: this.#boot, bootSequence };
      this.#standing.booted(bootSequence);
      this.#ask(this.#others());
    });
  }

  #ask(members: readonly string[]): void {
    const { boot, bootSequence } = this.#greeting!;
    const again: string[] = [];
    let left = members.length;
    let isTwice = false;
    let isSilent = true;
    const isWaiting = !this.#isFirst && this.#silent < SILENT_MAX;
    this.#isFirst = false;
    if (left === 0) this.#standing.arrived();
    for (const member of members) {
      this.#ground.calls.ask(member, 'greet', { boot, bootSequence }, ASK_MS, (error, answer) => {
        if (this.#stopped) return;
        const said = error ? undefined : answerSchema.safeParse(answer?.body).data;
        const verdict = said?.verdict ?? undefined;
        const isPassed = said?.gone?.some(({ id, seal }) => this.#replica.known(id) > seal);
        const halt = this.#standing.halted ?? haltOf(verdict) ?? (isPassed ? 'passed' : undefined);
        if (halt) return this.#standing.halt(halt);
        if (verdict === 'twice') isTwice = true;
        if (!error) isSilent = false;
        if (verdict || (error && isWaiting)) again.push(member);
        if (--left > 0) return;
        this.#silent = isSilent ? this.#silent + 1 : 0;
        this.#asked(again, isTwice);
      });
    }
  }

  #asked(again: readonly string[], isTwice: boolean): void {
    if (isTwice && ++this.#twice === TWICE_MAX) return this.#standing.halt('clone');
    if (again.length === 0) this.#standing.arrived();
    else this.#later(() => this.#ask(again));
  }

  #others(): string[] {
    const others = this.#members
      .present()
      .map(({ id }) => id)
      .filter((id) => id !== this.#replica.origin);
    while (others.length > ASKED_MAX) others.splice(Math.floor(this.#ground.random() * others.length), 1);
    return others;
  }

  #later(call: () => void): void {
    this.#cancel = this.#ground.timer.after(AGAIN_MS, () => {
      if (!this.#stopped) call();
    });
  }
}
