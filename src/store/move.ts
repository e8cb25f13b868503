import type { Step } from './backing.ts';
import type { Row } from './row.ts';

/** One record's step from what was to what is. */
export interface Move {
  readonly key: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

/** What the disk has to do for a move. */
export function stepOf({ key, after }: Move): Step {
  return after ? { do: 'put', record: after } : { do: 'drop', key };
}

/** The version, unless it is a tombstone. */
export function living(row: Row | undefined): Row | undefined {
  return row?.text === undefined ? undefined : row;
}
