import type { Step } from './change.ts';
import { TABLE } from './ruleset.ts';

/** Commands that make the steps, few of them: elements of one set are given at once. */
export function compact(steps: readonly Step[]): string[] {
  const groups = new Map<string, string[]>();
  for (const step of steps) {
    const head = headOf(step);
    const group = groups.get(head);
    if (group) group.push(elementText(step));
    else groups.set(head, [elementText(step)]);
  }
  return [...groups].map(([head, elements]) => `${head} { ${elements.join(', ')} }`);
}

/** One command for each step, so that a complaint's line number tells which step it is about. */
export function linewise(steps: readonly Step[]): string[] {
  return steps.map((step) => `${headOf(step)} { ${elementText(step)} }`);
}

/**
 * The steps that nft complains of, found by the line of a script whose first step is on line `offset + 1`.
 * nft sends all steps and tells of each that the kernel refused: `FILE:LINE:COLUMN-COLUMN: Error: ...`.
 */
export function blamed(stderr: string, steps: readonly Step[], offset: number): Map<Step, string> {
  const found = new Map<Step, string>();
  for (const [, line, complaint] of stderr.matchAll(/^[^\n]*?:(\d+):\d+-\d+: Error: ([^\n]*)$/gm)) {
    const step = steps[Number(line) - 1 - offset];
    if (step) found.set(step, complaint!);
  }
  return found;
}

function headOf(step: Step): string {
  return `${step.do} element ${TABLE} ${step.element.set}`;
}

/** A deleted element of a map is named by its key alone. */
function elementText({ do: action, element }: Step): string {
  return action === 'add' && element.value !== undefined ? `${element.key} : ${element.value}` : element.key;
}
