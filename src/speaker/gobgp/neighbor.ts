import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CodedError } from '../../errors.ts';

const exec = promisify(execFile);

/** States of an entry that nobody answered for (ip-neighbour(8)). */
const DEAD = new Set(['FAILED', 'INCOMPLETE', 'NONE']);

/**
 * The link-local address at the other end of an interface, with its zone, out of the kernel's neighbour table:
 * GoBGP wants to be told. `wrapper` leads to the engine's network namespace.
 * @throws NR_SPEAKER_REFUSED when there is none yet, or more than one
 */
export async function neighborBehind(link: string, wrapper: readonly string[]): Promise<string> {
  let found = await table(link, wrapper);
  if (found.length === 0) {
    // Whoever is there answers to all nodes, and is known from then on.
    await run([...wrapper, 'ping', '-6', '-c', '1', '-W', '1', `ff02::1%${link}`]).catch(() => {});
    found = await table(link, wrapper);
  }
  if (found.length !== 1) {
    const what = found.length === 0 ? 'nobody answers there' : `several answer there: ${found.join(', ')}`;
    throw new CodedError('NR_SPEAKER_REFUSED', `no peer behind interface ${link}: ${what}`);
  }
  return `${found[0]}%${link}`;
}

async function table(link: string, wrapper: readonly string[]): Promise<string[]> {
  try {
    const text = await run([...wrapper, 'ip', '-6', '-j', 'neighbor', 'show', 'dev', link]);
    const entries = JSON.parse(text || '[]') as { dst: string; state?: string[] }[];
    return entries
      .filter(({ dst, state = [] }) => /^fe80:/i.test(dst) && !state.some((one) => DEAD.has(one)))
      .map(({ dst }) => dst);
  } catch (error) {
    throw new CodedError('NR_SPEAKER_REFUSED', `no peer behind interface ${link}`, { cause: error });
  }
}

async function run([program, ...args]: readonly string[]): Promise<string> {
  const { stdout } = await exec(program!, args, { timeout: 3_000 });
  return stdout;
}
