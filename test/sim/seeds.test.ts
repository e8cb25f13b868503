import assert from 'node:assert/strict';
import { runSeeds } from '../../sim/seeds.ts';
import { again } from '../../sim/tally.ts';

/** `NET_ROUTED_SEEDS`: how many; each takes about 40 ms of a core. */
const SEEDS = Number(process.env.NET_ROUTED_SEEDS ?? 2000);
/** Of them about chunks that were given twice, and with records that are lost on purpose. */
const SPLITS = Math.max(20, Math.ceil(SEEDS / 20));
const LOSSES = Math.max(20, Math.ceil(SEEDS / 20));

/**
 * Hosts that are switched off so that a story can end, for each story: two in the first 2000. More of them say that hosts
 * do not go on by themselves where they did.
 */
const WAYS_OUT_SHARE = 1 / 400;
/** The same for repairs where nothing was lost on purpose: of a hole that is known, see docs/design/0015. */
const HOLES_SHARE = 1 / 1000;

describe('the cluster in a simulated world', () => {
  it(`gives nothing twice, loses nothing and is alike everywhere in the end, in ${SEEDS} stories`, async function () {
    this.timeout(0); // the group has a limit
    const report = (line: string) => process.stdout.write(`      ${line.replaceAll('\n', '\n      ')}\n`);
    const tally = await runSeeds({ first: 1, seeds: SEEDS, report });
    assert.equal(tally.failed.length, 0, tally.failed.map((failure) => again(failure, {})).join('\n'));
    assert.equal(tally.told, SEEDS);
    assert.deepEqual(tally.missing, [], 'what has not happened at all');
    assert.ok(tally.waysOut <= Math.ceil(SEEDS * WAYS_OUT_SHARE), `${tally.waysOut} hosts were switched off`);
    const { holes = 0 } = tally.counts;
    assert.ok(holes <= Math.ceil(SEEDS * HOLES_SHARE), `${holes} repairs after hosts were forgotten`);
  });

  it(`is alike everywhere in the end although records are lost unseen, in ${LOSSES} stories`, async function () {
    this.timeout(0);
    const report = (line: string) => process.stdout.write(`      ${line.replaceAll('\n', '\n      ')}\n`);
    const tally = await runSeeds({ first: 1, seeds: LOSSES, story: { focus: 'losses' }, report });
    assert.equal(
      tally.failed.length,
      0,
      tally.failed.map((failure) => again(failure, { focus: 'losses' })).join('\n'),
    );
    assert.equal(tally.told, LOSSES);
    for (const name of ['lostRecords', 'repairs', 'forgets', 'joins', 'crashes'])
      assert.ok((tally.counts[name] ?? 0) > 0, name);
  });

  it(`has nobody give what two hosts were given by an older disk, in ${SPLITS} stories`, async function () {
    this.timeout(0);
    const report = (line: string) => process.stdout.write(`      ${line.replaceAll('\n', '\n      ')}\n`);
    const tally = await runSeeds({ first: 1, seeds: SPLITS, story: { focus: 'splits' }, report });
    assert.equal(
      tally.failed.length,
      0,
      tally.failed.map((failure) => again(failure, { focus: 'splits' })).join('\n'),
    );
    assert.equal(tally.told, SPLITS);
    for (const name of ['unseenRollbacks', 'disputes', 'twice'])
      assert.ok((tally.counts[name] ?? 0) > 0, name);
  });
});
