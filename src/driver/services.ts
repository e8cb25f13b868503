import type { ClusterFacts } from '../cluster/membership/facts.ts';
import type { CodedError } from '../errors.ts';
import type { HostView } from '../plan/endpoint.ts';
import type { State } from '../plan/state.ts';
import type { Clock } from '../ports/clock.ts';
import type { Docker } from '../ports/docker.ts';
import type { Firewall } from '../ports/firewall.ts';
import type { HostFacts, Kernel } from '../ports/kernel.ts';
import type { Log } from '../ports/log.ts';
import type { Identity, Speaker } from '../ports/speaker.ts';
import type { Store } from '../ports/store.ts';
import type { Learned } from '../reconcile/learned.ts';
import type { Mesh } from '../reconcile/mesh.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import type { Driver } from './driver.ts';
import type { Janitor } from './janitor.ts';
import type { Propagation } from './propagation.ts';

/** A running daemon's parts, for those who show them: the operator api. */
export interface Services {
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Pick<Store, 'get' | 'slice'>;
  readonly state: State;
  readonly driver: Driver;
  readonly janitor: Janitor;
  /** The networks of others that this host is to have. */
  readonly propagation: Pick<Propagation, 'obstacles'>;
  readonly reconciler: Reconciler;
  readonly learned: Learned;
  /** The sessions with other hosts of the cluster. */
  readonly mesh: Pick<Mesh, 'plan' | 'sessions' | 'isYoung'>;
  readonly kernel: Kernel;
  readonly firewall: Firewall;
  readonly speaker: Speaker;
  readonly docker: Docker;
  /** How this host is in its cluster. */
  readonly membership: { describe(): ClusterFacts };
  /** Whether others may have been given what it had. */
  readonly standing: () => { readonly out: boolean };
  /** Who this host is to its peers; undefined while it has no address to make a router id of. */
  readonly identity: () => Identity | undefined;
  /** Whether the address that the router id was made of is gone. */
  readonly identityStale: () => boolean;
  readonly facts: () => HostFacts;
  readonly host: () => HostView;
  readonly storeCounts: () => {
    readonly commits: number;
    readonly refused: number;
    readonly observerFailures: number;
    readonly failed: number;
    readonly conflicts: number;
    /** Taken over from other hosts. */
    readonly merged: number;
  };
  /** Why the disk refused the store's last write; nothing while it takes them. */
  readonly storeRefusal: () => CodedError | undefined;
  /** How many records there are. */
  readonly storeRecords: () => number;
  /** What there is of each host's writes, to compare replicas by. */
  readonly storeDigest: () => Promise<
    readonly {
      readonly origin: string;
      /** Up to which of its writes all is known. */
      readonly known: number;
      /** How many of its records stand, and a hash over them. */
      readonly records: number;
      readonly hash: string;
    }[]
  >;
  readonly paths: {
    readonly stateDir: string;
    readonly runDir: string;
    readonly pluginDir: string;
    readonly dockerSocket: string;
    /** Executable of the supervised engine; absent when others run it. */
    readonly gobgpd?: string | undefined;
  };
}
