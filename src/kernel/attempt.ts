import { asCoded, type CodedError } from '../errors.ts';
import type { Line } from './arguments.ts';
import type { Coprocess } from './coprocess.ts';

export type Verdict = CodedError | undefined;

/** Runs several operations of some commands each. One verdict per operation: its first error, if any. */
export async function attempt(
  ip: Coprocess,
  operations: readonly (() => readonly Line[])[],
): Promise<Verdict[]> {
  const written = operations.map(write);
  const { errors } = await ip.run(written.flatMap(({ lines }) => lines));
  let at = 0;
  return written.map(({ lines, error }) => {
    const own = errors.slice(at, at + lines.length);
    at += lines.length;
    return error ?? own.find((one) => one !== undefined);
  });
}

function write(commands: () => readonly Line[]): { lines: readonly Line[]; error?: CodedError } {
  const { value, error } = caught(commands);
  return value ? { lines: value } : { lines: [], error: error! };
}

/** What a function of the checks answers, or its error. */
export function caught<T>(compute: () => T): { readonly value?: T; readonly error?: CodedError } {
  try {
    return { value: compute() };
  } catch (error) {
    return { error: asCoded(error) };
  }
}
