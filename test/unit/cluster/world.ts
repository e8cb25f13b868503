import { Cluster, type ClusterOptions } from '../../../src/cluster/protocol/cluster.ts';
import { CLUSTER_CLASSES } from '../../../src/cluster/protocol/namespaces.ts';
import type { Ground } from '../../../src/cluster/protocol/ports.ts';
import type { Space } from '../../../src/cluster/protocol/spaces.ts';
import { CodedError } from '../../../src/errors.ts';
import { NAMESPACES } from '../../../src/plan/namespaces.ts';
import type { Json } from '../../../src/ports/store.ts';
import { MemoryDisk, MemoryStore } from '../../../src/store/memory.ts';

export const SPACE = { domain: 'tenant/default', size: '64', chunk: 4 };

/** One member on a memory store. */
export interface Node {
  readonly id: string;
  readonly store: MemoryStore;
  readonly cluster: Cluster;
  /** Requests to it are lost. */
  deaf: boolean;
  restart(): Node;
}

/** What happens next, and time: nothing happens but when `run` is called. */
export class Hosts {
  readonly time = { now: 1_000_000 };
  /** By how much the clocks of the hosts were set, in milliseconds. */
  setMs = 0;
  readonly nodes: Node[] = [];
  /** Whether requests of a method are lost. */
  loses: (method: string) => boolean = () => false;
  /** How long a host takes to answer a request of a method, in milliseconds. */
  takes: (host: string, method: string) => number = () => 0;
  /** Whether what is answered to a request of a method arrives. */
  answers: (method: string) => boolean = () => true;
  /** Told of what a host warns of; by default that is a failure. */
  warned: (what: object) => void = assertNever;
  #due: (() => void)[] = [];
  #timers: { at: number; call: () => void }[] = [];
  readonly #options: (store: MemoryStore) => Partial<ClusterOptions>;

  /** So many complete members; the first one is the founder, and has the treasury. */
  constructor(
    count: number,
    options: Partial<ClusterOptions> | ((store: MemoryStore) => Partial<ClusterOptions>) = {},
  ) {
    this.#options = typeof options === 'function' ? options : () => options;
    for (let number = 1; number <= count; number++) {
      const id = `${number}`.repeat(32);
      this.nodes.push(this.#node(new MemoryStore(this.#disk(id))));
    }
    const members = this.nodes.map(({ id }, index) => ({
      key: `member/${id}`,
      value: { number: index + 1, key: id, complete: true, name: `h${index + 1}` },
    }));
    this.at(0).store.write([...members, { key: 'space/s', value: SPACE }], () => {});
    this.gossip();
  }

  /** A host that is no member. */
  newcomer(): Node {
    const node = this.#node(new MemoryStore(this.#disk(`${this.nodes.length + 1}`.repeat(32))));
    this.nodes.push(node);
    return node;
  }

  at(index: number): Node {
    return this.nodes[index]!;
  }

  space(index: number, id = 's'): Space {
    return this.at(index).cluster.spaces.get(id)!;
  }

  /** Lets happen what is due now. */
  run(): void {
    for (let next = this.#due.shift(); next; next = this.#due.shift()) next();
  }

  /** Lets time pass. */
  pass(ms: number): void {
    const end = this.time.now + ms;
    for (;;) {
      this.run();
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.time.now = next.at;
      next.call();
    }
    this.time.now = end;
  }

  /** Everybody hears all that everybody knows. */
  gossip(): void {
    this.run();
    for (let round = 0; round < 2; round++)
      for (const from of this.nodes)
        for (const to of this.nodes) {
          const ranges = [...from.store.vector.keys()].map((origin) =>
            from.store.range(origin, to.store.known(origin)),
          );
          if (from !== to) to.store.merge(ranges);
          this.run();
        }
  }

  /** What a call that ends with an error or without one has ended with. */
  ended(call: (done: (error: CodedError | undefined) => void) => void): string {
    let answer = 'nothing';
    call((error) => {
      answer = error ? error.message : 'done';
    });
    this.run();
    return answer;
  }

  /** Calls back when so much time has passed. */
  readonly after = (ms: number, call: () => void): (() => void) => {
    const timer = { at: this.time.now + ms, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  };

  /** What a promise comes to, with time passing as long as it needs any. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const noted = promise.finally(() => {
      settled = true;
    });
    noted.catch(() => {});
    for (let turn = 0; !settled; turn++) {
      this.run();
      await new Promise(setImmediate);
      if (turn > 3) this.pass(100);
    }
    return noted;
  }

  #disk(id: string) {
    return {
      classes: new Map([...CLUSTER_CLASSES, ...NAMESPACES]),
      wallMs: () => this.time.now,
      schedule: (flush: () => void) => void this.#due.push(flush),
      disk: new MemoryDisk(id),
    };
  }

  #node(store: MemoryStore): Node {
    const id = store.origin;
    const calls: Ground['calls'] = {
      ask: (member, method, body, ms, done) => {
        let answered = false;
        const once: typeof done = (error, answer) => {
          if (!answered) done(error, answer);
          answered = true;
        };
        const unreachable = new CodedError('NR_MEMBER_UNREACHABLE', `${member} does not answer`);
        this.#timers.push({ at: this.time.now + ms, call: () => once(unreachable) });
        const to = this.nodes.find((one) => one.id === member);
        const copy = JSON.parse(JSON.stringify(body)) as Json;
        this.#due.push(() => {
          if (to && !to.deaf && !this.loses(method))
            to.cluster.serve(method, id, copy, (error, answer) => {
              if (!this.answers(method)) return;
              const call = () => once(error, answer);
              const ms = this.takes(member, method);
              if (ms === 0) this.#due.push(call);
              else this.#timers.push({ at: this.time.now + ms, call });
            });
        });
      },
    };
    const cluster = new Cluster({
      replica: store,
      ground: {
        calls,
        timer: {
          now: () => this.time.now,
          wall: () => this.time.now + this.setMs,
          after: this.after,
        },
        random: () => 0.5,
        log: { warn: (what) => this.warned(what), info: () => {} },
      },
      boot: `boot-${this.time.now}`,
      restMs: 60_000,
      isUsed: () => true,
      links: () => this.nodes.map(({ id: other }) => other).filter((other) => other !== id),
      ...this.#options(store),
    });
    const node: Node = {
      id,
      store,
      cluster,
      deaf: false,
      restart: () => {
        cluster.stop();
        const again = this.#node(store.crash());
        this.nodes[this.nodes.indexOf(node)] = again;
        return again;
      },
    };
    return node;
  }
}

/** Holds back what a host answers to a method, until it is let go. */
export function holdAnswers({ cluster }: Node, method: string): () => void {
  const held: (() => void)[] = [];
  const { serve } = cluster;
  Object.assign(cluster, {
    serve: (...[asked, from, body, done]: Parameters<typeof serve>) =>
      serve(asked, from, body, (error, answer) => {
        const give = () => done(error, answer);
        if (asked === method) held.push(give);
        else give();
      }),
  });
  return () => {
    Object.assign(cluster, { serve });
    for (const give of held.splice(0)) give();
  };
}

function assertNever(what: object): never {
  throw (what as { err?: Error }).err ?? new Error(JSON.stringify(what));
}
