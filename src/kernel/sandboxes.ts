import { statfsSync } from 'node:fs';
import { asCoded, CodedError } from '../errors.ts';
import type { SandboxAddress } from '../ports/kernel.ts';
import type { Log } from '../ports/log.ts';
import type { Operation } from '../ports/target.ts';
import { line, sandboxPath } from './arguments.ts';
import { sandboxAddress } from './commands.ts';
import { Coprocess } from './coprocess.ts';
import type { Verdict } from './group.ts';
import type { Inspector } from './inspector.ts';
import { type LinkState, parseLink } from './parse.ts';
import { verdictOn } from './pass.ts';

/** Type of the file system that namespaces are files of (linux/magic.h, NSFS_MAGIC). */
const NSFS = 0x6e736673;

/** How long a process in a sandbox may take, in milliseconds. */
const TIMEOUT = 5_000;

/** Whether a namespace is (still) mounted at the path: what Docker leaves behind of a dead one is an empty file. */
export function sandboxAlive(path: string): boolean {
  try {
    return statfsSync(sandboxPath(path)).type === NSFS;
  } catch {
    return false;
  }
}

/** Further addresses inside of containers, by processes that enter their network namespace. */
export class Sandboxes {
  readonly #program: string;
  readonly #inspector: Inspector;
  readonly #log: Log | undefined;
  readonly #running = new Set<Coprocess>();

  constructor(program: string, inspector: Inspector, log?: Log) {
    this.#program = program;
    this.#inspector = inspector;
    this.#log = log;
  }

  /** Sandbox by sandbox; the operations of one share a process. */
  async apply(operations: readonly Operation<SandboxAddress>[]): Promise<Verdict[]> {
    const verdicts: Verdict[] = [];
    const places = Map.groupBy(operations.keys(), (index) => {
      const { sandbox, link } = operations[index]!.resource;
      return `${sandbox} ${link}`;
    });
    for (const indexes of places.values()) {
      const found = await this.#applyTo(indexes.map((index) => operations[index]!));
      for (const [i, index] of indexes.entries()) verdicts[index] = found[i];
    }
    return verdicts;
  }

  /** Ends what hangs in a sandbox, too. */
  async close(): Promise<void> {
    await Promise.all([...this.#running].map((ip) => ip.close(0)));
  }

  async #applyTo(operations: readonly Operation<SandboxAddress>[]): Promise<Verdict[]> {
    const { sandbox, link } = operations[0]!.resource;
    let ip: Coprocess | undefined;
    try {
      const path = sandboxPath(sandbox);
      // Also where only removal is left to do: then nothing can be left in it either.
      if (!sandboxAlive(path)) throw gone(sandbox);
      const index = await this.#peerIndex(link);
      ip = new Coprocess({
        command: ['nsenter', `--net=${path}`, this.#program],
        log: this.#log,
        timeout: TIMEOUT,
      });
      this.#running.add(ip);
      const peer = await peerIn(ip, link, index);
      const verdicts: Verdict[] = [];
      for (const one of operations) verdicts.push(await change(ip, one, peer));
      return verdicts;
    } catch (error) {
      const coded = sandboxAlive(sandbox) ? asCoded(error) : gone(sandbox);
      return operations.map((one) => checked(one) ?? (absentAnyway(one, coded) ? undefined : coded));
    } finally {
      await ip?.close();
      if (ip) this.#running.delete(ip);
    }
  }

  /** Interface index of the other end in the sandbox. */
  async #peerIndex(link: string): Promise<{ own: number; peer: number }> {
    const state = (await this.#inspector.links([link])).get(link);
    const error = verdictOn(link, state);
    if (error || !state) throw error;
    if (state.movedPeer === undefined) throw notMoved(link);
    return { own: state.index, peer: state.movedPeer };
  }
}

/** The container's interface: index and index of its peer must both fit, as indexes repeat between namespaces. */
async function peerIn(
  ip: Coprocess,
  link: string,
  { own, peer }: { own: number; peer: number },
): Promise<LinkState> {
  const elements = await ip.read(line('addr', 'show', 'type', 'veth')).catch((error: unknown) => {
    const what = `cannot enter the sandbox of ${link}: ${asCoded(error).what}`;
    throw new CodedError('NR_KERNEL_UNAVAILABLE', what, { cause: error });
  });
  const states = elements.map(parseLink);
  const found = states.find((state) => state?.index === peer && state.movedPeer === own);
  if (!found) throw notMoved(link);
  return found;
}

async function change(ip: Coprocess, { do: what, resource }: Operation<SandboxAddress>, peer: LinkState) {
  const there = peer.addresses.some(({ address }) => address === resource.address);
  const put = what === 'put';
  try {
    const command = sandboxAddress(put ? 'add' : 'del', resource, peer.name);
    if (there !== put) return (await ip.run([command]))[0];
  } catch (error) {
    return asCoded(error);
  }
  return undefined;
}

/** What cannot be written, in whatever state the sandbox is. */
function checked({ resource }: Operation<SandboxAddress>): Verdict {
  try {
    sandboxPath(resource.sandbox);
    sandboxAddress('add', resource, resource.link);
  } catch (error) {
    return asCoded(error);
  }
  return undefined;
}

/** Nothing is left to remove from a sandbox that has ended, or through a link that is gone. */
function absentAnyway({ do: what }: Operation<SandboxAddress>, error: CodedError): boolean {
  return (
    what === 'remove' && ['NR_SANDBOX_GONE', 'NR_KERNEL_REFUSED', 'NR_FOREIGN_OBJECT'].includes(error.code)
  );
}

function gone(sandbox: string): CodedError {
  return new CodedError('NR_SANDBOX_GONE', `the sandbox ${sandbox} has ended`);
}

function notMoved(link: string): CodedError {
  return new CodedError('NR_KERNEL_REFUSED', `the other end of ${link} is not in its sandbox yet`);
}
