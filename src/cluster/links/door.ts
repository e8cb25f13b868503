import { type Clock, wallOf } from '../../ports/clock.ts';
import type { Hello } from '../../store/gossip/messages.ts';
import type { Replica } from '../../store/replica.ts';
import type { Cluster } from '../protocol/cluster.ts';
import { haltOf, judge, type Verdict } from '../protocol/greeting.ts';

/** Version of the protocol that this release speaks. */
const PROTOCOL = 1;
/** For how long nobody is linked with a member that has told what is not true: it would tell the same again. */
const DISTRUSTED_MS = 60_000;

/** What a host is told about itself, by which code. */
const CODES = {
  gone: 'NR_MEMBER_GONE',
  passed: 'NR_MEMBER_PASSED',
  clone: 'NR_MEMBER_CLONED',
  rollback: 'NR_MEMBER_ROLLED_BACK',
  twice: 'NR_MEMBER_BUSY',
  frozen: 'NR_MEMBER_BUSY',
} as const satisfies Record<Verdict, string>;

/** What somebody is told last. */
export interface Farewell {
  readonly code: string;
  readonly what: string;
}

/** Why somebody is not let in: a word for it, and what it is told. */
export interface Objection extends Farewell {
  readonly reason: string;
}

interface Options {
  /** Id of this host, and UUID of its cluster. */
  readonly self: string;
  readonly uuid: string;
  readonly replica: Replica;
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** Who made the cluster; undefined until that is known. */
  readonly founder: () => string | undefined;
}

/** What decides who comes in, by its first words, and says this host's own. */
export class Door {
  readonly #options: Options;
  /** When a member has told what is not true. */
  readonly #distrusted = new Map<string, number>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Whether this start is on disk: nobody can be called, or come in, before. */
  get isOpen(): boolean {
    return this.#options.cluster.arrival.greeting !== undefined;
  }

  /** What this host says first, once the door is open. */
  hello(purpose: Hello['purpose']): Hello {
    const { cluster, clock, uuid } = this.#options;
    const greeting = cluster.arrival.greeting!;
    const founder = this.#options.founder();
    const wallMs = Math.round(wallOf(clock));
    const hello = { protocol: PROTOCOL, cluster: uuid, ...greeting, purpose, wallMs };
    return { kind: 'hello', ...hello, ...(founder !== undefined && { founder }) };
  }

  /** Whether it is this very host, as one of its seeds may be. */
  isMyself(peer: string, { id, boot }: Hello): boolean {
    const { self, cluster } = this.#options;
    return peer === self && id === self && boot === cluster.arrival.greeting?.boot;
  }

  /**
   * Why somebody whose id is proven to be `peer` may not come in; undefined if it may. This host stops if it is a copy of
   * itself. `boots`: those of that id that a connection is open with.
   */
  objection(peer: string, hello: Hello, boots: Iterable<string>): Objection | undefined {
    const { self, uuid, replica, cluster } = this.#options;
    const { members, standing } = cluster;
    const refused = (reason: string, what: string) => ({ reason, code: 'NR_MEMBER_REFUSED', what });
    if (hello.cluster !== uuid) return refused('cluster', 'another cluster');
    if (hello.id !== peer) return refused('identity', 'not the id that was proven');
    if (hello.protocol < PROTOCOL) return refused('protocol', 'a protocol that is no longer spoken');
    const founder = this.#options.founder();
    // Made twice, with one secret: their addresses have nothing to do with each other.
    if (founder !== undefined && hello.founder !== undefined && founder !== hello.founder)
      return refused('founder', 'a cluster that another host has made');
    if (hello.id === self) {
      standing.halt('clone');
      return { reason: 'clone', code: CODES.clone, what: 'this is my own identity' };
    }
    const verdict = judge(hello, replica, members, boots);
    // For requests a second one may come in: it asks what others know of it.
    if (verdict && (haltOf(verdict) || hello.purpose === 'link'))
      return { reason: verdict, ...farewell(peer, verdict) };
    if (hello.purpose !== 'link') return undefined;
    if (standing.frozen(peer) || standing.starting) {
      const what = `${peer} is being forgotten, or this host has just started`;
      return { reason: 'busy', code: 'NR_MEMBER_BUSY', what };
    }
    if (!this.isDistrusted(peer)) return undefined;
    const what = `${peer} has told what is not true a moment ago`;
    return { reason: 'distrusted', code: 'NR_RECORD_FORGED', what };
  }

  /** A member has told what is not true. */
  distrust(member: string): void {
    this.#distrusted.set(member, this.#options.clock.now());
  }

  isDistrusted(member: string): boolean {
    const at = this.#distrusted.get(member) ?? Number.NEGATIVE_INFINITY;
    return this.#options.clock.now() - at < DISTRUSTED_MS;
  }

  /** This host stops if that is what a member has told it of itself. */
  told(code: string): void {
    const halt = haltOf((Object.keys(CODES) as Verdict[]).find((one) => CODES[one] === code));
    if (halt) this.#options.cluster.standing.halt(halt);
  }
}

/** What a member is told that counts as this. */
export function farewell(member: string, verdict: Verdict): Farewell {
  return { code: CODES[verdict], what: `${member} counts as ${verdict}` };
}
