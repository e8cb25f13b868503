import type { ResponseObject, ResponseToolkit } from '@hapi/hapi';
import type { CodedError } from '../errors.ts';
import type { ErrorField } from './method.ts';

/** What the engine accepts, by its Accept header. */
export const MIME = 'application/vnd.docker.plugins.v1.2+json';

/**
 * The body of an error. In an answer of status 200 each driver looks for its own field; in any other status both
 * look for `Err`.
 */
export function errorBody(error: CodedError, field: ErrorField = 'Err'): object {
  return { [field]: error.message };
}

export function reply(h: ResponseToolkit, body: object, status: number): ResponseObject {
  return h.response(JSON.stringify(body)).code(status).type(MIME);
}
