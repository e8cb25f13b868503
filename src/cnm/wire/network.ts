import { z } from 'zod';
import type { CreateEndpoint, CreateNetwork, JoinAnswer, PoolData } from '../../driver/calls.ts';
import { endpointOptions } from './endpoint.ts';
import { flag, id, optionalText, textMap } from './text.ts';

/**
 * The requests of Docker's NetworkDriver (moby libnetwork/drivers/remote/api), read into the calls of the driver.
 * Unknown fields pass, since newer engines add some; a known field of a wrong type does not.
 */

/** An IPAMData that CreateNetwork brings; Go leaves out what is not set. */
const pool = z
  .object({
    AddressSpace: optionalText,
    Pool: optionalText,
    Gateway: optionalText,
    AuxAddresses: textMap,
  })
  .transform(
    (wire): PoolData => ({
      addressSpace: wire.AddressSpace ?? '',
      pool: wire.Pool ?? '',
      ...(wire.Gateway && { gateway: wire.Gateway }),
      auxAddresses: wire.AuxAddresses,
    }),
  );
const pools = z
  .array(pool)
  .nullish()
  .transform((list) => list ?? []);

const GENERIC = 'com.docker.network.generic';
const INTERNAL = 'com.docker.network.internal';
const networkOptions = z
  .object({
    [GENERIC]: textMap,
    [INTERNAL]: flag,
    'com.docker.network.enable_ipv4': flag,
    'com.docker.network.enable_ipv6': flag,
  })
  .nullish();

export const createNetwork = z
  .object({ NetworkID: id, Options: networkOptions, IPv4Data: pools, IPv6Data: pools })
  .transform(
    (wire): CreateNetwork => ({
      network: wire.NetworkID,
      options: wire.Options?.[GENERIC] ?? {},
      internal: wire.Options?.[INTERNAL] ?? false,
      ipv4: wire.IPv4Data,
      ipv6: wire.IPv6Data,
    }),
  );

export const deleteNetwork = z.object({ NetworkID: id }).transform((wire) => ({ network: wire.NetworkID }));

export const gwAllocCheck = z.object({ Options: networkOptions });

/** DeleteEndpoint, Leave, RevokeExternalConnectivity and EndpointOperInfo bring no more than this. */
export const endpoint = z
  .object({ NetworkID: id, EndpointID: id })
  .transform((wire) => ({ network: wire.NetworkID, endpoint: wire.EndpointID }));

const iface = z
  .object({ Address: optionalText, AddressIPv6: optionalText, MacAddress: optionalText })
  .nullish();

/** `macGiven`: the request's Interface has a MAC, so that the answer must not have one. */
export const createEndpoint = z
  .object({ NetworkID: id, EndpointID: id, Interface: iface, Options: endpointOptions })
  .transform((wire): { call: CreateEndpoint; macGiven: boolean } => {
    const mac = wire.Interface?.MacAddress ?? wire.Options.mac;
    return {
      call: {
        network: wire.NetworkID,
        endpoint: wire.EndpointID,
        ...(wire.Interface?.Address && { address: wire.Interface.Address }),
        ...(wire.Interface?.AddressIPv6 && { addressV6: wire.Interface.AddressIPv6 }),
        ...(mac && { mac }),
        options: wire.Options.driverOptions,
      },
      macGiven: wire.Interface?.MacAddress !== undefined,
    };
  });

export const join = z
  .object({ NetworkID: id, EndpointID: id, SandboxKey: z.string().min(1), Options: endpointOptions })
  .transform((wire) => ({ network: wire.NetworkID, endpoint: wire.EndpointID, sandbox: wire.SandboxKey }));

export const program = z
  .object({ NetworkID: id, EndpointID: id, Options: endpointOptions })
  .transform((wire) => ({
    network: wire.NetworkID,
    endpoint: wire.EndpointID,
    ports: wire.Options.ports,
  }));

/** types.CONNECTED of libnetwork: reached directly through the interface. */
const CONNECTED = 1;

/** Docker adds the on-link routes first and the default routes through the gateways last. */
export function joinResponse(answer: JoinAnswer): object {
  return {
    InterfaceName: { SrcName: answer.interface, DstPrefix: answer.prefix },
    ...(answer.gateway && { Gateway: answer.gateway }),
    ...(answer.gatewayV6 && { GatewayIPv6: answer.gatewayV6 }),
    StaticRoutes: answer.onLink.map((Destination) => ({ Destination, RouteType: CONNECTED })),
    // Without it an endpoint that has no IPv4 gateway is also plugged into docker_gwbridge, and leaks there.
    DisableGatewayService: true,
  };
}
