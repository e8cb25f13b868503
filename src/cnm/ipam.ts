import { type AddressCalls, GLOBAL_ADDRESS_SPACE, LOCAL_ADDRESS_SPACE } from '../driver/calls.ts';
import { type Method, method, plain } from './method.ts';
import * as wire from './wire/ipam.ts';

/** The address part of the gateways 0.0.0.0/0 and ::/0. */
const UNSPECIFIED = new Set(['0.0.0.0', '::']);

/** The methods of Docker's IpamDriver. */
export function ipamMethods(calls: AddressCalls): Method[] {
  return [
    // No replay: what was given is in our own store, and a replay makes dockerd's boot slower.
    plain('IpamDriver.GetCapabilities', () => ({
      RequiresMACAddress: false,
      RequiresRequestReplay: false,
    })),
    plain('IpamDriver.GetDefaultAddressSpaces', () => ({
      LocalDefaultAddressSpace: LOCAL_ADDRESS_SPACE,
      GlobalDefaultAddressSpace: GLOBAL_ADDRESS_SPACE,
    })),
    method('IpamDriver.RequestPool', wire.requestPool, async (call) =>
      wire.poolResponse(await calls.requestPool(call)),
    ),
    method('IpamDriver.ReleasePool', wire.releasePool, async ({ id }) => {
      await calls.releasePool(id);
      return {};
    }),
    method('IpamDriver.RequestAddress', wire.requestAddress, async (call) => {
      const { address } = await calls.requestAddress(call);
      return { Address: address };
    }),
    method('IpamDriver.ReleaseAddress', wire.releaseAddress, async ({ pool, address }) => {
      // Docker also releases the gateway that RequestPool named, and "" for an address that it never got.
      if (address && !UNSPECIFIED.has(address)) await calls.releaseAddress(pool, address);
      return {};
    }),
  ];
}
