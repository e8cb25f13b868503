import { setImmediate } from 'node:timers/promises';
import { asCoded, type CodedError } from '../errors.ts';
import type { Line } from './arguments.ts';
import type { Verdict } from './group.ts';
import type { Writer } from './writer.ts';

/** Operations that are written in one go, between two looks at the event loop. */
const SLICE = 250;

/** Runs several operations of some commands each, in order. One verdict per operation: its first error, if any. */
export async function attempt(
  ip: Writer,
  operations: readonly (() => readonly Line[])[],
): Promise<Verdict[]> {
  const errors = await attemptEach(ip, operations);
  return errors.map((own) => own.find((one) => one !== undefined));
}

/**
 * The same, with the errors of all commands of each operation. What failed for want of a device is tried once more by
 * a process that has no memory of devices.
 */
export async function attemptEach(
  ip: Writer,
  operations: readonly (() => readonly Line[])[],
): Promise<Verdict[][]> {
  const errors = await attemptAll(ip, operations);
  const again = [...errors.keys()].filter((i) => errors[i]!.some((one) => ip.misremembers(one)));
  if (again.length > 0) {
    ip.renew();
    const second = await attemptAll(
      ip,
      again.map((i) => operations[i]!),
    );
    for (const [i, index] of again.entries()) errors[index] = second[i]!;
  }
  return errors;
}

async function attemptAll(ip: Writer, operations: readonly (() => readonly Line[])[]): Promise<Verdict[][]> {
  const slices: Promise<Verdict[][]>[] = [];
  for (let at = 0; at < operations.length; at += SLICE) {
    if (at > 0) await setImmediate();
    slices.push(attemptSlice(ip, operations.slice(at, at + SLICE)));
  }
  return (await Promise.all(slices)).flat();
}

async function attemptSlice(
  ip: Writer,
  operations: readonly (() => readonly Line[])[],
): Promise<Verdict[][]> {
  const written = operations.map(write);
  const errors = await ip.run(written.flatMap(({ lines }) => lines));
  let at = 0;
  return written.map(({ lines, error }) => {
    if (error) return [error];
    at += lines.length;
    return errors.slice(at - lines.length, at);
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
