import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Namespaces } from './speaker.namespaces.ts';
import { run, until } from './speaker.recorder.ts';

/** An FRR router (zebra and bgpd) in a namespace. */
export class Frr {
  readonly #namespaces: Namespaces;
  readonly #name: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'nrs-frr-'));
  readonly #children: ChildProcess[] = [];

  constructor(namespaces: Namespaces, name: string) {
    this.#namespaces = namespaces;
    this.#name = name;
  }

  async start(configuration: string): Promise<void> {
    // It gives up being root, and insists on its own group for its sockets.
    chownSync(this.#folder, Number(await run('id', '-u', 'frr')), Number(await run('id', '-g', 'frr')));
    const at = (file: string) => join(this.#folder, file);
    for (const daemon of ['zebra', 'bgpd']) {
      writeFileSync(at(`${daemon}.conf`), daemon === 'bgpd' ? configuration : '');
      const [command, ...rest] = [
        ...this.#namespaces.wrapper(this.#name),
        `/usr/lib/frr/${daemon}`,
        ...['-u', 'frr', '-g', 'frr', '-z', at('zserv.api'), '--vty_socket', this.#folder, '-A', '127.0.0.1'],
        ...['-i', at(`${daemon}.pid`), '-f', at(`${daemon}.conf`), '--log', `file:${at(`${daemon}.log`)}`],
      ];
      this.#children.push(spawn(command!, rest, { stdio: 'ignore' }));
      await until(`${daemon} listens`, () => existsSync(at(`${daemon}.vty`)));
    }
  }

  /** What a show command says, as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: FRR's answers have no schema
  async show(command: string): Promise<any> {
    return JSON.parse(await run('vtysh', '--vty_socket', this.#folder, '-c', `show ${command} json`));
  }

  async stop(): Promise<void> {
    for (const child of this.#children.reverse()) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.kill('SIGKILL')) await gone;
    }
    rmSync(this.#folder, { recursive: true });
  }
}
