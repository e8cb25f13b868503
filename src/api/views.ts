import { z } from 'zod';
import { GONE } from '../model/gone.ts';

/**
 * What the operator API answers, for both of its ends. Instants are ISO 8601, durations are seconds, counts of
 * addresses are decimal texts (an IPv6 pool has more than a number of JSON can hold).
 */

/** Something that does not work: an error of the table in src/errors.ts. */
export const problemView = z.object({ code: z.string(), what: z.string(), remedy: z.string() });

/** A key of the reconcile loop that failed last time and is tried again. */
const failureView = problemView.extend({
  /** kernel, firewall or speaker. */
  lane: z.string(),
  key: z.string(),
  /** How often in a row. */
  count: z.number(),
  /** For how long, in seconds, within 5. */
  seconds: z.number(),
});

/** Something of Docker's with its name, where Docker answered in time. */
const namedView = z.object({ id: z.string(), name: z.string().optional() });

const poolView = z.object({
  id: z.string(),
  tenant: z.string(),
  prefix: z.string(),
  /** Part that automatic addresses come from. */
  range: z.string().optional(),
  gateway: z.string(),
  automatic: z.boolean(),
  network: namedView.optional(),
  /**
   * Addresses that automatic ones come from (the range, or else the subnet): all, in use on some host, resting after
   * use, free.
   */
  size: z.string(),
  held: z.string(),
  resting: z.string(),
  free: z.string(),
  /** In use in the subnet and outside of the range; absent without a range. */
  outside: z.string().optional(),
  /** In the whole subnet: in use on this host, and its own to give without asking another host. */
  here: z.string(),
  owned: z.string(),
  /** What this host still gives before it has to ask another one; absent where it asks nobody. */
  spare: z.string().optional(),
  /** How many it is given at a time. */
  part: z.string(),
  /** What each host has of it. */
  hosts: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      /** Addresses of its part, used or not: it gives them by itself. */
      owned: z.string(),
      /** Those that no host was given yet, on the host that decides on the pool. */
      rest: z.string().optional(),
      used: z.string(),
    }),
  ),
});

export const networkView = z.object({
  /** Of this host's Docker; absent where only other hosts have it. */
  id: z.string().optional(),
  /** What this host's Docker calls it, or the cluster if that does not have it. */
  name: z.string().optional(),
  /** What the cluster calls it. */
  clusterName: z.string().optional(),
  tenant: z.string(),
  encap: z.string(),
  mtu: z.number(),
  internal: z.boolean(),
  createdAt: z.string(),
  /** On this host. */
  endpoints: z.number(),
  pools: z.array(poolView),
  /** The names of the hosts that have it in their Docker. */
  hosts: z.array(z.string()),
  /** Those of them where somebody has made it by hand; the others' daemons did. It ends with the last of these. */
  madeOn: z.array(z.string()),
  /** Whether this host has it from its daemon, or has it not, since somebody removed it here. */
  copy: z.enum(['propagated', 'declined']).optional(),
  /** In what it contradicts the network that the cluster has. */
  conflict: z.string().optional(),
});

const addressView = z.object({
  address: z.string(),
  kind: z.enum(['address', 'alias']),
  announced: z.boolean(),
  /** Why it is not announced. */
  note: z.string().optional(),
  /** Somebody else was given it while this host was forgotten: why it has no route to the container. */
  lost: z.string().optional(),
  /** Who announces it as well although it is not shared: two hosts have given the same address. */
  conflict: z.string().optional(),
});

export const endpointView = z.object({
  id: z.string(),
  network: namedView,
  container: namedView.optional(),
  /** What Docker has called last: CreateEndpoint, Join or Leave. */
  phase: z.enum(['created', 'joined', 'left']),
  /**
   * created: not joined yet. up: all is as planned. pending: being made. failing: see problems. left: the container
   * is ending. gone: the sandbox does not exist any more, and Docker has not said so yet. lost: somebody else has one
   * of its addresses, given while this host was forgotten. withheld: this host was forgotten, and has not been given
   * one of its addresses again yet.
   */
  state: z.enum(['created', 'up', 'pending', 'failing', 'left', 'gone', 'lost', 'withheld']),
  address: z.string().optional(),
  addressV6: z.string().optional(),
  aliases: z.array(z.string()),
  /** All of these, and what becomes of each in the fabric. */
  addresses: z.array(addressView),
  mac: z.string(),
  mtu: z.number(),
  interface: z.string(),
  sandbox: z.string().optional(),
  ingress: z.array(z.string()).optional(),
  anycast: z.boolean(),
  ports: z.array(
    z.object({ protocol: z.string(), port: z.number(), hostAddress: z.string(), hostPort: z.number() }),
  ),
  createdAt: z.string(),
  problems: z.array(failureView),
});

export const poolsView = z.object({ pools: z.array(poolView) });
export const networksView = z.object({ networks: z.array(networkView) });
/** An endpoint of another host of the cluster, as that one's records have it. */
const elsewhereView = z.object({
  id: z.string(),
  host: namedView,
  /** By the id that it has in that host's Docker, with the cluster's name. */
  network: namedView,
  /** What that Docker has called last; silent: nothing is heard of the host any more. */
  state: z.enum(['created', 'joined', 'left', 'silent']),
  addresses: z.array(
    z.object({
      address: z.string(),
      /** Somebody else was given it while its host was forgotten. */
      lost: z.string().optional(),
    }),
  ),
});

export const endpointsView = z.object({
  endpoints: z.array(endpointView),
  /** With `all`: those of the other hosts, at most 10,000. */
  elsewhere: z.array(elsewhereView).optional(),
});

/** ok, missing, stray (there and not wanted), differs, pending (see problem), unknown (could not be read). */
const routeState = z.enum(['ok', 'missing', 'stray', 'differs', 'pending', 'unknown']);

const sideView = z.object({ state: routeState, detail: z.string(), problem: problemView.optional() });

const routeView = z.object({
  prefix: z.string(),
  /** Why it is wanted: an endpoint of this host, a peer's announcement, or not at all. */
  wanted: z.enum(['endpoint', 'learned', 'none']),
  endpoint: z.object({ id: z.string(), container: z.string().optional() }).optional(),
  /** The kernel's route; absent where none is wanted and none is there. */
  kernel: sideView.optional(),
  /** The routing engine's announcement, likewise. */
  engine: sideView.optional(),
  learned: z
    .object({
      /** Router id of the host that has it, or its next hop. */
      holder: z.string(),
      nextHops: z.array(z.string()),
      anycast: z.boolean(),
      asPath: z.array(z.number()),
    })
    .optional(),
  note: z.string().optional(),
});

export const routesView = z.object({ routes: z.array(routeView), problems: z.array(problemView) });

const peerView = z.object({
  /** Address, or the interface of an unnumbered one. */
  neighbour: z.string(),
  /** Who wants it: the daemon's settings, or the cluster, whose hosts peer by themselves. Absent: nobody does any more. */
  origin: z.enum(['configured', 'cluster']).optional(),
  /** The host of the cluster that it is. */
  host: z.string().optional(),
  as: z.number().optional(),
  state: z.enum(['idle', 'connect', 'active', 'opensent', 'openconfirm', 'established', 'unknown']),
  routerId: z.string().optional(),
  /** Seconds since it is established. */
  uptime: z.number(),
  received: z.number(),
  accepted: z.number(),
  advertised: z.number(),
  /** What stands in the way. */
  reason: z.string().optional(),
  /** A host of the cluster that is to be a peer since a few seconds only: the session may just not be up yet. */
  young: z.boolean().optional(),
});

export const peersView = z.object({ peers: z.array(peerView), problems: z.array(problemView) });

const hostView = z.object({
  id: z.string(),
  name: z.string(),
  /** Whether it is the one that answers. */
  self: z.boolean(),
  /**
   * incomplete: let in, but half of the members or more may not know it yet. suspect: it has not answered a probe, nor
   * through others. silent: nobody has heard it since it was suspected first.
   */
  state: z.enum(['present', 'suspect', 'silent', 'incomplete', 'leaving', ...GONE]),
  /** For how long it is suspect, or was not heard when it is silent; in seconds. */
  away: z.number().optional(),
  /** Where it says that it can be reached. */
  address: z.string().optional(),
  port: z.number().optional(),
  /** Whether this host has a link with it; members hear each other also by others. */
  linked: z.boolean(),
  /** Whether it holds the key of the cluster, and can let hosts in. */
  holdsKey: z.boolean(),
  /** How long ago it was heard, by whatever way, in seconds. */
  heard: z.number().optional(),
  /** By how much its clock is ahead, in seconds. */
  clockOffset: z.number().optional(),
  /** Chunks of pools and the like that were given to it. */
  chunks: z.number(),
  /** Why it could not be reached. */
  trouble: z.string().optional(),
  /** It was forgotten, and may not come back by itself. */
  banned: z.boolean().optional(),
  /** It was forgotten, and has come back under this id. */
  returnedAs: z.string().optional(),
  /** Removed records are kept until it is heard, or forgotten. */
  blocking: z.boolean(),
  /** It is there, but its UDP packets do not arrive: whether it is there shows later than of others. */
  udpBlocked: z.boolean(),
});

export const hostsView = z.object({ hosts: z.array(hostView) });

export const clusterView = z.object({
  /**
   * alone: in no cluster. waiting: to be in one by its settings, and in none yet. joining: let in, and not complete yet. halted: a member that gives and takes nothing any more.
   */
  state: z.enum(['alone', 'waiting', 'joining', 'member', 'leaving', 'halted']),
  /** This host's. */
  id: z.string(),
  name: z.string(),
  /** What is being done to its membership. */
  change: z.object({ what: z.string(), step: z.string(), seconds: z.number() }).optional(),
  /** UUID. The rest is there on members only. */
  cluster: z.string().optional(),
  address: z.string().optional(),
  port: z.number().optional(),
  holdsKey: z.boolean().optional(),
  /** Names of the members that hold the cluster's key, where there is one and all have said. */
  keyHolders: z.array(z.string()).optional(),
  certificateUntil: z.string().optional(),
  /** Names of the secrets that are accepted, in a cluster that has a secret; with the first one this host dials. */
  secrets: z.array(z.string()).optional(),
  /** Members that are not gone, and those of them that were heard in the last 20 s; not for a host that has stopped. */
  members: z.object({ total: z.number(), heard: z.number() }).optional(),
  problems: z.array(problemView),
});

/** A host's copy of the cluster's records, to compare with others' while nothing is written. */
export const storeView = z.object({
  origins: z.array(
    z.object({
      /** Id of the host that wrote them. */
      origin: z.string(),
      /** Up to which of its writes all is known. */
      known: z.number(),
      /** How many of its records stand. */
      records: z.number(),
      /** SHA-256 over those. */
      hash: z.string(),
    }),
  ),
});

/** For how long a token may be good, in seconds. One that lies around for longer is better made anew. */
export const TOKEN_LIFETIME = { min: 60, max: 30 * 24 * 3600 } as const;

/** A token, and until when it is good. */
export const tokenView = z.object({ token: z.string(), expires: z.string() });

const engineView = z.object({
  name: z.string(),
  version: z.string(),
  up: z.boolean(),
  reason: z.string().optional(),
});

export const statusView = z.object({
  version: z.string(),
  startedAt: z.string(),
  /** Seconds. */
  uptime: z.number(),
  host: z.object({
    address: z.string().optional(),
    addressV6: z.string().optional(),
    uplink: z.string().optional(),
    mtu: z.number(),
    /** BGP identifier and AS number; absent while the host has no address to make them of. */
    routerId: z.string().optional(),
    as: z.number().optional(),
    /** The address that the router id was made of is gone. */
    routerIdStale: z.boolean().optional(),
  }),
  engine: engineView,
  peers: z.object({ established: z.number(), total: z.number() }),
  networks: z.number(),
  endpoints: z.object({ total: z.number(), up: z.number() }),
  routes: z.object({ announced: z.number(), learned: z.number() }),
  cluster: clusterView,
  loop: z.object({
    live: z.boolean(),
    passes: z.number(),
    resyncs: z.number(),
    errors: z.number(),
    lastPassMs: z.number(),
  }),
  failures: z.array(failureView),
  /** Why the disk refused the last write: nothing can be changed. */
  store: problemView.optional(),
  /** Why there is no comparison with Docker, several times in a row, and for how many seconds. */
  docker: problemView.extend({ count: z.number(), seconds: z.number() }).optional(),
  pools: z.array(poolView),
  paths: z.object({
    store: z.string(),
    runDir: z.string(),
    pluginDir: z.string(),
    dockerSocket: z.string(),
  }),
  /** Where the daemon logs to: `journal`, a file's path, or `standard error`. */
  log: z.string(),
  /** What to look at first; empty when all is well. */
  attention: z.array(z.object({ what: z.string(), remedy: z.string() })),
});

export const healthView = z.object({
  /** degraded: containers are served and packets flow, but the routing engine or a peer is down. */
  status: z.enum(['ok', 'degraded', 'failing']),
  reasons: z.array(problemView),
});

const checkView = z.object({
  name: z.string(),
  result: z.enum(['ok', 'warn', 'fail']),
  what: z.string(),
  remedy: z.string().optional(),
});

export const doctorView = z.object({
  checks: z.array(checkView),
  /** What --fix did. */
  fixed: z.array(z.string()),
});

export type ProblemView = z.infer<typeof problemView>;
export type FailureView = z.infer<typeof failureView>;
export type NamedView = z.infer<typeof namedView>;
export type PoolView = z.infer<typeof poolView>;
export type NetworkView = z.infer<typeof networkView>;
export type ElsewhereView = z.infer<typeof elsewhereView>;
export type AddressView = z.infer<typeof addressView>;
export type EndpointView = z.infer<typeof endpointView>;
export type SideView = z.infer<typeof sideView>;
export type RouteView = z.infer<typeof routeView>;
export type RoutesView = z.infer<typeof routesView>;
export type PeerView = z.infer<typeof peerView>;
export type PeersView = z.infer<typeof peersView>;
export type StatusView = z.infer<typeof statusView>;
export type ClusterView = z.infer<typeof clusterView>;
export type HostView = z.infer<typeof hostView>;
export type HealthView = z.infer<typeof healthView>;
export type CheckView = z.infer<typeof checkView>;
export type DoctorView = z.infer<typeof doctorView>;
