import assert from 'node:assert/strict';
import { Address } from '../../src/net/address.ts';
import { type Firewall, type FirewallResource, firewallKey } from '../../src/ports/firewall.ts';
import type { Operation } from '../../src/ports/target.ts';

export const put = (resource: FirewallResource): Operation<FirewallResource> => ({
  do: 'put',
  key: firewallKey(resource),
  resource,
});

export const remove = (resource: FirewallResource): Operation<FirewallResource> => ({
  do: 'remove',
  key: firewallKey(resource),
  resource,
});

export const source = (link: string, address: string): FirewallResource => ({
  kind: 'source',
  link,
  address,
});
export const guard = (link: string): FirewallResource => ({ kind: 'guard', link });
export const ingress = (link: string, from: string): FirewallResource => ({ kind: 'ingress', link, from });
export const publish = (
  port: number,
  toAddress: string,
  toPort: number,
  rest: { protocol?: 'tcp' | 'udp' | 'sctp'; hostAddress?: string } = {},
): FirewallResource => ({
  kind: 'publish',
  protocol: rest.protocol ?? 'tcp',
  ...(rest.hostAddress !== undefined && { hostAddress: rest.hostAddress }),
  family: Address.parse(toAddress).family,
  port,
  toAddress,
  toPort,
});

/** Applies operations and expects that all of them succeed. */
export async function succeed(firewall: Firewall, operations: readonly Operation<FirewallResource>[]) {
  const outcomes = await firewall.apply(operations);
  assert.deepEqual(
    outcomes.map(({ key, error }) => [key, error?.message]),
    operations.map(({ key }) => [key, undefined]),
  );
}

/** Expects that exactly these resources are there. */
export async function holds(firewall: Firewall, resources: readonly FirewallResource[]) {
  const found = await firewall.read();
  assert.deepEqual(
    new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1))),
    new Map(
      resources
        .map((resource) => [firewallKey(resource), resource] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );
}

/** One of everything, for one endpoint. */
export function endpoint(link: string, host: number): FirewallResource[] {
  return [
    source(link, `10.1.0.${host}`),
    source(link, `fd00:9::${host}`),
    guard(link),
    ingress(link, '10.0.0.0/8'),
    ingress(link, '192.168.1.5'),
    ingress(link, '192.168.1.9-192.168.1.77'),
    ingress(link, 'fd00::/8'),
    publish(8000 + host, `10.1.0.${host}`, 80),
    publish(8000 + host, `10.1.0.${host}`, 80, { protocol: 'udp' }),
    publish(8000 + host, `fd00:9::${host}`, 80, { protocol: 'sctp' }),
    publish(8000 + host, `10.1.0.${host}`, 81, { hostAddress: '192.0.2.1' }),
    publish(8000 + host, `fd00:9::${host}`, 81, { hostAddress: '2001:db8::1' }),
  ];
}

/** What every firewall does. `open` makes one that holds nothing and is prepared. */
export function firewallSuite(open: () => Promise<Firewall>): void {
  let firewall: Firewall;

  beforeEach(async () => {
    firewall = await open();
  });
  afterEach(async () => {
    await firewall.close();
  });

  it('holds nothing at first', async () => {
    await holds(firewall, []);
  });

  it('reads back what was put, of every kind', async () => {
    const resources = [...endpoint('nr0123456789', 2), ...endpoint('nr9876543210', 3)];
    await succeed(firewall, resources.map(put));
    await holds(firewall, resources);
  });

  it('leaves nothing of an endpoint whose resources are removed, and all of the others', async () => {
    const gone = endpoint('nr0123456789', 2);
    const kept = endpoint('nr9876543210', 3);
    await succeed(firewall, [...gone, ...kept].map(put));
    await succeed(firewall, gone.map(remove));
    await holds(firewall, kept);
  });

  it('puts what is there already, and removes what is not there', async () => {
    const resources = endpoint('nr0123456789', 2);
    await succeed(firewall, resources.map(put));
    await succeed(firewall, resources.map(put));
    await holds(firewall, resources);
    await succeed(firewall, resources.map(remove));
    await succeed(firewall, resources.map(remove));
    await holds(firewall, []);
  });

  it('replaces a published port that leads elsewhere now', async () => {
    await succeed(firewall, [put(publish(80, '10.1.0.2', 8080))]);
    await succeed(firewall, [put(publish(80, '10.1.0.3', 8081))]);
    await holds(firewall, [publish(80, '10.1.0.3', 8081)]);
  });

  it('carries out operations on one key in their order', async () => {
    const [first, second] = [publish(80, '10.1.0.2', 8080), publish(80, '10.1.0.3', 8080)];
    await succeed(firewall, [put(first), remove(first), put(second)]);
    await holds(firewall, [second]);
    await succeed(firewall, [remove(second), put(first), remove(first)]);
    await holds(firewall, []);
  });

  it('keeps permits of one link that overlap apart', async () => {
    const wide = ingress('nr0123456789', '10.0.0.0/8');
    const narrow = ingress('nr0123456789', '10.1.0.0/16');
    const across = ingress('nr0123456789', '10.255.0.0-11.0.0.255');
    await succeed(firewall, [put(narrow), put(wide)]);
    await succeed(firewall, [put(across)]);
    await holds(firewall, [wide, narrow, across]);
    await succeed(firewall, [remove(wide)]);
    await holds(firewall, [narrow, across]);
    await succeed(firewall, [put(wide), remove(narrow)]);
    await holds(firewall, [wide, across]);
  });

  it('keeps permits for the same addresses apart that are written in different ways', async () => {
    const permits = [
      '10.1.0.2',
      '10.1.0.2/32',
      '10.1.0.2-10.1.0.2',
      '10.2.0.0/24',
      '10.2.0.0-10.2.0.255',
      'fd00::1/128',
      'fd00::1',
    ].map((from) => ingress('nr0123456789', from));
    await succeed(firewall, permits.map(put));
    await holds(firewall, permits);
    await succeed(firewall, permits.slice(0, 2).map(remove));
    await holds(firewall, permits.slice(2));
  });

  it('takes permits for everybody', async () => {
    const all = [ingress('nr0123456789', '0.0.0.0/0'), ingress('nr0123456789', '::/0')];
    await succeed(firewall, all.map(put));
    await holds(firewall, all);
  });

  it('takes IPv6 addresses that others write with a dotted tail', async () => {
    const odd = [ingress('nr0123456789', '::102:304'), ingress('nr0123456789', '::5-::102:0')];
    await succeed(firewall, [...odd.map(put), put(source('nr0123456789', '::102:304'))]);
    await holds(firewall, [...odd, source('nr0123456789', '::102:304')]);
  });

  const malformed: [string, FirewallResource][] = [
    ['an address that is a name', source('nr0123456789', 'localhost')],
    ['an address with a leading zero', source('nr0123456789', '10.1.0.02')],
    ['an address that is not canonical', source('nr0123456789', 'FD00::1')],
    ['a link name that nft would take for a pattern', source('nr*', '10.1.0.2')],
    ['a link name that would end the quotes', guard('nr" , "eth0')],
    ['a source that is a name', ingress('nr0123456789', 'example.com')],
    ['a prefix with host bits', ingress('nr0123456789', '10.1.0.1/16')],
    ['a range that goes down', ingress('nr0123456789', '10.1.0.9-10.1.0.2')],
    ['a range with spaces', ingress('nr0123456789', '10.1.0.2 - 10.1.0.9')],
    ['a range that is not canonical', ingress('nr0123456789', 'fd00:0::2-fd00::9')],
    ['port 0', publish(0, '10.1.0.2', 80)],
    ['a port beyond 65535', publish(65536, '10.1.0.2', 80)],
    ['a broken port', publish(80, '10.1.0.2', 80.5)],
    ['a host address of the other family', publish(80, '10.1.0.2', 80, { hostAddress: '2001:db8::1' })],
    ['the unspecified host address', publish(80, '10.1.0.2', 80, { hostAddress: '0.0.0.0' })],
    ['an unknown protocol', { ...publish(80, '10.1.0.2', 80), protocol: 'icmp' } as never],
    [
      'an inherited property as a protocol',
      { ...publish(80, '10.1.0.2', 80), protocol: 'constructor' } as never,
    ],
  ];
  for (const [what, resource] of malformed) {
    it(`refuses ${what}, and carries out the rest`, async () => {
      const good = [source('nr0000000001', '10.1.0.1'), ingress('nr0123456789', '10.2.0.0/16')];
      const outcomes = await firewall.apply([put(good[0]!), put(resource), put(good[1]!)]);
      assert.deepEqual(
        outcomes.map(({ error }) => error?.code),
        [undefined, 'NR_FIREWALL_ARGUMENT', undefined],
      );
      assert.equal(outcomes[1]!.key, firewallKey(resource));
      await holds(firewall, good);
    });
  }

  it('answers concurrent calls, each with its own outcomes', async () => {
    const all = Array.from({ length: 20 }, (_, i) => endpoint(`nr000000000${i.toString(36)}`, i + 1));
    await Promise.all(all.map((resources) => succeed(firewall, resources.map(put))));
    await holds(firewall, all.flat());
    await Promise.all(all.map((resources) => succeed(firewall, resources.map(remove))));
    await holds(firewall, []);
  });

  it('takes a batch of a thousand elements', async () => {
    const batch = Array.from({ length: 1000 }, (_, i) =>
      source(`nr${i.toString(16).padStart(10, '0')}`, `10.1.${i >> 8}.${i & 255}`),
    );
    await succeed(firewall, batch.map(put));
    assert.equal((await firewall.read()).size, 1000);
    await succeed(firewall, batch.map(remove));
    await holds(firewall, []);
  });

  it('answers nothing for nothing', async () => {
    assert.deepEqual(await firewall.apply([]), []);
  });
}
