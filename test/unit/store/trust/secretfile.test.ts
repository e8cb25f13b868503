import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CodedError } from '../../../../src/errors.ts';
import { drawSecret, secretText } from '../../../../src/store/trust/secret.ts';
import { readSecrets, traceOf } from '../../../../src/store/trust/secretfile.ts';

const CLUSTER = '0f3b2c1a-0000-4000-8000-1234567890ab';

describe('file of secrets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'net-routed-secrets-'));
  const path = join(folder, 'secret');
  after(() => rmSync(folder, { recursive: true }));
  afterEach(() => rmSync(path, { force: true }));

  const write = (text: string) => writeFileSync(path, text, { mode: 0o600 });
  const refused = (what: RegExp) =>
    assert.throws(
      () => readSecrets(path),
      (error) =>
        error instanceof CodedError &&
        error.code === 'NR_SECRET_FILE' &&
        what.test(error.what) &&
        !/nrs1_/.test(error.what),
    );
  const one = drawSecret(CLUSTER);
  const other = drawSecret(CLUSTER);

  it('has a line for each, in order, and may have remarks', () => {
    write(`# of the cluster\n\n  ${secretText(one)}  \r\n#\n${secretText(other)}`);
    assert.deepEqual(
      readSecrets(path).map(({ cluster, secret }) => [cluster, Buffer.from(secret).toString('hex')]),
      [one, other].map(({ cluster, secret }) => [cluster, Buffer.from(secret).toString('hex')]),
    );
  });

  it('is refused without a secret, with a mistake, with too many, or of two clusters, and tells nothing of it', () => {
    refused(/ENOENT/);
    write('# nothing\n');
    refused(/has no secret in it/);
    write(`${secretText(one)}\n${secretText(other).slice(0, -1)}\n`);
    refused(/line 2: .*mistake/);
    write(`${secretText(one)}\n`.repeat(5));
    refused(/more than 4/);
    write(`${secretText(one)}\n${secretText(drawSecret(CLUSTER.replace('0f', '1f')))}\n`);
    refused(/several clusters/);
  });

  it('is refused when others than its owner can read or write it', () => {
    write(secretText(one));
    for (const mode of [0o604, 0o640, 0o620, 0o601]) {
      chmodSync(path, mode);
      refused(/open to others/);
    }
    chmodSync(path, 0o400);
    assert.equal(readSecrets(path).length, 1);
  });

  it('is refused when it belongs to somebody else, who could change it', function () {
    if (process.getuid?.() !== 0) return this.skip();
    write(secretText(one));
    chownSync(path, 65_534, 0);
    refused(/belongs to user 65534/);
    chownSync(path, 0, 65_534);
    assert.equal(readSecrets(path).length, 1);
  });

  it('leaves another trace when it is written, replaced, protected, or gone', () => {
    const traces = new Set<string | undefined>();
    const add = () => traces.add(traceOf(path));
    add();
    write('a');
    add();
    write('ab');
    add();
    chmodSync(path, 0o644);
    add();
    rmSync(path);
    write('ab');
    add();
    assert.equal(traces.size, 5);
  });
});
