/** What containers that come and go write. */
import { randomBytes } from 'node:crypto';
import type { Change } from '../../src/ports/store.ts';

/** How many of them a host has at a time. */
const STANDING = 50;

/** One change after the other: endpoints are made, and from some number on the oldest goes before the next comes. */
export function churn(origin: string): () => Change {
  const standing: string[] = [];
  const network = randomBytes(32).toString('hex');
  let count = 0;
  return () => {
    if (standing.length === STANDING) return { key: standing.shift()! };
    const id = randomBytes(32).toString('hex');
    const key = `endpoint/${origin}/${id}`;
    standing.push(key);
    const [high, low] = [(++count >> 8) & 255, count & 255];
    return {
      key,
      value: {
        id,
        network,
        address: `10.1.${high}.${low}`,
        mac: `02:42:0a:01:${byte(high)}:${byte(low)}`,
        aliases: [],
        anycast: false,
        phase: 'created',
        ports: [],
        createdAt: Date.now(),
      },
    };
  };
}

function byte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
