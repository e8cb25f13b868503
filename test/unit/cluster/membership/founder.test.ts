import assert from 'node:assert/strict';
import { isHere } from '../../../../src/cluster/membership/founder.ts';

describe('the host at a seed', () => {
  const names = new Map([
    ['h1.example.org', ['192.0.2.1', '2001:db8::1']],
    ['alias.example.org', ['2001:DB8:0::1']],
    ['public.example.org', ['203.0.113.1']],
    ['h1.east.example.org', ['198.51.100.1']],
    ['h1.debian.example.org', ['127.0.1.1']],
    ['original.example.org', ['127.0.1.1']],
    ['localhost', ['127.0.0.1']],
  ]);
  const resolve = async (name: string) => {
    const found = names.get(name);
    if (!found) throw new Error('ENOTFOUND');
    return found;
  };
  let own = ['127.0.0.1', '::1', '192.0.2.1', '2001:db8::1'];
  const addresses = () => own;
  const self = { name: 'h1', port: 15_800, advertised: '203.0.113.1' };
  const at = (address: string, port = 15_800) => isHere({ address, port }, self, { resolve, addresses });

  for (const [address, is] of [
    ['192.0.2.1', true],
    ['192.0.2.2', false],
    ['2001:db8:0:0::1', true],
    ['203.0.113.1', true],
    ['h1', true],
    ['H1.', true],
    ['h2', false],
    ['h1.example.org', true],
    ['alias.example.org', true],
    ['public.example.org', true],
    // Another host of the same first label.
    ['h1.east.example.org', false],
    ['h1.unknown.example.org', false],
    ['h1.debian.example.org', true],
    // This host's disk is a copy of that one's, with its /etc/hosts.
    ['original.example.org', false],
    // Every host has these.
    ['localhost', false],
    ['127.0.0.1', false],
    ['::1', false],
  ] as const)
    it(`${is ? 'is' : 'is not'} this one: ${address}`, async () => assert.equal(await at(address), is));

  it('is another one at another port', async () => assert.equal(await at('192.0.2.1', 15_801), false));

  it('is this one as soon as its address is, or its name is known', async () => {
    own = ['127.0.0.1'];
    assert.equal(await at('h1.example.org'), false);
    own = ['127.0.0.1', '192.0.2.1'];
    assert.equal(await at('h1.example.org'), true);
    assert.equal(await at('late.example.org'), false);
    names.set('late.example.org', ['192.0.2.1']);
    assert.equal(await at('late.example.org'), true);
  });

  it('asks the computer where nothing else is said', async () => {
    const here = { ...self, name: 'nowhere.invalid' };
    assert.equal(await isHere({ address: '192.0.2.77', port: 15_800 }, here), false);
    assert.equal(
      await isHere({ address: '192.0.2.77', port: 15_800 }, { ...here, advertised: '192.0.2.77' }),
      true,
    );
  });
});
