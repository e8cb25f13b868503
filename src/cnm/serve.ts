import type { Readable } from 'node:stream';
import type { Request, ResponseObject, ResponseToolkit } from '@hapi/hapi';
import { asCoded, type CodedError } from '../errors.ts';
import { readBody } from './body.ts';
import { withDeadline } from './deadline.ts';
import type { Method } from './method.ts';
import { errorBody, reply } from './reply.ts';
import { type Reporting, report } from './report.ts';

export interface Serving extends Reporting {
  /** Longest time that a call may take, in milliseconds. */
  readonly deadlineMs: number;
}

/** The handler of one method: bounded in time, logged, counted. @throws Boom for a body that cannot be read */
export function serve(method: Method, serving: Serving) {
  return async (request: Request, h: ResponseToolkit): Promise<ResponseObject> => {
    const call = await readBody(request.payload as Readable);
    const started = performance.now();
    const late = (error: unknown): void =>
      serving.log.warn(
        { method: method.name, ms: since(started), err: error },
        'call ended after its deadline',
      );
    let body: object;
    let failure: CodedError | undefined;
    try {
      body = await withDeadline(method.run(call), serving.deadlineMs, method.name, late);
    } catch (error) {
      failure = asCoded(error);
      body = errorBody(failure, method.errorField);
    }
    report(serving, method.name, since(started), failure, subject(call));
    // Status 200 even so: Docker takes a 404 for "not implemented" and goes on as if all was well.
    return reply(h, body, 200);
  };
}

/** What the call is about, for the log. */
function subject(call: unknown): Record<string, unknown> {
  if (typeof call !== 'object' || call === null) return {};
  const fields = call as Record<string, unknown>;
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
