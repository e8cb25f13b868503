import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../src/ports/log.ts';
import { Child } from '../../src/speaker/gobgp/child.ts';
import { GobgpSpeaker } from '../../src/speaker/gobgp/speaker.ts';
import { Namespaces } from './speaker.namespaces.ts';
import { until } from './speaker.recorder.ts';
import { LINK, type World } from './speaker.suite.ts';

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Real engines in namespaces of their own, each with its folder. */
export class Engines {
  readonly namespaces = new Namespaces();
  readonly folder = mkdtempSync(join(tmpdir(), 'nrs-'));
  readonly #program: string;
  readonly #speakers: GobgpSpeaker[] = [];

  constructor(program: string) {
    this.#program = program;
  }

  /** A speaker whose engine runs in the namespace. Another one of the same name finds the engine of the first. */
  speaker(name: string, patience = 14_000, kept = true): GobgpSpeaker {
    const speaker = new GobgpSpeaker({
      supervise: true,
      folder: join(this.folder, name),
      program: this.#program,
      wrapper: this.namespaces.wrapper(name),
      log: silent,
      patience,
      kept: () => kept,
    });
    this.#speakers.push(speaker);
    return speaker;
  }

  /** The process of the engine in the namespace. */
  child(name: string): Child {
    return new Child({ folder: join(this.folder, name), program: this.#program });
  }

  kill(name: string): void {
    process.kill(this.child(name).running()!.pid, 'SIGKILL');
  }

  async close(): Promise<void> {
    await Promise.all(this.#speakers.map((speaker) => speaker.stop()));
    await this.namespaces.close();
    rmSync(this.folder, { recursive: true });
  }
}

/** X, Y and Z of the suite as real engines. */
export async function openWorld(program: string): Promise<World> {
  const engines = new Engines(program);
  const { namespaces } = engines;
  for (const name of ['x', 'y', 'z']) await namespaces.add(name);
  for (const link of Object.values(LINK)) {
    const end = (host: number) =>
      link === LINK.bare ? [] : [`10.99.${link}.${host}/24`, `fd99:${link}::${host}/64`];
    await namespaces.wire(['x', `l${link}`, end(1)], [link === LINK.z ? 'z' : 'y', `l${link}`, end(2)]);
  }
  return {
    x: engines.speaker('x'),
    y: engines.speaker('y'),
    z: engines.speaker('z'),
    crash: async () => engines.kill('x'),
    greet: async (link) => {
      for (const name of ['x', 'y']) {
        await until(`${name} has an answer`, () =>
          namespaces.run(name, 'ping', '-6', '-c1', '-W1', `ff02::1%l${link}`).then(
            () => true,
            () => false,
          ),
        );
      }
    },
    close: () => engines.close(),
  };
}
