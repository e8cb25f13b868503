import { MUTANTS } from './all.ts';
import type { Mutant } from './mutant.ts';

/** @throws Error when there is none of that name */
export function mutantOf(name: string): Mutant {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (!mutant) throw new Error(`there is no mutant ${name}`);
  return mutant;
}

/**
 * A file's text with the mistakes of a mutant; undefined for a file that it leaves as it is.
 * @throws Error when a text is not to be found, or several times
 */
export function mutated(name: string, file: string, source: string): string | undefined {
  const changes = mutantOf(name).changes.filter((one) => one.file === file);
  let text = source;
  for (const { find, replace } of changes) {
    if (text.split(find).length !== 2)
      throw new Error(`mutant ${name} does not find in ${file}, exactly once: ${find}`);
    text = text.replace(find, () => replace);
  }
  return changes.length > 0 ? text : undefined;
}
