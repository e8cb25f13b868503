import type { State } from '../plan/state.ts';
import type { Json } from '../ports/store.ts';
import { record } from './record.ts';

/** A record of this host's own, without the host's id in its key. */
interface Kept {
  readonly namespace: string;
  readonly id: string;
  readonly value: Json;
}

/**
 * What a host that was forgotten takes along when it comes back as another one: what its Docker has. Its addresses are
 * not its own any more, so that each endpoint has to be given them again.
 */
export function keptOf(state: State): Kept[] {
  const networks = [...state.networks.entries()].map(([id, one]) => ['network', id, one] as const);
  const uses = [...state.poolUses.entries()].map(([id, one]) => ['pool-use', id, one] as const);
  const declined = [...state.declined.entries()].map(([id, one]) => ['declined', id, one] as const);
  const endpoints = [...state.endpoints.entries()].map(([id, one]) => {
    const unconfirmed = state.claimed(one);
    return ['endpoint', id, unconfirmed.length > 0 ? { ...one, unconfirmed } : one] as const;
  });
  return [...networks, ...uses, ...declined, ...endpoints].map(([namespace, id, value]) => ({
    namespace,
    id,
    value: record(value) as Json,
  }));
}
