import { z } from 'zod';
import type { Clock } from '../../ports/clock.ts';
import type { Json } from '../../ports/store.ts';
import type { Sponsor } from '../../store/trust/folder.ts';
import { type ClusterNode, placeSchema } from '../node/node.ts';
import { sponsorChange, sponsorOf } from '../node/sponsor.ts';

const ASK_MS = 2000;
const AGAIN_MS = 500;

/** A newcomer that has its certificate: asks to be let in, of whoever decides that now, until it is a member. */
export class Applying {
  readonly #node: ClusterNode;
  readonly #body: Json;
  readonly #clock: Clock;
  #cancel = () => {};
  #times = 0;
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
    const { replica, cluster } = this.#node;
    const sponsor = sponsorOf(replica);
    if (!sponsor || this.#stopped || cluster.members.get(replica.origin)) return;
    this.#askOf(sponsor, sponsor.id);
  }

  #askOf(sponsor: Sponsor, member: string): void {
    const { replica, connections } = this.#node;
    connections.ask(member, 'admit', this.#body, ASK_MS, (error, answer) => {
      const other = z.object({ sponsor: z.string() }).safeParse(answer?.body).data?.sponsor;
      // Its place may have been taken by another one: whoever can be reached knows who decides now.
      if (error && member === sponsor.id) return this.#askAnother(sponsor);
      if (error || other === undefined) return this.#again();
      connections.ask(member, 'where', { id: other }, ASK_MS, (_, there) => {
        const place = placeSchema.safeParse(there?.body).data;
        if (!place) return this.#again();
        const { address, port } = place;
        const next = sponsorChange({ id: other, address, port, founder: sponsor.founder });
        replica.write([next], () => this.#again());
      });
    });
  }

  #askAnother(sponsor: Sponsor): void {
    const others = [...this.#node.connections.peers.keys()].filter((id) => id !== sponsor.id);
    const other = others[this.#times++ % Math.max(1, others.length)];
    if (other === undefined || this.#stopped) return this.#again();
    this.#askOf(sponsor, other);
  }

  #again(): void {
    if (!this.#stopped) this.#cancel = this.#clock.after(AGAIN_MS, () => this.#ask());
  }
}
