/** What hosts of a cluster tell each other: records of endpoints and addresses as the driver writes them. */
import { randomBytes } from 'node:crypto';
import type { Versioned } from '../src/store/crdt/record.ts';
import type { Ranges } from '../src/store/gossip/messages.ts';

/** What an operation writes: an address; an endpoint; both, as when Docker creates one; or it removes an endpoint. */
export type Operation = 'address' | 'endpoint' | 'both' | 'removal';

const POOL = 'default:10.1.0.0/16';
const hex = (bytes: number) => randomBytes(bytes).toString('hex');

/** That many operations of one host, whose ids are random as Docker's are, in one message. */
export function operations(kind: Operation, count: number, origin = hex(16)): Ranges {
  const network = hex(32);
  const incarnation = '5f0c7a52-1d7e-4f1b-9a55-0e6f1c2d3b4a-4026531840';
  const from = 90_000;
  const contents = Array.from({ length: count }, (_, at) => {
    const [id, address] = [hex(32), `10.1.${at >> 8}.${at & 255}`];
    const mac = `02:42:0a:01:${byte(at >> 8)}:${byte(at & 255)}`;
    const time = 1_795_000_000_000 + at * 1234;
    const allocation = { pool: POOL, address, use: 'endpoint', endpoint: id, since: time };
    const described = { id, network, address, mac, aliases: [], anycast: false };
    const sandbox = `/var/run/docker/netns/${hex(6)}`;
    const endpoint = { ...described, phase: 'joined', sandbox, incarnation, ports: [], createdAt: time };
    const ofAddress = [`allocation/${origin}/${POOL}/${address}`, JSON.stringify(allocation)] as const;
    const key = `endpoint/${origin}/${id}`;
    return {
      address: [ofAddress],
      endpoint: [[key, JSON.stringify(endpoint)] as const],
      both: [
        [key, JSON.stringify({ ...described, phase: 'created', ports: [], createdAt: time })] as const,
        ofAddress,
      ],
      removal: [[key, undefined] as const],
    }[kind];
  }).flat();
  const records = contents.map(([key, text], at): Versioned => {
    const sequence = from + at + 1;
    return { class: 'owned', key, text, origin, sequence, rank: sequence };
  });
  return { kind: 'ranges', ranges: [{ origin, from, to: from + records.length, records }] };
}

/** The same as text, for comparison. */
export function asJson({ ranges }: Ranges): string {
  return JSON.stringify(ranges.flatMap(({ records }) => records));
}

function byte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
