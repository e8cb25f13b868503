/** The table of a run, as text; pure. */
import type { Figure, Finding } from './row.ts';

export interface Measured extends Finding {
  readonly row: string;
}

const HEAD = ['ROW', 'WHAT', 'N', 'MEDIAN', 'P99', 'UNIT', 'RATIO', 'GOAL'];
/** Columns of numbers stand right. */
const RIGHT = new Set([2, 3, 4, 6]);

export function table(rows: readonly Measured[]): string {
  const lines = rows.flatMap(({ row, figures }) =>
    figures.map((one, at) => [at === 0 ? row : '', ...cells(one)]),
  );
  const all = [HEAD, ...lines];
  const widths = HEAD.map((_, column) => Math.max(...all.map((line) => line[column]!.length)));
  return all
    .map((line) =>
      line
        .map((cell, at) => pad(cell, widths[at]!, at))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** What was measured, row by row. */
export function notes(rows: readonly Measured[]): string {
  return rows.flatMap(({ row, notes }) => notes.map((note) => `${row}: ${note}`)).join('\n');
}

function cells({ what, n, median, p99, unit, ratio, goal }: Figure): string[] {
  return [
    what,
    String(n),
    short(median),
    n > 1 ? short(p99) : '-',
    unit,
    ratio === undefined ? '-' : ratio.toFixed(2),
    goal ?? '-',
  ];
}

/** Three significant digits, or all before the point. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '?';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return value === 0 ? '0' : value.toFixed(digits);
}

function pad(text: string, width: number, column: number): string {
  return RIGHT.has(column) ? text.padStart(width) : text.padEnd(width);
}
