import { z } from 'zod';
import type { Clock } from '../ports/clock.ts';
import type { Json } from '../ports/store.ts';
import type { ClusterNode } from './node.ts';
import { SPONSOR, sponsorOf } from './sponsor.ts';

const ASK_MS = 2000;
const AGAIN_MS = 500;

/** A newcomer that has its certificate: asks to be let in, of whoever decides that now, until it is a member. */
export class Applying {
  readonly #node: ClusterNode;
  readonly #body: Json;
  readonly #clock: Clock;
  #cancel = () => {};
  #stopped = false;

  /** `key`: the public one, base64 of its SPKI. */
  constructor(node: ClusterNode, { key, name, clock }: { key: string; name: string; clock: Clock }) {
    this.#node = node;
    this.#body = { id: node.replica.origin, key, name };
    this.#clock = clock;
    this.#ask();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #ask(): void {
    const { replica, cluster, connections } = this.#node;
    const sponsor = sponsorOf(replica);
    if (!sponsor || this.#stopped || cluster.members.get(replica.origin)) return;
    connections.ask(sponsor.id, 'admit', this.#body, ASK_MS, (error, answer) => {
      const other = z.object({ sponsor: z.string() }).safeParse(answer?.body).data?.sponsor;
      if (error || other === undefined) return this.#again();
      connections.ask(sponsor.id, 'where', { id: other }, ASK_MS, (_, there) => {
        const place = z.object({ address: z.string(), port: z.number() }).safeParse(there?.body).data;
        if (!place) return this.#again();
        replica.write([{ key: SPONSOR, value: { id: other, ...place } }], () => this.#again());
      });
    });
  }

  #again(): void {
    if (!this.#stopped) this.#cancel = this.#clock.after(AGAIN_MS, () => this.#ask());
  }
}
