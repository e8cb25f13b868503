import type { z } from 'zod';
import { CodedError } from '../errors.ts';

/** Where Docker looks for the text of an error in a 200 answer: the two drivers differ. */
export type ErrorField = 'Err' | 'Error';

/** One method of the plugin API, such as `NetworkDriver.Join`. */
export interface Method {
  readonly name: string;
  readonly errorField: ErrorField;
  /** Answers the JSON object of the response. @throws CodedError */
  run(body: unknown): Promise<object>;
}

/** A method that Docker calls without a body, so that none is read. */
export function plain(name: string, answer: () => object): Method {
  return { name, errorField: errorField(name), run: async () => answer() };
}

/** A method whose body has to fit `schema`. */
export function method<S extends z.ZodType>(
  name: string,
  schema: S,
  run: (call: z.output<S>) => Promise<object>,
): Method {
  return { name, errorField: errorField(name), run: async (body) => run(read(name, schema, body)) };
}

function errorField(name: string): ErrorField {
  return name.startsWith('IpamDriver.') ? 'Error' : 'Err';
}

/** @throws NR_REQUEST_INVALID that names the first field which does not fit. */
function read<S extends z.ZodType>(name: string, schema: S, body: unknown): z.output<S> {
  if (body === null || body === undefined) {
    // Docker's retry after a broken connection may send a body that is already used up.
    throw new CodedError('NR_REQUEST_INVALID', `${name} came without a body`);
  }
  if (typeof body !== 'object' || Array.isArray(body)) {
    throw new CodedError('NR_REQUEST_INVALID', `the body of ${name} is not a JSON object`);
  }
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const message = issue.message.replace(/^Invalid input: /, '');
  throw new CodedError('NR_REQUEST_INVALID', `${issue.path.join('.')} of ${name}: ${message}`);
}
