import type { Repaired } from './check.ts';
import { passageOf, readFilters, ruleOf, WAIT } from './iptables.ts';
import type { Run } from './program.ts';

/**
 * Lets packets of our interfaces through where the policy of FORWARD would drop them: by rules at its end, so that
 * all others decide first. What somebody drops by a rule stays dropped. Done before, it does nothing.
 */
export async function letThrough(run: Run, legacy?: (family: 4 | 6) => boolean): Promise<Repaired> {
  const done: string[] = [];
  const left: string[] = [];
  for (const { command, listing } of await readFilters(run, legacy)) {
    const { policy, missing, barrier } = passageOf(listing);
    if (policy !== 'DROP' || barrier) continue;
    for (const direction of missing) {
      const rule = ruleOf(direction);
      const { status, stderr } = await run(command, [...WAIT, '-A', 'FORWARD', ...rule]);
      if (status === 0) done.push(`${command} -A FORWARD ${rule.join(' ')}`);
      else left.push(`${command}: ${stderr}`);
    }
  }
  return { done, left };
}
