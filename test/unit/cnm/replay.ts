import { CodedError } from '../../../src/errors.ts';
import { bytes, type Exchange, type Fixture, methodOf, type Reply, type Running, Wire } from './harness.ts';

/** What the scripted driver of the recorder answered, as the calls of the driver answer it. */
export function answersOf(exchange: Exchange): Record<string, unknown> {
  const body = JSON.parse(exchange.response.body);
  switch (methodOf(exchange)) {
    case 'IpamDriver.RequestPool':
      return {
        requestPool: { id: body.PoolID, pool: body.Pool, gateway: body.Data['com.docker.network.gateway'] },
      };
    case 'IpamDriver.RequestAddress':
      return { requestAddress: { address: body.Address } };
    case 'NetworkDriver.CreateEndpoint':
      // A driver that derives the MAC from the address may name it even where the user gave one.
      return { createEndpoint: { mac: body.Interface?.MacAddress ?? '02:42:0a:63:63:63' } };
    case 'NetworkDriver.EndpointOperInfo':
      return { endpointInfo: body.Value };
    case 'NetworkDriver.Join':
      return {
        join: {
          interface: body.InterfaceName?.SrcName,
          prefix: body.InterfaceName?.DstPrefix,
          gateway: body.Gateway,
          gatewayV6: body.GatewayIPv6,
          onLink: body.StaticRoutes?.map((route: { Destination: string }) => route.Destination),
        },
      };
    default:
      return {};
  }
}

/** Whether the recorder's driver failed here on purpose. */
export function failed({ response }: Exchange): boolean {
  return !response.head[0]!.endsWith(' 200') || /"Err(or)?":/.test(response.body);
}

export const FAILURE = new CodedError('NR_POOL_FULL', '10.1.0.0/24 has no free address');

/** Sends what a fixture holds over one connection a socket, as dockerd does, and collects the answers. */
export async function replay(
  { exchanges }: Fixture,
  servers: Readonly<Record<Exchange['socket'], Running>>,
): Promise<Reply[]> {
  const wires = new Map<string, Wire>();
  const replies: Reply[] = [];
  for (const exchange of exchanges) {
    const { calls, path } = servers[exchange.socket];
    calls.answers = answersOf(exchange);
    calls.behave = failed(exchange)
      ? () => {
          throw FAILURE;
        }
      : undefined;
    const wire = wires.get(exchange.socket) ?? new Wire(path);
    wires.set(exchange.socket, wire);
    replies.push(await wire.send(bytes(exchange)).reply());
  }
  for (const wire of wires.values()) wire.end();
  return replies;
}
