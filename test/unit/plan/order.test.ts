import assert from 'node:assert/strict';
import { inOrder } from '../../../src/plan/order.ts';
import { type KernelResource, kernelKey } from '../../../src/ports/kernel.ts';
import type { Operation } from '../../../src/ports/target.ts';

const link: KernelResource = { kind: 'link', name: 'nra', peer: 'nrac', mtu: 1500, alias: 'x' };
const address: KernelResource = { kind: 'address', link: 'nra', address: '169.254.1.1/32' };
const sysctl: KernelResource = { kind: 'sysctl', path: 'net/ipv4/conf/nra/forwarding', value: '1' };
const route: KernelResource = {
  kind: 'route',
  prefix: '10.1.0.2/32',
  table: 254,
  metric: 158,
  type: 'unicast',
  nextHops: [{ dev: 'nra' }],
};
const op = (what: 'put' | 'remove', resource: KernelResource): Operation<KernelResource> => ({
  do: what,
  key: kernelKey(resource),
  resource,
});
const brief = (operations: readonly Operation<KernelResource>[]) =>
  operations.map((one) => `${one.do} ${one.resource.kind}`);

describe('inOrder', () => {
  it('adds from the link to what hangs on it', () => {
    const all = [route, address, sysctl, link].map((one) => op('put', one));
    assert.deepEqual(brief(inOrder(all).ordered), ['put link', 'put sysctl', 'put address', 'put route']);
  });

  it('takes the route before the link, and leaves to the link what goes with it', () => {
    const { ordered, implied } = inOrder([link, address, sysctl, route].map((one) => op('remove', one)));
    assert.deepEqual(brief(ordered), ['remove route', 'remove link']);
    assert.deepEqual(implied.sort(), [kernelKey(address), kernelKey(sysctl)].sort());
  });

  it('takes an address by itself while its link stays', () => {
    assert.deepEqual(brief(inOrder([op('remove', address)]).ordered), ['remove address']);
  });

  it('removes before it adds, so that a key can change hands', () => {
    const other: KernelResource = { ...link, name: 'nrb' };
    assert.deepEqual(brief(inOrder([op('put', other), op('remove', link)]).ordered), [
      'remove link',
      'put link',
    ]);
  });
});
