import type { Hello } from '../../store/gossip/messages.ts';
import type { Connection } from '../../store/gossip/transport.ts';
import type { GossipLink } from '../gossip/gossip.ts';

/** A connection after both have said hello. */
export interface Session {
  readonly connection: Connection;
  readonly peer: string;
  readonly hello: Hello;
  readonly since: number;
  /** Present on one that is kept. */
  readonly link: GossipLink | undefined;
  lastUse: number;
  /** A request on it went without answer, and nothing else has come since. */
  isSuspect: boolean;
}

/** Who waits for a session: undefined when none came about. */
export type Found = (session: Session | undefined) => void;
