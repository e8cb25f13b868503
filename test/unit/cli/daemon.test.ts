import assert from 'node:assert/strict';
import { Command } from 'commander';
import { describeDaemon } from '../../../src/cli/daemon.ts';
import { flagOf } from '../../../src/config/load.ts';
import { type Settings, settingsSchema } from '../../../src/config/settings.ts';

/** The settings that a command line comes to. */
async function settingsOf(...args: string[]): Promise<Settings> {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  let settings: Settings | undefined;
  let status: number | undefined;
  const run = async (given: Settings) => {
    settings = given;
    return 7;
  };
  describeDaemon(command, run, (code) => {
    status = code;
  });
  await command.parseAsync(['--config', '/dev/null', ...args], { from: 'user' });
  assert.equal(status, 7, 'its end is the end of the command');
  return settings!;
}

const FLAGS: Readonly<Record<string, readonly [text: string, meaning: unknown]>> = {
  stateDir: ['/a', '/a'],
  runDir: ['/a', '/a'],
  pluginDir: ['/a', '/a'],
  dockerSocket: ['/a', '/a'],
  logLevel: ['error', 'error'],
  as: ['65001', 65001],
  routerId: ['192.0.2.9', '192.0.2.9'],
  address: ['192.0.2.1', '192.0.2.1'],
  addressV6: ['2001:db8::1', '2001:db8::1'],
  listenPort: ['1179', 1179],
  peering: ['fabric', 'fabric'],
  meshLimit: ['9', 9],
  mtu: ['1400', 1400],
  gobgpd: ['/a', '/a'],
  engineSocket: ['/a', '/a'],
  automaticPools: ['10.64.0.0/10,fd00::/16', ['10.64.0.0/10', 'fd00::/16']],
  aliasPrefixes: ['172.30.0.0/16', ['172.30.0.0/16']],
  restSeconds: ['1', 1],
  manageForwarding: ['false', false],
  dockerPropagate: ['true', true],
  hostName: ['h1', 'h1'],
  clusterAddress: ['192.0.2.1', '192.0.2.1'],
  clusterPort: ['15801', 15801],
  clusterAdvertise: ['2001:db8::1', '2001:db8::1'],
  seeds: ['h2,h3:1', ['h2:15800', 'h3:1']],
  clusterSecretFile: ['/a', '/a'],
  founder: ['h1', 'h1'],
  discovery: ['mdns', 'mdns'],
};

describe('flags of the daemon', () => {
  it('are there for every setting', () => {
    const settings = Object.keys(settingsSchema.shape).filter((name) => name !== 'peers');
    assert.deepEqual(Object.keys(FLAGS).sort(), settings.sort());
  });

  for (const [name, [text, meaning]] of Object.entries(FLAGS)) {
    it(`${flagOf(name)} sets ${name}`, async () => {
      assert.deepEqual((await settingsOf(flagOf(name), text))[name as keyof Settings], meaning);
    });
  }

  it('of lists add up', async () => {
    const { aliasPrefixes } = await settingsOf(
      ...['--alias-prefixes', '172.30.0.0/16', '--alias-prefixes', '172.31.0.0/16,172.29.0.0/16'],
    );
    assert.deepEqual(aliasPrefixes, ['172.30.0.0/16', '172.31.0.0/16', '172.29.0.0/16']);
  });

  describe('that name peers', () => {
    const peersOf = async (...args: string[]) =>
      (await settingsOf(...args)).peers.map(({ address, interface: link, as }) => [address ?? link, as]);

    it('go in pairs, in the order given', async () => {
      assert.deepEqual(
        await peersOf(
          ...['--peer', '192.0.2.1', '--peer-as', '65001', '--peer-interface', 'eth1', '--peer-as', '65002'],
          ...['--peer', '192.0.2.3', '--peer-as', '65003'],
        ),
        [
          ['192.0.2.1', 65001],
          ['eth1', 65002],
          ['192.0.2.3', 65003],
        ],
      );
    });

    it('share a single AS number', async () => {
      assert.deepEqual(await peersOf('--peer', '192.0.2.1', '--peer', '192.0.2.2', '--peer-as', '65000'), [
        ['192.0.2.1', 65000],
        ['192.0.2.2', 65000],
      ]);
    });

    it('may have a key from a file', async () => {
      const args = ['--peer', '192.0.2.1', '--peer-as', '1', '--peer-password-file', '/none'];
      await assert.rejects(settingsOf(...args), {
        code: 'NR_CONFIG_INVALID',
        what: /^peers\.0\.passwordFile: ENOENT/,
      });
    });
  });
});
