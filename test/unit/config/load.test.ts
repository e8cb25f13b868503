import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { flagOf, loadSettings, variableOf } from '../../../src/config/load.ts';
import { peersOf } from '../../../src/config/peers.ts';
import { type Settings, settingsSchema } from '../../../src/config/settings.ts';

const NAMES = Object.keys(settingsSchema.shape) as (keyof Settings)[];

/** Two values for each setting that are not its default: one as text and as what it means, and another text. */
const OTHER: { readonly [N in keyof Settings]-?: readonly [text: string, meaning: unknown, other: string] } =
  {
    stateDir: ['/a/state', '/a/state', '/b'],
    runDir: ['/a/run', '/a/run', '/b'],
    pluginDir: ['/a/plugins', '/a/plugins', '/b'],
    dockerSocket: ['/a/docker.sock', '/a/docker.sock', '/b'],
    dockerPropagate: ['true', true, 'false'],
    logLevel: ['debug', 'debug', 'warn'],
    as: ['1.10', 65546, '7'],
    routerId: ['192.0.2.9', '192.0.2.9', '192.0.2.8'],
    address: ['192.0.2.1', '192.0.2.1', '192.0.2.8'],
    addressV6: ['2001:DB8:0::1', '2001:db8::1', '2001:db8::8'],
    listenPort: ['0', 0, '1179'],
    peering: ['fabric', 'fabric', 'mesh'],
    meshLimit: ['9', 9, '10'],
    mtu: ['1400', 1400, '1300'],
    gobgpd: ['/opt/gobgpd', '/opt/gobgpd', '/b'],
    engineSocket: ['/a/engine.sock', '/a/engine.sock', '/b'],
    automaticPools: ['10.64.0.0/10, fd00::/16', ['10.64.0.0/10', 'fd00::/16'], '10.99.0.0/16'],
    aliasPrefixes: ['172.30.0.0/16', ['172.30.0.0/16'], '10.99.0.0/16'],
    restSeconds: ['5', 5, '6'],
    manageForwarding: ['false', false, 'true'],
    hostName: ['alpha', 'alpha', 'beta'],
    clusterAddress: ['192.0.2.1', '192.0.2.1', '::'],
    clusterPort: ['15900', 15900, '1'],
    clusterAdvertise: ['2001:DB8::1', '2001:db8::1', '192.0.2.8'],
    seeds: [
      'h1.example, 192.0.2.2:1, [2001:db8::2]:2, 2001:db8::3',
      ['h1.example:15800', '192.0.2.2:1', '[2001:db8::2]:2', '[2001:db8::3]:15800'],
      '192.0.2.9',
    ],
    clusterSecretFile: ['/a/secret', '/a/secret', '/b'],
    founder: ['alpha', 'alpha', 'beta'],
    discovery: ['mdns', 'mdns', 'none'],
    peers: ['[{address: 192.0.2.254, as: 65000}]', [{ address: '192.0.2.254', as: 65000 }], ''],
  };

/** A text that no setting of this name may be. */
const BAD: { readonly [N in keyof Settings]-?: string | undefined } = {
  stateDir: undefined,
  runDir: undefined,
  pluginDir: undefined,
  dockerSocket: undefined,
  dockerPropagate: 'yes',
  logLevel: 'loud',
  as: '0',
  routerId: 'fd00::1',
  address: '2001:db8::1',
  addressV6: '192.0.2.1',
  listenPort: '65536',
  peering: 'tor',
  meshLimit: '0',
  mtu: '0x5dc',
  gobgpd: undefined,
  engineSocket: undefined,
  automaticPools: '10.0.0.1/8',
  aliasPrefixes: '10.0.0.0/8,nonsense',
  restSeconds: '-1',
  manageForwarding: 'maybe',
  hostName: 'h'.repeat(65),
  clusterAddress: 'h1',
  clusterPort: '0',
  clusterAdvertise: 'h1.example',
  seeds: '192.0.2.1:99999',
  clusterSecretFile: undefined,
  founder: 'h'.repeat(254),
  discovery: 'dns',
  peers: '[{address: 192.0.2.254}]',
};

describe('settings', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nr-config-'));
  const empty = join(folder, 'empty.yaml');
  writeFileSync(empty, '');
  after(() => rmSync(folder, { recursive: true }));
  const file = (text: string) => {
    const path = join(folder, 'config.yaml');
    writeFileSync(path, text);
    return path;
  };
  const load = (sources: Partial<Parameters<typeof loadSettings>[0]> = {}) =>
    loadSettings({ file: empty, environment: {}, flags: {}, ...sources });
  const refused = (sources: Parameters<typeof load>[0], what: RegExp) =>
    assert.throws(() => load(sources), { code: 'NR_CONFIG_INVALID', what });
  /** Of lists of objects only what the test gave, not the defaults of the rest. */
  const meaning = (settings: Settings, name: keyof Settings) =>
    name === 'peers' ? settings.peers.map(({ address, as }) => ({ address, as })) : settings[name];

  it('have defaults that serve one host', () => {
    const settings = load();
    assert.equal(settings.stateDir, '/var/lib/net-routed');
    assert.equal(settings.manageForwarding, true);
    assert.deepEqual(settings.peers, []);
    assert.equal(settings.as, undefined);
  });

  for (const name of NAMES) {
    const [text, expected, other] = OTHER[name];
    const list = Array.isArray(expected) && name !== 'peers';
    /** A file with the value as a person would write it: peers as YAML, lists as lists. */
    const inFile = (value: string) => {
      const written = list ? value.split(', ') : value;
      return file(`${name}: ${name === 'peers' ? value : JSON.stringify(written)}`);
    };

    it(`${name} may be given as flag, variable or in the file`, () => {
      const flag = Array.isArray(expected) ? expected : text;
      assert.deepEqual(meaning(load({ flags: { [name]: flag } }), name), expected, 'flag');
      assert.deepEqual(
        meaning(load({ environment: { [variableOf(name)]: text } }), name),
        expected,
        'variable',
      );
      assert.deepEqual(meaning(load({ file: inFile(text) }), name), expected, 'file');
      assert.notDeepEqual(meaning(load(), name), expected, 'it is not the default');
    });

    if (name !== 'peers') {
      it(`${name} of a flag comes before the variable, and that before the file`, () => {
        const environment = { [variableOf(name)]: other };
        const second = meaning(load({ environment }), name);
        assert.notDeepEqual(second, expected);
        assert.deepEqual(meaning(load({ file: inFile(text), environment }), name), second);
        const flags = { [name]: expected };
        assert.deepEqual(meaning(load({ environment, flags }), name), expected);
      });
    }

    const bad = BAD[name];
    if (bad !== undefined) {
      it(`${name} is refused with its name when it is wrong, wherever it is given`, () => {
        const named = new RegExp(`^${name}[.:]`);
        refused({ environment: { [variableOf(name)]: bad } }, named);
        refused({ file: inFile(bad) }, named);
        if (name !== 'peers') refused({ flags: { [name]: list ? [bad] : bad } }, named);
      });
    }
  }

  it('that do not exist are refused by name', () => {
    refused({ file: file('statedir: /x') }, /statedir/);
    refused({ file: file('peers: [{address: 192.0.2.1, as: 1, hold: 3}]') }, /^peers\.0: .*hold/);
  });

  it('that are left empty are left out', () => {
    assert.equal(load({ file: file('mtu:\nlistenPort:\n') }).listenPort, 179);
    assert.equal(load({ environment: { NET_ROUTED_LISTEN_PORT: '', NET_ROUTED_PEERS: '' } }).listenPort, 179);
    refused({ file: file('stateDir: ""') }, /^stateDir: it is empty/);
  });

  it('take numbers only in plain digits', () => {
    for (const value of ['', ' 5', '0x10', '1e2', '5.5', true, [5], null, '99999999999999999999']) {
      refused({ flags: { restSeconds: value } }, /^restSeconds:/);
    }
    assert.equal(load({ file: file('restSeconds: 7') }).restSeconds, 7);
  });

  it('come from a file that has to be there when it is named, and has to be settings', () => {
    refused({ file: join(folder, 'none.yaml') }, /none\.yaml: ENOENT/);
    refused({ file: file('- a\n- b') }, /settings by name are expected/);
    refused({ file: file('just text') }, /settings by name are expected/);
    refused({ file: file('a: [1') }, /config\.yaml: Flow sequence/);
    assert.throws(
      () => load({ file: file('a: [1\nb: 2') }),
      (error: Error) => !error.message.includes('\n'),
      'one line',
    );
    refused({ environment: { NET_ROUTED_PEERS: '[{' } }, /^peers:/);
    refused({ file: file('peers: {address: 192.0.2.1, as: 1}') }, /^peers: a list/);
  });

  it('are flags and variables by one rule', () => {
    assert.equal(flagOf('addressV6'), '--address-v6');
    assert.equal(variableOf('addressV6'), 'NET_ROUTED_ADDRESS_V6');
  });
});

describe('peers of the settings', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nr-peers-'));
  after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'config.yaml');
  const load = (peers: object[], flags: object[] = []) => {
    writeFileSync(path, JSON.stringify({ peers }));
    return loadSettings({ file: path, environment: {}, flags: { peers: flags } });
  };
  const refused = (peers: object[], what: RegExp) =>
    assert.throws(() => load(peers), { code: 'NR_CONFIG_INVALID', what });
  const TOR = { address: '192.0.2.254', as: 65000 };

  it('of file and flags add up', () => {
    const { peers } = load([TOR], [{ interface: 'eth1', as: '65001' }]);
    assert.deepEqual(
      peers.map(({ address, interface: link, as }) => [address ?? link, as]),
      [
        ['192.0.2.254', 65000],
        ['eth1', 65001],
      ],
    );
  });

  it('have one address or interface, one password, one keepalive that is short enough, and are there once', () => {
    refused([{ as: 1 }], /^peers\.0: a peer has either an address or an interface/);
    refused([{ ...TOR, interface: 'eth0' }], /^peers\.0: a peer has either an address or an interface/);
    refused([{ ...TOR, password: 'a', passwordFile: '/b' }], /either a password or a passwordFile/);
    refused([{ ...TOR, holdTime: 9, keepalive: 9 }], /keepalive/);
    refused([TOR, { ...TOR, as: 65001 }], /^peers\.1: 192\.0\.2\.254 is given twice/);
    refused([{ ...TOR, interface: undefined, address: 'eth0' }], /^peers\.0\.address: /);
    refused([{ interface: 'a b', as: 1 }], /^peers\.0\.interface: /);
  });

  it('may have their password in a file of its own', () => {
    const key = join(folder, 'key');
    writeFileSync(key, ' secret\n');
    const [peer] = load([{ ...TOR, passwordFile: key }]).peers;
    assert.equal(peer?.password, 'secret');
    writeFileSync(key, '\n');
    refused([{ ...TOR, passwordFile: key }], /^peers\.0\.passwordFile: .*holds no key/);
    refused([{ ...TOR, passwordFile: '/none' }], /^peers\.0\.passwordFile: ENOENT/);
  });

  it('become what the speaker takes: never a default route unless it is asked for', () => {
    const { peers } = load([
      TOR,
      { interface: 'eth1', as: 1, holdTime: 30, import: [{ prefix: '10.0.0.0/8', le: 32 }] },
    ]);
    const [first, second] = peersOf(peers, 65001);
    assert.equal(first?.localAs, 65001);
    assert.equal(first?.keepalive, 30);
    assert.deepEqual(first?.import, [
      { prefix: '0.0.0.0/0', ge: 1, le: 32 },
      { prefix: '::/0', ge: 1, le: 128 },
    ]);
    assert.deepEqual(second?.import, [{ prefix: '10.0.0.0/8', le: 32 }]);
    assert.equal(second?.keepalive, 10);
    assert.equal('address' in second!, false);
  });
});
