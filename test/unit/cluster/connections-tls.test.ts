import assert from 'node:assert/strict';
import { systemClock } from '../../../src/clock.ts';
import { TlsTransport } from '../../../src/store/gossip/tls/transport.ts';
import { createAuthority, issue } from '../../../src/store/trust/authority.ts';
import { CertifiedCredentials } from '../../../src/store/trust/certified.ts';
import { createIdentity, type Identity } from '../../../src/store/trust/identity.ts';
import { areAlike, asked, CLUSTER, type NodeOptions, type Wired, Wiring } from './wiring.ts';
import { SPACE } from './world.ts';

const HERE = '127.0.0.1';

describe('connections over TLS', () => {
  let wiring: Wiring;
  const authority = createAuthority(CLUSTER, Date.now());

  beforeEach(() => {
    wiring = new Wiring(systemClock);
  });
  afterEach(() => wiring.end());

  async function start(identity: Identity, options: NodeOptions = {}, port = 0): Promise<Wired> {
    const by = await authority;
    const credentials = new CertifiedCredentials({
      identity,
      certificate: await issue(by, identity.publicKey, Date.now()),
      authority: by.certificate,
      refused: () => false,
      now: Date.now,
    });
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const transport = new TlsTransport({ credentials, clock: systemClock, log });
    const node = await wiring.node(transport, options);
    const listener = await transport.listen(HERE, port);
    wiring.places.set(identity.id, { address: HERE, port: listener.port });
    return node;
  }

  async function cluster(count: number): Promise<[Wired[], Identity[]]> {
    const identities = Array.from({ length: count }, createIdentity);
    const nodes: Wired[] = [];
    for (const identity of identities) nodes.push(await start(identity));
    const [founder, ...others] = nodes as [Wired, ...Wired[]];
    const changes = wiring.members(identities.map(({ id }) => id));
    await founder.store.commit([...changes, { key: 'space/s', value: SPACE }]);
    for (const node of others) node.store.merge([founder.store.range(founder.id, 0)]);
    await wiring.until(() => areAlike(nodes) && nodes.every(({ gossip }) => gossip.peers.length > 0));
    return [nodes, identities];
  }

  it('bring all to the same, carry requests, and go on after a host was killed and started again', async () => {
    const [nodes, identities] = await cluster(4);
    for (const { store, id } of nodes)
      await store.commit([{ key: `policy/${id}`, value: 'x'.repeat(60_000) }]);
    await wiring.until(() => areAlike(nodes));

    const [a, b, c, d] = nodes as [Wired, Wired, Wired, Wired];
    const use = (node: Wired) => () => [{ key: `allocation/${node.id}/s/60`, value: { state: 'held' } }];
    const claim = (node: Wired) =>
      new Promise<string>((resolve) =>
        node.cluster.claims.claim(node.cluster.spaces.get('s')!, 60n, use(node), (error) =>
          resolve(error?.code ?? 'done'),
        ),
      );
    assert.equal(await claim(b), 'done');
    assert.equal(await claim(c), 'NR_ADDRESS_IN_USE');
    await new Promise<void>((resolve, reject) =>
      b.cluster.wants.want(b.cluster.spaces.get('s')!, (error) => (error ? reject(error) : resolve())),
    );
    assert.equal(b.cluster.ownership.of(b.id).length, 1);

    const { disk } = d.store;
    const { port } = wiring.places.get(d.id)!;
    await d.stop();
    await a.store.commit([{ key: 'policy/meanwhile', value: 1 }]);
    const again = await start(identities[3]!, { disk, boot: 'second' }, port);
    await wiring.until(() => areAlike([a, b, c, again]));
    assert.ok(again.store.get('policy/meanwhile'));
    assert.equal(await asked(a, again.id, 'stored', { id: b.id }), '{"stored":true}');
    assert.deepEqual(wiring.warnings, []);
  }).timeout(30_000);

  it('tell a host that was forgotten while it was off', async () => {
    const [nodes, identities] = await cluster(3);
    const [a, , c] = nodes as [Wired, Wired, Wired];
    const { disk } = c.store;
    await c.stop();
    const gone = { seal: a.store.known(c.id), how: 'forgotten', by: a.id, heir: a.id, last: 3 };
    await a.store.commit([{ key: `gone/${c.id}`, value: gone }]);
    const again = await start(identities[2]!, { disk, boot: 'second' });
    await wiring.until(() => again.cluster.standing.halted === 'gone');
  }).timeout(30_000);
});
