import assert from 'node:assert/strict';
import type { DockerNetworks, NetworkSpec } from '../../src/ports/docker.ts';

export interface DockerUnderTest {
  readonly docker: DockerNetworks;
  /** Connects a container to a network, or ends it. */
  connect(network: string, connected: boolean): Promise<void>;
  /** Creates a network of another driver. */
  foreign(name: string): Promise<string>;
}

const spec = (name: string, subnet: string): NetworkSpec => ({
  name,
  subnets: [subnet],
  internal: false,
  options: { mtu: '1400' },
  ipamOptions: {},
  labels: { colour: 'blue' },
});

const never = new AbortController().signal;

/** What everybody who is Docker's networks has to do. `given` is asked anew in each test, and has nothing left by others. */
export function dockerSuite(given: () => DockerUnderTest): void {
  const listed = async (name: string) => (await given().docker.listed()).find((one) => one.name === name);

  it('lists what it has created, with driver and labels, and not what it has removed', async () => {
    const { docker } = given();
    const id = await docker.create(spec('one', '10.9.1.0/24'), never);
    assert.deepEqual(await listed('one'), { id, name: 'one', ours: true, labels: { colour: 'blue' } });
    assert.equal(await docker.remove(id, never), true);
    assert.equal(await listed('one'), undefined);
    assert.equal(await docker.remove(id, never), false);
  });

  it('creates no second network of a name, whose driver that ever is', async () => {
    const { docker, foreign } = given();
    const id = await docker.create(spec('one', '10.9.1.0/24'), never);
    const other = await foreign('two');
    for (const name of ['one', 'two'])
      await assert.rejects(docker.create(spec(name, '10.9.2.0/24'), never), { code: 'NR_PROPAGATE_NAME' });
    assert.equal((await listed('one'))?.id, id);
    assert.deepEqual(await listed('two'), { id: other, name: 'two', ours: false, labels: {} });
    await docker.remove(id, never);
    await docker.remove(other, never);
  });

  it('does not remove a network with containers', async () => {
    const { docker, connect } = given();
    const id = await docker.create(spec('one', '10.9.1.0/24'), never);
    await connect('one', true);
    await assert.rejects(docker.remove(id, never), { code: 'NR_PROPAGATE_IN_USE' });
    assert.equal((await listed('one'))?.id, id);
    await connect('one', false);
    assert.equal(await docker.remove(id, never), true);
  });

  it('tells of networks that come and go', async () => {
    const { docker } = given();
    let told = () => {};
    const next = () =>
      new Promise<void>((resolve) => {
        told = resolve;
      });
    const stop = docker.watch(() => told());
    try {
      const came = next();
      const id = await docker.create(spec('one', '10.9.1.0/24'), never);
      await came;
      const went = next();
      await docker.remove(id, never);
      await went;
    } finally {
      stop();
    }
  });
}
