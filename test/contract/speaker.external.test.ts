import assert from 'node:assert/strict';
import { Prefix } from '../../src/net/prefix.ts';
import type { Announcement, Identity, Peer } from '../../src/ports/speaker.ts';
import type { Api } from '../../src/speaker/gobgp/api.ts';
import { connect } from '../../src/speaker/gobgp/connect.ts';
import { GobgpSpeaker } from '../../src/speaker/gobgp/speaker.ts';
import { Engines, silent } from './speaker.gobgp.ts';
import { codes, put, Recorder, remove, run, succeed, until } from './speaker.recorder.ts';

const identity: Identity = { asn: 65001, routerId: '192.0.2.1', listenPort: 0, listenAddresses: [] };
const foreign = { conf: { neighbor_address: '10.97.1.9', peer_asn: 65009 }, afi_safis: [] };
const ours: Announcement = {
  kind: 'announcement',
  prefix: '10.1.0.1/32',
  nextHop: '10.97.1.1',
  anycast: false,
};
const peer: Peer = {
  kind: 'peer',
  address: '10.97.1.2',
  peerAs: 65002,
  localAs: 65001,
  holdTime: 90,
  keepalive: 30,
  connectRetry: 5,
  multihop: 1,
  port: 1179,
  passive: true,
  gracefulRestart: 0,
  maximumPrefix: 0,
  import: [],
  export: [{ prefix: '10.1.0.0/16', le: 32 }],
};

describe('speaker: a GoBGP that others run', function () {
  this.timeout(20_000);
  const engines = new Engines(process.env.NET_ROUTED_GOBGPD ?? 'gobgpd');
  const speakers: GobgpSpeaker[] = [];
  let target: string;
  let api: Api;

  before('an engine with somebody else’s peer and path', async () => {
    await engines.namespaces.add('ext');
    const child = engines.child('ext');
    await child.spawn();
    target = `unix://${child.socket}`;
    await until('it answers', async () => {
      api = await connect(target, 1_000).catch(() => undefined as never);
      return api;
    });
    await api.introduce(identity);
    await api.client.call('AddPeer', { peer: foreign });
    await api.originate({ prefix: Prefix.parse('10.8.0.0/16'), nextHop: '10.97.1.1', communities: [] });
  });

  after(async () => {
    for (const speaker of speakers) await speaker.close();
    api?.client.close();
    await engines.child('ext').stop('by force');
    await engines.close();
  });

  const open = (own: Identity, at = target): { speaker: GobgpSpeaker; heard: Recorder } => {
    const speaker = new GobgpSpeaker({ supervise: false, target: at, log: silent, patience: 2_000 });
    speakers.push(speaker);
    const heard = new Recorder();
    speaker.permit(['10.1.0.0/16']);
    speaker.start(own, heard.listen);
    return { speaker, heard };
  };

  it('is used, and what others put there is left alone', async () => {
    const { speaker, heard } = open(identity);
    await until('up', () => heard.count('up') === 1);
    assert.match(speaker.engine().version, /^api v[34]$/);
    assert.equal((await speaker.read()).size, 0);
    await succeed(speaker, put(ours, peer));
    assert.deepEqual([...(await speaker.read()).values()], [ours, peer]);
    const theirs = { ...peer, address: '10.97.1.9' };
    assert.deepEqual(codes(await speaker.apply([...put(theirs), ...remove(theirs)])), [
      'NR_FOREIGN_OBJECT',
      'NR_FOREIGN_OBJECT',
    ]);
    await succeed(speaker, remove(ours, peer));
    const peers = await api.client.list('ListPeer', api.dialect.listPeers(false));
    assert.deepEqual(
      peers.map((one) => one.peer.conf.neighbor_address),
      ['10.97.1.9'],
    );
    assert.equal((await api.paths(4)).length, 1);
    // What our policies do not decide stays as it was.
    for (const direction of [api.dialect.names.imports, api.dialect.names.exports]) {
      const [answer] = await api.client.list('ListPolicyAssignment', { name: 'global', direction });
      assert.equal(answer.assignment.default_action, api.dialect.names.accept);
    }
  });

  it('does not keep the program from ending', async () => {
    const source = new URL('../../src/speaker/gobgp/speaker.ts', import.meta.url).href;
    const script = `
      const { GobgpSpeaker } = await import(${JSON.stringify(source)});
      const log = { debug() {}, info() {}, warn() {}, error() {} };
      const speaker = new GobgpSpeaker({ supervise: false, target: ${JSON.stringify(target)}, log });
      speaker.start(${JSON.stringify(identity)}, (event) => {
        if (event.kind === 'up') speaker.close().then(() => console.log('closed'));
      });`;
    // One that hangs is ended, which is an error.
    const node = [process.execPath, '--input-type=module', '-e', script];
    assert.equal(await run('timeout', '15', ...node), 'closed\n');
  });

  it('is not used as somebody else', async () => {
    const { speaker } = open({ ...identity, asn: 65077 });
    await until('it says why', () => /AS 65001/.test(speaker.engine().reason ?? ''));
    assert.equal(speaker.engine().up, false);
    await assert.rejects(() => speaker.read(), { code: 'NR_SPEAKER_UNAVAILABLE' });
    assert.deepEqual((await api.identity())?.asn, 65001);
  });

  it('is said to be missing when it is', async () => {
    const { speaker } = open(identity, 'unix:///nowhere/gobgp.sock');
    await until('it says why', () => /nowhere|connect/i.test(speaker.engine().reason ?? ''));
    await assert.rejects(() => speaker.apply(put(ours)), { code: 'NR_SPEAKER_UNAVAILABLE' });
    await assert.rejects(() => speaker.peers(), { code: 'NR_SPEAKER_UNAVAILABLE' });
  });
});
