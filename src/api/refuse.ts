import type { Boom } from '@hapi/boom';
import type { Request, ResponseObject, ResponseToolkit } from '@hapi/hapi';
import { asCoded, CodedError } from '../errors.ts';
import type { ApiRoute } from './api.ts';
import { problemOf } from './problem.ts';

/** Answers every error as JSON: ours with its code, and what hapi refuses by itself likewise. */
export function refuse(
  request: Request,
  h: ResponseToolkit,
  boom: Boom,
  routes: readonly ApiRoute[],
): ResponseObject {
  const error = codedOf(request, boom, allowed(request.path, routes));
  const response = h
    .response(JSON.stringify(problemOf(error)))
    .code(error.status)
    .type('application/json');
  if (error.code === 'NR_VERB_UNSUPPORTED')
    response.header('allow', allowed(request.path, routes).join(', '));
  return response;
}

function codedOf(request: Request, boom: Boom, verbs: readonly string[]): CodedError {
  if ((boom as unknown) instanceof CodedError) return boom as unknown as CodedError;
  const asked = `${request.method.toUpperCase()} ${request.path.slice(0, 120)}`;
  const status = boom.output.statusCode;
  if (status === 404 && verbs.length > 0)
    return new CodedError('NR_VERB_UNSUPPORTED', `${asked} is not served`);
  if (status === 404) return new CodedError('NR_PATH_UNKNOWN', `${asked} is not served`);
  if (status < 500) return new CodedError('NR_QUERY_INVALID', `${asked}: ${boom.message}`, { cause: boom });
  return asCoded(boom);
}

/** The verbs that a path is served with. */
function allowed(path: string, routes: readonly ApiRoute[]): string[] {
  return routes.filter((route) => matches(route.path, path)).map(({ method }) => method);
}

function matches(pattern: string, path: string): boolean {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  return (
    wanted.length === given.length && wanted.every((part, i) => part.startsWith('{') || part === given[i])
  );
}
