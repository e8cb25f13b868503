/** What the others are given to tell: the same as an endpoint's record, as JSON. */
import { operations } from '../operations.ts';

/** A record of an endpoint with a name in it. */
export function record(name: string): string {
  const [made] = operations('endpoint', 1).ranges[0]!.records;
  return JSON.stringify({ ...(JSON.parse(made!.text!) as object), name });
}
