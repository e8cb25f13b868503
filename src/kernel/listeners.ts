import { execFile } from 'node:child_process';
import { CodedError } from '../errors.ts';
import { Address } from '../net/address.ts';
import type { Listener } from '../ports/kernel.ts';

/** How long ss may take, in milliseconds. */
const TIMEOUT = 5_000;

/**
 * Sockets that wait for packets or connections, by `ss` of iproute2. A socket that was bound and neither connected nor
 * set to listen is one of UDP that waits, or one of TCP that does not.
 * @throws NR_KERNEL_UNAVAILABLE, NR_KERNEL_REFUSED
 */
export async function readListeners(program: string, port?: number): Promise<Listener[]> {
  // Which program it is takes ss a look at every process.
  const filter = port === undefined ? [] : ['-p', 'sport', '=', `:${port}`];
  return parseListeners(await run(program, ['-H', '-n', '-l', '-t', '-u', '-S', ...filter]));
}

/** What ss lists, a line for each socket; pure. @throws NR_KERNEL_REFUSED for a line that cannot be read */
export function parseListeners(text: string): Listener[] {
  return text.split('\n').flatMap((line) => {
    const [protocol, , , , local] = line.trim().split(/\s+/);
    // Others are continued lines of sockets with several addresses.
    if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') return [];
    const match = /^\[?(.*?)\]?(?:%[^\]:]+)?:(\d+)$/.exec(local ?? '');
    const places = match && placesOf(match[1]!);
    if (!places) throw new CodedError('NR_KERNEL_REFUSED', `ss has said what cannot be read: ${line}`);
    const user = /users:\(\("(.*?)",pid=(\d+)/.exec(line);
    return places.map((place) => ({
      protocol,
      ...place,
      port: Number(match[2]),
      ...(user && { program: { name: user[1]!, pid: Number(user[2]) } }),
    }));
  });
}

/** An IPv6 socket may have both families, and one that is bound to a mapped address has IPv4 alone. */
function placesOf(text: string): Pick<Listener, 'family' | 'address'>[] | undefined {
  if (text === '*') return [{ family: 4 }, { family: 6 }];
  const address = Address.tryParse(text.replace(/^::ffff:(?=\d+\.)/, ''));
  if (!address) return undefined;
  const { family, value } = address;
  return [{ family, ...(value !== 0n && { address: address.toString() }) }];
}

function run(program: string, args: readonly string[]): Promise<string> {
  const options = {
    timeout: TIMEOUT,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 26,
    env: { ...process.env, LC_ALL: 'C' },
  } as const;
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      if (typeof error.code === 'string')
        return reject(unavailable(`cannot start ${program}: ${error.message}`, error));
      if (error.killed) return reject(unavailable(`${program} did not answer in time`, error));
      const what = `${program}: ${stderr.trim() || `it ended with ${error.signal ?? `status ${error.code}`}`}`;
      reject(new CodedError('NR_KERNEL_REFUSED', what, { cause: error }));
    });
  });
}

function unavailable(what: string, cause: unknown): CodedError {
  return new CodedError('NR_KERNEL_UNAVAILABLE', what, { cause });
}
