import assert from 'node:assert/strict';
import { runningOf, runs } from '../../../../src/cluster/node/running.ts';
import type { Members } from '../../../../src/cluster/protocol/members.ts';
import type { Calls } from '../../../../src/cluster/protocol/ports.ts';
import { CodedError, type ErrorCode } from '../../../../src/errors.ts';

describe('whether a member runs', () => {
  /** Pairs of hosts between which nothing arrives, lower id first. */
  let cuts: string[];
  /** What hosts answer when they are asked whether they are there. */
  let said: Record<string, ErrorCode>;
  beforeEach(() => {
    cuts = [];
    said = {};
  });

  const members = {
    present: () => ['a', 'b', 'c', 'd'].map((id) => ({ id })),
    isPresent: (id: string) => 'abcd'.includes(id),
  } as unknown as Members;
  const asker = (self: string): Calls => ({
    ask: (member, method, body, _ms, done) => {
      const fails = (code: ErrorCode) => done(new CodedError(code, member));
      if (cuts.includes([self, member].sort().join(''))) return fails('NR_MEMBER_UNREACHABLE');
      if (method === 'runs') return runs({ calls: asker(member), members })(self, body, done);
      const code = said[member];
      return code ? fails(code) : done(undefined, { body: {} });
    },
  });
  const found = async (...ids: string[]) => [
    ...(await runningOf({ calls: asker('a'), members, self: 'a' }, ids)),
  ];

  it('is asked of it, and of all others', async () => {
    assert.deepEqual(await found('d'), [['d', 'a']]);
    cuts = ['ad', 'bd'];
    assert.deepEqual(await found('d'), [['d', 'c']]);
    cuts = ['ad', 'bd', 'cd'];
    assert.deepEqual(await found('d'), []);
    cuts = ['ad', 'ac'];
    assert.deepEqual(await found('d'), [['d', 'b']]);
  });

  it('is not asked of one that is a victim as well', async () => {
    cuts = ['ac', 'ad', 'bc', 'bd'];
    assert.deepEqual(await found('c', 'd'), []);
    cuts = ['ac', 'bd', 'ad'];
    assert.deepEqual(await found('c', 'd'), [['c', 'b']]);
  });

  it('is denied by one that has stopped, and by nothing else that it answers', async () => {
    for (const code of ['NR_MEMBER_HALTED', 'NR_MEMBER_LEAVING'] as const) {
      said = { d: code };
      assert.deepEqual(await found('d'), [], code);
    }
    for (const code of ['NR_MEMBER_STARTING', 'NR_STORE_FAILED', 'NR_MEMBER_REFUSED'] as const) {
      said = { d: code };
      assert.deepEqual(await found('d'), [['d', 'a']], code);
    }
  });

  it('is not found out about one that is no member', async () => {
    const answer = await new Promise((resolve) =>
      runs({ calls: asker('a'), members })('b', { id: 'x' }, (_error, given) => resolve(given?.body)),
    );
    assert.deepEqual(answer, { runs: false });
  });
});
