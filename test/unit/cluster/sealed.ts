/** Members that seal what they write, and do not believe what is not sealed. */
import { CheapSigner } from '../../../sim/signer.ts';
import type { Doubt } from '../../../src/store/admission.ts';
import type { Versioned } from '../../../src/store/crdt/record.ts';
import type { MemoryStore } from '../../../src/store/memory.ts';
import { Sealer } from '../../../src/store/seal.ts';
import { Hosts, type Node } from './world.ts';

const UUID = 'cluster';

export function sealerOf(id: string, linksMax?: number): Sealer {
  return new Sealer(new CheapSigner(id), UUID, linksMax);
}

/** `linksMax`: earlier transfers in a seal. */
export function sealedHosts(count: number, linksMax?: number): Hosts {
  return new Hosts(count, (store: MemoryStore) => {
    store.sealer = sealerOf(store.origin, linksMax);
    return {};
  });
}

/** What one host tells another one of what an origin wrote; why it is not believed. */
export function tell(from: Node, to: Node, origin = from.id, end?: number): Doubt | undefined {
  const range = from.store.range(origin, to.store.known(origin), undefined, end);
  return to.store.take([range]).doubt;
}

/** A range with one version, after all that is known of its origin. */
export function tellOne(version: Versioned, to: Node): Doubt | undefined {
  const { origin, sequence } = version;
  const from = to.store.known(origin);
  return to.store.take([{ origin, from, to: sequence, records: [version] }]).doubt;
}

/** Each has a sequence of its own. */
let forged = 0;

/** A version by a member that keeps no rule, sealed as well as it can: over `before`, or what it has of the key. */
export function forge(
  by: Node,
  version: Pick<Versioned, 'key' | 'class' | 'text' | 'rank'>,
  before?: Versioned,
): Versioned {
  const sequence = by.store.known(by.id) + ++forged;
  const whole = { ...version, origin: by.id, sequence };
  return { ...whole, seal: sealerOf(by.id).seal(whole, before ?? by.store.version(version.key)) };
}

/** That a host is another one's by this record. */
export function owned(
  key: string,
  rank: number,
  owner: string,
): Pick<Versioned, 'key' | 'class' | 'text' | 'rank'> {
  return { key, class: 'ownership', rank, text: `{"owner":"${owner}"}` };
}
