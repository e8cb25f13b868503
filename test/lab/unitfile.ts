/** The unit files of systemd as tests read them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const UNITS = join(import.meta.dirname, '../../systemd');

/** Names of all units. */
export const unitNames = readdirSync(UNITS).filter((name) => /\.(service|socket)$/.test(name));

/** What a unit says under a key of a section, every word of every line (systemd.syntax(7)). */
export function unitWords(unit: string, section: string, key: string): string[] {
  const words: string[] = [];
  let current = '';
  for (const line of readFileSync(join(UNITS, unit), 'utf8').split('\n')) {
    const [, name] = /^\[(.+)\]$/.exec(line) ?? [];
    if (name) current = name;
    else if (current === section && line.startsWith(`${key}=`))
      words.push(
        ...line
          .slice(key.length + 1)
          .split(/\s+/)
          .filter(Boolean),
      );
  }
  return words;
}

/** The one word that a unit says under a key. @throws when there is none, or another number of them */
export function unitWord(unit: string, section: string, key: string): string {
  const [word, ...more] = unitWords(unit, section, key);
  if (!word || more.length > 0) throw new Error(`${unit}: ${key} has ${more.length + (word ? 1 : 0)} words`);
  return word;
}
