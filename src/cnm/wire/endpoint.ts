import { z } from 'zod';
import type { PortBinding } from '../../driver/calls.ts';
import { optionalText } from './text.ts';

/** Everything below is Docker's own: labels of the endpoint and the sandbox, now and in engines to come. */
const DOCKER = 'com.docker.';
const PORTMAP = 'com.docker.network.portmap';
const EXPOSED = 'com.docker.network.endpoint.exposedports';
const MAC = 'com.docker.network.endpoint.macaddress';

const port = z.number().int().min(0).max(65535);
/** IP protocol number: Docker sends 6, 17 or 132. */
const protocol = z.number().int().min(0).max(255);

const binding = z
  .object({
    Proto: protocol,
    Port: port,
    HostIP: optionalText,
    HostPort: port.nullish(),
    HostPortEnd: port.nullish(),
  })
  .transform(
    (wire): PortBinding => ({
      protocol: wire.Proto,
      port: wire.Port,
      hostAddress: wire.HostIP ?? '',
      hostPort: wire.HostPort ?? 0,
      hostPortEnd: wire.HostPortEnd || (wire.HostPort ?? 0),
    }),
  );

/** Six bytes in base64, as Go marshals a net.HardwareAddr; or text, should an engine ever send that. */
const mac = z.string().transform((text, context) => {
  if (text === '') return undefined;
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return text.toLowerCase();
  if (!/^[A-Za-z0-9+/]{8}$/.test(text)) {
    context.addIssue({ code: 'custom', message: 'expected a MAC address, six bytes in base64' });
    return z.NEVER;
  }
  return Buffer.from(text, 'base64').toString('hex').match(/../g)!.join(':');
});

/** What the Options of CreateEndpoint, Join and ProgramExternalConnectivity say that we use. */
export interface EndpointOptions {
  /** The user's driver-opts: all that is not Docker's own. */
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly ports: readonly PortBinding[];
  readonly mac: string | undefined;
}

const known = z.object({
  [PORTMAP]: z.array(binding).nullish(),
  [EXPOSED]: z.array(z.object({ Proto: protocol, Port: port })).nullish(),
  [MAC]: mac.nullish(),
});

/** Docker's labels and the user's driver-opts lie in one map; this takes them apart. */
export const endpointOptions = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((map, context): EndpointOptions => {
    const docker = known.safeParse(map ?? {});
    for (const issue of docker.error?.issues ?? []) {
      context.addIssue({ code: 'custom', message: issue.message, path: issue.path });
    }
    const driverOptions: [string, string][] = [];
    for (const [key, value] of Object.entries(map ?? {})) {
      if (key.startsWith(DOCKER)) continue;
      if (typeof value === 'string') driverOptions.push([key, value]);
      else context.addIssue({ code: 'custom', message: 'expected string', path: [key] });
    }
    return {
      driverOptions: Object.fromEntries(driverOptions),
      ports: docker.data?.[PORTMAP] ?? [],
      mac: docker.data?.[MAC] ?? undefined,
    };
  });
