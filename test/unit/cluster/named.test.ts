import assert from 'node:assert/strict';
import { named } from '../../../src/cluster/node/node.ts';
import { CodedError, type ErrorCode } from '../../../src/errors.ts';

const MEMBER = 'ab'.repeat(16);

describe('errors of other members', () => {
  /** What becomes of an error of the member. */
  function told(code: ErrorCode, what: string, silence?: number): string | undefined {
    let said: string | undefined;
    const calls = named(
      { ask: (_member, _method, _body, _ms, done) => done(new CodedError(code, what)) },
      () => 'h4',
      () => silence,
    );
    calls.ask(MEMBER, 'claim', {}, 1000, (error) => {
      said = error && `${error.code}: ${error.what}`;
    });
    return said;
  }

  it('name the one whose state they are about, as it would read as of this host', () => {
    assert.equal(
      told('NR_STORE_FAILED', '/var/lib/net-routed/store.db: disk is full'),
      'NR_STORE_FAILED: host h4 says: /var/lib/net-routed/store.db: disk is full',
    );
    assert.match(told('NR_MEMBER_STARTING', 'this host has not heard') ?? '', /: host h4 says: this host/);
  });

  it('call it by its name where they have its id, and are left as they are otherwise', () => {
    assert.equal(
      told('NR_MEMBER_UNREACHABLE', `${MEMBER} is away`),
      'NR_MEMBER_UNREACHABLE: host h4 is away',
    );
    assert.equal(
      told('NR_MEMBER_UNREACHABLE', `${MEMBER} is away`, 40),
      'NR_MEMBER_UNREACHABLE: host h4 is away; it is silent for 40 s',
    );
    assert.equal(told('NR_MEMBER_BUSY', `${MEMBER} waits`, 40), 'NR_MEMBER_BUSY: host h4 waits');
    assert.equal(told('NR_ADDRESS_IN_USE', '10.1.0.1 is in use'), 'NR_ADDRESS_IN_USE: 10.1.0.1 is in use');
  });
});
