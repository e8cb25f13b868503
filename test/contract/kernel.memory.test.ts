import assert from 'node:assert/strict';
import { CodedError } from '../../src/errors.ts';
import { MemoryKernel } from '../../src/kernel/memory.ts';
import { kernelKey } from '../../src/ports/kernel.ts';
import { type Bench, codes, endpoint, holds, put, succeed, UPLINK, veth } from './kernel.bench.ts';
import { kernelSuite } from './kernel.suite.ts';

describe('kernel in memory', () => {
  describe('as every kernel', () => kernelSuite(open));

  it('fails as it is told to, once', async () => {
    const kernel = new MemoryKernel();
    const key = kernelKey(veth(1));
    kernel.failNext(key, new CodedError('NR_KERNEL_REFUSED', 'no'));
    assert.deepEqual(codes(await kernel.apply([put(veth(1)), put(veth(2))])), { [key]: 'NR_KERNEL_REFUSED' });
    await succeed(kernel, [put(veth(1))]);
    await holds(kernel, [veth(1), veth(2)]);
    assert.equal(kernel.applied.length, 2);
  });

  it('fails altogether while it is unavailable', async () => {
    const kernel = new MemoryKernel();
    kernel.unavailable = new CodedError('NR_KERNEL_UNAVAILABLE', 'no');
    assert.deepEqual(codes(await kernel.apply([put(veth(1))])), {
      [kernelKey(veth(1))]: 'NR_KERNEL_UNAVAILABLE',
    });
    await assert.rejects(kernel.read(), { code: 'NR_KERNEL_UNAVAILABLE' });
    await assert.rejects(kernel.facts(), { code: 'NR_KERNEL_UNAVAILABLE' });
  });

  it('lets its resources be changed behind its back', async () => {
    const kernel = new MemoryKernel();
    kernel.host.plantLink(UPLINK, ['192.0.2.1/24', '2001:db8::1/64']);
    const [link, ...rest] = endpoint(1);
    await succeed(
      kernel,
      [link!, ...rest].map((one) => put(one)),
    );
    kernel.tamper(kernelKey(link!), veth(1, { mtu: 0 }));
    kernel.tamper(kernelKey(rest.at(-1)!));
    await holds(kernel, [veth(1, { mtu: 0 }), ...rest.slice(0, -1)]);
  });
});

async function open(): Promise<Bench> {
  const kernel = new MemoryKernel();
  const { host } = kernel;
  let sandboxes = 0;
  host.plantLink(UPLINK, ['192.0.2.1/24', '2001:db8::1/64']);
  return {
    kernel,
    async plantLink(name, addresses) {
      host.plantLink(name, addresses);
    },
    async plantRoute(route) {
      host.plantRoute(route);
    },
    async plantAddress(link, address) {
      host.plantAddress(link, address);
    },
    async planted() {
      return JSON.stringify([[...host.links], [...host.routes], [...host.addresses]]);
    },
    async vanish(link) {
      kernel.vanish(link);
    },
    async openSandbox() {
      const path = `/run/sandbox/${++sandboxes}`;
      host.openSandbox(path);
      return path;
    },
    async moveInto(sandbox, link) {
      host.moveInto(sandbox, link);
    },
    async inSandbox(sandbox, link) {
      return [...(host.sandboxes.get(sandbox)?.get(link) ?? [])].sort();
    },
    async closeSandbox(sandbox) {
      host.closeSandbox(sandbox);
    },
    close: () => kernel.close(),
  };
}
