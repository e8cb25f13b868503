import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sysctls } from '../../../src/kernel/sysctl.ts';

describe('settings as files', () => {
  let root: string;
  let sysctls: Sysctls;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'net-routed-'));
    mkdirSync(join(root, 'net/ipv4/conf/nr1'), { recursive: true });
    writeFileSync(join(root, 'net/ipv4/conf/nr1/forwarding'), '0\n');
    writeFileSync(join(root, 'net/ipv4/conf/nr1/rp_filter'), '0\n');
    writeFileSync(join(root, 'net/ipv4/tcp_rmem'), '4096\t131072\t6291456\n');
    writeFileSync(join(root, 'secret'), '1\n');
    sysctls = new Sysctls(root);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('are written and read, by a thread or at once', async () => {
    for (const name of ['forwarding', 'rp_filter']) {
      const path = `net/ipv4/conf/nr1/${name}`;
      await sysctls.put(path, '1');
      assert.equal(sysctls.read(path), '1');
      assert.equal(readFileSync(join(root, path), 'utf8'), '1\n');
    }
  });

  it('are not written when they are as wanted, whatever is between their numbers', async () => {
    chmodSync(join(root, 'net/ipv4/tcp_rmem'), 0o400);
    await sysctls.put('net/ipv4/tcp_rmem', '4096 131072 6291456');
    assert.equal(readFileSync(join(root, 'net/ipv4/tcp_rmem'), 'utf8'), '4096\t131072\t6291456\n');
  });

  it('are never made', async () => {
    const path = 'net/ipv4/conf/nr2/forwarding';
    assert.equal(sysctls.read(path), undefined);
    await assert.rejects(sysctls.put(path, '1'), { code: 'NR_KERNEL_REFUSED' });
    assert.equal(sysctls.read(path), undefined);
  });

  it('are refused when they do not keep what they are given', async () => {
    rmSync(join(root, 'net/ipv4/conf/nr1/forwarding'));
    mkdirSync(join(root, 'net/ipv4/conf/nr1/forwarding'));
    await assert.rejects(sysctls.put('net/ipv4/conf/nr1/forwarding', '1'), { code: 'NR_KERNEL_REFUSED' });
    // Files here do not truncate, as /proc does not: what was longer stays.
    await assert.rejects(sysctls.put('net/ipv4/tcp_rmem', '1'), { code: 'NR_KERNEL_REFUSED' });
  });

  it('are none outside', async () => {
    for (const path of ['secret', 'net/../secret', '../x', '/etc/passwd', 'net/ipv4/../../secret']) {
      assert.throws(() => sysctls.read(path), { code: 'NR_KERNEL_ARGUMENT' });
      await assert.rejects(sysctls.put(path, '2'), { code: 'NR_KERNEL_ARGUMENT' });
    }
    assert.equal(readFileSync(join(root, 'secret'), 'utf8'), '1\n');
  });

  it('of IPv6 count as set where the kernel has none', async () => {
    assert.equal(sysctls.ipv6, false);
    await sysctls.put('net/ipv6/conf/nr1/accept_ra', '0');
    mkdirSync(join(root, 'net/ipv6'));
    await assert.rejects(new Sysctls(root).put('net/ipv6/conf/nr1/accept_ra', '0'), {
      code: 'NR_KERNEL_REFUSED',
    });
  });
});
