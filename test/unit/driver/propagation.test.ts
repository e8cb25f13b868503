import assert from 'node:assert/strict';
import { byName, nameOf } from '../../../src/driver/logical.ts';
import { Propagation } from '../../../src/driver/propagation.ts';
import { poolId } from '../../../src/model/pool.ts';
import { MemoryDocker } from '../../contract/docker.memory.ts';
import { Drivers } from './hosts.ts';

const V4 = '10.1.0.0/16';
const V6 = 'fd00:9::/64';

/** Hosts of one cluster, each with a dockerd and a daemon that has networks made by it. */
class Cluster {
  readonly on: Drivers;
  readonly docker: MemoryDocker[] = [];
  readonly #propagations: Propagation[] = [];

  constructor(count: number, makes: (host: number) => boolean = () => true) {
    this.on = new Drivers(count);
    for (let host = 1; host <= count; host++) {
      this.docker.push(this.#dockerd(host));
      this.restart(host, makes(host));
    }
  }

  /** The daemon begins anew, from what is durable. */
  restart(host: number, makes = true): void {
    this.#propagations[host - 1] = new Propagation(this.on.context(host), this.at(host), makes);
  }

  at(host: number): MemoryDocker {
    return this.docker[host - 1]!;
  }

  /** One pass of a host's daemon; what it does is heard by all then. */
  async pass(host: number): Promise<void> {
    await this.on.hosts.until(this.#propagations[host - 1]!.pass());
    this.on.hosts.gossip();
  }

  /** Passes of all, until nothing more comes of them. */
  async settle(): Promise<void> {
    for (let round = 0; round < 4; round++)
      for (let host = 1; host <= this.docker.length; host++) await this.pass(host);
  }

  /** What a person types on a host. */
  async create(
    host: number,
    name: string,
    subnets = [V4],
    options: Record<string, string> = {},
  ): Promise<void> {
    const spec = { name, subnets, internal: false, ipamOptions: {}, labels: {} };
    await this.on.hosts.until(this.at(host).create({ ...spec, options: { network: name, ...options } }));
    this.on.hosts.gossip();
  }

  /** What dockerd says to a host's drivers while the daemon has it make a network. */
  async ordered<T>(host: number, id: string, call: () => Promise<T>): Promise<T> {
    const { making } = this.on.context(host);
    making.add(id);
    try {
      return await call();
    } finally {
      making.delete(id);
    }
  }

  async rm(host: number, name: string): Promise<void> {
    await this.on.hosts.until(this.at(host).rm(name));
    this.on.hosts.gossip();
  }

  /** What it leaves when the host is about to leave the cluster, or why it does not. @returns the way back */
  async vacate(host: number): Promise<() => void> {
    const back = await this.on.hosts.until(this.#propagations[host - 1]!.vacate());
    this.on.hosts.gossip();
    return back;
  }

  obstacles(host: number): string[] {
    return this.#propagations[host - 1]!.obstacles.map(
      ({ network, error }) => `${network} ${error.code}: ${error.what}`,
    );
  }

  get names(): string[][] {
    return this.docker.map(({ names }) => names);
  }

  /** How the networks of a host are recorded. */
  copies(host: number): (string | undefined)[] {
    return [...this.on.state(host).networks.all()].map(({ copy }) => copy);
  }

  ids(host: number): string[] {
    return [...this.on.state(host).networks.all()].map(({ id }) => id);
  }

  #dockerd(host: number): MemoryDocker {
    const driver = this.on.driver(host);
    const data = (pools: readonly string[]) =>
      pools.map((pool) => ({ addressSpace: 'net-routed', pool, gateway: '0.0.0.0/0', auxAddresses: {} }));
    return new MemoryDocker(
      {
        requestPool: async (call) => (await driver.requestPool(call)).id,
        createNetwork: ({ subnets, ...call }) =>
          driver.createNetwork({
            ...call,
            ipv4: data(subnets.filter((one) => !one.includes(':'))),
            ipv6: data(subnets.filter((one) => one.includes(':'))),
          }),
        releasePool: (pool) => driver.releasePool(pool),
        deleteNetwork: (network) => driver.deleteNetwork(network),
      },
      `d${host}-`,
    );
  }
}

describe('the propagation of networks', () => {
  it('makes on the others what somebody has made on one, as it is there', async () => {
    const it = new Cluster(3);
    await it.create(1, 'mine', [V4, V6], { mtu: '1400' });
    await it.settle();
    assert.deepEqual(it.names, [['mine'], ['mine'], ['mine']]);
    const [there] = [...it.on.state(1).networks.all()];
    for (const host of [2, 3]) {
      const [here, ...more] = [...it.on.state(host).networks.all()];
      const { id, copy, makers, createdAt, ...traits } = here!;
      assert.deepEqual([copy, makers, more], ['kept', [it.on.store(1).origin], []]);
      assert.deepEqual({ ...traits, id: there!.id, createdAt: there!.createdAt }, there);
      const [listed] = await it.at(host).listed();
      assert.deepEqual(listed?.labels, { 'net-routed.propagated': poolId('default', V4) });
    }
    assert.deepEqual(it.copies(1), [undefined]);
  });

  it('waits for a name, and has none for networks that are here under another one', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine', [V4], { network: 'ours' });
    await it.create(2, 'theirs', [V4], { network: 'ours' });
    await it.settle();
    assert.deepEqual(it.names, [['mine'], ['theirs']]);
    assert.equal(nameOf(it.on.state(2), poolId('default', V4)), 'ours');
  });

  it('removes the copies when it is removed where it was made, and nothing is left', async () => {
    const it = new Cluster(3);
    await it.create(2, 'mine');
    await it.settle();
    await it.rm(2, 'mine');
    await it.settle();
    assert.deepEqual(it.names, [[], [], []]);
    for (const host of [1, 2, 3]) {
      assert.deepEqual([...it.on.store(host).all('network')], []);
      assert.deepEqual([...it.on.store(host).all('pool-use')], []);
      assert.deepEqual([...it.on.store(host).all('declined')], []);
    }
  });

  for (const namespace of ['network', 'logical'])
    it(`removes none while a record cannot be read: ${namespace}`, async () => {
      const it = new Cluster(3);
      await it.create(1, 'mine');
      await it.settle();
      const { key, value } = [...it.on.store(1).list(namespace)][0]!;
      // As a later release may write it.
      const more = namespace === 'network' ? { copy: 'lent' } : { encap: 'vxlan' };
      await it.on.hosts.until(it.on.store(1).commit([{ key, value: { ...(value as object), ...more } }]));
      it.on.hosts.gossip();
      for (let round = 0; round < 3; round++) {
        it.restart(2);
        await it.settle();
      }
      assert.deepEqual(it.names, [['mine'], ['mine'], ['mine']]);
      assert.deepEqual([it.copies(2), it.copies(3)], [['kept'], ['kept']]);
      const what = namespace === 'network' ? 'a network of host h1' : `logical/${poolId('default', V4)}`;
      const [name] = namespace === 'network' ? ['mine'] : it.ids(2).map((id) => id.slice(0, 12));
      const held = `${name} NR_PROPAGATE_UNREADABLE: by what is known here it has ended; it stays, as records cannot be read: ${what}`;
      assert.deepEqual([it.obstacles(1), it.obstacles(2)], [[], [held]]);
      await it.on.hosts.until(it.on.store(1).commit([{ key, value }]));
      it.on.hosts.gossip();
      await it.settle();
      assert.deepEqual(it.obstacles(2), []);
      await it.rm(1, 'mine');
      await it.settle();
      assert.deepEqual(it.names, [[], [], []]);
    });

  it('leaves in Docker what its own record cannot be read of', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    await it.settle();
    const { key, value } = [...it.on.store(2).list('network')][0]!;
    const change = { key, value: { ...(value as object), copy: 'lent' } };
    await it.on.hosts.until(it.on.store(2).commit([change]));
    const before = await it.at(2).listed();
    it.restart(2);
    await it.settle();
    assert.deepEqual(await it.at(2).listed(), before);
  });

  it('keeps them as long as another host has it that made it', async () => {
    const it = new Cluster(3);
    await it.create(1, 'mine');
    await it.create(2, 'mine');
    await it.settle();
    await it.rm(1, 'mine');
    await it.settle();
    assert.deepEqual(it.names, [[], ['mine'], ['mine']], 'it is not made again where it was removed');
    await it.rm(2, 'mine');
    await it.settle();
    assert.deepEqual(it.names, [[], [], []]);
  });

  it('keeps a copy with containers, says so, and removes it when they are gone', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    await it.settle();
    it.at(2).connect('mine', 1);
    await it.rm(1, 'mine');
    await it.settle();
    assert.deepEqual(it.names, [[], ['mine']]);
    assert.deepEqual(it.obstacles(2), ['mine NR_PROPAGATE_IN_USE: network mine has active endpoints']);
    it.at(2).connect('mine', 0);
    it.on.hosts.pass(60_000);
    await it.pass(2);
    assert.deepEqual(it.names, [[], []]);
    assert.deepEqual(it.obstacles(2), []);
  });

  it('keeps a copy that was to go when the network is made again meanwhile', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    await it.settle();
    it.at(2).connect('mine', 1);
    await it.rm(1, 'mine');
    await it.settle();
    assert.deepEqual(it.copies(2), ['ending']);
    await it.create(1, 'mine');
    await it.settle();
    assert.deepEqual(it.copies(2), ['kept']);
    assert.deepEqual(it.obstacles(2), []);
  });

  it('makes a copy anew that was being removed when the network was made again', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    await it.settle();
    it.at(2).connect('mine', 1);
    await it.rm(1, 'mine');
    await it.pass(2);
    it.at(2).connect('mine', 0);
    await it.create(1, 'mine');
    await it.rm(2, 'mine'); // the daemon's own order, which Docker carries out only now
    await it.settle();
    assert.deepEqual([it.copies(2), it.names[1]], [['kept'], ['mine']]);
  });

  it('does not bring back what somebody removes here, until it is made anew', async () => {
    const it = new Cluster(3);
    await it.create(1, 'mine');
    await it.settle();
    await it.rm(3, 'mine');
    await it.settle();
    it.restart(3);
    await it.settle();
    assert.deepEqual(it.names, [['mine'], ['mine'], []]);
    await it.rm(1, 'mine');
    await it.settle();
    assert.deepEqual(it.names, [[], [], []]);
    await it.create(2, 'mine');
    await it.settle();
    assert.deepEqual(it.names, [['mine'], ['mine'], ['mine']]);
  });

  it('counts as made here what somebody makes where it was removed', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    await it.settle();
    await it.rm(2, 'mine');
    await it.create(2, 'mine');
    await it.settle();
    assert.deepEqual([it.copies(2), [...it.on.store(2).all('declined')]], [[undefined], []]);
    await it.rm(1, 'mine');
    await it.settle();
    assert.deepEqual(it.names, [[], ['mine']]);
  });

  it('overwrites nothing of the same name, and says so until that is gone', async () => {
    const it = new Cluster(2);
    it.at(2).foreign('mine');
    await it.create(1, 'mine');
    await it.settle();
    assert.deepEqual(it.obstacles(2), [
      'mine NR_PROPAGATE_NAME: that of 10.1.0.0/16 is not here, as Docker has another one of this name: d2-1',
    ]);
    assert.deepEqual([it.copies(2), (await it.at(2).listed()).map(({ ours }) => ours)], [[], [false]]);
    await it.rm(2, 'mine');
    it.on.hosts.pass(60_000);
    await it.settle();
    assert.deepEqual([it.copies(2), it.obstacles(2)], [['kept'], []]);
  });

  it('lets one that cannot be made hold up no other', async () => {
    const it = new Cluster(2);
    it.at(2).foreign('a');
    for (const [at, name] of ['a', 'b', 'c'].entries()) await it.create(1, name, [`10.${at}.0.0/16`]);
    await it.settle();
    assert.deepEqual(it.names[1], ['a', 'b', 'c']);
    assert.deepEqual(it.copies(2), ['kept', 'kept']);
  });

  it('takes nothing that somebody creates for a copy', async () => {
    const it = new Cluster(2, () => false);
    await it.create(1, 'mine');
    const option = { propagated: poolId('default', V4) };
    const spec = { name: 'mine', subnets: [V4], internal: false, options: {}, ipamOptions: {}, labels: {} };
    for (const given of [{ options: option }, { ipamOptions: option }])
      await assert.rejects(
        it.on.hosts.until(it.at(2).create({ ...spec, ...given })),
        /NR_OPTION_INVALID: propagated="default:10\.1\.0\.0\/16" is for the daemon/,
      );
    assert.deepEqual([it.copies(2), it.names[1], [...it.on.state(2).poolUses.all()]], [[], [], []]);
    it.restart(2);
    await it.settle();
    assert.deepEqual([it.copies(2), it.on.context(2).making.size], [['kept'], 0]);
    await it.rm(2, 'mine');
    await assert.rejects(
      it.on.hosts.until(it.at(2).create({ ...spec, options: option })),
      /NR_OPTION_INVALID/,
    );
  });

  it('gives a host that comes later all of them', async () => {
    const it = new Cluster(2);
    for (let at = 0; at < 12; at++) await it.create(1, `n${at}`, [`10.${at}.0.0/16`]);
    await it.pass(2);
    assert.equal(it.names[1]?.length, 12);
    assert.deepEqual(new Set(it.copies(2)), new Set(['kept']));
  });

  it('makes none where that is off, and removes those that there are', async () => {
    const it = new Cluster(3, (host) => host !== 2);
    await it.create(1, 'mine');
    await it.settle();
    assert.deepEqual(it.names, [['mine'], [], ['mine']]);
    it.restart(3, false);
    await it.rm(1, 'mine');
    await it.settle();
    assert.deepEqual(it.names, [[], [], []]);
  });

  it('goes on where a daemon that was killed had come to', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    // Killed after Docker has made it, before that was written down.
    const made = it.on.state(1).logicals.get(poolId('default', V4))!;
    const spec = { name: 'mine', subnets: [V4], internal: false };
    const options = { propagated: made.id };
    const labels = { 'net-routed.propagated': made.id };
    const create = () => it.at(2).create({ ...spec, options, ipamOptions: options, labels });
    await it.ordered(2, made.id, () => it.on.hosts.until(create()));
    it.restart(2);
    assert.deepEqual(it.copies(2), ['making']);
    await it.settle();
    assert.deepEqual([it.copies(2), it.names[1]], [['kept'], ['mine']]);
    // Killed after it was written down that it ends, before Docker was told.
    it.at(2).connect('mine', 1);
    await it.rm(1, 'mine');
    await it.pass(2);
    it.at(2).connect('mine', 0);
    it.restart(2);
    assert.deepEqual(it.copies(2), ['ending']);
    await it.settle();
    assert.deepEqual(it.names, [[], []]);
    assert.deepEqual([...it.on.store(2).all('network')], []);
    assert.deepEqual([...it.on.store(2).all('declined')], []);
  });

  it('makes it again when Docker was killed before it knew of it', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    it.at(2).dies = true;
    await assert.rejects(it.pass(2), { code: 'NR_DOCKER_UNAVAILABLE' });
    assert.deepEqual([it.copies(2), it.names[1]], [['making'], []]);
    await assert.rejects(it.pass(2), { code: 'NR_DOCKER_UNAVAILABLE' });
    it.at(2).away = false;
    await it.pass(2);
    assert.deepEqual(it.copies(2), ['making'], 'Docker may be making it');
    it.on.hosts.pass(61_000);
    await it.on.sweep(2, []);
    await it.settle();
    assert.deepEqual([it.copies(2), it.names[1]], [['kept'], ['mine']]);
  });

  it('makes again what Docker has given up while it was being made', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    const driver = it.on.driver(2);
    const options = { propagated: poolId('default', V4) };
    it.on.context(2).making.add(options.propagated);
    const { id } = await it.on.say(2, () => driver.requestPool({ pool: V4, options, v6: false }));
    const ipv4 = [{ addressSpace: 'net-routed', pool: V4, gateway: '0.0.0.0/0', auxAddresses: {} }];
    const call = { network: 'given-up', options, internal: false, ipv4, ipv6: [] };
    await it.on.say(2, () => driver.createNetwork(call));
    await it.on.say(2, () => driver.releasePool(id));
    await it.on.say(2, () => driver.deleteNetwork('given-up'));
    await it.settle();
    assert.deepEqual([it.copies(2), it.names[1]], [['kept'], ['mine']]);
  });

  it('removes what a daemon has made whose state is gone', async () => {
    const it = new Cluster(2);
    const labels = { 'net-routed.propagated': poolId('default', '10.7.0.0/16') };
    const stray = { name: 'stray', subnets: [], internal: false, options: {}, ipamOptions: {}, labels };
    const docker = new MemoryDocker();
    await docker.create(stray);
    await docker.create({ ...stray, name: 'other', labels: {} });
    const propagation = new Propagation(it.on.context(2), docker, false);
    await it.on.hosts.until(propagation.pass());
    assert.deepEqual(docker.names, ['other']);
  });

  it('is the same when Docker repeats itself', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    await it.settle();
    const { id } = [...it.on.state(2).networks.all()][0]!;
    const ipv4 = [{ addressSpace: 'net-routed', pool: V4, gateway: '0.0.0.0/0', auxAddresses: {} }];
    const options = { propagated: poolId('default', V4) };
    const call = { network: id, options, internal: false, ipv4, ipv6: [] };
    await it.on.say(2, (driver) => driver.createNetwork(call));
    assert.deepEqual(it.copies(2), ['kept']);
  });

  it('makes nothing of pools that are not of the network', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    await it.on.say(2, (driver) => driver.requestPool({ pool: '10.9.0.0/16', options: {}, v6: false }));
    const ipv4 = [
      { addressSpace: 'net-routed', pool: '10.9.0.0/16', gateway: '0.0.0.0/0', auxAddresses: {} },
    ];
    const call = {
      network: 'n',
      options: { propagated: poolId('default', V4) },
      internal: false,
      ipv4,
      ipv6: [],
    };
    const text = await it.ordered(2, call.options.propagated, () =>
      it.on.refused(2, (driver) => driver.createNetwork(call)),
    );
    assert.match(text, /NR_NETWORK_UNKNOWN: /);
    assert.deepEqual(it.copies(2), []);
  });

  it('makes nothing of a network that has ended before Docker asks for its addresses', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    const id = poolId('default', V4);
    const options = { propagated: id };
    it.on.context(2).making.add(id);
    const held = await it.on.say(2, (driver) => driver.requestPool({ pool: V4, options, v6: false }));
    await it.on.say(2, (driver) => driver.releasePool(held.id));
    await it.rm(1, 'mine');
    await it.settle();
    for (let round = 0; round < 5; round++) {
      it.on.hosts.pass(60_000);
      for (const host of [2, 1]) await it.on.sweep(host, []);
    }
    assert.equal(byName(it.on.state(2), 'default', 'mine'), undefined);
    it.on.context(2).making.add(id);
    const text = await it.on.refused(2, (driver) => driver.requestPool({ pool: V4, options, v6: false }));
    assert.match(text, /NR_NETWORK_UNKNOWN: .*"default:10\.1\.0\.0\/16"/);
    assert.deepEqual([...it.on.state(2).pools.all()], []);
  });

  it('leaves a network to the first of the others when the host that made it was forgotten', async () => {
    const it = new Cluster(3);
    await it.create(3, 'mine');
    await it.settle();
    const gone = {
      seal: 9999,
      how: 'forgotten',
      by: it.on.store(1).origin,
      heir: it.on.store(1).origin,
      last: 3,
    };
    it.on.store(1).write([{ key: `gone/${it.on.store(3).origin}`, value: gone }], () => {});
    it.on.hosts.gossip();
    for (const host of [2, 1, 2]) {
      it.restart(host);
      await it.pass(host);
    }
    assert.deepEqual([it.copies(1), it.copies(2)], [[undefined], ['kept']]);
    await it.rm(1, 'mine');
    for (const host of [2, 1]) {
      it.restart(host);
      await it.pass(host);
    }
    assert.deepEqual(it.names.slice(0, 2), [[], []]);
  });
});

describe('the propagation of networks, by itself', () => {
  it('follows what others write and what Docker does, and waits for a Docker that is away', async () => {
    const it = new Cluster(2);
    it.at(2).away = true;
    const propagation = new Propagation(it.on.context(2), it.at(2), true);
    propagation.start();
    const until = async (what: string, is: () => boolean, ms = 100_000) => {
      for (let turn = 0; !is(); turn++) {
        assert.ok(turn * 100 < ms, what);
        it.on.hosts.pass(100);
        await new Promise(setImmediate);
      }
    };
    await it.create(1, 'mine');
    it.on.hosts.pass(10_000);
    await new Promise(setImmediate);
    assert.deepEqual(it.names[1], []);
    it.at(2).away = false;
    await until('it is made', () => it.copies(2)[0] === 'kept');
    it.at(2).connect('mine', 1);
    await it.rm(1, 'mine');
    await until('it is said', () => propagation.obstacles.length === 1);
    await until('it was tried often', () => it.at(2).refusals > 5);
    it.at(2).connect('mine', 0);
    await until('it goes', () => it.names[1]?.length === 0, 2000);
    await it.on.hosts.until(propagation.close());
    await it.create(1, 'mine');
    it.on.hosts.pass(60_000);
    await new Promise(setImmediate);
    assert.deepEqual(it.names[1], [], 'not any more');
  });
});

describe('of a host that is about to leave, the propagation of networks', () => {
  const left = (it: Cluster, host: number) => {
    const { leaving } = it.on.hosts.at(host - 1).cluster;
    let ended = '';
    for (let times = 0; times < 5 && ended !== 'done'; times++) {
      ended = it.on.hosts.ended((done) => leaving.leave(done));
      it.on.hosts.gossip();
    }
    return ended;
  };

  it('removes what it has made, and makes nothing again', async () => {
    const it = new Cluster(3);
    await it.create(1, 'mine', [V4, V6]);
    await it.settle();
    const back = await it.vacate(2);
    assert.deepEqual(it.names, [['mine'], [], ['mine']]);
    assert.deepEqual([...it.on.store(2).list('network'), ...it.on.store(2).list('declined')], []);
    await it.settle();
    assert.deepEqual(it.names[1], []);
    assert.equal(left(it, 2), 'done');
    back();
    await it.settle();
    assert.deepEqual(it.names, [['mine'], [], ['mine']]);
  });

  it('makes them again if the host stays after all', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    await it.settle();
    (await it.vacate(2))();
    await it.settle();
    assert.deepEqual([it.names, it.copies(2)], [[['mine'], ['mine']], ['kept']]);
  });

  it('removes nothing while a person has something to remove, which is named', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    await it.create(1, 'other', ['10.2.0.0/16']);
    await it.create(2, 'own', ['10.3.0.0/16']);
    await it.on.name(2, Object.fromEntries((await it.at(2).listed()).map(({ id, name }) => [id, name])));
    await it.settle();
    const refused = (what: string) =>
      assert.rejects(it.vacate(2), { code: 'NR_MEMBER_IN_USE', what: `this host has ${what}` });
    const { driver, state } = { driver: it.on.driver(2), state: it.on.state(2) };
    const copy = [...state.networks.all()].find(({ pools }) => pools[0] === poolId('default', V4))!;
    const pool = poolId('default', V4);
    const { address } = await it.on.hosts.until(driver.requestAddress({ pool, gateway: false }));
    const endpoint = { network: copy.id, endpoint: 'e1', address, options: {} };
    await it.on.hosts.until(driver.createEndpoint(endpoint));
    await refused('2 networks: mine (with 1 container), own');
    assert.deepEqual(it.names[1], ['mine', 'other', 'own']);
    await it.rm(2, 'own');
    await refused('1 network: mine (with 1 container)');
    await it.settle();
    assert.deepEqual(it.names[1], ['mine', 'other'], 'nor is any removed later');
    await it.on.hosts.until(driver.deleteEndpoint(copy.id, 'e1'));
    await it.on.hosts.until(driver.releaseAddress(pool, address.replace('/32', '')));
    await it.vacate(2);
    assert.deepEqual(it.names[1], []);
  });

  it('says what Docker does not remove, and tries it at once when it is asked again', async () => {
    const it = new Cluster(2);
    await it.create(1, 'mine');
    await it.settle();
    it.at(2).connect('mine', 1);
    const refused = () =>
      assert.rejects(it.vacate(2), {
        code: 'NR_MEMBER_IN_USE',
        what: 'this host has 1 network: mine (network mine has active endpoints)',
      });
    await refused();
    await refused();
    assert.equal(it.at(2).refusals, 2);
    it.at(2).connect('mine', 0);
    await it.vacate(2);
    assert.deepEqual(it.names[1], []);
  });

  it('needs Docker only for what it has made', async () => {
    const it = new Cluster(2);
    it.at(2).away = true;
    (await it.vacate(2))();
    it.at(2).away = false;
    await it.create(1, 'mine');
    await it.settle();
    await it.pass(2);
    it.at(2).away = true;
    await assert.rejects(it.vacate(2), { code: 'NR_DOCKER_UNAVAILABLE' });
    it.at(2).away = false;
    await it.settle();
    assert.deepEqual(it.copies(2), ['kept']);
  });

  it('removes it of a host that has no say any more', async () => {
    const it = new Cluster(3);
    await it.create(1, 'mine');
    await it.settle();
    it.on.hosts.at(1).cluster.standing.halt('gone');
    await it.vacate(2);
    assert.deepEqual(it.names[1], []);
  });
});
