import { execFile } from 'node:child_process';
import { run } from './speaker.recorder.ts';

/** Network namespaces of one test, by short names; gone with `close`. */
export class Namespaces {
  readonly #prefix = `nrs${process.pid}`;
  readonly #made = new Set<string>();

  full(name: string): string {
    return `${this.#prefix}${name}`;
  }

  /** What to write before a command to have it run there. */
  wrapper(name: string): string[] {
    return ['ip', 'netns', 'exec', this.full(name)];
  }

  async add(name: string): Promise<void> {
    await run('ip', 'netns', 'add', this.full(name));
    this.#made.add(name);
    await this.batch(name, 'link set lo up');
  }

  /** iproute2 commands, one a line, in the namespace. */
  async batch(name: string, text: string): Promise<void> {
    const child = execFile('ip', ['-n', this.full(name), '-batch', '-']);
    child.stdin!.end(text);
    let output = '';
    child.stderr!.on('data', (chunk) => {
      output += chunk;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`ip -batch in ${name}: ${output}`);
  }

  /** A cable: interface and addresses (CIDR) of its two ends. */
  async wire(
    [a, atA, addressesA]: readonly [string, string, readonly string[]],
    [b, atB, addressesB]: readonly [string, string, readonly string[]],
  ): Promise<void> {
    await this.batch(a, `link add ${atA} type veth peer name ${atB} netns ${this.full(b)}`);
    const up = (at: string, addresses: readonly string[]) =>
      [
        `link set ${at} up`,
        ...addresses.map(
          (address) => `addr add ${address} dev ${at}${address.includes(':') ? ' nodad' : ''}`,
        ),
      ].join('\n');
    await this.batch(a, up(atA, addressesA));
    await this.batch(b, up(atB, addressesB));
  }

  async run(name: string, ...command: string[]): Promise<string> {
    return run(...([...this.wrapper(name), ...command] as [string, ...string[]]));
  }

  async close(): Promise<void> {
    for (const name of this.#made) await run('ip', 'netns', 'del', this.full(name));
    this.#made.clear();
  }
}
