/** A Node program, and the calls by which it changed files and spoke, in the order in which they ended. */
import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** Paths are absolute. */
export type Called =
  | { readonly do: 'write'; readonly path: string; readonly at: number; readonly data: Buffer }
  | { readonly do: 'truncate'; readonly path: string; readonly size: number }
  | { readonly do: 'sync'; readonly path: string }
  /** A file that may have been there before. */
  | { readonly do: 'make'; readonly path: string }
  | { readonly do: 'folder'; readonly path: string }
  /** A file. */
  | { readonly do: 'remove'; readonly path: string }
  /** On its standard output. */
  | { readonly do: 'say'; readonly text: string };

/** All by which a program could change a file, so that one that is not understood is noticed. */
const CALLS = [
  ...['open', 'openat', 'openat2', 'creat', 'mkdir', 'mkdirat', 'unlink', 'unlinkat', 'rmdir'],
  ...['rename', 'renameat', 'renameat2', 'link', 'linkat', 'symlink', 'symlinkat', 'mmap'],
  ...['write', 'writev', 'pwrite64', 'pwritev', 'pwritev2', 'ftruncate', 'truncate', 'fallocate'],
  ...['copy_file_range', 'sendfile', 'fsync', 'fdatasync', 'sync_file_range', 'sync', 'syncfs', 'msync'],
];

/**
 * Runs a program of Node under strace, and answers its calls on files below the folder, and on its standard output.
 * @throws when there is no strace, when it may not trace, when the program fails, and for calls that are not understood
 */
export async function straced(argv: readonly string[], folder: string, log: string): Promise<Called[]> {
  // Whole data, and everything in hexadecimal, so that nothing in it can look like something else.
  const flags = ['-f', '--seccomp-bpf', '-y', '-xx', '-s', '1000000', '-e', `trace=${CALLS}`, '-o', log];
  execFileSync('strace', [...flags, process.execPath, '--disable-warning=ExperimentalWarning', ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
    // By a ring of requests it could write unseen.
    env: { ...process.env, UV_USE_IO_URING: '0' },
  });
  const begun = new Map<string, string>();
  const calls: Called[] = [];
  for await (const line of createInterface({ input: createReadStream(log) })) {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const start = /^(.*) <unfinished \.\.\.>$/.exec(text)?.[1];
    if (start !== undefined) begun.set(thread, start);
    else if (!/^(\+\+\+|---)/.test(text)) {
      const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1];
      const call = rest === undefined ? text : `${begun.get(thread)}${rest}`;
      calls.push(...understood(call, folder));
    }
  }
  return calls;
}

const HEX = '"((?:\\\\x[0-9a-f]{2})*)"';
const FD = '(\\d+)<([^>]*)>';
/** What comes before the path of a call that takes a folder to start at. */
const AT = '(?:AT_FDCWD<[^>]*>, )?';

/** What a call did, if that was on files of the folder; those that failed have done nothing. */
function* understood(call: string, folder: string): Generator<Called> {
  const [, name = '', parameters = '', result = ''] = /^(\w+)\((.*)\) += (.*)$/.exec(call) ?? [];
  if (name === '') throw new Error(`strace says: ${call.slice(0, 200)}`);
  if (result.startsWith('-1 ')) {
    // A sync that fails is what the test has to know of.
    if (/sync/.test(name)) throw new Error(`${name} failed: ${result}`);
    return;
  }
  const match = (pattern: string) => new RegExp(`^${pattern}`).exec(parameters);
  const said = name === 'write' && match(`${FD}, ${HEX}`);
  if (said && said[1] === '1') yield { do: 'say', text: bytes(said[3]!).toString() };
  if (!call.includes(hex(folder))) return;
  const path = bytes(match(FD)?.[2] ?? match(`${AT}${HEX}`)?.[1] ?? '').toString();
  const isNew = parameters.includes('O_CREAT|O_EXCL');
  if (name === 'pwrite64') {
    const [, , , data = '', length, at] = match(`${FD}, ${HEX}, (\\d+), (\\d+)`)!;
    if (result !== length) throw new Error(`it wrote ${result} of ${length} bytes`);
    yield { do: 'write', path, at: Number(at), data: bytes(data) };
  } else if (name === 'ftruncate') yield { do: 'truncate', path, size: Number(match(`${FD}, (\\d+)`)![3]) };
  else if (name === 'fsync' || name === 'fdatasync') yield { do: 'sync', path };
  else if (name === 'mkdir') yield { do: 'folder', path };
  else if (name === 'unlink') yield { do: 'remove', path };
  else if (name === 'openat' && (isNew || !parameters.includes('O_TRUNC'))) {
    if (parameters.includes('O_CREAT')) yield { do: 'make', path };
  } else throw new Error(`not understood: ${call.slice(0, 300)}`);
}

function hex(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}

function bytes(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex');
}
