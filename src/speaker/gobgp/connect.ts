import type { CodedError } from '../../errors.ts';
import { Api } from './api.ts';
import { Client, isUnimplemented } from './client.ts';
import type { Dialect } from './dialect.ts';
import { loadSchema, type Schema } from './proto.ts';
import { v3 } from './v3.ts';
import { v4 } from './v4.ts';

const schemas = new Map<Dialect, Schema>();

/** Reading the .proto files takes some ten milliseconds, once. */
export function schemaOf(dialect: Dialect): Schema {
  let schema = schemas.get(dialect);
  if (!schema) {
    schema = loadSchema(dialect.folder, dialect.package);
    schemas.set(dialect, schema);
  }
  return schema;
}

/**
 * Talks to whatever answers at `target`, in the version of the API that it knows: asked in version 4, an older engine
 * says that it has no such service.
 * @throws NR_SPEAKER_UNAVAILABLE when nothing answers within `deadline` milliseconds
 */
export async function connect(target: string, deadline: number): Promise<Api> {
  let last: unknown;
  for (const dialect of [v4, v3]) {
    const api = new Api(dialect, new Client(target, schemaOf(dialect), dialect.service));
    try {
      await api.identity(deadline);
      return api;
    } catch (error) {
      api.client.close();
      if (!isUnimplemented(error)) throw error as CodedError;
      last = error;
    }
  }
  throw last;
}
