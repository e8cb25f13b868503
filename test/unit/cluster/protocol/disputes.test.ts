import assert from 'node:assert/strict';
import { CLUSTER_CLASSES } from '../../../../src/cluster/protocol/namespaces.ts';
import { NAMESPACES } from '../../../../src/plan/namespaces.ts';
import type { Json } from '../../../../src/ports/store.ts';
import { MemoryStore } from '../../../../src/store/memory.ts';
import { sealedHosts } from '../sealed.ts';
import { Hosts, type Node } from '../world.ts';

const KEY = 'chunk/s/0';

/** Some time, in which those that are there hear of each other's writes. */
function live(hosts: Hosts, ms: number): void {
  for (let passed = 0; passed < ms; passed += 1000) {
    hosts.pass(1000);
    hosts.gossip();
  }
}

interface Split {
  readonly hosts: Hosts;
  readonly giver: Node;
  /** They were given the same chunk. */
  readonly rivals: readonly [Node, Node];
  readonly warnings: { disputed?: { key: string } }[];
}

function want(hosts: Hosts, node: Node): void {
  assert.equal(
    hosts.ended((done) => node.cluster.wants.want(node.cluster.spaces.get('s')!, done)),
    'done',
  );
}

/** Takes a value of those that a host may give. */
function allocate(hosts: Hosts, node: Node): bigint | undefined {
  node.cluster.standing.mayGive();
  const value = node.cluster.spaces.allocator('s')!.next({ now: hosts.time.now, strict: true });
  if (value === undefined) return undefined;
  node.store.write([{ key: `allocation/${node.id}/s/${value}`, value: {} }], (error) =>
    assert.equal(error, undefined),
  );
  hosts.run();
  return value;
}

/**
 * The disk of who gives chunks is set back to before it gave one, which only the host that got it knows of; that one is
 * not there when the giver starts, and gives the chunk again.
 */
function split(
  hosts: Hosts,
  use: (first: Node, second: Node) => void = () => {},
  { before = 0 }: { /** Later writes of the giver that are lost, too. */ before?: number } = {},
): Split {
  const warnings: Split['warnings'] = [];
  hosts.warned = (what) => void warnings.push(what);
  live(hosts, 5000);
  const [giver, first, second] = hosts.nodes as [Node, Node, Node];
  const backup = giver.store.disk.copy();
  want(hosts, first);
  for (let number = 0; number < before; number++)
    giver.store.write([{ key: `policy/${number}`, value: 'lost' }], () => {});
  hosts.run();
  first.store.merge([giver.store.range(giver.id, first.store.known(giver.id))]);
  hosts.run();
  first.deaf = true;
  Object.assign(giver.store, {
    crash: () => {
      giver.store.kill();
      const store = new MemoryStore({
        classes: new Map([...CLUSTER_CLASSES, ...NAMESPACES]),
        wallMs: () => hosts.time.now,
        schedule: (flush) => void hosts.after(0, flush),
        disk: backup,
      });
      store.sealer = giver.store.sealer;
      return store;
    },
  });
  const again = giver.restart();
  hosts.pass(3000);
  second.cluster.wants.want(second.cluster.spaces.get('s')!, () => {});
  hosts.pass(100);
  use(first, second);
  first.deaf = false;
  return { hosts, giver: again, rivals: [first, second], warnings };
}

function owners({ hosts }: Split): (string | undefined)[] {
  return hosts.nodes.map(({ cluster }) => cluster.ownership.owner(KEY));
}

function problems(node: Node): string[] {
  return node.cluster.disputes.problems().map(({ message }) => message);
}

const KINDS: readonly [string, (count: number) => Hosts][] = [
  ['with seals', sealedHosts],
  ['without', (count) => new Hosts(count)],
];

for (const [kind, make] of KINDS)
  describe(`a chunk that was given to two hosts, ${kind}`, () => {
    it("is the same one's on all hosts in the end, and nobody gives of it, over restarts", () => {
      const told = split(make(4));
      const { hosts, giver, rivals, warnings } = told;
      assert.notEqual(rivals[0].cluster.ownership.owner(KEY), rivals[1].cluster.ownership.owner(KEY));
      giver.cluster.standing.halt('rollback'); // as a link would tell it
      live(hosts, 400_000);
      assert.equal(new Set(owners(told)).size, 1);
      for (const one of [...rivals, hosts.at(3)]) {
        assert.equal(one.store.version(KEY)?.sequence, rivals[0].store.version(KEY)?.sequence);
        assert.match(
          problems(one)[0] ?? '',
          /NR_OWNER_DISPUTED: value 0 of s to value 3 of s .* host h2 and host h3/,
        );
      }
      assert.ok(warnings.some(({ disputed }) => disputed?.key === KEY));
      for (const [at, one] of rivals.entries()) {
        assert.equal(one.cluster.spaces.allocator('s')!.owns(0n), false);
        const again = one.restart();
        live(hosts, 5000);
        assert.equal(again.cluster.spaces.allocator('s')!.owns(0n), false, `rival ${at}`);
        assert.equal(problems(again).length, 1);
      }
      const stranger = hosts.at(3);
      const claimed = hosts.ended((done) =>
        stranger.cluster.claims.claim(stranger.cluster.spaces.get('s')!, 1n, () => [], done),
      );
      assert.match(claimed, /NR_OWNER_DISPUTED/);
    });

    it('is found by comparing as well, where the writes of both lives have the same numbers', () => {
      const told = split(make(4), () => {}, { before: 50 });
      const { hosts, giver, rivals } = told;
      giver.cluster.standing.halt('rollback');
      live(hosts, 3000);
      assert.deepEqual([...rivals[0].store.vector].sort(), [...rivals[1].store.vector].sort());
      assert.notEqual(owners(told)[1], owners(told)[2], 'nothing tells');
      live(hosts, 400_000);
      assert.equal(new Set(owners(told).slice(1)).size, 1);
      for (const one of hosts.nodes.slice(1)) {
        assert.equal(problems(one).length, 1);
        assert.equal(one.cluster.spaces.allocator('s')!.owns(0n), false);
      }
    });

    it("keeps what both have of it, and is its owner's when it is forgotten who was set back, and drained", () => {
      const hosts = make(5);
      const told = split(hosts, (first, second) => {
        assert.equal(allocate(hosts, first), 0n);
        assert.equal(allocate(hosts, second), 0n, 'nobody could know');
      });
      const { giver, rivals } = told;
      giver.cluster.standing.halt('rollback');
      live(hosts, 200_000);
      const winner = rivals.find(({ id }) => id === owners(told)[1])!;
      const loser = rivals.find((one) => one !== winner)!;
      for (const one of rivals) assert.ok(one.store.get(`allocation/${one.id}/s/0`));
      assert.match(problems(winner)[0]!, /has 1 of them in use, host h1 could not be asked/);
      giver.cluster.stop();
      hosts.nodes.splice(0, 1);
      assert.equal(
        hosts.ended((done) => {
          hosts.at(3).cluster.forgetting.forget([giver.id], false, done);
          live(hosts, 3000);
        }),
        'done',
      );
      live(hosts, 30_000);
      assert.equal(winner.cluster.spaces.allocator('s')!.owns(0n), false, 'the other one has a value of it');
      loser.store.write([{ key: `allocation/${loser.id}/s/0` }], () => {});
      live(hosts, 30_000);
      assert.deepEqual(hosts.nodes.map(problems), [[], [], [], []]);
      assert.equal(winner.cluster.spaces.allocator('s')!.owns(0n), true);
      assert.equal(loser.cluster.spaces.allocator('s')!.owns(0n), false);
      assert.equal(allocate(hosts, winner), 1n, 'what it has itself it still has');
    });
  });

describe('a chunk that was given to two hosts, of which one has given it on', () => {
  it('is in dispute as well, and all hear all of each other', () => {
    const hosts = sealedHosts(4);
    const told = split(hosts, (first) => {
      // To who is not there, so that it is known to nobody else.
      first.store.write([{ key: KEY, value: { owner: hosts.at(3).id } }], (error) =>
        assert.equal(error, undefined),
      );
      hosts.run();
    });
    told.giver.cluster.standing.halt('rollback');
    live(hosts, 100_000);
    assert.deepEqual(
      owners(told),
      Array.from({ length: 4 }, () => hosts.at(3).id),
    );
    for (const one of hosts.nodes.slice(1)) {
      assert.deepEqual(one.cluster.doubts.problems(), []);
      assert.match(problems(one)[0] ?? '', /host h2 and host h3 and host h4/);
      assert.equal(one.cluster.spaces.allocator('s')!.owns(0n), false);
    }
  });
});

describe('a dispute about nothing', () => {
  it('is no problem, whatever a member writes', () => {
    const hosts = sealedHosts(3);
    hosts.pass(2000);
    const values: Json[] = [null, 5, {}, { owners: 5 }, { owners: [hosts.at(1).id] }];
    const keys = ['p0', 'chunk', 'chunk/s/99', 'chunk/no/1', `member/${hosts.at(1).id}`, 'treasury/none'];
    const junk = keys.flatMap((key) => values.map((value) => ({ key: `dispute/${key}`, value })));
    hosts.at(2).store.write(junk, () => {});
    hosts.gossip();
    live(hosts, 5000);
    assert.deepEqual(problems(hosts.at(0)), []);
  });
});
