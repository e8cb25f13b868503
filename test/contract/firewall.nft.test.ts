import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NftFirewall } from '../../src/firewall/nft.ts';
import { Namespace } from './firewall.namespace.ts';
import { firewallSuite } from './firewall.suite.ts';

describe('firewall by nft', () => {
  let namespace: Namespace;
  let folder: string;

  before(async () => {
    namespace = await Namespace.open();
    folder = mkdtempSync(join(tmpdir(), 'net-routed-'));
  });
  after(async () => {
    await namespace.close();
    rmSync(folder, { recursive: true });
  });

  const open = async () => {
    await namespace.run('nft flush ruleset');
    const firewall = new NftFirewall({ command: [...namespace.enter, 'nft'], folder });
    await firewall.prepare();
    return firewall;
  };

  firewallSuite(open);
});
