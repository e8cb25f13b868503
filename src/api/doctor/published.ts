import { robbed, whoListens } from '../../driver/ports.ts';
import type { Services } from '../../driver/services.ts';
import { publishedPorts } from '../../plan/endpoint.ts';
import type { CheckView } from '../views.ts';
import { ok, warn } from './check.ts';

/**
 * Whether a program of the host listens where an endpoint publishes. Docker and programs that come later know nothing
 * of our ports, and are not refused. @throws NR_KERNEL_UNAVAILABLE, NR_KERNEL_REFUSED
 */
export async function checkPublished({ state, kernel }: Services): Promise<CheckView[]> {
  const publishing = [...state.endpoints.all()].filter(({ ports }) => ports.length > 0);
  if (publishing.length === 0) return [];
  const listeners = await kernel.listeners();
  const checks: CheckView[] = [];
  for (const endpoint of publishing) {
    for (const listener of robbed(publishedPorts(endpoint), listeners)) {
      const name = `port ${listener.port}/${listener.protocol}`;
      const who = await whoListens(listener, (port) => kernel.listeners(port));
      const what = `published by endpoint ${endpoint.id.slice(0, 12)}, and ${who}: one of them is not reached`;
      checks.push(warn(name, what, 'publish it on another port of the host, or stop the program'));
    }
  }
  return checks.length > 0 ? checks : [ok('published ports', 'no program of the host listens on one')];
}
