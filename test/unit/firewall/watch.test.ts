import assert from 'node:assert/strict';
import { Watch } from '../../../src/firewall/watch.ts';

/** Watches what a script says instead of nft; resolves with the lines that it has said when the listener is called. */
function watched(script: string): { called: Promise<void>; watch: Watch } {
  let watch: Watch | undefined;
  const called = new Promise<void>((resolve) => {
    watch = new Watch(['sh', '-c', script], resolve);
  });
  return { called, watch: watch! };
}

describe('watch of the firewall', () => {
  it('tells that our table is deleted', async () => {
    const { called, watch } = watched('echo "delete table inet net_routed"; exec sleep 30');
    await called;
    watch.stop();
  });

  it('tells that events were lost', async () => {
    const { called, watch } = watched('echo "# ERROR: We lost some netlink events!"; exec sleep 30');
    await called;
    watch.stop();
  });

  it('passes over what happens to others, and lines that are not complete', async () => {
    let calls = 0;
    const script = `echo 'delete table ip net_routed'; echo 'delete table inet net_routed2'
      echo 'add table inet net_routed'; printf 'delete table inet net_'; echo routed; printf 'delete table inet net_routed'`;
    await new Promise<void>((resolve) => {
      const watch = new Watch(['sh', '-c', `${script}; exec sleep 30`], () => {
        calls++;
        // Whatever else was said has been said before.
        setImmediate(() => {
          watch.stop();
          resolve();
        });
      });
    });
    assert.equal(calls, 1);
  });

  it('begins again after the monitor has ended, and tells that something may have been missed', async () => {
    const { called, watch } = watched('exit 1');
    await called;
    watch.stop();
  });

  it('tells nothing after it was stopped', async () => {
    let calls = 0;
    const watch = new Watch(
      ['sh', '-c', 'echo "delete table inet net_routed"; echo "delete table inet net_routed"'],
      () => {
        calls++;
        watch.stop();
      },
    );
    await new Promise((resolve) => setTimeout(resolve, 0));
    while (calls === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(calls, 1);
  });
});
