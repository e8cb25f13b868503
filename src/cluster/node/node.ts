import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import { Address } from '../../net/address.ts';
import type { Place } from '../../net/place.ts';
import { type Clock, wallOf } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { RefusedError } from '../../store/gossip/tls/introduce.ts';
import { serveReturn } from '../../store/gossip/tls/readmit.ts';
import { TlsTransport } from '../../store/gossip/tls/transport.ts';
import type { Replica } from '../../store/replica.ts';
import { Sealer } from '../../store/seal.ts';
import type { Credentials } from '../../store/trust/credentials.ts';
import type { Identity } from '../../store/trust/identity.ts';
import { IdentitySigner } from '../../store/trust/signer.ts';
import { Gossip } from '../gossip/gossip.ts';
import { Connections } from '../links/connections.ts';
import { type ListenAt, Listening } from '../links/listening.ts';
import { Probes } from '../probes/probes.ts';
import { Cluster, type Rules } from '../protocol/cluster.ts';
import { type Members, publicKeyOf } from '../protocol/members.ts';
import type { Calls, Ground, Method } from '../protocol/ports.ts';
import { begin } from './begin.ts';
import { Introduction } from './introduction.ts';
import { RecordReadmissions } from './readmissions.ts';
import { runs } from './running.ts';
import { sponsorOf } from './sponsor.ts';
import { Strangers } from './strangers.ts';
import type { Trust } from './trust.ts';

const addressSchema = z.string().refine((text) => Address.tryParse(text) !== undefined);
/** Where a member says that it, or another one, can be reached: no name, which would be looked up for each packet. */
export const placeSchema = z.looseObject({
  address: addressSchema,
  addressV6: addressSchema.nullish(),
  port: z.int().min(1).max(65_535),
});

export interface ClusterNodeOptions {
  readonly identity: Identity;
  /** What people call the host. */
  readonly name: string;
  readonly trust: Trust;
  readonly replica: Replica;
  readonly clock: Clock;
  /** At least 0, below 1. */
  readonly random: () => number;
  readonly log: Log;
  readonly listen: ListenAt;
  /** Where others reach this host: an address that does not follow the host's own ones. */
  readonly advertised?: string | undefined;
  readonly seeds: readonly Place[];
  /** Where others were found to be, besides. */
  readonly found?: (() => Iterable<Place>) | undefined;
  /** What members ask this host for besides the protocol. */
  readonly methods: ReadonlyMap<string, Method>;
  readonly rules: Rules;
}

/** Of a host, of each family. */
export interface Addresses {
  readonly address?: string | undefined;
  readonly addressV6?: string | undefined;
}

/** A member's running part: its connections, and the protocol on them. */
export class ClusterNode {
  readonly replica: Replica;
  readonly cluster: Cluster;
  readonly connections: Connections;
  readonly gossip: Gossip;
  readonly probes: Probes;
  readonly transport: TlsTransport;
  readonly listening: Listening;
  /** Requests to other members, whose errors call them by name. */
  readonly calls: Calls;
  readonly strangers: Strangers;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly #options: ClusterNodeOptions;
  #credentials: Credentials;
  readonly #introduction: Introduction;
  readonly #end: () => Promise<void>;

  private constructor(
    options: ClusterNodeOptions,
    introduction: Introduction,
    parts: Pick<
      ClusterNode,
      | 'replica'
      | 'cluster'
      | 'connections'
      | 'gossip'
      | 'probes'
      | 'transport'
      | 'listening'
      | 'calls'
      | 'strangers'
    >,
    end: () => Promise<void>,
  ) {
    this.#end = end;
    this.#options = options;
    this.#credentials = options.trust.credentials;
    this.#introduction = introduction;
    this.startedAt = options.clock.now();
    this.replica = parts.replica;
    this.cluster = parts.cluster;
    this.connections = parts.connections;
    this.gossip = parts.gossip;
    this.probes = parts.probes;
    this.transport = parts.transport;
    this.listening = parts.listening;
    this.calls = parts.calls;
    this.strangers = parts.strangers;
  }

  /**
   * If it cannot listen, or its disk refuses what it says of itself, it goes on all the same, and tries again.
   * @throws NR_STORE_UNSEALED, NR_STORE_FAILED for a new founder
   */
  static async start(options: ClusterNodeOptions): Promise<ClusterNode> {
    const { identity, trust, replica, clock, random, log, name } = options;
    const { credentials } = trust;
    const strangers = new Strangers(clock, log);
    const parts: { cluster: Cluster | undefined } = { cluster: undefined };
    const transport = new TlsTransport({
      credentials,
      clock,
      log,
      refused: (reason, remote) => strangers.refused(reason, remote),
      join: (channel) => trust.serve(channel, { replica, cluster: parts.cluster }),
      readmit: async (channel, peer) => {
        const { remoteAddress = '' } = channel.socket;
        const id = await serveReturn(channel, peer, {
          authority: trust.authority,
          readmissions: new RecordReadmissions(replica),
          refused: (one) => replica.get(`gone/${one}`) !== undefined,
          now: () => wallOf(clock),
        }).catch((error: unknown) => {
          const isMember = error instanceof RefusedError && error.reason === 'member';
          if (isMember && parts.cluster?.members.isPresent(peer.id))
            strangers.hasStopped(peer.id, remoteAddress);
          throw error;
        });
        log.info({ id, was: peer.id }, 'lets a host come back that was forgotten');
      },
    });
    const listening = new Listening(transport, options.listen, { clock, log });
    const stops: (() => void)[] = [() => listening.stop()];
    const end = async () => {
      for (const stop of stops.splice(0).reverse()) stop();
      await transport.close();
    };
    try {
      const sealer = new Sealer(new IdentitySigner(identity), credentials.cluster);
      if (!replica.sealAll(sealer))
        throw new CodedError('NR_STORE_UNSEALED', 'records of other hosts have no seals');
      await listening.start();
      await begin(replica, publicKeyOf(identity.publicKey), name);
      const boot = randomBytes(16).toString('hex');
      const ground: Omit<Ground, 'calls'> = { timer: clock, random, log };
      const connections = new Connections({
        transport,
        replica,
        ground,
        uuid: credentials.cluster,
        placeOf: (member) => placeOf(replica, member),
        seeds: () => seedsOf(replica, options),
        refused: (reason, remote) => {
          transport.refused.add(reason);
          strangers.refused(reason, remote);
        },
        founder: () => parts.cluster?.members.founder() ?? sponsorOf(replica)?.founder,
        methods: new Map([
          ['where', where(replica)],
          [
            'alive',
            (_from, _body, done) => {
              cluster.standing.mayAnswer();
              done(undefined, { body: {} });
            },
          ],
          ['runs', (...request) => runs({ calls: connections, members: cluster.members })(...request)],
          ...options.methods,
        ]),
        isAway: (member) => probes.isAway(member),
      });
      const calls = named(
        connections,
        (member) => cluster.members.nameOf(member),
        (member) => silenceOf(probes, member, clock.now()),
      );
      const whole = { ...ground, calls };
      const cluster: Cluster = new Cluster({
        ...options.rules,
        replica,
        ground: whole,
        boot,
        boots: (member) => connections.boots(member),
        links: () => gossip.peers,
      });
      stops.push(() => cluster.stop());
      parts.cluster = cluster;
      const gossip: Gossip = new Gossip({ replica, cluster, ground: whole });
      stops.push(() => gossip.stop());
      stops.push(() => connections.stop());
      const probes: Probes = new Probes({
        replica,
        members: cluster.members,
        standing: cluster.standing,
        calls: connections,
        clock,
        random,
        log,
        uuid: credentials.cluster,
        at: { address: options.listen.address, port: listening.port },
        placeOf: (member) => placeOf(replica, member),
        heardAt: (member) => latest(connections.heard(member)?.at, gossip.heardAt(member)),
      });
      stops.push(() => probes.stop());
      connections.start(cluster, gossip);
      const introduction = new Introduction({
        replica,
        said: () => ({
          name,
          address: options.advertised ?? listening.ownAddress,
          port: listening.port,
          holdsKey: trust.holdsKey(),
          probeKey: probes.key,
        }),
        clock,
        log,
      });
      stops.push(() => introduction.stop());
      // After the write that tells of this start, as every other one: nobody can be called before that is on disk.
      await introduction.say();
      probes.start();
      const made = { replica, cluster, connections, gossip, probes, transport, listening, calls, strangers };
      return new ClusterNode(options, introduction, made, end);
    } catch (error) {
      await end();
      throw error;
    }
  }

  /** UUID. */
  get uuid(): string {
    return this.#options.trust.credentials.cluster;
  }

  /** Where this host says that it can be reached; undefined as long as it has no address. */
  get place(): Place | undefined {
    return placeOf(this.replica, this.replica.origin);
  }

  /** These are the host's addresses now, by which others may reach it. What the user has set comes before them. */
  advertise({ address: v4, addressV6 }: Addresses): void {
    const address = v4 ?? addressV6;
    if (address === undefined || this.#options.advertised !== undefined) return;
    if (this.listening.ownAddress !== undefined) return;
    const other = v4 === undefined ? undefined : addressV6;
    void this.#introduction.say({ address, addressV6: other ?? null });
  }

  /** What this host shows to others now. */
  get credentials(): Credentials {
    return this.#credentials;
  }

  /** Shows another certificate, or uses other secrets, from now on. @throws Error for another node's */
  use(credentials: Credentials): void {
    this.#credentials = credentials;
    this.transport.use(credentials);
    this.connections.renew((connection) => this.transport.isOutdated(connection));
  }

  /** Members with a connection that was made with a secret which is not the first one any more. */
  get outdated(): string[] {
    return this.connections.peersOf((connection) => this.transport.isOutdated(connection));
  }

  /** Ends all connections. The replica stays open. */
  async stop(): Promise<void> {
    await this.#end();
  }
}

/**
 * Where a host says that it can be reached, or where a newcomer was told to look for it. A host that has IPv6 only takes
 * the other's IPv6 address.
 */
export function placeOf(replica: Replica, member: string): Place | undefined {
  const saidBy = (id: string) => placeSchema.safeParse(replica.get(`host/${id}`)?.value).data;
  const said = saidBy(member);
  if (said?.addressV6 && saidBy(replica.origin)?.address.includes(':'))
    return { address: said.addressV6, port: said.port };
  const sponsor = sponsorOf(replica);
  const { address, port } = said ?? (sponsor?.id === member ? sponsor : { address: undefined, port: 0 });
  return address === undefined ? undefined : { address, port };
}

function* seedsOf(
  replica: Replica,
  { seeds, found }: Pick<ClusterNodeOptions, 'seeds' | 'found'>,
): Iterable<Place> {
  const sponsor = sponsorOf(replica);
  if (sponsor) yield sponsor;
  yield* seeds;
  yield* found?.() ?? [];
}

/** What a host refuses for its own state: said to another host, it would read as that one's. */
const OF_ITSELF: ReadonlySet<string> = new Set([
  'NR_STORE_FAILED',
  'NR_MEMBER_STARTING',
  'NR_MEMBER_HALTED',
  'NR_MEMBER_LEAVING',
  'NR_MEMBER_INCOMPLETE',
]);

/** Requests whose errors call the member that was asked by its name, and say for how long it is silent, in seconds. */
export function named(
  calls: Calls,
  nameOf: (member: string) => string,
  silenceOf: (member: string) => number | undefined = () => undefined,
): Calls {
  return {
    ask: (member, method, body, ms, done) =>
      calls.ask(member, method, body, ms, (error, answer) => {
        const name = `host ${nameOf(member)}`;
        if (error?.what.includes(member)) {
          const silence = error.code === 'NR_MEMBER_UNREACHABLE' ? silenceOf(member) : undefined;
          const since = silence === undefined ? '' : `; it is silent for ${silence} s`;
          return done(error.saying(`${error.what.replaceAll(member, name)}${since}`));
        }
        if (error && OF_ITSELF.has(error.code)) return done(error.saying(`${name} says: ${error.what}`));
        done(error, answer);
      }),
  };
}

/** For how long a member is silent that no probe finds, in seconds. */
function silenceOf(probes: Probes, member: string, now: number): number | undefined {
  const view = probes.view(member);
  if (view?.verdict !== 'dead') return undefined;
  return Math.max(0, Math.round((now - (probes.heardAt(member) ?? view.since)) / 1000));
}

/** The later of two times that may not be known. */
function latest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

/** Members that hold the cluster's key, as they say. */
export function holdersOf(replica: Replica): string[] {
  return replica
    .all('host')
    .filter(({ value }) => z.object({ holdsKey: z.literal(true) }).safeParse(value).success)
    .map(({ key }) => key.slice('host/'.length));
}

/** Of the members: their names; undefined as long as one of them has not said whether it holds the key. */
export function keyHolders(replica: Replica, members: Members): string[] | undefined {
  const present = members.present().filter(({ complete }) => complete);
  if (present.some(({ id }) => !replica.get(`host/${id}`))) return undefined;
  const holders = new Set(holdersOf(replica));
  return present.flatMap(({ id }) => (holders.has(id) ? [members.nameOf(id)] : []));
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
