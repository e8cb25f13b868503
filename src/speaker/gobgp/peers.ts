import { isDeepStrictEqual } from 'node:util';
import { Address } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { Peer, PeerState, PrefixRule } from '../../ports/speaker.ts';
import { speakerKey } from '../../ports/speaker.ts';
import type { Answer } from './client.ts';
import { type Dialect, family } from './dialect.ts';
import type { Message } from './encode.ts';

/** Begins the description of every peer of ours; what the engine cannot tell apart afterwards follows as JSON. */
const OURS = 'net-routed ';

/** Seconds that a restarted engine waits for its peers' routes before it sends its own (RFC 4724 section 4.1). */
export const DEFERRAL = 3;

/** What a change of needs a new session; the rest of a peer can be changed in place. */
const FIXED = [
  'address',
  'interface',
  'peerAs',
  'localAs',
  'localAddress',
  'password',
  'multihop',
  'port',
  'passive',
  'gracefulRestart',
] as const satisfies readonly (keyof Peer)[];

/** A peer as the engine has it. */
export interface EnginePeer {
  readonly key: string;
  /** As calls name it: its address, with a zone where it is link-local. */
  readonly handle: string;
  /** The same without zone, as paths and policies name it; empty as long as it is unknown. */
  readonly address: string;
  /** Our own address towards it, with a zone where it is link-local. */
  readonly localAddress: string;
  readonly ours: boolean;
  /** Without rules, which the policy has. */
  readonly peer: Peer;
  readonly state: PeerState;
  /** Went down because it announced more than allowed, and stays down. */
  readonly overLimit: boolean;
  /** Of the mesh; and a route reflector's client, if it is an iBGP peer. */
  readonly meshed: boolean;
  /** How many notifications it was sent, in all of its sessions. */
  readonly notified: number;
  /** Its graceful restart was negotiated, and all that it had before has been received again. */
  readonly graceful: boolean;
  readonly endOfRib: boolean;
}

/** What of a peer behind an interface the engine has to be told: both link-local addresses, with their zones. */
export interface LinkLocal {
  readonly neighbor: string;
  /** Left to the engine for a new one. */
  readonly local?: string;
}

/** The peer as a message. `restarting` tells it that this speaker has just restarted. Everything is spelled out. */
export function encodePeer(dialect: Dialect, peer: Peer, restarting: boolean, link?: LinkLocal): Message {
  const external = peer.peerAs !== peer.localAs;
  const graceful = peer.gracefulRestart > 0;
  const meshed = peer.mesh !== undefined;
  const memo: Memo = { localAddress: peer.localAddress, multihop: peer.multihop, ...(meshed && { meshed }) };
  const anywhere = peer.address?.includes(':') ? '::' : '0.0.0.0';
  const local = peer.interface === undefined ? (peer.localAddress ?? anywhere) : link?.local;
  const families = ([4, 6] as const).map((number) => ({
    config: { family: family(number), enabled: true },
    mp_graceful_restart: { config: { enabled: graceful } },
    ...(peer.maximumPrefix > 0 && {
      prefix_limits: { family: family(number), max_prefixes: peer.maximumPrefix, shutdown_threshold_pct: 80 },
    }),
  }));
  return {
    conf: {
      ...(peer.address === undefined
        ? { neighbor_interface: peer.interface }
        : { neighbor_address: peer.address }),
      ...(peer.password !== undefined && { auth_password: peer.password }),
      peer_asn: peer.peerAs,
      local_asn: peer.localAs,
      type: external ? dialect.names.external : dialect.names.internal,
      description: `${OURS}${JSON.stringify(memo)}`,
    },
    ...(link && { state: { neighbor_address: link.neighbor } }),
    timers: {
      config: {
        connect_retry: peer.connectRetry,
        hold_time: peer.holdTime,
        keepalive_interval: peer.keepalive,
      },
    },
    transport: {
      ...(local !== undefined && { local_address: local }),
      passive_mode: peer.passive,
      remote_port: peer.port,
    },
    // Whether anything is reflected is the policy's business, which can be changed without a new session.
    ...(!external && meshed && { route_reflector: { route_reflector_client: true } }),
    ...(external && peer.multihop > 1 && { ebgp_multihop: { enabled: true, multihop_ttl: peer.multihop } }),
    ...(graceful && {
      graceful_restart: {
        enabled: true,
        restart_time: peer.gracefulRestart,
        deferral_time: DEFERRAL,
        local_restarting: restarting,
      },
    }),
    afi_safis: families,
  };
}

/** A peer that the engine lists, and how it is. */
export function decodePeer(dialect: Dialect, answer: Answer, rules?: Rules): EnginePeer {
  const { conf, timers, transport, graceful_restart: restart, afi_safis: families } = answer;
  const text: string = conf?.description ?? '';
  const memo: Memo = text.startsWith(OURS) ? memoOf(text) : {};
  const byInterface: string = conf?.neighbor_interface ?? '';
  const handle: string = answer.state?.neighbor_address || conf?.neighbor_address || '';
  const config = timers?.config ?? {};
  const peer: Peer = {
    kind: 'peer',
    ...(byInterface ? { interface: byInterface } : { address: canonical(conf?.neighbor_address ?? '') }),
    peerAs: conf?.peer_asn ?? 0,
    localAs: conf?.local_asn ?? 0,
    ...(memo.localAddress !== undefined && { localAddress: memo.localAddress }),
    ...(conf?.auth_password && { password: conf.auth_password }),
    holdTime: config.hold_time ?? 0,
    keepalive: config.keepalive_interval ?? 0,
    connectRetry: config.connect_retry ?? 0,
    multihop: answer.ebgp_multihop?.enabled ? answer.ebgp_multihop.multihop_ttl : (memo.multihop ?? 1),
    port: transport?.remote_port || 179,
    passive: transport?.passive_mode ?? false,
    gracefulRestart: restart?.enabled ? (restart.restart_time ?? 0) : 0,
    maximumPrefix: families?.[0]?.prefix_limits?.max_prefixes ?? 0,
    import: rules?.import ?? [],
    export: rules?.export ?? [],
    ...(rules?.mesh !== undefined && { mesh: rules.mesh }),
  };
  const key = speakerKey(peer);
  return {
    key,
    handle,
    address: canonical(handle.replace(/%.*$/, '')),
    localAddress: transport?.local_address ?? '',
    ours: text.startsWith(OURS),
    peer,
    state: stateOf(dialect, key, answer),
    overLimit: answer.state?.admin_state === dialect.names.overLimit,
    meshed: memo.meshed === true,
    notified: Number(answer.state?.messages?.sent?.notification ?? 0),
    graceful: graceful(answer),
    endOfRib: restarts(answer).every((one) => !one.received || one.end_of_rib_received === true),
  };
}

export interface Rules {
  readonly import: readonly PrefixRule[];
  readonly export: readonly PrefixRule[];
  readonly mesh?: NonNullable<Peer['mesh']>;
}

/** How the session of a peer becomes as wanted. Rules are the policy's business and count for nothing here. */
export function changeOf(was: EnginePeer, wanted: Peer): 'none' | 'in place' | 'anew' {
  if (FIXED.some((name) => was.peer[name] !== wanted[name])) return 'anew';
  if (was.meshed !== (wanted.mesh !== undefined)) return 'anew';
  const { import: _, export: __, mesh: _m, ...before } = was.peer;
  const { import: ___, export: ____, mesh: _w, ...after } = wanted;
  if (isDeepStrictEqual(before, after)) return 'none';
  // A peer that was cut off for its number of prefixes comes back only as a new one.
  return was.overLimit ? 'anew' : 'in place';
}

const STATES = ['idle', 'connect', 'active', 'opensent', 'openconfirm', 'established'] as const;

function stateOf(dialect: Dialect, key: string, answer: Answer): PeerState {
  const name = String(answer.state?.session_state ?? '').toLowerCase();
  const state = STATES.find((one) => name.endsWith(one)) ?? 'idle';
  const up = state === 'established';
  const sum = (field: string) =>
    up ? (answer.afi_safis ?? []).reduce((n: number, one: Answer) => n + (one.state?.[field] ?? 0), 0) : 0;
  const since = Number(answer.timers?.state?.uptime?.seconds ?? 0);
  // Version 3 counts the End-of-RIB marker of each family as something it told.
  const markers = offered(answer) ? (answer.afi_safis ?? []).length : 0;
  const reason = up ? undefined : reasonOf(dialect, state, answer);
  const routerId = answer.state?.router_id;
  return {
    key,
    state,
    ...(up && routerId && { routerId }),
    uptime: up && since > 0 ? Math.max(0, Math.floor(Date.now() / 1000) - since) : 0,
    received: sum('received'),
    accepted: sum('accepted'),
    advertised: Math.max(0, sum('advertised') - markers),
    ...(reason !== undefined && { reason }),
  };
}

/** What became of graceful restart, by family. */
function restarts(answer: Answer): { received?: boolean; end_of_rib_received?: boolean }[] {
  return (answer.afi_safis ?? []).map((one: Answer) => one.mp_graceful_restart?.state ?? {});
}

/** Whether version 3 says that the peer's OPEN had the capability: what it knows by family is lost by an update. */
function offered(answer: Answer): boolean {
  const capabilities: Answer[] = answer.state?.remote_cap ?? [];
  return capabilities.some((one) => String(one.type_url).endsWith('.GracefulRestartCapability'));
}

/** Whether graceful restart was negotiated. */
function graceful(answer: Answer): boolean {
  return restarts(answer).some(({ received }) => received === true);
}

function reasonOf(dialect: Dialect, state: string, answer: Answer): string | undefined {
  if (answer.state?.admin_state === dialect.names.overLimit) {
    return `announced more than ${answer.afi_safis?.[0]?.prefix_limits?.max_prefixes} prefixes`;
  }
  if (answer.state?.admin_state === dialect.names.adminDown) return 'shut down';
  if (answer.state?.messages?.received?.notification > 0)
    return 'the peer ended the session with a notification';
  if (answer.state?.messages?.sent?.notification > 0)
    return 'ended with a notification: see the log of the engine';
  if (state === 'active' || state === 'connect') {
    const secret = answer.conf?.auth_password ? ', or the password differs' : '';
    return answer.transport?.passive_mode
      ? `waits for the peer to connect${secret}`
      : `no connection${secret}`;
  }
  return undefined;
}

/** What of a peer the engine cannot tell apart. */
interface Memo {
  readonly localAddress?: string | undefined;
  readonly multihop?: number;
  readonly meshed?: boolean;
}

function memoOf(description: string): Memo {
  try {
    return JSON.parse(description.slice(OURS.length));
  } catch {
    return {}; // somebody edited it: the peer differs then, and is made anew
  }
}

function canonical(address: string): string {
  return Address.tryParse(address)?.toString() ?? address;
}

/** The set of addresses that is one peer. */
export function hostOf(address: string): string {
  return Prefix.host(Address.parse(address)).toString();
}
