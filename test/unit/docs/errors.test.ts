import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CODES } from '../../../src/errors.ts';

const ROOT = join(import.meta.dirname, '../../..');
const TABLE = 'errors.ts';

/** The headings of docs/errors.md, each with the text below it. */
function documented(): Map<string, string> {
  const [, ...parts] = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8').split(/^## /m);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end).trim(), part.slice(end).trim()];
    }),
  );
}

/** Codes that occur in the text of a source as a string: comments name them without quotes. */
function codesIn(text: string): string[] {
  return [...text.matchAll(/['"](NR_[A-Z0-9_]+)['"]/g)].map(([, code]) => code!);
}

/** Codes that some source besides the table names. */
function used(): Set<string> {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  const sources = files.filter((file) => file.endsWith('.ts') && file !== TABLE);
  const codes = sources.flatMap((file) => codesIn(readFileSync(join(ROOT, 'src', file), 'utf8')));
  // The table's own file makes one error: of what nobody expected.
  const [, functions = ''] = readFileSync(join(ROOT, 'src', TABLE), 'utf8').split('as const satisfies');
  return new Set([...codes, ...codesIn(functions)]);
}

describe('docs/errors.md', () => {
  it('has one heading for each code, and no other', () => {
    assert.deepEqual([...documented().keys()].sort(), [...ERROR_CODES].sort());
  });

  it('is in alphabetical order', () => {
    const headings = [...documented().keys()];
    // As a person looks it up: POOL_UNKNOWN before POOLS_EXHAUSTED.
    const rank = (code: string) => code.replaceAll('_', ' ');
    assert.deepEqual(
      headings,
      headings.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)),
    );
  });

  it('says something of each', () => {
    const short = [...documented()].filter(([, text]) => text.length < 80).map(([code]) => code);
    assert.deepEqual(short, []);
  });
});

describe('the table of errors', () => {
  it('has no code that nothing uses', () => {
    const sources = used();
    assert.ok(sources.size > 30, 'the pattern finds the codes');
    assert.deepEqual(
      ERROR_CODES.filter((code) => !sources.has(code)),
      [],
    );
  });

  it('has every code that is used', () => {
    const known = new Set<string>(ERROR_CODES);
    assert.deepEqual(
      [...used()].filter((code) => !known.has(code)),
      [],
    );
  });
});
