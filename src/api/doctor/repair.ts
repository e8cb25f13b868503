import type { Services } from '../../driver/services.ts';
import { asCoded } from '../../errors.ts';
import { bounded } from '../bounded.ts';
import type { Pulse } from '../pulse.ts';
import type { CheckView, DoctorView } from '../views.ts';
import { fail, some } from './check.ts';
import { diagnose } from './diagnose.ts';
import { repairHost } from './host.ts';

/** What Docker does not list may be about to be made: left alone when younger, in milliseconds. */
const GRACE_MS = 15_000;
/** Longest wait for each step, in milliseconds. */
const WAIT_MS = 30_000;

/** Repairs what can be repaired without touching what is not ours, then looks again. */
export async function repair(services: Services, pulse: Pulse): Promise<DoctorView> {
  const { janitor, reconciler, log } = services;
  const fixed: string[] = [];
  const failed: CheckView[] = [];
  const step = async (name: string, work: () => Promise<void>) => {
    try {
      await bounded(work(), WAIT_MS, name);
    } catch (error) {
      const { what, remedy } = asCoded(error);
      failed.push(fail(`fix: ${name}`, what, remedy));
    }
  };
  await step('host', async () => {
    const host = await repairHost();
    fixed.push(...host.fixed);
    failed.push(...host.failed);
  });
  await step('compare with Docker', async () => {
    const swept = await janitor.sweep(GRACE_MS);
    for (const kind of ['endpoints', 'networks', 'pools'] as const) {
      const ids = swept[kind].map((id) => id.slice(0, 24));
      if (ids.length > 0) fixed.push(`removed ${kind} that Docker has forgotten: ${some(ids, 10)}`);
    }
  });
  await step('read back', async () => {
    await reconciler.resync();
    fixed.push('read kernel, firewall and engine back, and repaired what differed');
  });
  log.info({ fixed }, 'doctor --fix');
  const { checks } = await diagnose(services, pulse);
  return { checks: [...failed, ...checks], fixed };
}
