import assert from 'node:assert/strict';
import type { FirewallResource } from '../../src/ports/firewall.ts';
import { A, B, CLIENT, HOST, Lab } from './firewall.lab.ts';
import { guard, ingress, publish, put, remove, source, succeed } from './firewall.suite.ts';

/** Enough for a packet to come back here, in milliseconds; only to show that none does. */
const MOMENT = { patience: 400 };
/** What senders are told of a refusal: TCP by a reset, UDP by ICMP and ICMPv6 "administratively prohibited". */
const REFUSED = { tcp: 'ECONNREFUSED', udp4: 'EHOSTUNREACH', udp6: 'EACCES' };

describe('packets through the firewall by nft', () => {
  let lab: Lab;

  before(async () => {
    lab = await Lab.open();
    await lab.firewall.prepare();
  });
  after(() => lab.close());
  beforeEach(() => lab.holds());

  const change = (operations: Parameters<typeof succeed>[1]) => succeed(lab.firewall, operations);

  it('lets everybody in who is not told otherwise, and keeps the source', async () => {
    assert.equal(await lab.client.ask('tcp', A.v4, 80), CLIENT.v4);
    assert.equal(await lab.client.ask('tcp', A.v6, 80, { from: CLIENT.v6 }), CLIENT.v6);
    assert.equal(await lab.client.ask('udp', A.v4, 80), CLIENT.v4);
    assert.equal(await lab.b.ask('tcp', A.v4, 80), B.v4);
    assert.equal(await lab.b.ask('udp', A.v6, 80), B.v6);
  });

  describe('sources', () => {
    for (const [what, address, target, tracked] of [
      ['IPv4', '10.66.0.1', CLIENT.v4, 'src=10.66.0.1 '],
      ['IPv6', 'fd00:66::1', CLIENT.v6, 'src=fd00:0066:'],
    ] as const) {
      it(`drops ${what} from an address without permit, before conntrack sees it`, async () => {
        const host = address.includes(':') ? `${address}/128` : `${address}/32`;
        const isTracked = async () => (await lab.host.run('cat /proc/net/nf_conntrack')).includes(tracked);
        await lab.a.run(`ip addr add ${host} dev eth0 nodad`);
        await lab.host.run(`ip route replace ${host} dev ${A.link}`);
        try {
          const before = await lab.counted('spoofed');
          for (const protocol of ['udp', 'tcp'] as const) {
            assert.equal(await lab.a.ask(protocol, target, 80, { from: address, ...MOMENT }), 'silence');
          }
          assert.ok((await lab.counted('spoofed')) >= before + 2);
          assert.equal(await isTracked(), false);

          await change([put(source(A.link, address))]);
          assert.equal(await lab.a.ask('udp', target, 80, { from: address }), address);
          assert.equal(await lab.a.ask('tcp', target, 80, { from: address }), address);
          assert.equal(await isTracked(), true);

          await change([remove(source(A.link, address))]);
          assert.equal(await lab.a.ask('udp', target, 80, { from: address, ...MOMENT }), 'silence');
        } finally {
          await lab.a.run(`ip addr del ${host} dev eth0`);
        }
      });
    }

    it('drops what comes from the address of another container', async () => {
      await lab.a.run(`ip addr add ${B.v4}/32 dev eth0`);
      try {
        const before = await lab.counted('spoofed');
        assert.equal(await lab.a.ask('udp', CLIENT.v4, 80, { from: B.v4, ...MOMENT }), 'silence');
        assert.ok((await lab.counted('spoofed')) > before);
      } finally {
        await lab.a.run(`ip addr del ${B.v4}/32 dev eth0`);
      }
    });

    it('lets neighbours be discovered', async () => {
      await lab.a.run('ip -6 neigh flush dev eth0');
      await lab.host.run(`ip -6 neigh flush dev ${A.link}`);
      const before = await lab.counted('spoofed');
      assert.equal(await lab.client.ask('tcp', A.v6, 80, { from: CLIENT.v6 }), CLIENT.v6);
      assert.equal(await lab.counted('spoofed'), before);
    });

    it('lets a new address be tested for duplicates, from no address at all', async () => {
      const before = await lab.counted('spoofed');
      await lab.a.run(
        'echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad; ip addr add fd00:9::99/128 dev eth0',
      );
      await lab.a.run(`while ip -6 addr show dev eth0 tentative | grep -q fd00:9::99; do busybox usleep 50000; done
        ip addr del fd00:9::99/128 dev eth0; echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad`);
      assert.equal(await lab.counted('spoofed'), before);
    });

    it('lets link-local addresses ping the gateway, and nothing else', async () => {
      await lab.host.serve('tcp', '::', 7777);
      assert.equal(await lab.a.pings('fe80::1%eth0'), true);
      assert.equal(await lab.a.ask('tcp', HOST.v6, 7777), A.v6);
      assert.equal(await lab.a.ask('tcp', 'fe80::1%eth0', 7777, MOMENT), 'silence');
    });

    it('does not look at links of others, whatever their name', async () => {
      await lab.host.run(`ip link add name nrc000000000 type veth peer name eth1 netns ${lab.client.namespace.pid}
        ip link set dev nrc000000000 up; ip addr add 198.51.100.1/24 dev nrc000000000`);
      await lab.client.run('ip link set dev eth1 up; ip addr add 198.51.100.2/24 dev eth1');
      assert.equal(await lab.client.ask('tcp', A.v4, 80, { from: '198.51.100.2' }), '198.51.100.2');
      assert.equal(await lab.client.pings('198.51.100.1'), true);
      await lab.host.run('ip link del nrc000000000');
    });

    it('keeps a container off the loopback of the host', async () => {
      await lab.host.serve('tcp', '127.0.0.1', 7778);
      await lab.host.run(`echo 1 > /proc/sys/net/ipv4/conf/${B.link}/route_localnet`);
      await lab.b.run(`echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet
        ip link set dev lo down; ip route flush table local root 127.0.0.0/8; ip route add 127.0.0.1 via 169.254.1.1`);
      const before = await lab.counted('spoofed');
      assert.equal(await lab.b.ask('tcp', '127.0.0.1', 7778, { from: B.v4, ...MOMENT }), 'silence');
      assert.ok((await lab.counted('spoofed')) > before);
      await lab.b.run('ip route del 127.0.0.1; ip link set dev lo up');
    });
  });

  describe('guard', () => {
    it('refuses promptly who has no permit, and tells them', async () => {
      await lab.holds(guard(A.link));
      const before = await lab.counted('refused');
      assert.equal(await lab.client.ask('tcp', A.v4, 80), REFUSED.tcp);
      assert.equal(await lab.client.ask('tcp', A.v6, 80), REFUSED.tcp);
      assert.equal(await lab.client.ask('udp', A.v4, 80), REFUSED.udp4);
      assert.equal(await lab.client.ask('udp', A.v6, 80), REFUSED.udp6);
      assert.equal(await lab.b.ask('tcp', A.v4, 80), REFUSED.tcp);
      assert.equal(await lab.counted('refused'), before + 5);
    });

    it('leaves the neighbour open, and the guarded one when the guard goes', async () => {
      await lab.holds(guard(A.link));
      assert.equal(await lab.client.ask('tcp', B.v4, 80), CLIENT.v4);
      await change([remove(guard(A.link))]);
      assert.equal(await lab.client.ask('tcp', A.v4, 80), CLIENT.v4);
    });

    for (const [family, client, host, at] of [
      [4, (n: number) => `192.0.2.${n}`, A.v4, '192.0.2'],
      [6, (n: number) => `2001:db8::${n}`, A.v6, '2001:db8:'],
    ] as const) {
      const sep = family === 4 ? '.' : ':';
      const admitted = async (numbers: readonly number[]) => {
        const found: number[] = [];
        for (const n of [2, 3, 4, 5, 6, 7, 8, 9]) {
          const answer = await lab.client.ask('tcp', host, 80, { from: client(n) });
          if (answer === client(n)) found.push(n);
          else assert.equal(answer, REFUSED.tcp);
        }
        assert.deepEqual(found, numbers);
      };

      it(`lets in one IPv${family} address`, async () => {
        await lab.holds(guard(A.link), ingress(A.link, client(5)));
        await admitted([5]);
      });

      it(`lets in an IPv${family} prefix`, async () => {
        await lab.holds(guard(A.link), ingress(A.link, `${at}${sep}4/${family === 4 ? 30 : 126}`));
        await admitted([4, 5, 6, 7]);
      });

      it(`lets in an IPv${family} range, its ends included`, async () => {
        await lab.holds(guard(A.link), ingress(A.link, `${client(3)}-${client(6)}`));
        await admitted([3, 4, 5, 6]);
      });

      it(`lets in what any of several IPv${family} permits holds, also when they overlap`, async () => {
        const [range, one] = [ingress(A.link, `${client(3)}-${client(6)}`), ingress(A.link, client(4))];
        const other = ingress(A.link, client(8));
        await lab.holds(guard(A.link), range, one, other);
        await admitted([3, 4, 5, 6, 8]);
        await change([remove(range)]);
        await admitted([4, 8]);
      });

      it(`lets in all of IPv${family}, and nothing of the other family`, async () => {
        await lab.holds(guard(A.link), ingress(A.link, family === 4 ? '0.0.0.0/0' : '::/0'));
        await admitted([2, 3, 4, 5, 6, 7, 8, 9]);
        const [other, from] = family === 4 ? [A.v6, CLIENT.v6] : [A.v4, CLIENT.v4];
        assert.equal(await lab.client.ask('tcp', other, 80, { from }), REFUSED.tcp);
      });
    }

    it('keeps permits of one link apart from those of another', async () => {
      await lab.holds(guard(A.link), guard(B.link), ingress(B.link, CLIENT.v4));
      assert.equal(await lab.client.ask('tcp', A.v4, 80), REFUSED.tcp);
      assert.equal(await lab.client.ask('tcp', B.v4, 80), CLIENT.v4);
    });

    it('lets a container of the same host in by its permit', async () => {
      await lab.holds(guard(A.link), ingress(A.link, B.v4));
      assert.equal(await lab.b.ask('tcp', A.v4, 80), B.v4);
      assert.equal(await lab.client.ask('tcp', A.v4, 80), REFUSED.tcp);
    });

    it('lets ICMP in', async () => {
      await lab.holds(guard(A.link));
      assert.equal(await lab.client.pings(A.v4), true);
      assert.equal(await lab.client.pings(A.v6), true);
    });

    it('lets the endpoint out, and the answers in', async () => {
      await lab.holds(guard(A.link));
      assert.equal(await lab.a.ask('tcp', CLIENT.v4, 80), A.v4);
      assert.equal(await lab.a.ask('udp', CLIENT.v6, 80), A.v6);
    });

    it('lets the host in', async () => {
      await lab.holds(guard(A.link));
      assert.match(await lab.host.ask('tcp', A.v4, 80), /^\d+\.\d+\.\d+\.\d+$/);
      assert.match(await lab.host.ask('tcp', A.v6, 80), /^2001:db8::1$/);
    });

    it('drops what belongs to no connection, even from who has a permit', async () => {
      await lab.holds(guard(A.link), ingress(A.link, CLIENT.v4));
      const netfilter = '/proc/sys/net/netfilter/nf_conntrack_tcp';
      await lab.host.run(`echo 0 > ${netfilter}_loose; echo 1 > ${netfilter}_timeout_established`);
      try {
        assert.equal(await lab.client.ask('tcp', A.v4, 80, { keep: 'forgotten' }), CLIENT.v4);
        await lab.host.run('while grep -q ESTABLISHED /proc/net/nf_conntrack; do busybox usleep 20000; done');
        const before = await lab.counted('invalid');
        assert.equal(await lab.client.again('forgotten', MOMENT.patience), 'silence');
        assert.ok((await lab.counted('invalid')) > before);
      } finally {
        await lab.host.run(`echo 1 > ${netfilter}_loose; echo 432000 > ${netfilter}_timeout_established`);
      }
    });

    it('leaves open connections open when it comes, and when their permit goes', async () => {
      assert.equal(await lab.client.ask('tcp', A.v4, 80, { keep: 'one' }), CLIENT.v4);
      await change([put(guard(A.link)), put(ingress(A.link, CLIENT.v4))]);
      assert.equal(await lab.client.again('one'), CLIENT.v4);
      assert.equal(await lab.client.ask('tcp', A.v4, 80, { keep: 'two' }), CLIENT.v4);
      await change([remove(ingress(A.link, CLIENT.v4))]);
      assert.equal(await lab.client.again('one'), CLIENT.v4);
      assert.equal(await lab.client.again('two'), CLIENT.v4);
      assert.equal(await lab.client.ask('tcp', A.v4, 80), REFUSED.tcp);
    });
  });

  describe('published ports', () => {
    const ports: FirewallResource[] = [
      publish(8080, A.v4, 80),
      publish(8080, A.v6, 80),
      publish(8080, A.v4, 80, { protocol: 'udp' }),
      publish(8080, A.v6, 80, { protocol: 'udp' }),
    ];

    it('are reached from outside, which the endpoint sees the address of', async () => {
      await lab.holds(...ports);
      for (const protocol of ['tcp', 'udp'] as const) {
        assert.equal(await lab.client.ask(protocol, HOST.v4, 8080), CLIENT.v4);
        assert.equal(await lab.client.ask(protocol, HOST.v6, 8080, { from: CLIENT.v6 }), CLIENT.v6);
      }
    });

    it('are reached from another container of the host', async () => {
      await lab.holds(...ports);
      for (const protocol of ['tcp', 'udp'] as const) {
        assert.equal(await lab.b.ask(protocol, HOST.v4, 8080), B.v4);
        assert.equal(await lab.b.ask(protocol, HOST.v6, 8080), B.v6);
      }
    });

    it('are reached from the endpoint itself', async () => {
      await lab.holds(...ports);
      for (const protocol of ['tcp', 'udp'] as const) {
        assert.equal(await lab.a.ask(protocol, HOST.v4, 8080), HOST.v4);
        assert.equal(await lab.a.ask(protocol, HOST.v6, 8080), HOST.v6);
      }
    });

    it('are reached from the host by its own addresses', async () => {
      await lab.holds(...ports);
      assert.equal(await lab.host.ask('tcp', HOST.v4, 8080), HOST.v4);
      assert.equal(await lab.host.ask('tcp', HOST.v6, 8080), HOST.v6);
    });

    it('are reached from the host by 127.0.0.1 with route_localnet on the link, and not by ::1', async () => {
      await lab.holds(...ports);
      await lab.host.run(`echo 1 > /proc/sys/net/ipv4/conf/${A.link}/route_localnet`);
      assert.equal(await lab.host.ask('tcp', '127.0.0.1', 8080), HOST.v4);
      assert.equal(await lab.host.ask('udp', '127.0.0.1', 8080), HOST.v4);
      assert.equal(await lab.host.ask('tcp', '::1', 8080), 'ECONNREFUSED');
    });

    it('are bound to one host address where that is asked for, before those of every address', async () => {
      await lab.host.run('ip addr add 192.0.2.100/24 dev up0');
      await lab.holds(publish(8080, A.v4, 80, { hostAddress: '192.0.2.100' }));
      assert.equal(await lab.client.ask('tcp', '192.0.2.100', 8080), CLIENT.v4);
      assert.equal(await lab.client.ask('tcp', HOST.v4, 8080), 'ECONNREFUSED');
      await change([put(publish(8080, B.v4, 9))]);
      assert.equal(await lab.client.ask('tcp', '192.0.2.100', 8080), CLIENT.v4);
      await lab.host.run('ip addr add 2001:db8::100/64 dev up0 nodad');
      await lab.holds(publish(8080, A.v6, 80, { hostAddress: '2001:db8::100' }));
      assert.equal(await lab.client.ask('tcp', '2001:db8::100', 8080, { from: CLIENT.v6 }), CLIENT.v6);
      assert.equal(await lab.client.ask('tcp', HOST.v6, 8080), 'ECONNREFUSED');
      await lab.host.run('ip addr del 2001:db8::100/64 dev up0; ip addr del 192.0.2.100/24 dev up0');
      await lab.holds(publish(8080, A.v4, 80, { hostAddress: '127.0.0.1' }));
      await lab.host.run(`echo 1 > /proc/sys/net/ipv4/conf/${A.link}/route_localnet`);
      assert.equal(await lab.host.ask('tcp', '127.0.0.1', 8080), HOST.v4);
      assert.equal(await lab.client.ask('tcp', HOST.v4, 8080), 'ECONNREFUSED');
    });

    it('leave what is not for the host alone', async () => {
      await lab.holds(...ports);
      assert.equal(await lab.client.ask('tcp', B.v4, 8080), 'ECONNREFUSED');
      assert.equal(await lab.b.ask('tcp', CLIENT.v4, 8080), 'ECONNREFUSED');
    });

    it('end when they are removed', async () => {
      await lab.holds(...ports);
      await change(ports.map(remove));
      assert.equal(await lab.client.ask('tcp', HOST.v4, 8080), 'ECONNREFUSED');
    });

    it('leave a port that somebody has translated before to him', async () => {
      await lab.host.run(`nft 'table ip docker
        chain ip docker pre { type nat hook prerouting priority dstnat; policy accept; }
        add rule ip docker pre tcp dport 8080 dnat to ${B.v4}:9'`);
      await lab.holds(...ports);
      assert.equal(await lab.client.ask('tcp', HOST.v4, 8080), 'ECONNREFUSED');
      await lab.host.run('nft delete table ip docker');
      assert.equal(await lab.client.ask('tcp', HOST.v4, 8080), CLIENT.v4);
    });

    it('do not get round a guard, but for the endpoint itself', async () => {
      await lab.holds(...ports, guard(A.link));
      assert.equal(await lab.client.ask('tcp', HOST.v4, 8080), REFUSED.tcp);
      assert.equal(await lab.client.ask('tcp', HOST.v6, 8080), REFUSED.tcp);
      assert.equal(await lab.a.ask('tcp', HOST.v4, 8080), HOST.v4);
      assert.equal(await lab.a.ask('tcp', HOST.v6, 8080), HOST.v6);
      await change([put(ingress(A.link, CLIENT.v4))]);
      assert.equal(await lab.client.ask('tcp', HOST.v4, 8080), CLIENT.v4);
    });
  });
});
