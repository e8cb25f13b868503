import assert from 'node:assert/strict';
import { lookUp, lookUpAll } from '../../../src/api/lookup.ts';
import { CodedError } from '../../../src/errors.ts';

/** Endpoint ids with container id and name. */
const ITEMS = [
  { id: 'aa11', of: 'cc11', name: 'web' },
  { id: 'ab22', of: 'cc11', name: 'web' },
  { id: 'cc33', of: 'dd33', name: 'aa11' },
  { id: 'ee44', of: 'ee55', name: 'db' },
];
const keys = ({ id, of, name }: (typeof ITEMS)[0]) => ({
  ids: [id, of] as const,
  names: [name],
  label: name,
});
const all = (text: string) => lookUpAll(text, ITEMS, keys, 'NR_ENDPOINT_UNKNOWN').map(({ id }) => id);
const refused = (text: string, one = false) => {
  try {
    return one ? lookUp(text, ITEMS, keys, 'NR_ENDPOINT_UNKNOWN').id : all(text).join();
  } catch (error) {
    assert.ok(error instanceof CodedError);
    return `${error.code} ${error.what}`;
  }
};

describe('looking up', () => {
  it('finds all that a whole name or id means, before any that begins so', () => {
    assert.deepEqual(all('web'), ['aa11', 'ab22']);
    assert.deepEqual(all('cc11'), ['aa11', 'ab22']);
    assert.deepEqual(all('aa11'), ['aa11', 'cc33'], 'an id of one, a name of another');
    assert.deepEqual(all('db'), ['ee44']);
  });

  it('finds what has the only id that begins so', () => {
    assert.deepEqual(all('aa'), ['aa11']);
    assert.deepEqual(all('dd'), ['cc33']);
    assert.deepEqual(all('cc1'), ['aa11', 'ab22'], 'one container with two endpoints');
    assert.deepEqual(all('ee'), ['ee44'], 'two ids of one thing');
  });

  it('refuses beginnings of several, and what nothing has', () => {
    assert.equal(refused('a'), 'NR_ID_AMBIGUOUS "a" may be aa11 (web), ab22 (web)');
    assert.equal(refused('cc'), 'NR_ID_AMBIGUOUS "cc" may be aa11 (web), ab22 (web), cc33 (aa11)');
    for (const text of ['', 'we', 'zz', 'aa112'])
      assert.equal(refused(text), `NR_ENDPOINT_UNKNOWN nothing has the id or name "${text}"`);
  });

  it('for one only refuses a name of several', () => {
    assert.equal(refused('web', true), 'NR_ID_AMBIGUOUS "web" may be aa11 (web), ab22 (web)');
    assert.equal(refused('db', true), 'ee44');
  });
});
