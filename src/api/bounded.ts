import { CodedError } from '../errors.ts';

/** `work`, or NR_DEADLINE after `ms` milliseconds; the work goes on and its late outcome is dropped. */
export function bounded<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new CodedError('NR_DEADLINE', `${what}: no answer within ${ms} ms`)),
      ms,
    );
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
