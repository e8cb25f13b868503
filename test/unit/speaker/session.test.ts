import assert from 'node:assert/strict';
import type { Peer } from '../../../src/ports/speaker.ts';
import { Session } from '../../../src/speaker/gobgp/session.ts';
import { Permit } from '../../../src/speaker/permit.ts';
import { LearnedTable } from '../../../src/speaker/table.ts';
import { put } from '../../contract/speaker.recorder.ts';
import { FakeEngine } from './engine.fake.ts';

const peer: Peer = {
  kind: 'peer',
  address: '192.0.2.9',
  peerAs: 65002,
  localAs: 65001,
  holdTime: 90,
  keepalive: 30,
  connectRetry: 5,
  multihop: 1,
  port: 179,
  passive: false,
  gracefulRestart: 120,
  maximumPrefix: 0,
  import: [],
  export: [],
};

describe('speaker/gobgp/session', () => {
  const engine = new FakeEngine();
  const session = new Session({ api: engine.api, fresh: true, version: '4' }, new LearnedTable(), {
    identity: { asn: 65001, routerId: '192.0.2.1', listenPort: 179, listenAddresses: [] },
    kept: true,
    exclusive: true,
    wrapper: [],
    patience: 0,
    expected: new Set(),
    tell: () => {},
    inTurn: (work) => work(),
  });

  it('announces before it has peers, and has the policy before both can meet', async () => {
    const route = {
      kind: 'announcement',
      prefix: '10.1.0.1/32',
      nextHop: '192.0.2.1',
      anycast: false,
    } as const;
    const outcomes = await session.apply(put(peer, route), new Permit(['10.1.0.0/16']));
    assert.deepEqual(outcomes, [
      { key: 'peer 192.0.2.9', error: undefined },
      { key: 'announcement 10.1.0.1/32', error: undefined },
    ]);
    const at = (call: string) => engine.calls.indexOf(call);
    assert.ok(at('AddPath') >= 0 && at('AddPath') < at('AddPeer'), engine.calls.join(' '));
    assert.ok(engine.calls.lastIndexOf('SetPolicyAssignment') < at('AddPeer'));
    assert.equal(engine.calls.filter((call) => call === 'SetPolicyAssignment').length, 2);
  });
});
