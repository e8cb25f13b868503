import assert from 'node:assert/strict';
import { farewellOf, GONE_DIGITS } from '../../../../src/cluster/protocol/departures.ts';
import { type Gone, goneChange, memberChange } from '../../../../src/cluster/protocol/members.ts';
import { ownedBy } from '../../../../src/cluster/protocol/ownership.ts';
import { releaseChange } from '../../../../src/cluster/protocol/promise.ts';
import type { Change } from '../../../../src/ports/store.ts';
import type { Doubt } from '../../../../src/store/admission.ts';
import { forge, owned, sealedHosts, sealerOf, tell, tellOne } from '../sealed.ts';
import type { Hosts, Node } from '../world.ts';

const KEY = 'chunk/s/3';
const FAR = 2 ** 51;
let stamp = FAR;

function write(hosts: Hosts, by: Node, ...changes: Change[]): void {
  by.store.write(changes, (error) => assert.equal(error, undefined));
  hosts.run();
}

function promised(hosts: Hosts, by: Node, victim: Node, coordinator: Node, more = {}): void {
  const to = [{ coordinator: coordinator.id, attempt: 1 }];
  const value = { to, limit: by.store.known(victim.id), ...more };
  write(hosts, by, { key: `promise/${victim.id}`, value });
}

/** That a member has gone, by one who says so, as another one hears it. */
function said(by: Node, to: Node, gone: Partial<Gone> & { readonly id: string }): Doubt | undefined {
  const { value } = goneChange({
    seal: to.store.known(gone.id),
    how: 'forgotten',
    by: by.id,
    heir: by.id,
    last: 9,
    ...gone,
  });
  const version = {
    key: `gone/${gone.id}`,
    class: 'shared',
    text: JSON.stringify(value),
    rank: ++stamp,
  } as const;
  return tellOne(forge(by, version), to);
}

function wordOf(gone: Node, seal: number, heir: string) {
  return { seal, ...sealerOf(gone.id).word(farewellOf(gone.id, seal, heir)) };
}

describe('that a member was forgotten', () => {
  it('is believed by who has promised it, of the one to whom', () => {
    const hosts = sealedHosts(4);
    const [asked, coordinator, thief, victim] = hosts.nodes as [Node, Node, Node, Node];
    promised(hosts, asked, victim, coordinator);
    assert.match(said(thief, asked, { id: victim.id })!.what, /was not promised to forget it/);
    assert.match(
      said(thief, asked, { id: victim.id, by: coordinator.id, heir: coordinator.id })!.what,
      /forgets nobody/,
    );
    assert.equal(asked.cluster.members.isPresent(victim.id), true);
    assert.equal(said(coordinator, asked, { id: victim.id }), undefined);
    hosts.run();
    assert.equal(asked.cluster.members.isPresent(victim.id), false);
  });

  it('is believed of an earlier coordinator, too, whose place another one took that gave up', () => {
    const hosts = sealedHosts(5);
    const [asked, coordinator, other, thief, victim] = hosts.nodes as [Node, Node, Node, Node, Node];
    const promise = (by: Node, attempt: number, victims: readonly Node[]) => {
      const body = { attempt, victims: victims.map(({ id }) => id) };
      asked.cluster.serve('promise', by.id, body, (error) => assert.equal(error, undefined));
      hosts.run();
    };
    promise(coordinator, 1, [victim]);
    promise(other, 2, [victim, coordinator]);
    write(
      hosts,
      asked,
      ...[victim, coordinator].flatMap(({ id }) =>
        releaseChange(asked.store, id, { coordinator: other.id, attempt: 2 }),
      ),
    );
    assert.match(said(thief, asked, { id: victim.id })!.what, /was not promised to forget it/);
    assert.equal(said(coordinator, asked, { id: victim.id }), undefined);
    hosts.run();
    assert.equal(asked.cluster.members.isPresent(victim.id), false);
    assert.ok(asked.store.get(`promise/${victim.id}`));
    asked.cluster.forgetting.tidy();
    hosts.run();
    assert.equal(asked.store.get(`promise/${victim.id}`), undefined, 'it is known how that ended');
  });

  it('is not believed by the one that it is said of', () => {
    const hosts = sealedHosts(3);
    const [, thief, victim] = hosts.nodes as [Node, Node, Node];
    assert.ok(said(thief, victim, { id: victim.id }));
    assert.equal(victim.cluster.standing.halted, undefined);
  });

  it('is not to be written for another heir', () => {
    const hosts = sealedHosts(4);
    const [asked, coordinator, thief, victim] = hosts.nodes as [Node, Node, Node, Node];
    promised(hosts, asked, victim, coordinator);
    assert.equal(said(coordinator, asked, { id: victim.id, heir: thief.id })?.isForged, true);
  });

  it('is believed by who came later, as its sponsor had promised it or heard of it', () => {
    const before = (hosts: Hosts, value: object) => {
      const [sponsor, , , , late] = hosts.nodes as [Node, Node, Node, Node, Node];
      const member = { id: late.id, key: late.id, number: 5, complete: true };
      write(hosts, sponsor, memberChange({ ...member, before: { gone: '', frozen: {}, ...value } }));
      assert.equal(tell(sponsor, late), undefined);
      hosts.run();
      return late;
    };
    const hear = (value: (victim: Node, coordinator: Node) => object, last: number) => {
      const hosts = sealedHosts(5);
      const [, coordinator, , victim] = hosts.nodes as [Node, Node, Node, Node];
      return said(coordinator, before(hosts, value(victim, coordinator)), { id: victim.id, last })?.what;
    };
    assert.match(hear(() => ({}), 4)!, /was not promised/, 'whatever it says of when that was');
    assert.equal(
      hear(({ id }, coordinator) => ({ frozen: { [id]: [coordinator.id] } }), 4),
      undefined,
    );
    assert.match(hear(({ id }) => ({ frozen: { [id]: [id] } }), 4)!, /was not promised/);
    assert.equal(
      hear(({ id }) => ({ gone: `00000000${id.slice(0, GONE_DIGITS)}` }), 4),
      undefined,
    );
  });

  it('is believed by who is no member yet', () => {
    const hosts = sealedHosts(4);
    const [, coordinator, newcomer, victim] = hosts.nodes as [Node, Node, Node, Node];
    newcomer.store.drop([newcomer.store.version(`member/${newcomer.id}`)!]);
    newcomer.store.sync();
    newcomer.restart();
    const again = hosts.at(2);
    assert.equal(again.cluster.members.get(again.id), undefined);
    assert.equal(said(coordinator, again, { id: victim.id }), undefined);
  });

  it('stays as it is, but that less counts of one that is frozen again', () => {
    const hosts = sealedHosts(5);
    const [asked, coordinator, next, victim, thief] = hosts.nodes as [Node, Node, Node, Node, Node];
    const seal = asked.store.known(victim.id) + 5;
    promised(hosts, asked, victim, coordinator);
    assert.equal(said(coordinator, asked, { id: victim.id, seal }), undefined);
    hosts.run();
    const { id } = victim;
    const its = { id, by: coordinator.id, heir: coordinator.id };
    assert.match(said(thief, asked, { ...its, seal: 0 })!.what, /less of it counts/);
    assert.match(said(thief, asked, { ...its, seal, last: 0 })!.what, /forgets nobody/);
    assert.match(said(thief, asked, { id, seal })!.what, /another way/);
    assert.match(said(coordinator, asked, { ...its, seal: seal + 1 })!.what, /more of its writes/);
    promised(hosts, asked, victim, next, { again: true });
    assert.match(said(thief, asked, { ...its, seal: 0 })!.what, /less of it counts/);
    assert.equal(said(next, asked, { ...its, seal: seal - 1 }), undefined);
  });

  it('has no end', () => {
    const hosts = sealedHosts(3);
    const version = forge(hosts.at(0), {
      key: `gone/${hosts.at(2).id}`,
      class: 'shared',
      text: undefined,
      rank: FAR,
    });
    assert.equal(tellOne(version, hosts.at(1))?.isForged, true);
  });
});

describe('that a member has left', () => {
  it('is believed with its signature, whoever passes it on', () => {
    const hosts = sealedHosts(4);
    const [to, witness, heir, leaver] = hosts.nodes as [Node, Node, Node, Node];
    const seal = to.store.known(leaver.id);
    const left = { id: leaver.id, how: 'left', seal, heir: heir.id } as const;
    const isForged = (more: Partial<Gone>) => said(witness, to, { ...left, ...more })?.isForged;
    assert.equal(isForged({}), true, 'no word');
    assert.equal(isForged({ word: wordOf(witness, seal, heir.id) }), true, 'of another one');
    assert.equal(isForged({ word: wordOf(leaver, seal, witness.id) }), true, 'for another heir');
    assert.equal(
      isForged({ word: wordOf(leaver, seal, heir.id), seal: seal + 1 }),
      true,
      'more than it said',
    );
    assert.equal(
      isForged({ word: wordOf(leaver, seal, heir.id), seal: seal - 1 }),
      false,
      'less than it said',
    );
    assert.equal(isForged({ word: wordOf(leaver, seal, heir.id) }), undefined);
    hosts.run();
    assert.equal(to.cluster.members.heir(leaver.id), heir.id);
  });

  it('is written down by who was asked to, only with its signature', () => {
    const hosts = sealedHosts(3);
    const [treasury, other, leaver] = hosts.nodes as [Node, Node, Node];
    const ask = (body: object) => {
      let answer = '';
      treasury.cluster.serve('left', leaver.id, body as never, (error) => {
        answer = error?.code ?? 'done';
      });
      hosts.run();
      return answer;
    };
    const parting = { seal: treasury.store.known(leaver.id), heir: other.id };
    assert.equal(ask(parting), 'NR_MEMBER_REFUSED');
    const { key, signature } = wordOf(leaver, parting.seal, other.id);
    assert.equal(ask({ ...parting, seal: 0, word: { key, signature } }), 'NR_MEMBER_REFUSED');
    assert.equal(ask({ ...parting, word: { key, signature } }), 'done');
    assert.equal(tell(treasury, other), undefined);
  });

  it('is all that it takes for a member to leave', () => {
    const hosts = sealedHosts(3);
    const leaver = hosts.at(2);
    write(hosts, hosts.at(0), ownedBy(KEY, leaver.id));
    hosts.gossip();
    let ended = '';
    for (let times = 0; times < 5 && ended !== 'done'; times++) {
      ended = hosts.ended((done) => leaver.cluster.leaving.leave(done));
      hosts.gossip();
    }
    assert.equal(ended, 'done');
    for (const { cluster } of hosts.nodes.slice(0, 2)) {
      assert.equal(cluster.members.gone(leaver.id)?.how, 'left');
      assert.notEqual(cluster.ownership.owner(KEY), leaver.id);
    }
  });
});

describe('the place of one that has gone', () => {
  it('is its heir’s, and that one’s heir’s', () => {
    const hosts = sealedHosts(5);
    const [to, heir, next, leaver, thief] = hosts.nodes as [Node, Node, Node, Node, Node];
    write(hosts, to, ownedBy(KEY, leaver.id));
    hosts.gossip();
    const takeover = (by: Node, before = by.store.version(KEY)!) =>
      forge(by, owned(KEY, before.rank + 1, by.id), before);
    assert.match(tellOne(takeover(heir), to)!.what, /not given/, 'nothing is known of its leaving yet');
    const seal = to.store.known(leaver.id);
    assert.equal(
      said(next, to, {
        id: leaver.id,
        how: 'left',
        seal,
        heir: heir.id,
        word: wordOf(leaver, seal, heir.id),
      }),
      undefined,
    );
    hosts.run();
    assert.match(tellOne(takeover(thief), to)!.what, /not given/);
    assert.match(tellOne(takeover(next), to)!.what, /not given/);
    promised(hosts, to, heir, next);
    assert.equal(tellOne(takeover(next), to), undefined, 'who was promised to have its heir’s place');
  });

  it('is found in the same range, whatever stands first in it', () => {
    const hosts = sealedHosts(4);
    const [to, other, coordinator, victim] = hosts.nodes as [Node, Node, Node, Node];
    write(hosts, to, ownedBy(KEY, victim.id));
    hosts.gossip();
    for (const by of [to, other]) promised(hosts, by, victim, coordinator);
    const { value } = goneChange({
      id: victim.id,
      seal: 2,
      how: 'forgotten',
      by: coordinator.id,
      heir: coordinator.id,
      last: 4,
    });
    write(hosts, coordinator, ownedBy(KEY, coordinator.id), { key: `gone/${victim.id}`, value });
    assert.equal(tell(coordinator, to), undefined);
    hosts.run();
    assert.equal(to.cluster.ownership.owner(KEY), coordinator.id);
  });

  it('is not had by saying that somebody has gone', () => {
    const hosts = sealedHosts(4);
    const [to, thief, , victim] = hosts.nodes as [Node, Node, Node, Node];
    write(hosts, to, ownedBy(KEY, victim.id));
    hosts.gossip();
    assert.ok(said(thief, to, { id: victim.id }), 'remembered, as what is left out is');
    assert.match(tellOne(forge(thief, owned(KEY, 2, thief.id)), to)!.what, /not given/);
  });

  it('is not given by one who counts no more', () => {
    const hosts = sealedHosts(4);
    const [treasury, to, thief] = hosts.nodes as [Node, Node, Node];
    promised(hosts, to, treasury, hosts.at(3));
    write(hosts, treasury, ownedBy('treasury/default', thief.id));
    assert.equal(tell(treasury, to), undefined, 'left out without a word');
    assert.equal(to.cluster.ownership.treasury('default'), treasury.id);
    assert.match(tellOne(forge(thief, owned(KEY, 1, thief.id)), to)!.what, /first owner/);
  });
});
