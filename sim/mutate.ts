/**
 * Loads the shipped code with one known mistake in it: `NET_ROUTED_MUTANT=name node --import ./sim/mutate.ts ...`.
 * The mistake is a replacement of text, and that text has to be there, exactly once.
 */
import { registerHooks } from 'node:module';
import { mutated } from './mutants/apply.ts';

const root = new URL('../', import.meta.url).href;
const name = process.env.NET_ROUTED_MUTANT ?? '';

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.startsWith(root)) return loaded;
    const source = mutated(name, url.slice(root.length), String(loaded.source));
    return source === undefined ? loaded : { ...loaded, source };
  },
});
