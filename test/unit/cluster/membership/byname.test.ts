import assert from 'node:assert/strict';
import { idOf, idsOf } from '../../../../src/cluster/membership/byname.ts';
import type { Members } from '../../../../src/cluster/protocol/members.ts';
import { CodedError } from '../../../../src/errors.ts';

const coded = (code: string) => (error: unknown) => error instanceof CodedError && error.code === code;
const A = 'abcd1111'.padEnd(32, '0');
const B = 'abcd2222'.padEnd(32, '0');
const GONE = 'abff3333'.padEnd(32, '0');

/** Members of which `present` are not gone. */
function membersOf(names: Record<string, string>, present: readonly string[]): Members {
  const ids = Object.keys(names);
  const get = (id: string) => (id in names ? { id, name: names[id], number: ids.indexOf(id) } : undefined);
  return { get, present: () => present.map(get) } as unknown as Members;
}

describe("what a person's name for a host means", () => {
  const members = membersOf({ [A]: 'alpha', [B]: 'beta', [GONE]: 'alpha' }, [A, B]);

  it('is an id, the beginning of one, or a name', () => {
    for (const host of [A, 'abcd1', 'alpha']) assert.equal(idOf(members, host), A, host);
  });

  it('is nobody for what none is called, and for the beginning of an id that is short', () => {
    for (const host of ['gamma', 'abcd3', 'abc', ''])
      assert.throws(() => idOf(members, host), coded('NR_MEMBER_UNKNOWN'), host);
    assert.throws(() => idOf(members, GONE), coded('NR_MEMBER_UNKNOWN'));
  });

  it('is refused where it is two of them, which are told', () => {
    assert.throws(() => idOf(members, 'abcd'), new RegExp(`${A} and ${B}`));
    const twins = membersOf({ [A]: 'alpha', [B]: 'alpha' }, [A, B]);
    assert.throws(() => idOf(twins, 'alpha'), coded('NR_ID_AMBIGUOUS'));
    assert.equal(idOf(twins, 'abcd1'), A);
  });

  it('is one that is gone where that is asked for, but of two with one name the one that is not', () => {
    assert.equal(idOf(members, 'abff', [GONE]), GONE);
    assert.equal(idOf(members, 'alpha', [GONE]), A);
    assert.equal(idOf(membersOf({ [B]: 'beta', [GONE]: 'alpha' }, [B]), 'alpha', [GONE]), GONE);
  });

  it('is of several that are gone the last one that came, as the others had that name before it', () => {
    const all = membersOf({ [B]: 'alpha', [GONE]: 'alpha', [A]: 'alpha' }, []);
    assert.equal(idOf(all, 'alpha', [GONE, A, B]), A);
    assert.equal(idOf(all, 'alpha', [GONE, B]), GONE);
    assert.equal(idOf(all, B, [GONE, A, B]), B);
    assert.throws(() => idOf(all, 'abcd', [A, B]), coded('NR_ID_AMBIGUOUS'));
  });

  it('may be any number of ids, members or not', () => {
    assert.deepEqual(idsOf(members, 'alpha', [A, B, GONE]), [A, GONE]);
    assert.deepEqual(idsOf(membersOf({}, []), 'abff', [A, GONE]), [GONE]);
    assert.deepEqual(idsOf(members, 'abc', [A, B]), []);
  });
});
