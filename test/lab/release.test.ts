import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { Lab } from '../../lab/lab.ts';
import { rootsFolder } from '../../lab/paths.ts';

const name = `t-rel-${process.pid}`;

/** Roots take a minute each to build, so without NET_ROUTED_LONG=1 only those that are there are tried. */
const built = (release: string): boolean =>
  existsSync(rootsFolder()) && readdirSync(rootsFolder()).some((root) => root.startsWith(`${release}-`));

for (const { release, docker, gobgp, frr } of [
  { release: 'trixie', docker: /^26\./, gobgp: /gobgpd version 3\./, frr: /FRRouting 10\./ },
  { release: 'sid', docker: /^2[89]\./, gobgp: /gobgpd version 4\./, frr: /FRRouting 10\./ },
] as const)
  describe(`lab of Debian ${release}`, function () {
    this.timeout(900_000);
    let lab: Lab;

    before(async function () {
      if (process.env.NET_ROUTED_LONG !== '1' && !built(release)) this.skip();
      lab = await Lab.up({ name, hosts: 1, daemon: false, release });
    });

    after(async () => {
      await Lab.down(name);
    });

    it("has that release's programs", async () => {
      const h1 = lab.host('h1');
      assert.match(await h1.must(['docker', 'version', '--format', '{{.Server.Version}}']), docker);
      assert.match(await h1.must(['gobgpd', '--version']), gobgp);
      assert.match(await lab.tor.must(['vtysh', '-c', 'show version']), frr);
    });

    it('runs containers on a bridge', async () => {
      const argv = ['docker', 'run', '--rm', 'busybox:local', 'ping', '-c1', '-W2', '192.0.2.10'];
      assert.match(await lab.host('h1').must(argv), /1 packets received/);
    });

    it('runs the checkout with its own Node', async () => {
      assert.match(await lab.host('h1').must(['net-routed', '--help']), /Usage: net-routed/);
    });

    it('keeps its disk over a power cut', async () => {
      const h1 = lab.host('h1');
      await h1.must(['sh', '-c', 'echo kept > /usr/local/kept; echo lost > /tmp/lost']);
      await h1.reboot();
      assert.equal(await h1.must(['cat', '/usr/local/kept']), 'kept\n');
      assert.equal(existsSync(h1.path('/tmp/lost')), false);
    });
  });
