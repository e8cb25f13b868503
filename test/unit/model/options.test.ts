import assert from 'node:assert/strict';
import type { ErrorCode } from '../../../src/errors.ts';
import { parseEndpointOptions, parseIpamOptions, parseNetworkOptions } from '../../../src/model/options.ts';

const refused = (code: ErrorCode, call: () => unknown, text?: RegExp) =>
  assert.throws(call, (error: Error & { code?: string }) => {
    assert.equal(error.code, code);
    if (text) assert.match(error.message, text);
    return true;
  });

describe('network options', () => {
  it('are read', () => {
    assert.deepEqual(parseNetworkOptions({ tenant: 'red', mtu: '9000', encap: 'none' }, false), {
      tenant: 'red',
      mtu: 9000,
    });
    assert.deepEqual(parseNetworkOptions({ 'com.docker.network.driver.mtu': '1450' }, false), { mtu: 1450 });
  });

  it('ignore labels of Docker that do not concern us', () => {
    assert.deepEqual(parseNetworkOptions({ 'com.docker.network.advertise_addr_nmsgs': '0' }, false), {});
  });

  it('that are unknown are refused with a list of the known', () => {
    refused(
      'NR_OPTION_UNKNOWN',
      () => parseNetworkOptions({ tennant: 'red' }, false),
      /"tennant".*tenant, network, encap/,
    );
  });

  it('refuse an MTU that the family does not allow', () => {
    for (const mtu of ['67', '70000', '0', '-1', '1e3', '1500 ', '']) {
      refused('NR_MTU_INVALID', () => parseNetworkOptions({ mtu }, false));
    }
    assert.equal(parseNetworkOptions({ mtu: '68' }, false).mtu, 68);
    refused('NR_MTU_INVALID', () => parseNetworkOptions({ mtu: '1279' }, true));
  });

  it('refuse an encapsulation that is not there yet', () => {
    refused('NR_ENCAP_UNSUPPORTED', () => parseNetworkOptions({ encap: 'vxlan' }, false));
    refused('NR_OPTION_INVALID', () => parseNetworkOptions({ 'pkt-tag': '10' }, false));
  });
});

describe('IPAM options', () => {
  it('are read, and refused when unknown', () => {
    assert.deepEqual(parseIpamOptions({ tenant: 'red', network: 'n' }), { tenant: 'red', network: 'n' });
    refused('NR_OPTION_UNKNOWN', () => parseIpamOptions({ pool: 'x' }), /tenant, network/);
    refused('NR_OPTION_INVALID', () => parseIpamOptions({ tenant: '../x' }));
  });
});

describe('endpoint options', () => {
  it('are none by default', () => {
    assert.deepEqual(parseEndpointOptions({}, false), { aliases: [], anycast: false });
  });

  it('take aliases with and without their length', () => {
    const { aliases } = parseEndpointOptions(
      { 'ip-aliases': '192.168.255.254/32, 192.168.255.255 ,fd00::1/128' },
      true,
    );
    assert.deepEqual(aliases, ['192.168.255.254', '192.168.255.255', 'fd00::1']);
    refused('NR_OPTION_INVALID', () => parseEndpointOptions({ 'ip-aliases': '10.0.0.0/24' }, false));
    refused('NR_PREFIX_INVALID', () => parseEndpointOptions({ 'ip-aliases': 'x' }, false));
  });

  it('refuse aliases that no endpoint can use', () => {
    for (const alias of [
      '0.0.0.0',
      '127.0.0.1',
      '169.254.1.1',
      '224.0.0.1',
      '255.255.255.255',
      '::',
      'fe80::1',
      'ff02::1',
    ])
      refused('NR_ADDRESS_UNUSABLE', () => parseEndpointOptions({ 'ip-aliases': alias }, true));
  });

  it('take sources as address, prefix and range', () => {
    const text = '192.0.2.10, 198.51.100.0/24,203.0.113.1 - 203.0.113.9, 192.0.2.10';
    assert.deepEqual(parseEndpointOptions({ 'ingress-allowed': text }, false).ingress, [
      '192.0.2.10',
      '198.51.100.0/24',
      '203.0.113.1-203.0.113.9',
    ]);
    assert.deepEqual(parseEndpointOptions({ 'ingress-allowed': '' }, false).ingress, [], 'nobody');
    refused('NR_OPTION_INVALID', () =>
      parseEndpointOptions({ 'ingress-allowed': '10.0.0.9-10.0.0.1' }, false),
    );
    refused('NR_PREFIX_INVALID', () => parseEndpointOptions({ 'ingress-allowed': '10.0.0.1/8' }, false));
  });

  it("take the replaced plugin's names for the same", () => {
    const options = parseEndpointOptions(
      {
        'com.medallia.routed.network.ipAliases': '10.9.9.9/32',
        'com.medallia.routed.network.mtu': '1400',
        'com.medallia.routed.network.ingressAllowed': '192.0.2.1',
      },
      false,
    );
    assert.deepEqual(options, { aliases: ['10.9.9.9'], mtu: 1400, ingress: ['192.0.2.1'], anycast: false });
    const lower = parseEndpointOptions({ 'com.medallia.routed.network.ipaliases': '10.9.9.9/32' }, false);
    assert.deepEqual(lower.aliases, ['10.9.9.9'], 'as docker run sends it');
    const twice = { mtu: '1400', 'com.medallia.routed.network.mtu': '1500' };
    refused('NR_OPTION_CONFLICT', () => parseEndpointOptions(twice, false));
  });

  it('refuse anycast that is neither true nor false, and unknown names', () => {
    refused('NR_OPTION_INVALID', () => parseEndpointOptions({ anycast: 'yes' }, false));
    refused('NR_OPTION_UNKNOWN', () => parseEndpointOptions({ constructor: 'x' }, false));
  });
});
