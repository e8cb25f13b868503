import assert from 'node:assert/strict';
import { checkHealth } from '../../../src/api/health.ts';
import { Metrics } from '../../../src/api/metrics.ts';
import { Pulse } from '../../../src/api/pulse.ts';
import { CodedError } from '../../../src/errors.ts';
import { settle, type World, world } from './world.ts';

describe('health', () => {
  let on: World;
  let pulse: Pulse;
  beforeEach(async () => {
    on = await world();
    pulse = new Pulse(on.services);
  });
  afterEach(async () => {
    pulse.stop();
    await on.close();
  });
  /** Has the target fail at the next read-back only; it is read by others too, and works for them. */
  const resyncWithout = async (target: { read(): Promise<unknown> }, error: CodedError) => {
    const { read } = target;
    Object.assign(target, { read: () => Promise.reject(error) });
    await on.reconciler.resync();
    Object.assign(target, { read });
  };
  const health = async () => {
    const { status, reasons } = await checkHealth(on.services, pulse);
    return [status, ...reasons.map(({ code, what }) => `${code}: ${what}`)];
  };

  it('is failing while the kernel cannot be read back', async () => {
    await resyncWithout(on.kernel, new CodedError('NR_KERNEL_REFUSED', 'ip route show: no memory'));
    assert.deepEqual(await health(), [
      'failing',
      'NR_KERNEL_REFUSED: the kernel cannot be read back: ip route show: no memory',
    ]);
    const metrics = await new Metrics().render(on.services, pulse);
    assert.match(metrics, /^net_routed_failures\{lane="kernel"\} 1$/m);
    await on.reconciler.resync();
    assert.deepEqual(await health(), ['ok']);
  });

  it('is degraded while the host has no address to run the engine with', async () => {
    on.speaker.crash('not started');
    const { status, reasons } = await checkHealth({ ...on.services, identity: () => undefined }, pulse);
    assert.deepEqual(
      [status, reasons[0]?.code, reasons[0]?.what],
      ['degraded', 'NR_SPEAKER_UNAVAILABLE', 'the host has no address to make a BGP router id of'],
    );
  });

  it('is degraded while the engine cannot be read back: containers are served', async () => {
    await resyncWithout(on.speaker, new CodedError('NR_SPEAKER_UNAVAILABLE', 'too slow'));
    assert.deepEqual(await health(), [
      'degraded',
      'NR_SPEAKER_UNAVAILABLE: the speaker cannot be read back: too slow',
    ]);
    await on.reconciler.resync();
    await settle(on.reconciler);
    assert.deepEqual(await health(), ['ok']);
  });
});
