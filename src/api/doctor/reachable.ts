import { join } from 'node:path';
import { ask, whyNot } from '../unixhttp.ts';
import type { CheckView } from '../views.ts';
import { fail, ok, warn } from './check.ts';

/** Longest wait for an answer, in milliseconds. */
const WAIT_MS = 5000;

/** Names of Docker's two plugins of ours, and what each has to say that it is. */
const PLUGINS = { 'net-routed': ['NetworkDriver', 'IpamDriver'], 'ipam-routed': ['IpamDriver'] } as const;

/** Whether Docker would reach our plugins: asks as it does. */
export async function checkPlugins(folder: string): Promise<CheckView[]> {
  return Promise.all(
    Object.entries(PLUGINS).map(async ([name, drivers]) => {
      const path = join(folder, `${name}.sock`);
      const remedy = 'start net-routed daemon; its log says what stands in the way';
      try {
        const { status, body } = await ask(path, 'POST', '/Plugin.Activate', WAIT_MS);
        const { Implements: given = [] } = JSON.parse(body) as { Implements?: string[] };
        if (status === 200 && drivers.every((driver) => given.includes(driver))) {
          return ok(`plugin ${name}`, `answers on ${path}: ${given.join(', ')}`);
        }
        return fail(`plugin ${name}`, `somebody else answers on ${path}`, remedy);
      } catch (error) {
        return fail(`plugin ${name}`, whyNot(path, error as Error), remedy);
      }
    }),
  );
}

/** Whether dockerd answers. It may well be down: containers and routes do not depend on it. */
export async function checkDocker(socket: string): Promise<CheckView> {
  try {
    const { status, body } = await ask(socket, 'GET', '/version', WAIT_MS);
    if (status !== 200) throw new Error(`status ${status}`);
    const { Version, ApiVersion } = JSON.parse(body) as { Version: string; ApiVersion: string };
    return ok('dockerd', `version ${Version}, API ${ApiVersion}`);
  } catch (error) {
    return warn('dockerd', whyNot(socket, error as Error), 'start dockerd, or set --docker-socket');
  }
}
