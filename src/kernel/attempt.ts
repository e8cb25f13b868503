import { setImmediate } from 'node:timers/promises';
import { asCoded, type CodedError } from '../errors.ts';
import type { Line } from './arguments.ts';
import type { Coprocess } from './coprocess.ts';

export type Verdict = CodedError | undefined;

/** Operations that are written in one go, between two looks at the event loop. */
const SLICE = 250;

/** Runs several operations of some commands each, in order. One verdict per operation: its first error, if any. */
export async function attempt(
  ip: Coprocess,
  operations: readonly (() => readonly Line[])[],
): Promise<Verdict[]> {
  const slices: Promise<Verdict[]>[] = [];
  for (let at = 0; at < operations.length; at += SLICE) {
    if (at > 0) await setImmediate();
    slices.push(attemptSlice(ip, operations.slice(at, at + SLICE)));
  }
  return (await Promise.all(slices)).flat();
}

async function attemptSlice(
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
