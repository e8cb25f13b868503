import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Identity } from '../../src/ports/speaker.ts';
import { connect } from '../../src/speaker/gobgp/connect.ts';
import { isAlive } from '../../src/speaker/gobgp/process.ts';
import type { GobgpSpeaker } from '../../src/speaker/gobgp/speaker.ts';
import { Engines } from './speaker.gobgp.ts';
import { until } from './speaker.recorder.ts';

const FIRST: Identity = { asn: 65001, routerId: '192.0.2.1', listenPort: 0, listenAddresses: [] };
const SECOND: Identity = { asn: 65002, routerId: '192.0.2.2', listenPort: 0, listenAddresses: [] };

describe('speaker: a GoBGP whose process id is lost', function () {
  this.timeout(60_000);
  const engines = new Engines(process.env.NET_ROUTED_GOBGPD ?? 'gobgpd');
  const child = engines.child('host');
  const file = join(engines.folder, 'host/gobgpd.pid');
  const target = `unix://${child.socket}`;
  const others: ChildProcess[] = [];
  let speaker: GobgpSpeaker | undefined;

  before(() => engines.namespaces.add('host'));
  afterEach(async () => {
    await speaker?.stop();
    for (const other of others.splice(0)) other.kill('SIGKILL');
  });
  after(() => engines.close());

  const start = (identity: Identity): GobgpSpeaker => {
    speaker = engines.speaker('host');
    speaker.start(identity, () => {});
    return speaker;
  };
  /** A daemon came and went; its engine runs, and nothing says with which number. */
  const lost = async () => {
    const first = start(FIRST);
    await until('the engine is up', () => first.engine().up);
    const id = child.running();
    assert.ok(id);
    await first.close();
    rmSync(file);
    return id;
  };
  const identity = async () => {
    const api = await connect(target, 1_000);
    try {
      return await api.identity();
    } finally {
      api.client.close();
    }
  };

  it('is found again and goes on', async () => {
    const id = await lost();
    const next = start(FIRST);
    await until('the engine is up', () => next.engine().up);
    assert.deepEqual(child.running(), id);
  });

  it('is started anew when it is somebody else', async () => {
    const id = await lost();
    const next = start(SECOND);
    await until('the engine is up', () => next.engine().up);
    assert.equal((await identity())?.asn, SECOND.asn);
    assert.ok(!isAlive(id), 'the first has ended');
  });

  it('is ended when it is frozen, before there is another', async () => {
    const id = await lost();
    process.kill(id.pid, 'SIGSTOP');
    try {
      const next = start(FIRST);
      await until('the engine is up', () => next.engine().up, 30_000);
      assert.ok(!isAlive(id), 'the first has ended');
    } finally {
      if (isAlive(id)) process.kill(id.pid, 'SIGKILL');
    }
  });

  it('is not used as somebody else, nor ended, when others have started it there', async () => {
    mkdirSync(join(engines.folder, 'host'), { recursive: true });
    const [command, ...words] = engines.namespaces.wrapper('host');
    const program = process.env.NET_ROUTED_GOBGPD ?? 'gobgpd';
    const args = [...words, program, `--api-hosts=${target}`, '--pprof-disable'];
    const other = spawn(command!, args, { stdio: 'ignore' });
    others.push(other);
    await until('it answers', () =>
      connect(target, 1_000).then(
        async (api) => {
          await api.introduce(FIRST);
          api.client.close();
          return true;
        },
        () => false,
      ),
    );
    const next = start(SECOND);
    await until('it says why', () => /AS 65001/.test(next.engine().reason ?? ''));
    assert.equal(next.engine().up, false);
    assert.equal((await identity())?.asn, FIRST.asn);
    assert.equal(other.exitCode, null);
  });
});
