import assert from 'node:assert/strict';
import type { HostView } from '../../../src/cluster/membership/hosts.ts';
import { namesakes } from '../../../src/cluster/membership/problems.ts';

const host = (digit: string, name: string, state: HostView['state'] = 'present') =>
  ({ id: digit.repeat(32), name, state }) as HostView;
const texts = (...hosts: HostView[]) => namesakes(hosts).map(({ what }) => what);

describe('hosts of one name', () => {
  it('are told with their ids', () => {
    assert.deepEqual(texts(host('1', 'h1'), host('2', 'h2'), host('3', 'h1'), host('4', 'h4', 'left')), [
      `2 hosts are called h1: ${'1'.repeat(12)}, ${'3'.repeat(12)}`,
    ]);
  });

  it('are not those that are gone: a host comes back by its name', () => {
    const [before, long] = [host('1', 'h1', 'forgotten'), host('2', 'h1', 'left')];
    assert.deepEqual(texts(before, long, host('3', 'h1')), []);
  });

  it('are told by a few of them', () => {
    const all = ['1', '2', '3', '4', '5', '6', '7'].map((digit) => host(digit, 'h'));
    assert.match(texts(...all)[0]!, /^7 hosts are called h: 1{12}, 2{12}, .*5{12}, and 2 more$/);
  });
});
