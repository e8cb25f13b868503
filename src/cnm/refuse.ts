import type { Boom } from '@hapi/boom';
import type { Request, ResponseObject, ResponseToolkit } from '@hapi/hapi';
import { asCoded, CodedError } from '../errors.ts';
import { errorBody, reply } from './reply.ts';
import { type Reporting, report } from './report.ts';

/**
 * Answers a request that never reached a method: unknown, not POST, too large, not JSON. The status is not 200,
 * so both drivers look for the text in `Err`.
 */
export function refuse(
  request: Request,
  h: ResponseToolkit,
  boom: Boom,
  paths: ReadonlySet<string>,
  reporting: Reporting,
): ResponseObject {
  const known = paths.has(request.path);
  const status = boom.output.statusCode === 404 && known ? 405 : boom.output.statusCode;
  const failure = failureOf(request, status, boom);
  const name = known ? request.path.slice(1) : 'unknown';
  report(reporting, name, Date.now() - request.info.received, failure, { path: shown(request) });
  const response = reply(h, errorBody(failure), status);
  return status === 405 ? response.header('allow', 'POST') : response;
}

function failureOf(request: Request, status: number, boom: Boom): CodedError {
  const where = `${request.method.toUpperCase()} ${shown(request)}`;
  if (status === 404 || status === 405) return new CodedError('NR_METHOD_UNKNOWN', `${where} is not served`);
  if (status === 413) return new CodedError('NR_REQUEST_TOO_LARGE', `the body of ${where} is too large`);
  if (status < 500) return new CodedError('NR_REQUEST_INVALID', `${where}: ${boom.message}`, { cause: boom });
  return asCoded(boom);
}

/** The path as a message may hold it: short. */
function shown(request: Request): string {
  return request.path.slice(0, 120);
}
