import assert from 'node:assert/strict';
import { CodedError } from '../../src/errors.ts';
import { MemoryFirewall } from '../../src/firewall/memory.ts';
import { firewallKey } from '../../src/ports/firewall.ts';
import { endpoint, firewallSuite, guard, holds, put, source } from './firewall.suite.ts';

describe('firewall in memory', () => {
  describe('as every firewall', () => {
    firewallSuite(async () => new MemoryFirewall());
  });

  it('refuses what it is told to refuse, until it is told to accept it', async () => {
    const firewall = new MemoryFirewall();
    const bad = guard('nr0123456789');
    firewall.refuse(firewallKey(bad));
    const operations = [put(bad), put(source('nr0123456789', '10.1.0.2'))];
    const codes = async () => (await firewall.apply(operations)).map(({ error }) => error?.code);
    assert.deepEqual(await codes(), ['NR_FIREWALL_REFUSED', undefined]);
    firewall.accept(firewallKey(bad));
    assert.deepEqual(await codes(), [undefined, undefined]);
    assert.equal(firewall.applied.length, 2);
  });

  it('fails altogether while it is unavailable, and keeps what it held', async () => {
    const firewall = new MemoryFirewall();
    const resources = endpoint('nr0123456789', 2);
    await firewall.apply(resources.map(put));
    firewall.unavailable = new CodedError('NR_FIREWALL_UNAVAILABLE', 'gone as told');
    await assert.rejects(firewall.read(), { code: 'NR_FIREWALL_UNAVAILABLE' });
    await assert.rejects(firewall.prepare(), { code: 'NR_FIREWALL_UNAVAILABLE' });
    const [outcome] = await firewall.apply([put(guard('nr9876543210'))]);
    assert.equal(outcome!.error?.code, 'NR_FIREWALL_UNAVAILABLE');
    firewall.unavailable = undefined;
    await holds(firewall, resources);
    let calls = 0;
    firewall.watch(() => calls++);
    firewall.flush();
    assert.equal(calls, 1);
    await holds(firewall, []);
    await firewall.prepare();
    await holds(firewall, resources);
  });
});
