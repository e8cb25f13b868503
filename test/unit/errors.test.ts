import assert from 'node:assert/strict';
import { CodedError } from '../../src/errors.ts';

describe('a coded error', () => {
  it('tells code, what was wrong, and what to do as the table says', () => {
    const error = new CodedError('NR_NETWORK_EXISTS', 'network aa is there');
    assert.equal(error.remedy, 'remove the network of that id first');
    assert.equal(error.message, `NR_NETWORK_EXISTS: network aa is there; ${error.remedy}`);
    assert.equal(error.status, 409);
  });

  it('tells another remedy where one is given, also in other words', () => {
    const cause = new Error('why');
    const error = new CodedError('NR_NETWORK_EXISTS', 'it is there', { remedy: 'rename it', cause });
    assert.equal(error.message, 'NR_NETWORK_EXISTS: it is there; rename it');
    assert.equal(error.cause, cause);
    const other = error.saying('host h2 has it');
    assert.equal(other.message, 'NR_NETWORK_EXISTS: host h2 has it; rename it');
    assert.equal(other.remedy, 'rename it');
    assert.equal(other.cause, error);
  });
});
