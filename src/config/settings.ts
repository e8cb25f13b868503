import { z } from 'zod';
import { parseIfname } from '../net/ifname.ts';
import { CLUSTER_PORT, parsePlace, placeText } from '../net/place.ts';
import { address, asn, parsed, prefix, text, whole, yesOrNo } from './types.ts';

const prefixRule = z.strictObject({
  prefix,
  ge: whole(0, 128).optional(),
  le: whole(0, 128).optional(),
});

const peerSettings = z
  .strictObject({
    address: address().optional().describe('address of the neighbour'),
    interface: parsed(parseIfname).optional().describe('interface of an unnumbered neighbour'),
    as: asn.describe('its AS number; the own one for iBGP'),
    localAddress: address().optional().describe('address to open the session from'),
    password: text.max(80).optional().describe('TCP MD5 key'),
    passwordFile: text.optional().describe('file that holds the TCP MD5 key'),
    holdTime: whole(3, 65535).default(90).describe('hold time, seconds'),
    keepalive: whole(1, 21845).optional().describe('keepalive interval, seconds; a third of the hold time'),
    connectRetry: whole(1, 65535).default(5).describe('pause between attempts to connect, seconds'),
    multihop: whole(1, 255).default(1).describe('how many hops away it may be'),
    port: whole(1, 65535).default(179).describe('TCP port of the neighbour'),
    passive: yesOrNo.default(false).describe('wait for the neighbour to connect'),
    gracefulRestart: whole(0, 4095).default(120).describe('restart time, seconds; 0 turns it off'),
    maximumPrefix: whole(0, 4294967295).default(0).describe('limit a family; 0 for none'),
    import: z.array(prefixRule).optional().describe('what is accepted; everything but a default route'),
    export: z.array(prefixRule).optional().describe('what is announced of the pools; everything'),
  })
  .refine((peer) => (peer.address === undefined) !== (peer.interface === undefined), {
    message: 'a peer has either an address or an interface',
  })
  .refine((peer) => peer.password === undefined || peer.passwordFile === undefined, {
    message: 'a peer has either a password or a passwordFile',
  })
  .refine((peer) => peer.keepalive === undefined || peer.keepalive < peer.holdTime, {
    message: 'the keepalive interval has to be shorter than the hold time',
  });

/**
 * Every setting of the daemon. In the configuration file under this name; as a flag with dashes (`--state-dir`); as
 * a variable in capitals (`NET_ROUTED_STATE_DIR`).
 */
export const settingsSchema = z.strictObject({
  stateDir: text.default('/var/lib/net-routed').describe('folder of the durable state'),
  runDir: text.default('/run/net-routed').describe('folder of sockets and process ids'),
  pluginDir: text.default('/run/docker/plugins').describe("folder of Docker's plugin sockets"),
  dockerSocket: text.default('/var/run/docker.sock').describe("dockerd's API, used in the background only"),
  dockerPropagate: yesOrNo
    .default(false)
    .describe("make the cluster's networks in this host's Docker, and remove them, without being asked"),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('least level that is logged: debug, info, warn or error'),
  as: asn.optional().describe('own AS number; one from the private range by default'),
  routerId: address(4).optional().describe('BGP identifier; the host address by default'),
  address: address(4)
    .optional()
    .describe("host's IPv4 address that others route to; the uplink's by default"),
  addressV6: address(6)
    .optional()
    .describe("host's IPv6 address that others route to; the uplink's by default"),
  listenPort: whole(0, 65535).default(179).describe('BGP port; 0 to accept nobody'),
  peering: z
    .enum(['mesh', 'fabric'])
    .default('mesh')
    .describe(
      'who this host peers with: mesh, the other hosts of its cluster and the peers; fabric, the peers only',
    ),
  meshLimit: whole(1, 1000)
    .default(50)
    .describe(
      'up to how many hosts each peers with each; of more, two pass routes on. The same on all hosts',
    ),
  mtu: whole(68, 65535).optional().describe("endpoints' MTU, bytes; the uplink's by default"),
  gobgpd: text.default('gobgpd').describe('executable of the supervised engine'),
  engineSocket: text.optional().describe('API socket of an engine run by others; ours is not started then'),
  automaticPools: z
    .array(prefix)
    .default(['10.128.0.0/9', 'fd6e:7264::/32'])
    .describe('where networks without --subnet get theirs, a /24 or /64 each'),
  aliasPrefixes: z
    .array(prefix)
    .default([])
    .describe('prefixes besides the pools from which aliases are announced'),
  restSeconds: whole(0, 86400).default(60).describe('how long a freed address is not given again by itself'),
  manageForwarding: yesOrNo.default(true).describe('switch packet forwarding of the host on at the start'),
  hostName: text.max(64).optional().describe('what the cluster calls this host; its host name by default'),
  clusterAddress: address()
    .optional()
    .describe('address to listen on for other hosts of the cluster; all by default'),
  clusterPort: whole(1, 65535)
    .default(CLUSTER_PORT)
    .describe('TCP and UDP port for other hosts of the cluster'),
  clusterAdvertise: address()
    .optional()
    .describe("address that other hosts reach this one at; the host's own by default"),
  seeds: z
    .array(parsed((text) => placeText(parsePlace(text, CLUSTER_PORT))))
    .default([])
    .describe(
      'hosts to look for the cluster at when no member is known to be there: ADDRESS or ADDRESS:PORT',
    ),
  clusterSecretFile: text
    .optional()
    .describe('file with the secret of the cluster that this host is to be in, made by net-routed secret'),
  founder: text
    .max(253)
    .optional()
    .describe(
      'name of the host that makes that cluster (hostName there); the one at the first seed by default',
    ),
  discovery: z
    .enum(['none', 'mdns'])
    .default('none')
    .describe(
      "look for hosts of the cluster besides the seeds: none, or mdns on the links of the host's addresses",
    ),
  peers: z.array(peerSettings).default([]).superRefine(refuseTwice).describe('BGP neighbours'),
});

/** Two of one neighbour would be one session with the settings of either. */
function refuseTwice(peers: readonly PeerSettings[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  peers.forEach((peer, index) => {
    const name = peer.address ?? peer.interface ?? '';
    if (seen.has(name))
      context.addIssue({ code: 'custom', path: [index], message: `${name} is given twice` });
    seen.add(name);
  });
}

export type Settings = z.infer<typeof settingsSchema>;
export type PeerSettings = z.infer<typeof peerSettings>;
