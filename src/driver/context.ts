import type { Cluster } from '../cluster/protocol/cluster.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Address } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import type { State } from '../plan/state.ts';
import type { Clock } from '../ports/clock.ts';
import type { Listener } from '../ports/kernel.ts';
import type { Log } from '../ports/log.ts';
import type { LearnedRoute } from '../ports/speaker.ts';
import type { Store } from '../ports/store.ts';
import type { PoolSpaces } from './spaces.ts';

/** What the use-cases work with. */
export interface Context {
  readonly store: Store;
  readonly state: State;
  /** Who owns which chunk of a pool's addresses. */
  readonly cluster: Cluster;
  readonly spaces: PoolSpaces;
  readonly clock: Clock;
  readonly log: Log;
  /** Ids of the logical networks that the daemon has Docker make now: nobody else has copies made. */
  readonly making: Set<string>;
  /** Blocks that automatic pools are cut from. */
  readonly automatic: readonly Prefix[];
  /** A number that differs by host, for choices that hosts make without asking each other. */
  readonly spread: bigint;
  /** How long a freed address rests, in milliseconds. */
  readonly restMs: number;
  /** Changes with a reboot; see HostFacts. */
  readonly incarnation: () => string;
  /** Whether what the endpoint was joined to still exists. Bounded, never asks Docker. */
  readonly alive: (endpoint: Endpoint) => boolean;
  /** Whether its sandbox is there; that it is only on its way, as alive() presumes for some time, does not count. */
  readonly present: (endpoint: Endpoint) => boolean;
  /** The endpoint is about to be joined to a sandbox that may appear only later. */
  readonly expect: (endpoint: string) => void;
  /** Who in the fabric announces exactly this address, if somebody does. */
  readonly holder: (address: Address) => LearnedRoute | undefined;
  /** Why containers cannot have the address on this host, for a message: it is the host's, its router's, on its links. */
  readonly claimed: (address: Address) => string | undefined;
  /** Who listens on ports of the host; see Kernel. */
  readonly listeners: (port?: number) => Promise<readonly Listener[]>;
  /** Waits until the host is as planned for the endpoint. @throws CodedError */
  readonly settled: (endpoint: string, ms: number) => Promise<void>;
  /** The endpoint changed; nobody waits. */
  readonly mark: (endpoint: string) => void;
}
