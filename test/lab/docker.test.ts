/** Docker's networks with a real dockerd and a daemon that serves it. */
import { systemClock } from '../../src/clock.ts';
import { DockerClient } from '../../src/docker/client.ts';
import { dockerSuite } from '../contract/docker.suite.ts';
import { docker, run, useLab } from '../e2e/support.ts';

describe("Docker's networks: dockerd", function () {
  this.timeout(120_000);
  const lab = useLab('labdocker', { hosts: 1 });
  const host = () => lab().host('h1');
  const drivers = { network: 'net-routed', ipam: 'ipam-routed' };
  dockerSuite(() => ({
    docker: new DockerClient(host().path('/run/docker.sock'), drivers, systemClock),
    async connect(network, connected) {
      if (connected) await run(host(), 'one', '--network', network);
      else await docker(host(), 'rm', '-f', 'one');
    },
    foreign: (name) => docker(host(), 'network', 'create', name),
  }));
});
