import type { DoctorView } from '../../api/views.ts';
import { counted } from '../../api/words.ts';
import { table } from '../table.ts';

const ORDER = ['fail', 'warn', 'ok'];

/** The worst first. */
export function renderDoctor({ checks, fixed }: DoctorView): string {
  const sorted = checks.toSorted((a, b) => ORDER.indexOf(a.result) - ORDER.indexOf(b.result));
  const rows = sorted.map(({ result, name, what, remedy }) => [
    result,
    name,
    remedy === undefined ? what : `${what}; ${remedy}`,
  ]);
  const failed = checks.filter(({ result }) => result === 'fail').length;
  const warned = checks.filter(({ result }) => result === 'warn').length;
  const did = fixed.map((line) => `fixed: ${line}`).join('\n');
  const sum = `${counted(checks.length, 'check')}: ${failed} failed, ${warned} with a warning`;
  return [did, table(['RESULT', 'CHECK', 'WHAT'], rows), sum].filter((part) => part !== '').join('\n\n');
}

/** Exit status of doctor. */
export function doctorStatus({ checks }: DoctorView): 0 | 1 {
  return checks.some(({ result }) => result === 'fail') ? 1 : 0;
}
