import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { CodedError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { serveJoin } from '../store/gossip/tls/issuer.ts';
import { TlsTransport } from '../store/gossip/tls/transport.ts';
import type { Replica } from '../store/replica.ts';
import type { Authority } from '../store/trust/authority.ts';
import { CertifiedCredentials } from '../store/trust/certified.ts';
import type { Membership as Certificates } from '../store/trust/folder.ts';
import type { Identity } from '../store/trust/identity.ts';
import { Cluster } from './cluster.ts';
import { Connections, type Place } from './connections.ts';
import { Gossip } from './gossip/gossip.ts';
import type { Ground, Method } from './ports.ts';
import { RecordTickets } from './tickets.ts';

const placeSchema = z.looseObject({ address: z.string(), port: z.number().int().positive() });
const sponsorSchema = placeSchema.extend({ id: z.string() });

/** Where a newcomer has been let in: `id` is who decides on it, as far as it knows. */
export type Sponsor = z.infer<typeof sponsorSchema>;
export const SPONSOR = 'self/sponsor';

export interface ClusterNodeOptions {
  readonly identity: Identity;
  readonly certificates: Certificates;
  /** The cluster's key, while this host holds it. */
  readonly authority: () => Authority | undefined;
  readonly replica: Replica;
  readonly clock: Clock;
  /** At least 0, below 1. */
  readonly random: () => number;
  readonly log: Log;
  /** Where to listen; port 0 for any. */
  readonly listen: Place;
  /** Where others reach this host, if that is another address. */
  readonly advertised?: string | undefined;
  readonly seeds: readonly Place[];
  /** What members ask this host for besides the protocol. */
  readonly methods: ReadonlyMap<string, Method>;
  readonly restMs: number;
  readonly isUsed: (space: string) => boolean;
}

/** A member's running part: its connections, and the protocol on them. */
export class ClusterNode {
  readonly replica: Replica;
  readonly cluster: Cluster;
  readonly connections: Connections;
  readonly place: Place;
  readonly #gossip: Gossip;
  readonly #transport: TlsTransport;

  private constructor(
    parts: Pick<ClusterNode, 'replica' | 'cluster' | 'connections' | 'place'>,
    gossip: Gossip,
    transport: TlsTransport,
  ) {
    this.replica = parts.replica;
    this.cluster = parts.cluster;
    this.connections = parts.connections;
    this.place = parts.place;
    this.#gossip = gossip;
    this.#transport = transport;
  }

  /** @throws Error of the network, such as EADDRINUSE; NR_STORE_FAILED */
  static async start(options: ClusterNodeOptions): Promise<ClusterNode> {
    const { identity, certificates, authority, replica, clock, random, log, listen, seeds } = options;
    const isGone = (id: string) => replica.get(`gone/${id}`) !== undefined;
    const credentials = new CertifiedCredentials({
      identity,
      ...certificates,
      // Who is gone is told so when it says hello.
      refused: () => false,
      now: () => clock.now(),
    });
    const transport = new TlsTransport({
      credentials,
      clock,
      log,
      join: async (channel) => {
        const id = await serveJoin(channel, {
          certificate: certificates.authority,
          authority,
          tickets: new RecordTickets(replica),
          refused: isGone,
          now: () => clock.now(),
        });
        log.info({ id }, 'gave a certificate to a host that joins');
      },
    });
    const { address, port } = await transport.listen(listen.address, listen.port);
    const place = { address: options.advertised ?? address, port };
    try {
      const boot = randomBytes(16).toString('hex');
      const ground: Omit<Ground, 'calls'> = {
        timer: { now: () => clock.now(), after: clock.after },
        random,
        log,
      };
      const connections = new Connections({
        transport,
        replica,
        ground,
        uuid: credentials.cluster,
        placeOf: (member) => placeOf(replica, member),
        seeds: () => seedsOf(replica, seeds),
        methods: new Map([['where', where(replica)], ...options.methods]),
      });
      const whole = { ...ground, calls: connections };
      const { restMs, isUsed } = options;
      const cluster = new Cluster({
        replica,
        ground: whole,
        boot,
        restMs,
        isUsed,
        boots: (member) => connections.boots(member),
      });
      const gossip = new Gossip({ replica, cluster, ground: whole });
      connections.start(cluster, gossip);
      // After the write that tells of this start, as every other one: nobody can be called before that is on disk.
      const said = { ...place, holdsKey: authority() !== undefined };
      await replica.commit([{ key: `host/${identity.id}`, value: said }]);
      return new ClusterNode({ replica, cluster, connections, place }, gossip, transport);
    } catch (error) {
      await transport.close();
      throw error;
    }
  }

  /** Ends all connections. The replica stays open. */
  async stop(): Promise<void> {
    this.connections.stop();
    this.#gossip.stop();
    this.cluster.stop();
    await this.#transport.close();
  }
}

/** Where a host says that it can be reached, or where a newcomer was told to look for it. */
export function placeOf(replica: Replica, member: string): Place | undefined {
  const said = placeSchema.safeParse(replica.get(`host/${member}`)?.value).data;
  const sponsor = sponsorOf(replica);
  return said ?? (sponsor?.id === member ? sponsor : undefined);
}

export function sponsorOf(replica: Replica): Sponsor | undefined {
  return sponsorSchema.safeParse(replica.get(SPONSOR)?.value).data;
}

function* seedsOf(replica: Replica, seeds: readonly Place[]): Iterable<Place> {
  const sponsor = sponsorOf(replica);
  if (sponsor) yield sponsor;
  yield* seeds;
}

/** Members that hold the cluster's key, as they say. */
export function holdersOf(replica: Replica): string[] {
  return replica
    .all('host')
    .filter(({ value }) => z.object({ holdsKey: z.literal(true) }).safeParse(value).success)
    .map(({ key }) => key.slice('host/'.length));
}

/** `where`: the place of a member, for a newcomer that knows nobody. */
function where(replica: Replica): Method {
  return (_from, body, done) => {
    const { id } = z.object({ id: z.string() }).parse(body);
    const place = placeOf(replica, id);
    if (!place) return done(new CodedError('NR_MEMBER_UNKNOWN', `there is no member ${id}`));
    done(undefined, { body: { address: place.address, port: place.port } });
  };
}
