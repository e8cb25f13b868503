import type { CheckView } from '../views.ts';
import { fail } from './check.ts';
import { enableForwarding } from './forwarding.ts';
import { letThrough } from './letthrough.ts';
import { run } from './program.ts';
import { sysctls } from './sysctl.ts';

/** Makes the host forward packets of our interfaces, as far as it does not. Needs no daemon; never throws. */
export async function repairHost(): Promise<{ fixed: readonly string[]; failed: readonly CheckView[] }> {
  const settings = enableForwarding(sysctls());
  const rules = await letThrough(run);
  return {
    fixed: [...settings.done.map((setting) => `set ${setting}`), ...rules.done.map((rule) => `ran ${rule}`)],
    failed: [
      ...settings.left.map((what) => fail('fix: forwarding', what, 'set it by hand')),
      ...rules.left.map((what) => fail('fix: forward policy', what, 'add the rules by hand')),
    ],
  };
}
