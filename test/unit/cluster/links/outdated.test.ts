import assert from 'node:assert/strict';
import { Outdated } from '../../../../src/cluster/links/outdated.ts';
import type { Session } from '../../../../src/cluster/links/session.ts';
import type { Connection } from '../../../../src/store/gossip/transport.ts';

/** A session since then. `made`: with which secret. */
function session(since: number, made: string, dialed = true): Session {
  return { since, connection: { dialed, made } as unknown as Connection } as Session;
}

const isOld = (connection: Connection) => (connection as unknown as { made: string }).made === 'old';

describe('a connection that would be made otherwise now', () => {
  let outdated: Outdated;
  beforeEach(() => {
    outdated = new Outdated();
    outdated.begin(10_000, isOld);
  });

  it('is made again at once, if it was there when that changed', () => {
    assert.ok(outdated.isDue(session(9999, 'old'), 10_000));
    assert.ok(outdated.isDue(session(10_000, 'old'), 10_000));
  });

  it('is made again after a while, if it was made since: the other side may not take another one yet', () => {
    assert.ok(!outdated.isDue(session(10_001, 'old'), 10_001));
    assert.ok(!outdated.isDue(session(10_001, 'old'), 15_000));
    assert.ok(outdated.isDue(session(10_001, 'old'), 15_001));
  });

  it('is made again by who has dialled it only', () => {
    assert.ok(!outdated.isDue(session(1, 'old', false), 99_000));
  });

  it('is not one that was made as it would be now, nor any before that changed', () => {
    assert.ok(!outdated.isDue(session(1, 'new'), 99_000));
    assert.ok(!new Outdated().isDue(session(1, 'old'), 99_000));
  });

  it('may be another one after the next change', () => {
    outdated.begin(20_000, (connection) => !isOld(connection));
    assert.ok(!outdated.isDue(session(9999, 'old'), 99_000));
    assert.ok(outdated.isDue(session(15_000, 'new'), 20_000));
  });
});
