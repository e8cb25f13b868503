import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CodedError } from '../../../src/errors.ts';
import { alias, line, sandboxPath, sysctlPath, sysctlValue } from '../../../src/kernel/arguments.ts';
import { commandsOf } from '../../../src/kernel/commands.ts';
import { kernelKey } from '../../../src/ports/kernel.ts';
import { anyRoute } from './arbitrary.ts';

const nasty = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.constantFrom(
    '',
    ' ',
    '\n',
    '-6',
    '--',
    'a b',
    'a\tb',
    '"',
    "'",
    '\\',
    '#',
    'a#b',
    'a\u00a0b',
    '\u0000',
    'a\r',
  ),
);

/** Either refused as an argument, or what `compute` answers. */
function orRefused<T>(compute: () => T): T | undefined {
  try {
    return compute();
  } catch (error) {
    assert.ok(error instanceof CodedError && error.code === 'NR_KERNEL_ARGUMENT', String(error));
    return undefined;
  }
}

describe('arguments of commands', () => {
  it('are as many words as were given, on one line, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(nasty, { minLength: 1, maxLength: 4 }), (words) => {
        const text = orRefused(() => line(...words));
        if (text === undefined) return;
        assert.deepEqual(text.split(/[\s]/), words);
        assert.doesNotMatch(text, /["'#\\]/);
        for (const word of words) assert.ok(!word.startsWith('-') && word !== '');
      }),
    );
  });

  it('are quoted only where nothing ends the quotes', () => {
    fc.assert(
      fc.property(nasty, (text) => {
        const quoted = orRefused(() => line('alias', alias(`net-routed ${text}`)));
        if (quoted !== undefined) assert.equal(quoted.match(/^alias "[^"\n\\#]+"$/)?.length, 1);
      }),
    );
    assert.equal(line('alias', alias('net-routed endpoint 7f')), 'alias "net-routed endpoint 7f"');
  });

  it('leave no way out of the folder of settings, or to other settings', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(nasty, fc.constantFrom('..', '.', '', 'conf'))), (parts) => {
        const path = ['net', ...parts].join('/');
        const found = orRefused(() => sysctlPath(path));
        if (found) assert.ok(found.every((part) => /^[\w.:-]+$/.test(part) && part !== '..' && part !== '.'));
      }),
    );
    assert.deepEqual(sysctlPath('net/ipv4/conf/eth0.100/rp_filter').at(-2), 'eth0.100');
    for (const path of ['kernel/panic', '/net/x', 'net/../kernel', '']) {
      assert.throws(() => sysctlPath(path), { code: 'NR_KERNEL_ARGUMENT' });
    }
  });

  it('take values of settings of several numbers', () => {
    for (const value of ['1', '-1', '4096 131072 6291456', '1024\t65000', 'cubic'])
      assert.equal(sysctlValue(value), value);
    for (const value of ['', ' 1', '1\n', '1\n2', 'a;b']) {
      assert.throws(() => sysctlValue(value), { code: 'NR_KERNEL_ARGUMENT' });
    }
  });

  it('take absolute paths of sandboxes', () => {
    assert.equal(sandboxPath('/var/run/docker/netns/0123456789ab'), '/var/run/docker/netns/0123456789ab');
    for (const path of ['', 'x', '/', '/a/../b', '/a b', '/a\n']) {
      assert.throws(() => sandboxPath(path), { code: 'NR_KERNEL_ARGUMENT' });
    }
  });
});

describe('commands of routes', () => {
  it('name protocol, metric and table, and never replace', () => {
    fc.assert(
      fc.property(anyRoute, anyRoute, (resource, was) => {
        const key = kernelKey(resource);
        const same = { ...was, prefix: resource.prefix, table: resource.table, metric: resource.metric };
        const changes = orRefused(() => commandsOf({ do: 'put', key, resource, was: same })) ?? [];
        for (const text of [
          ...commandsOf({ do: 'put', key, resource }),
          ...commandsOf({ do: 'remove', key, resource }),
          ...changes,
        ]) {
          const words = text.split(' ');
          assert.match(text, / proto 158 metric \d+ table \d+/);
          assert.ok(words[1] === 'add' || words[1] === 'del');
          assert.ok(words.includes(resource.prefix));
          assert.ok(words.includes(String(resource.table)));
        }
        if (changes.length > 0) {
          const metrics = changes.map((text) => Number(/ metric (\d+)/.exec(text)![1]) - resource.metric);
          assert.deepEqual(metrics, [1, 0, 0, 1]);
        }
      }),
    );
  });
});
