import { asCoded } from '../errors.ts';
import type { ProblemView } from './views.ts';

/** An error as the API shows it. */
export function problemOf(error: unknown): ProblemView {
  const { code, what, remedy } = asCoded(error);
  return { code, what, remedy };
}
