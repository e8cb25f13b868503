import type { Request, ResponseObject, ResponseToolkit } from '@hapi/hapi';
import { asCoded, type CodedError } from '../errors.ts';
import { withDeadline } from './deadline.ts';
import type { Method } from './method.ts';
import { errorBody, reply } from './reply.ts';
import { type Reporting, report } from './report.ts';

export interface Serving extends Reporting {
  /** Longest time that a call may take, in milliseconds. */
  readonly deadlineMs: number;
}

/** The handler of one method: bounded in time, logged, counted. Never throws. */
export function serve(method: Method, serving: Serving) {
  return async (request: Request, h: ResponseToolkit): Promise<ResponseObject> => {
    const started = performance.now();
    const late = (error: unknown): void =>
      serving.log.warn(
        { method: method.name, ms: since(started), err: error },
        'call ended after its deadline',
      );
    let body: object;
    let failure: CodedError | undefined;
    try {
      body = await withDeadline(method.run(request.payload), serving.deadlineMs, method.name, late);
    } catch (error) {
      failure = asCoded(error);
      body = errorBody(failure, method.errorField);
    }
    report(serving, method.name, since(started), failure, subject(request.payload));
    // Status 200 even so: Docker takes a 404 for "not implemented" and goes on as if all was well.
    return reply(h, body, 200);
  };
}

/** What the call is about, for the log. */
function subject(payload: unknown): Record<string, unknown> {
  if (typeof payload !== 'object' || payload === null) return {};
  const fields = payload as Record<string, unknown>;
  return {
    network: fields.NetworkID,
    endpoint: fields.EndpointID,
    pool: fields.PoolID,
    address: fields.Address,
  };
}

function since(started: number): number {
  return Math.round((performance.now() - started) * 1000) / 1000;
}
