import assert from 'node:assert/strict';
import { Gossip, type GossipMessage } from '../../../../src/cluster/gossip/gossip.ts';
import { farewellOf } from '../../../../src/cluster/protocol/departures.ts';
import { goneChange } from '../../../../src/cluster/protocol/members.ts';
import { ownedBy } from '../../../../src/cluster/protocol/ownership.ts';
import type { Ground } from '../../../../src/cluster/protocol/ports.ts';
import { promiseChange } from '../../../../src/cluster/protocol/promise.ts';
import type { CodedError } from '../../../../src/errors.ts';
import type { Change, Json } from '../../../../src/ports/store.ts';
import { forge, owned, sealedHosts, sealerOf, tell } from '../sealed.ts';
import type { Hosts, Node } from '../world.ts';

function write(hosts: Hosts, by: Node, ...changes: Change[]): void {
  by.store.write(changes, (error) => assert.equal(error, undefined));
  hosts.run();
}

function left(gone: Node, witness: Node, heir: Node): Change {
  const seal = witness.store.known(gone.id);
  const word = { seal, ...sealerOf(gone.id).word(farewellOf(gone.id, seal, heir.id)) };
  return goneChange({ id: gone.id, seal, how: 'left', by: witness.id, heir: heir.id, last: 6, word });
}

/** Two members who each took a place first, and then said why the other one may have its. */
function crossed(): { hosts: Hosts; treasury: Node; one: Node; other: Node; late: Node } {
  const hosts = sealedHosts(6);
  const [treasury, one, other, gone1, gone2, late] = hosts.nodes as [Node, Node, Node, Node, Node, Node];
  write(hosts, treasury, ownedBy('chunk/s/1', gone1.id), ownedBy('chunk/s/2', gone2.id));
  hosts.gossip();
  write(hosts, one, ownedBy('chunk/s/1', one.id));
  write(hosts, other, ownedBy('chunk/s/2', other.id));
  write(hosts, one, left(gone2, one, other));
  write(hosts, other, left(gone1, other, one));
  return { hosts, treasury, one, other, late };
}

/** The two, each up to its first part. */
function cut(late: Node, ...by: Node[]) {
  return by.map(({ id, store }) => store.range(id, late.store.known(id), 1));
}

/** The gossip of a host, and what it says to one that is linked with it. */
function linked(hosts: Hosts, node: Node, peer: Node) {
  const said: GossipMessage[] = [];
  const distrusted: CodedError[] = [];
  const asked: string[] = [];
  const ground: Ground = {
    timer: { now: () => hosts.time.now, after: hosts.after },
    random: () => 0.5,
    calls: { ask: (_member, method) => void asked.push(method) },
    log: { warn: () => {}, info: () => {} },
  };
  const gossip = new Gossip({ replica: node.store, cluster: node.cluster, ground });
  const { take } = gossip.connected(peer.id, {
    waiting: 0,
    send: (message) => void said.push(message),
    refuse: () => assert.fail('refused'),
    distrust: (error) => void distrusted.push(error),
  });
  return { take, said, distrusted };
}

describe('ranges that wait for each other', () => {
  it('are taken over together', () => {
    const { hosts, one, other, late } = crossed();
    const whole = [one, other].map(({ id, store }) => store.range(id, late.store.known(id)));
    assert.equal(late.store.take(whole).doubt, undefined);
    hosts.run();
    assert.equal(late.cluster.ownership.owner('chunk/s/1'), one.id);
    assert.equal(late.cluster.ownership.owner('chunk/s/2'), other.id);
  });

  it('are taken over one after the other, as what was left out is remembered', () => {
    const { one, other, late } = crossed();
    const [first, second] = [one, other].map(({ id, store }) => store.range(id, late.store.known(id)));
    assert.equal(late.store.take([first!]).doubt?.isForged, false);
    assert.equal(late.store.take([second!]).doubt, undefined);
    assert.equal(late.store.take([first!]).doubt, undefined);
  });

  it('wait no longer than until somebody is asked, if each is cut before what the other one needs', () => {
    const { hosts, treasury, one, other, late } = crossed();
    for (const node of [one, other])
      treasury.store.take(cut(treasury, one, other).concat(node.store.range(node.id, 0)));
    treasury.store.take([one, other].map(({ id, store }) => store.range(id, treasury.store.known(id))));
    hosts.run();
    assert.equal([...treasury.cluster.members.allGone()].length, 2);
    for (let times = 0; times < 3; times++) {
      const { doubt, isWhole } = late.store.take(cut(late, one, other));
      assert.deepEqual([doubt?.isForged, isWhole], [false, true], 'nothing is asked for again at once');
    }
    let isAnswered = false;
    late.cluster.doubts.ask(treasury.id, () => {
      isAnswered = true;
    });
    hosts.run();
    assert.ok(isAnswered);
    assert.equal(late.store.take(cut(late, one, other)).doubt, undefined);
    assert.equal(tell(one, late), undefined);
    assert.equal(tell(other, late), undefined);
    hosts.run();
    assert.equal([...late.cluster.members.allGone()].length, 2);
  });

  it('are not helped by evidence that is nobody’s, or counts no more', () => {
    const { hosts, treasury, one, late } = crossed();
    const [, , , gone1] = hosts.nodes as [Node, Node, Node, Node];
    const evidence = left(gone1, treasury, one);
    write(hosts, treasury, evidence);
    const version = treasury.store.version(evidence.key)!;
    const { admission } = late.store;
    const ask = (more: { [name: string]: Json }, limit: number) => {
      hosts.time.now += 2000;
      late.store.admission = { ...admission, limit: () => limit };
      const body: Json = {
        key: version.key,
        class: 'shared',
        text: version.text!,
        origin: version.origin,
        sequence: version.sequence,
        rank: version.rank,
        seal: Buffer.from(version.seal!).toString('base64'),
        ...more,
      };
      const serve = treasury.cluster.serve;
      const answer: typeof serve = (_method, _from, _body, done) =>
        done(undefined, { body: { versions: [body] } });
      Object.assign(treasury.cluster, { serve: answer });
      late.cluster.doubts.ask(treasury.id, () => {});
      hosts.run();
      Object.assign(treasury.cluster, { serve });
      late.store.admission = admission;
      return late.store.take(cut(late, one)).doubt !== undefined;
    };
    assert.ok(ask({ rank: version.rank + 1 }, Number.POSITIVE_INFINITY), 'altered');
    assert.ok(ask({ seal: '!' }, Number.POSITIVE_INFINITY), 'not even bytes');
    assert.ok(ask({}, version.sequence - 1), 'by one whose writes count no more');
    assert.ok(!ask({}, version.sequence), 'what is right');
  });

  it('are helped by what one has written that is frozen here, as far as it counts by its own departure', () => {
    const hosts = sealedHosts(5);
    const [treasury, heir, between, first, late] = hosts.nodes as [Node, Node, Node, Node, Node];
    write(hosts, treasury, ownedBy('chunk/s/1', first.id));
    hosts.gossip();
    write(hosts, between, left(first, between, between), ownedBy('chunk/s/1', between.id));
    assert.equal(tell(between, heir), undefined);
    // Nothing of that has arrived when it is asked to freeze who wrote it.
    write(hosts, late, promiseChange(late.store, between.id, { coordinator: heir.id, attempt: 1 }, false));
    const seal = heir.store.known(between.id);
    const gone = goneChange({ id: between.id, seal, how: 'forgotten', by: heir.id, heir: heir.id, last: 5 });
    write(hosts, heir, ownedBy('chunk/s/1', heir.id), gone);
    assert.equal(tell(heir, late)?.isForged, false);
    late.cluster.doubts.ask(heir.id, () => {});
    hosts.run();
    assert.equal(tell(heir, late), undefined);
    hosts.run();
    assert.equal(late.cluster.ownership.owner('chunk/s/1'), heir.id);
  });

  it('have somebody asked, but not all the time', () => {
    const { hosts, treasury, late } = crossed();
    const asked: number[] = [];
    const { serve } = treasury.cluster;
    const count: typeof serve = (...given) => {
      if (given[0] === 'evidence') asked.push(hosts.time.now);
      serve(...given);
    };
    Object.assign(treasury.cluster, { serve: count });
    const { doubts } = late.cluster;
    for (let ms = 0; ms < 10_000; ms += 100) {
      doubts.ask(treasury.id, () => {});
      hosts.run();
      hosts.time.now += 100;
    }
    assert.equal(asked.length, 5);
  });
});

describe('a link', () => {
  it('ends when what came on it was forged', () => {
    const hosts = sealedHosts(3);
    const [node, peer] = hosts.nodes as [Node, Node];
    const version = { ...forge(peer, owned('chunk/s/1', 1, peer.id)), text: `{"owner":"${node.id}"}` };
    const range = {
      origin: peer.id,
      from: node.store.known(peer.id),
      to: version.sequence,
      records: [version],
    };
    const { take, distrusted } = linked(hosts, node, peer);
    take({ kind: 'ranges', ranges: [range] });
    assert.deepEqual(
      distrusted.map(({ code }) => code),
      ['NR_RECORD_FORGED'],
    );
    assert.equal(node.cluster.doubts.counts.get('forged'), 1);
    assert.equal(node.store.version('chunk/s/1'), undefined);
  });

  it('goes on when what came on it is only not shown to be right, and somebody is asked', () => {
    const { hosts, one, other, treasury, late } = crossed();
    treasury.store.take([one, other].map(({ id, store }) => store.range(id, treasury.store.known(id))));
    hosts.run();
    const { take, said, distrusted } = linked(hosts, late, treasury);
    const before = said.length;
    take({ kind: 'ranges', ranges: cut(late, one) });
    assert.deepEqual(distrusted, []);
    assert.equal(said.length, before, 'not at once');
    hosts.run();
    assert.equal(said.at(-1)?.kind, 'vector', 'when the evidence has come');
    take({ kind: 'ranges', ranges: cut(late, one) });
    assert.equal(said.length, before + 1);
    hosts.run();
    assert.equal(late.cluster.ownership.owner('chunk/s/1'), one.id);
  });
});
