import { type Clock, wallOf } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Channel } from '../../store/gossip/tls/channel.ts';
import { answerEnquiry } from '../../store/gossip/tls/enquiry.ts';
import { serveJoin } from '../../store/gossip/tls/issuer.ts';
import type { Replica } from '../../store/replica.ts';
import type { Authority } from '../../store/trust/authority.ts';
import { CertifiedCredentials } from '../../store/trust/certified.ts';
import type { Credentials } from '../../store/trust/credentials.ts';
import type { Membership as Certificates } from '../../store/trust/folder.ts';
import type { Identity } from '../../store/trust/identity.ts';
import type { Secrets } from '../../store/trust/secretfile.ts';
import { SharedCredentials } from '../../store/trust/shared.ts';
import type { Cluster } from '../protocol/cluster.ts';
import { RecordTickets } from './tickets.ts';

/** How a member shows that it belongs to the cluster, and what it does for those that are to. */
export interface Trust {
  /** What it shows at its start; others later by ClusterNode.use. */
  readonly credentials: Credentials;
  /** Whether it holds the key of the cluster's authority. */
  readonly holdsKey: () => boolean;
  /** With its key, where it holds that. */
  readonly authority: () => Authority | undefined;
  /** Serves one that connects as a newcomer. */
  readonly serve: (
    channel: Channel,
    member: { replica: Replica; cluster: Cluster | undefined },
  ) => Promise<void>;
}

interface Common {
  readonly identity: Identity;
  readonly clock: Clock;
}

/** In a cluster with an authority. */
export function certifiedTrust(
  given: Common & { certificates: Certificates; authority: () => Authority | undefined; log: Log },
): Trust {
  const { certificates, authority, clock, log } = given;
  return {
    credentials: certified(given, certificates),
    holdsKey: () => authority() !== undefined,
    authority,
    serve: async (channel, { replica }) => {
      const id = await serveJoin(channel, {
        certificate: certificates.authority,
        authority,
        tickets: new RecordTickets(replica),
        refused: (one) => replica.get(`gone/${one}`) !== undefined,
        now: () => wallOf(clock),
      });
      log.info({ id }, 'gave a certificate to a host that joins');
    },
  };
}

export function certified({ identity, clock }: Common, certificates: Certificates): Credentials {
  // Who is gone is told so when it says hello.
  return new CertifiedCredentials({
    identity,
    ...certificates,
    refused: () => false,
    now: () => wallOf(clock),
  });
}

/** In a cluster whose members share a secret: who is to join asks only whether a member is here. */
export function sharedTrust(identity: Identity, secrets: Secrets): Trust {
  return {
    credentials: shared(identity, secrets),
    holdsKey: () => false,
    authority: () => undefined,
    serve: async (channel, { replica, cluster }) => {
      const { origin: id } = replica;
      const founder =
        cluster?.members.isPresent(id) && !cluster.standing.halted ? cluster.members.founder() : undefined;
      answerEnquiry(channel, { id, founder });
    },
  };
}

export function shared(identity: Identity, secrets: Secrets): Credentials {
  return new SharedCredentials({ identity, secrets, refused: () => false });
}
