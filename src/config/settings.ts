import { z } from 'zod';
import { Address } from '../net/address.ts';
import { parseAsn } from '../net/asn.ts';
import { parseIfname } from '../net/ifname.ts';
import { Prefix } from '../net/prefix.ts';

/** A text that `parse` accepts; its error message becomes the schema's. */
function text<T>(parse: (value: string) => T, render: (value: T) => string = String): z.ZodType<string> {
  return z.string().transform((value, context) => {
    try {
      return render(parse(value));
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as { what?: string }).what ?? String(error) });
      return z.NEVER;
    }
  }) as unknown as z.ZodType<string>;
}

const address = text(Address.parse);
const prefix = text(Prefix.parse);
const asn = z.union([z.string(), z.number()]).transform((value, context) => {
  try {
    return parseAsn(value) as number;
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as { what?: string }).what ?? String(error) });
    return z.NEVER;
  }
});
const seconds = (least: number, most: number) => z.coerce.number().int().min(least).max(most);

const prefixRule = z.strictObject({
  prefix,
  ge: z.number().int().min(0).max(128).optional(),
  le: z.number().int().min(0).max(128).optional(),
});

export const peerSettings = z
  .strictObject({
    address: address.optional().describe('address of the neighbour'),
    interface: text(parseIfname).optional().describe('interface of an unnumbered neighbour'),
    as: asn.describe('its AS number; the own one for iBGP'),
    localAddress: address.optional().describe('address to open the session from'),
    password: z.string().min(1).max(80).optional().describe('TCP MD5 key'),
    passwordFile: z.string().optional().describe('file that holds the TCP MD5 key'),
    holdTime: seconds(3, 65535).default(90).describe('hold time, seconds'),
    keepalive: seconds(1, 21845).optional().describe('keepalive interval, seconds; a third of the hold time'),
    connectRetry: seconds(1, 65535).default(5).describe('pause between attempts to connect, seconds'),
    multihop: z.number().int().min(1).max(255).default(1).describe('how many hops away it may be'),
    port: z.number().int().min(1).max(65535).default(179).describe('TCP port of the neighbour'),
    passive: z.boolean().default(false).describe('wait for the neighbour to connect'),
    gracefulRestart: seconds(0, 4095).default(120).describe('restart time, seconds; 0 turns it off'),
    maximumPrefix: z.number().int().min(0).max(4294967295).default(0).describe('limit a family; 0 for none'),
    import: z.array(prefixRule).optional().describe('what is accepted; everything but a default route'),
    export: z.array(prefixRule).optional().describe('what is announced of the pools; everything'),
  })
  .refine((peer) => (peer.address === undefined) !== (peer.interface === undefined), {
    message: 'a peer has either an address or an interface',
  })
  .refine((peer) => peer.password === undefined || peer.passwordFile === undefined, {
    message: 'a peer has either a password or a passwordFile',
  });

/**
 * Every setting of the daemon. In the configuration file under this name; as a flag with dashes (`--state-dir`); as
 * a variable in capitals (`NET_ROUTED_STATE_DIR`).
 */
export const settingsSchema = z.strictObject({
  stateDir: z.string().default('/var/lib/net-routed').describe('folder of the durable state'),
  runDir: z.string().default('/run/net-routed').describe('folder of sockets and process ids'),
  pluginDir: z.string().default('/run/docker/plugins').describe("folder of Docker's plugin sockets"),
  dockerSocket: z
    .string()
    .default('/var/run/docker.sock')
    .describe("dockerd's API, asked in the background only"),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('least level that is logged'),
  as: asn.optional().describe('own AS number; one from the private range by default'),
  routerId: address.optional().describe('BGP identifier; the host address by default'),
  address: address.optional().describe("host's IPv4 address that others route to; the uplink's by default"),
  addressV6: address.optional().describe("host's IPv6 address that others route to; the uplink's by default"),
  listenPort: z.coerce.number().int().min(0).max(65535).default(179).describe('BGP port; 0 to accept nobody'),
  mtu: z.coerce
    .number()
    .int()
    .min(68)
    .max(65535)
    .optional()
    .describe("endpoints' MTU, bytes; the uplink's by default"),
  gobgpd: z.string().default('gobgpd').describe('executable of the supervised engine'),
  engineSocket: z
    .string()
    .optional()
    .describe('API socket of an engine run by others; ours is not started then'),
  automaticPools: z
    .array(prefix)
    .default(['10.128.0.0/9', 'fd6e:7264::/32'])
    .describe('where networks without --subnet get theirs, a /24 or /64 each'),
  aliasPrefixes: z
    .array(prefix)
    .default([])
    .describe('prefixes besides the pools from which aliases are announced'),
  restSeconds: seconds(0, 86400)
    .default(60)
    .describe('how long a freed address is not given again by itself'),
  manageForwarding: z
    .union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')])
    .default(true)
    .describe('switch packet forwarding of the host on at the start'),
  peers: z.array(peerSettings).default([]).describe('BGP neighbours'),
});

export type Settings = z.infer<typeof settingsSchema>;
export type PeerSettings = z.infer<typeof peerSettings>;
