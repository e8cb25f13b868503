import assert from 'node:assert/strict';
import { Door, farewell } from '../../../../src/cluster/links/door.ts';
import { goneChange } from '../../../../src/cluster/protocol/members.ts';
import { promiseChange } from '../../../../src/cluster/protocol/promise.ts';
import type { Change } from '../../../../src/ports/store.ts';
import type { Hello } from '../../../../src/store/gossip/messages.ts';
import { Hosts, type Node } from '../world.ts';

const UUID = '0f3b2c1a-0000-4000-8000-1234567890ab';

describe('the door of a host', () => {
  let hosts: Hosts;
  let self: Node;
  let peer: Node;
  let founder: string | undefined;
  let door: Door;
  const doorOf = ({ id, cluster, store }: Node): Door =>
    new Door({
      self: id,
      uuid: UUID,
      replica: store,
      cluster,
      clock: {
        now: () => hosts.time.now,
        wall: () => hosts.time.now + hosts.setMs + 0.4,
        after: hosts.after,
      },
      founder: () => founder,
    });
  beforeEach(() => {
    hosts = new Hosts(3);
    hosts.pass(1000);
    hosts.gossip();
    [self, peer] = [hosts.at(0), hosts.at(1)];
    founder = undefined;
    door = doorOf(self);
  });
  const hello = (change: Partial<Hello> = {}): Hello => ({ ...doorOf(peer).hello('link'), ...change });
  /** The word for why a peer with this hello may not come in. */
  const reason = (change: Partial<Hello> = {}, boots: readonly string[] = []) =>
    door.objection(peer.id, hello(change), boots)?.reason;
  const write = (by: Node, change: Change) => {
    by.store.write([change], (error) => assert.equal(error, undefined));
    hosts.gossip();
  };

  it('is open when its start is on disk', () => {
    const late = hosts.newcomer();
    const closed = doorOf(late);
    assert.ok(!closed.isOpen);
    hosts.run();
    assert.ok(closed.isOpen);
  });

  it('says who it is, and who made the cluster as soon as it knows', () => {
    hosts.setMs = 7000;
    const greeting = self.cluster.arrival.greeting!;
    const first = { kind: 'hello', protocol: 1, cluster: UUID, ...greeting, purpose: 'call' };
    const wallMs = hosts.time.now + 7000;
    assert.deepEqual(door.hello('call'), { ...first, wallMs });
    founder = peer.id;
    assert.deepEqual(door.hello('call'), { ...first, wallMs, founder });
  });

  it('lets members in', () => {
    assert.equal(reason(), undefined);
    assert.equal(reason({ purpose: 'call' }), undefined);
    assert.equal(reason({ protocol: 2 }), undefined, 'of a later release');
  });

  it('turns away who is of another cluster, another one than it says, or too old', () => {
    assert.equal(reason({ cluster: 'another' }), 'cluster');
    assert.equal(reason({ id: hosts.at(2).id }), 'identity');
    assert.equal(reason({ protocol: 0 }), 'protocol');
    assert.equal(door.objection(peer.id, hello({ protocol: 0 }), [])?.code, 'NR_MEMBER_REFUSED');
  });

  it('turns away who is of a cluster that another host made, where both know that', () => {
    assert.equal(reason({ founder: 'x' }), undefined);
    founder = self.id;
    assert.equal(reason({ founder: undefined }), undefined);
    assert.equal(reason({ founder: self.id }), undefined);
    assert.equal(reason({ founder: 'x' }), 'founder');
  });

  it('knows this very host, and stops it where somebody else has its identity', () => {
    const own = door.hello('link');
    assert.ok(door.isMyself(self.id, own));
    assert.ok(!door.isMyself(self.id, { ...own, boot: 'another' }));
    assert.ok(!door.isMyself(peer.id, own));
    assert.ok(!door.isMyself(self.id, hello()));
    assert.equal(self.cluster.standing.halted, undefined);
    const objection = door.objection(self.id, { ...own, boot: 'another' }, []);
    assert.deepEqual([objection?.reason, objection?.code], ['clone', 'NR_MEMBER_CLONED']);
    assert.equal(self.cluster.standing.halted, 'clone');
  });

  it('tells a member what is wrong with it for good, whatever it comes for', () => {
    write(self, goneChange({ id: peer.id, seal: 99, how: 'forgotten', by: self.id, heir: self.id, last: 6 }));
    for (const purpose of ['link', 'call'] as const) {
      const objection = door.objection(peer.id, hello({ purpose }), []);
      assert.deepEqual(objection, { reason: 'gone', ...farewell(peer.id, 'gone') });
      assert.equal(objection?.code, 'NR_MEMBER_GONE');
    }
    assert.equal(farewell('x', 'rollback').code, 'NR_MEMBER_ROLLED_BACK');
  });

  it('tells one that was started twice', () => {
    const { bootSequence } = hello();
    assert.equal(reason({ boot: 'copy', bootSequence }), 'clone');
    assert.equal(reason({ boot: 'copy', bootSequence, purpose: 'call' }), 'clone');
  });

  it('tells one whose disk was set back', () => {
    write(peer, { key: `network/${peer.id}/n`, value: {} });
    const bootSequence = self.store.known(peer.id);
    assert.equal(reason({ boot: 'anew', bootSequence }), 'rollback');
    assert.equal(reason({ boot: 'anew', bootSequence: bootSequence + 1 }), undefined);
  });

  it('links with one of two that have one identity, and answers both', () => {
    assert.equal(reason({}, ['another']), 'twice');
    assert.equal(reason({ purpose: 'call' }, ['another']), undefined);
    assert.equal(reason({}, [hello().boot]), undefined);
  });

  it('links with nobody that is being forgotten, but answers it', () => {
    const to = { coordinator: hosts.at(2).id, attempt: 1 };
    write(self, promiseChange(self.store, peer.id, to, false));
    const objection = door.objection(peer.id, hello(), []);
    assert.deepEqual([objection?.reason, objection?.code], ['busy', 'NR_MEMBER_BUSY']);
    assert.equal(reason({ purpose: 'call' }), undefined);
  });

  it('links with nobody before the host has heard what others know of it', () => {
    const anew = self.restart();
    hosts.loses = () => true;
    door = doorOf(anew);
    assert.ok(anew.cluster.standing.starting);
    assert.equal(reason(), 'busy');
    assert.equal(reason({ purpose: 'call' }), undefined);
  });

  it('links for a minute with nobody that has told what is not true, but answers it', () => {
    door.distrust(peer.id);
    assert.ok(door.isDistrusted(peer.id));
    assert.ok(!door.isDistrusted(hosts.at(2).id));
    const objection = door.objection(peer.id, hello(), []);
    assert.deepEqual([objection?.reason, objection?.code], ['distrusted', 'NR_RECORD_FORGED']);
    assert.equal(reason({ purpose: 'call' }), undefined);
    hosts.time.now += 59_999;
    assert.equal(reason(), 'distrusted');
    hosts.time.now += 1;
    assert.equal(reason(), undefined);
  });

  it('stops this host when a member tells it that something is wrong with it, and not for what passes', () => {
    const told = (code: string) => {
      const { id, cluster, store } = new Hosts(1).at(0);
      doorOf({ id, cluster, store } as Node).told(code);
      return cluster.standing.halted;
    };
    assert.deepEqual(
      [
        'NR_MEMBER_GONE',
        'NR_MEMBER_PASSED',
        'NR_MEMBER_CLONED',
        'NR_MEMBER_ROLLED_BACK',
        'NR_MEMBER_BUSY',
        'NR_MEMBER_REFUSED',
        'NR_RECORD_FORGED',
        'nonsense',
      ].map(told),
      ['gone', 'passed', 'clone', 'rollback', undefined, undefined, undefined, undefined],
    );
  });
});
