/**
 * Loads the shipped code with one known mistake in it: `NET_ROUTED_MUTANT=name node --import ./sim/mutate.ts ...`.
 * The mistake is a replacement of text, and that text has to be there, exactly once.
 */
import { registerHooks } from 'node:module';
import { MUTANTS } from './mutants.ts';

const name = process.env.NET_ROUTED_MUTANT ?? '';
const mutant = MUTANTS.find((one) => one.name === name);
if (!mutant) throw new Error(`there is no mutant ${name}`);
const root = new URL('../', import.meta.url).href;

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const changes = mutant.changes.filter(({ file }) => url === root + file);
    if (changes.length === 0) return loaded;
    let source = String(loaded.source);
    for (const { find, replace } of changes) {
      if (source.split(find).length !== 2)
        throw new Error(`mutant ${name} finds no single place for ${find}`);
      source = source.replace(find, () => replace);
    }
    return { ...loaded, source };
  },
});
