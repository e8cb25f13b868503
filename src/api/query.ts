import type { Request } from '@hapi/hapi';
import { CodedError } from '../errors.ts';

/** A parameter of a path, which takes no other ones but `also`. @throws NR_QUERY_INVALID */
export function queryOf(request: Request, name: string, ...also: readonly string[]): string | undefined {
  const { [name]: value, ...others } = request.query as Record<string, unknown>;
  const unknown = Object.keys(others).filter((one) => !also.includes(one));
  if (unknown.length > 0)
    throw new CodedError('NR_QUERY_INVALID', `unknown query parameter: ${unknown.join(', ')}`);
  if (value === undefined || typeof value === 'string') return value;
  throw new CodedError('NR_QUERY_INVALID', `${name} is given twice`);
}
