import { fail } from '../api/doctor/check.ts';
import { repairHost } from '../api/doctor/host.ts';
import { checkLocal } from '../api/doctor/local.ts';
import type { DoctorView } from '../api/views.ts';
import type { CodedError } from '../errors.ts';

/** What doctor can see, and repair, of a host whose daemon does not answer; `reason`: why it does not. */
export async function withoutDaemon(reason: CodedError, fix: boolean): Promise<DoctorView> {
  const { fixed, failed } = fix ? await repairHost() : { fixed: [], failed: [] };
  const { env } = process;
  const checks = await checkLocal({
    pluginDir: env.NET_ROUTED_PLUGIN_DIR || '/run/docker/plugins',
    dockerSocket: env.NET_ROUTED_DOCKER_SOCKET || '/var/run/docker.sock',
    gobgpd: env.NET_ROUTED_GOBGPD || 'gobgpd',
    endpoints: 0,
  });
  return {
    checks: [fail('daemon', `${reason.what}; only the host is checked`, reason.remedy), ...failed, ...checks],
    fixed: [...fixed],
  };
}
