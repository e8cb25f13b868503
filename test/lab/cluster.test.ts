/** The cluster that a lab's hosts are in unless it is made without one. */
import assert from 'node:assert/strict';
import { Lab } from '../../lab/lab.ts';
import type { Link } from '../../lab/plan.ts';
import { ask, createNetwork, reaches, routed, run } from '../e2e/support.ts';

interface Peer {
  readonly neighbour: string;
  readonly origin: string;
  readonly state: string;
}

const members = async (lab: Lab) =>
  (await ask<{ hosts: { name: string; state: string }[] }>(lab.host('h1'), 'hosts')).hosts
    .map(({ name, state }) => `${name} ${state}`)
    .sort();

for (const { link, origin } of [
  { link: 'routed', origin: 'configured' },
  { link: 'shared', origin: 'cluster' },
] as const satisfies { link: Link; origin: string }[])
  describe(`the cluster of a lab, link ${link}`, function () {
    this.timeout(120_000);
    const name = `t-clu-${link}-${process.pid}`;
    let lab: Lab;
    const said: string[] = [];

    before(async () => {
      lab = await Lab.up({ name, hosts: 2, link, say: (line) => said.push(line) });
    });

    after(async () => {
      await Lab.down(name);
    });

    it('is made by the commands that it says', async () => {
      assert.deepEqual(await members(lab), ['h1 present', 'h2 present']);
      assert.ok(said.includes('h1# net-routed init'), said.join('\n'));
      assert.match(said.join('\n'), /^h2# net-routed join 192\.168\.1\.2 --token nrj1_/m);
    });

    it('gives working routes, by the peers that the lab is to show', async () => {
      const [h1, h2] = [lab.host('h1'), lab.host('h2')];
      await createNetwork(h1, 'mine', ['10.1.0.0/16']);
      await createNetwork(h2, 'mine', ['10.1.0.0/16']);
      await run(h1, 'one', '--network', 'mine', '--ip', '10.1.0.2');
      await run(h2, 'two', '--network', 'mine', '--ip', '10.1.0.3');
      await reaches(h1, 'one', '10.1.0.3');
      const { peers } = await ask<{ peers: Peer[] }>(h1, 'peers');
      const neighbour = link === 'routed' ? '192.168.1.1' : '192.168.2.2';
      assert.deepEqual(
        peers.map((peer) => [peer.neighbour, peer.origin, peer.state]),
        [[neighbour, origin, 'established']],
      );
      await routed(lab.tor, '10.1.0.3', link === 'routed');
    });

    it('takes in the hosts that the lab grows by, and leaves the others as they are', async () => {
      said.length = 0;
      lab = await Lab.up({ name, hosts: 3, say: (line) => said.push(line) });
      assert.deepEqual(await members(lab), ['h1 present', 'h2 present', 'h3 present']);
      assert.equal(said.filter((line) => line.includes('net-routed ')).length, 1, said.join('\n'));
      await reaches(lab.host('h1'), 'one', '10.1.0.3');
      await assert.rejects(Lab.up({ name, cluster: false }), /in a cluster.*take it down first/s);
    });
  });

describe('a lab without a cluster', function () {
  this.timeout(60_000);
  const name = `t-clu-none-${process.pid}`;
  after(async () => {
    await Lab.down(name);
  });

  it('has hosts that are alone', async () => {
    const lab = await Lab.up({ name, hosts: 1, docker: false, cluster: false });
    const { cluster } = await ask<{ cluster: { state: string } }>(lab.host('h1'), 'status');
    assert.equal(cluster.state, 'alone');
  });
});
