import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandsOf } from '../../../src/kernel/commands.ts';
import { UPLINK } from '../../contract/kernel.bench.ts';
import { CASES, ELSEWHERE } from './commands.ts';

const FILE = join(import.meta.dirname, 'commands.txt');

describe('commands of ip', () => {
  it('are as in commands.txt', () => {
    const rendered = Object.entries({ ...CASES, ...ELSEWHERE })
      .map(([title, operations]) => [`# ${title}`, ...operations.flatMap(commandsOf), ''].join('\n'))
      .join('\n');
    if (process.env.UPDATE_GOLDEN) writeFileSync(FILE, rendered);
    assert.equal(rendered, readFileSync(FILE, 'utf8'));
  });

  it('are understood by the real program', () => {
    const setUp = [
      'link set dev lo up',
      `link add name ${UPLINK} type veth peer name ${UPLINK}p`,
      `link set dev ${UPLINK} up`,
      `link set dev ${UPLINK}p up`,
      `addr add 192.0.2.1/24 dev ${UPLINK}`,
      `addr add 2001:db8::1/64 dev ${UPLINK} nodad`,
    ];
    const lines = [...setUp, ...Object.values(CASES).flat().flatMap(commandsOf)];
    execFileSync('unshare', ['--net', 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
  });
});
