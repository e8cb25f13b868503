import assert from 'node:assert/strict';
import { runSeeds } from '../../sim/seeds.ts';
import { again } from '../../sim/tally.ts';

/** `NET_ROUTED_SEEDS`: how many; each takes about 40 ms of a core. */
const SEEDS = Number(process.env.NET_ROUTED_SEEDS ?? 2000);

describe('the cluster in a simulated world', () => {
  it(`gives nothing twice, loses nothing and is alike everywhere in the end, in ${SEEDS} stories`, async function () {
    this.timeout(0); // the group has a limit
    const report = (line: string) => process.stdout.write(`      ${line.replaceAll('\n', '\n      ')}\n`);
    const tally = await runSeeds({ first: 1, seeds: SEEDS, report });
    assert.equal(tally.failed.length, 0, tally.failed.map((failure) => again(failure, {})).join('\n'));
    assert.equal(tally.told, SEEDS);
    assert.deepEqual(tally.missing, [], 'what has not happened at all');
  });
});
