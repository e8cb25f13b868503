import { CodedError } from '../errors.ts';

/**
 * What `work` answers, or NR_DEADLINE after `ms` milliseconds: dockerd itself waits for ever. The work goes on;
 * `late` is told how it ended.
 */
export async function withDeadline<T>(
  work: Promise<T>,
  ms: number,
  name: string,
  late: (error: unknown) => void,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      over = true;
      reject(new CodedError('NR_DEADLINE', `${name} did not end within ${ms} ms`));
    }, ms);
  });
  // A rejection after the deadline has nobody else to handle it.
  work.then(
    () => over && late(undefined),
    (error) => over && late(error),
  );
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
