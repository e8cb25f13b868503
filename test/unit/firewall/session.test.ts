import assert from 'node:assert/strict';
import { Session } from '../../../src/firewall/session.ts';

/** A session with a script of sh in place of nft; `$line` is what it was told. */
function session(body: string): Session {
  const complain = 'echo "Error: syntax error, unexpected string"; echo "$line"; echo "^^^^"';
  const script = `while read -r line; do case $line in end*) { ${complain}; } >&2;; *) ${body};; esac; done`;
  return new Session(['sh', '-c', script]);
}

describe('session of nft', () => {
  it('takes silence for done', async () => {
    const quiet = session(':');
    assert.equal(await quiet.submit(['add element']), true);
    assert.equal(await quiet.submit(['add element', 'delete element']), true);
    await quiet.stop();
  });

  it('sends all commands as one line', async () => {
    const strict = session('[ "$line" = "one; two" ] || echo "Error: $line" >&2');
    assert.equal(await strict.submit(['one', 'two']), true);
    assert.equal(await strict.submit(['one']), false);
    await strict.stop();
  });

  it('takes nothing that is said for done, and goes on', async () => {
    const picky = session('[ "$line" = good ] || echo "Error: Could not process rule: File exists" >&2');
    assert.equal(await picky.submit(['bad']), false);
    assert.equal(await picky.submit(['good']), true);
    await picky.stop();
  });

  it('knows the end of an answer of nft 1.1.7, which says what it expected as well', async () => {
    const complain = (word: string) =>
      `printf 'Error: syntax error, unexpected newline\\nexpected any of: <string>, last\\n%s\\n    ^\\n' "${word}" >&2`;
    const script = `while read -r line; do case $line in end*|bad) ${complain('$line')};; esac; done`;
    const modern = new Session(['sh', '-c', script], 1_000);
    assert.equal(await modern.submit(['good']), true);
    assert.equal(await modern.submit(['bad']), false);
    assert.equal(await modern.submit(['good']), true, 'nothing of the answer before is left over');
    assert.equal(modern.usable, true);
    await modern.stop();
  });

  it('waits for the end of an answer that comes in pieces', async () => {
    const slow = new Session([
      'sh',
      '-c',
      'while read -r line; do read -r end; printf "Error: x\\n" >&2; printf "%s" "$end" >&2; sleep 0.05; printf "\\n^^^^\\n" >&2; done',
    ]);
    assert.equal(await slow.submit(['add']), true);
    assert.equal(await slow.submit(['add']), true);
    await slow.stop();
  });

  it('knows nothing of what a process that ended has done, and begins another', async () => {
    const mortal = session('[ "$line" = good ] || exit 1');
    assert.equal(await mortal.submit(['bad']), false);
    assert.equal(await mortal.submit(['good']), true);
    await mortal.stop();
  });

  it('gives up a program that ends each time', async () => {
    const hopeless = new Session(['false']);
    for (let i = 0; i < 3; i++) {
      assert.equal(hopeless.usable, true);
      assert.equal(await hopeless.submit(['add']), false);
    }
    assert.equal(hopeless.usable, false);
    assert.equal(await hopeless.submit(['add']), false);
  });

  it('gives up a program that is not there', async () => {
    const absent = new Session(['/nonexistent/nft']);
    for (let i = 0; i < 3; i++) assert.equal(await absent.submit(['add']), false);
    assert.equal(absent.usable, false);
  });

  it('gives up waiting for a program that says nothing', async () => {
    const mute = new Session(['sh', '-c', 'cat > /dev/null'], 50);
    assert.equal(await mute.submit(['add']), false);
    await mute.stop();
  });
});
