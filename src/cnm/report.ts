import type { Logger } from 'pino';
import type { CodedError, ErrorCode } from '../errors.ts';

/** Told of every call: its method (`unknown` for what we do not serve), duration in milliseconds and outcome. */
export interface CallMetrics {
  onCall(method: string, ms: number, code: ErrorCode | 'OK'): void;
}

/** Where calls are told to. */
export interface Reporting {
  readonly log: Logger;
  readonly metrics?: CallMetrics | undefined;
}

/** Logs and counts one call. A user's mistake is a warning, a failure of ours an error. */
export function report(
  { log, metrics }: Reporting,
  method: string,
  ms: number,
  failure: CodedError | undefined,
  fields: Readonly<Record<string, unknown>>,
): void {
  metrics?.onCall(method, ms, failure?.code ?? 'OK');
  const entry = { method, ms, code: failure?.code ?? 'OK', ...fields };
  if (!failure) log.info(entry, 'call');
  else if (failure.status < 500) log.warn({ ...entry, what: failure.what }, 'call refused');
  else log.error({ ...entry, err: failure }, 'call failed');
}
