import type { CheckView } from '../views.ts';
import { checkForward } from './forward.ts';
import { raDefaults } from './forwarding.ts';
import { run } from './program.ts';
import { checkFeatures, checkPrograms } from './programs.ts';
import { checkDocker, checkPlugins } from './reachable.ts';
import { checkSettings } from './settings.ts';
import { sysctls } from './sysctl.ts';

export interface Local {
  readonly pluginDir: string;
  readonly dockerSocket: string;
  /** Executable of the supervised engine; undefined where others run it. */
  readonly gobgpd: string | undefined;
  /** How many endpoints this host has. */
  readonly endpoints: number;
}

/** What can be seen of the host without the daemon. Never throws. */
export async function checkLocal({
  pluginDir,
  dockerSocket,
  gobgpd,
  endpoints,
}: Local): Promise<CheckView[]> {
  const groups = await Promise.all([
    checkPrograms(run, gobgpd),
    checkFeatures(run),
    checkSettings(sysctls(), endpoints, raDefaults()),
    checkForward(run),
    checkPlugins(pluginDir),
    checkDocker(dockerSocket).then((check) => [check]),
  ]);
  return groups.flat();
}
