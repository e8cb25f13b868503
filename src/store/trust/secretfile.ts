import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { CodedError } from '../../errors.ts';
import { type ClusterSecret, parseSecret } from './secret.ts';

/** What a cluster accepts: with the first one is dialled. All are of one cluster. */
export type Secrets = readonly [ClusterSecret, ...ClusterSecret[]];

/** Bits of a mode that let others than the owner at a file. */
const OTHERS = 0o077;
/** During a change there are two; more is a mistake, and each one is a way in. */
const SECRETS_MAX = 4;

/**
 * The secrets of a file: a line for each; empty lines and those that begin with # are passed over.
 * @throws NR_SECRET_FILE, without a word of what is in the file
 */
export function readSecrets(path: string): Secrets {
  const secrets = linesOf(path).flatMap((line, index) => {
    if (/^\s*(#|$)/.test(line)) return [];
    try {
      return [parseSecret(line)];
    } catch (error) {
      const why = error instanceof CodedError ? error.what : 'it cannot be read';
      throw failed(`${path}, line ${index + 1}: ${why}`, error);
    }
  });
  const [first, ...more] = secrets;
  if (!first) throw failed(`${path} has no secret in it`);
  if (secrets.length > SECRETS_MAX) throw failed(`${path} has more than ${SECRETS_MAX} secrets`);
  if (more.some(({ cluster }) => cluster !== first.cluster))
    throw failed(`${path} has secrets of several clusters`);
  return [first, ...more];
}

/** Changes when the file is written or replaced; undefined for one that is not there. */
export function traceOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join();
}

function linesOf(path: string): string[] {
  let file: number | undefined;
  try {
    // Opened once: what is checked is what is read, whatever the path leads to meanwhile.
    file = openSync(path, 'r');
    const { mode, uid } = fstatSync(file);
    if (mode & OTHERS) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0');
      throw failed(`${path} is open to others than its owner (mode ${octal}, 0600 is right)`);
    }
    if (uid !== 0 && uid !== process.geteuid?.())
      throw failed(`${path} belongs to user ${uid}, not to root or to the user who reads it`);
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    throw error instanceof CodedError ? error : failed((error as Error).message, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function failed(what: string, cause?: unknown): CodedError {
  return new CodedError('NR_SECRET_FILE', what, { cause });
}
