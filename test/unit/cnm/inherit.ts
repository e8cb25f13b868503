/** A process that serves the network driver on descriptor 3 and the IPAM driver in the folder named, until its input ends. */
import { createPlugins } from '../../../src/cnm/plugins.ts';
import { FakeCalls, logged } from './harness.ts';

const calls = new FakeCalls();
const plugins = createPlugins({
  folder: process.argv[2],
  inherited: new Map([['net-routed', 3]]),
  network: calls.network,
  address: calls.address,
  log: logged().log,
});
await plugins.start();
process.stdout.write('ready\n');
process.stdin.resume();
process.stdin.on('end', () => void plugins.stop().then(() => process.exit()));
