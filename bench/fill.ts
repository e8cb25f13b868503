/** Endpoints that a daemon is to know. */
import type { DriverClient, EndpointIds, NetworkIds } from './driver.ts';
import { inFlight } from './flight.ts';
import { PARALLEL } from './stage.ts';

/** Makes endpoints that are not joined. */
export async function known(driver: DriverClient, ids: NetworkIds, count: number): Promise<EndpointIds[]> {
  const endpoints: EndpointIds[] = [];
  await inFlight(PARALLEL, count, async (at) => {
    endpoints[at] = await driver.createEndpoint(ids, await driver.requestAddress(ids));
  });
  return endpoints;
}
