import { z } from 'zod';
import type { AddressCalls, RequestPool } from '../../driver/calls.ts';
import { flag, optionalText, textMap } from './text.ts';

/** The requests of Docker's IpamDriver (moby libnetwork/ipams/remote/api), read into the calls of the driver. */

/** Our own pool id: opaque to Docker. */
const poolId = z.string().min(1).max(1024);

export const requestPool = z
  .object({ Pool: optionalText, SubPool: optionalText, Options: textMap, V6: flag })
  .transform(
    (wire): RequestPool => ({
      ...(wire.Pool && { pool: wire.Pool }),
      ...(wire.SubPool && { subPool: wire.SubPool }),
      options: wire.Options,
      v6: wire.V6,
    }),
  );

export const releasePool = z.object({ PoolID: poolId }).transform((wire) => ({ id: wire.PoolID }));

const TYPE = 'RequestAddressType';
const GATEWAY = 'com.docker.network.gateway';
const HOLDER = 'com.docker.network.endpoint.name';

export const requestAddress = z
  .object({ PoolID: poolId, Address: optionalText, Options: textMap })
  .transform((wire): Parameters<AddressCalls['requestAddress']>[0] => {
    const holder = wire.Options[HOLDER];
    return {
      pool: wire.PoolID,
      ...(wire.Address && { address: wire.Address }),
      gateway: wire.Options[TYPE] === GATEWAY,
      ...(holder && { holder }),
    };
  });

export const releaseAddress = z
  .object({ PoolID: poolId, Address: optionalText })
  .transform((wire) => ({ pool: wire.PoolID, address: wire.Address }));

/** Answer of RequestPool: with Data of this key, Docker asks for no gateway address. */
export function poolResponse(answer: Awaited<ReturnType<AddressCalls['requestPool']>>): object {
  return { PoolID: answer.id, Pool: answer.pool, Data: { [GATEWAY]: answer.gateway } };
}
