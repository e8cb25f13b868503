/** What the command line asks for. */
import { parseArgs } from 'node:util';

export interface Options {
  /** Names of the rows to measure; all when empty. */
  readonly only: readonly string[];
  readonly quick: boolean;
  readonly long: boolean;
  /** A further file for the JSON. */
  readonly json?: string | undefined;
  readonly help: boolean;
}

/** @throws for what it does not know */
export function readOptions(argv: readonly string[], known: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', multiple: true, default: [] },
      quick: { type: 'boolean', default: false },
      long: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const only = values.only.flatMap((list) => list.split(',')).filter((name) => name !== '');
  const strange = only.filter((name) => !known.includes(name));
  if (strange.length > 0) throw new Error(`no row ${strange.join(', ')}; rows are ${known.join(', ')}`);
  return { only, quick: values.quick, long: values.long, json: values.json, help: values.help };
}

export function usage(known: readonly string[]): string {
  return [
    'npm run bench -- [--only ROW,ROW] [--quick | --long] [--json FILE]',
    '',
    '  --only   measure these rows only',
    '  --quick  few samples, to see that it works; the figures say little',
    '  --long   rows that have a goal of many minutes measure it as it is (heal)',
    '  --json   write the JSON to this file too, beside bench/out/',
    '',
    `rows: ${known.join(', ')}`,
  ].join('\n');
}
