import { z } from 'zod';

/** Text where absent, null and "" all mean "not given", as Go marshals an empty value either way. */
export const optionalText = z
  .string()
  .nullish()
  .transform((text) => text || undefined);

/** An identifier that Docker made: 64 hex digits, or 25 letters and digits for swarm. It ends up in names and logs. */
export const id = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'not an identifier');

/** A Go map of strings: null when empty. */
export const textMap = z
  .record(z.string(), z.string())
  .nullish()
  .transform((map) => map ?? {});

/** A flag that older engines do not send. */
export const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
