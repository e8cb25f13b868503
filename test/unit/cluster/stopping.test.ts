import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { drawSecret, secretText } from '../../../src/store/trust/secret.ts';
import { HERE, Machine, until } from './machine.ts';

/** Longer than it takes to start, in turns of the event loop. */
const TURNS = 60;

describe('a host that is stopped', function () {
  this.timeout(60_000);
  let machine: Machine;
  beforeEach(() => {
    machine = new Machine('a');
  });
  afterEach(async () => {
    await machine.stop();
    rmSync(machine.folder, { recursive: true });
  });

  /** Stops it so many turns after something has begun. */
  async function stopAfter(turns: number, begin: () => Promise<unknown>): Promise<void> {
    const begun = begin().then(
      () => undefined,
      () => undefined,
    );
    for (let turn = 0; turn < turns; turn++) await setImmediate();
    await machine.stop();
    await begun;
    // What it left would set a timer sooner or later.
    for (let turn = 0; turn < 10; turn++) await setImmediate();
    assert.deepEqual(machine.late, [], `after ${turns} turns`);
  }

  it('goes on with nothing, whenever it was while it started alone', async () => {
    for (let turns = 0; turns < TURNS; turns++) await stopAfter(turns, () => machine.start());
  });

  it('goes on with nothing, whenever it was while it started in a cluster', async () => {
    await machine.start();
    await machine.it.init();
    await machine.stop();
    for (let turns = 0; turns < TURNS; turns++) await stopAfter(turns, () => machine.start());
  });

  it('goes on with nothing, whenever it was while it made a cluster', async () => {
    for (let turns = 0; turns < TURNS; turns++) {
      await machine.start();
      await stopAfter(turns, () => machine.it.init());
      rmSync(machine.folder, { recursive: true });
      machine = new Machine('a');
    }
  });

  it('goes on with nothing, whenever it was while it looked for its cluster', async () => {
    const path = join(machine.folder, 'secret');
    writeFileSync(path, `${secretText(drawSecret(randomUUID()))}\n`, { mode: 0o600 });
    machine.secretFile = path;
    machine.seeds = [{ address: HERE, port: 9 }];
    for (let turns = 0; turns < TURNS; turns++) await stopAfter(turns, () => machine.start());
    await machine.start();
    await until(() => machine.it.describe().state === 'waiting');
  });
});
