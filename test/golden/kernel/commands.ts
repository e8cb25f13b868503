import type { KernelResource } from '../../../src/ports/kernel.ts';
import type { Operation } from '../../../src/ports/target.ts';
import {
  address,
  endpoint,
  inSandbox,
  put,
  remove,
  route,
  UPLINK,
  veth,
} from '../../contract/kernel.bench.ts';

const DEV = { dev: UPLINK };

/** What commands.txt has the commands of, in an order in which a real kernel takes them. */
export const CASES: Readonly<Record<string, readonly Operation<KernelResource>[]>> = {
  'a link, which is ours by its group from the first': [put(veth(1))],
  'addresses of a link': [
    put(address(1, '169.254.7.7/32')),
    put(address(1, 'fe80::7/64')),
    put(address(1, 'fd00:9::1/128')),
    remove(address(1, 'fd00:9::1/128')),
  ],
  'a second link, as an endpoint has it': endpoint(2).map((one) => put(one)),
  'host routes': [
    put(route('10.1.0.3/32', { nextHops: [{ dev: veth(1).name }], src: '192.0.2.1' })),
    put(route('fd00:9::3/128', { nextHops: [{ dev: veth(1).name }] })),
  ],
  'routes by gateways, trusted to be neighbours': [
    put(route('10.2.0.0/16', { nextHops: [{ via: '198.51.100.9', ...DEV }], table: 1000 })),
    put(route('fd00:2::/48', { nextHops: [{ via: '2001:db8::9', ...DEV }], metric: 1158 })),
    put(route('fd00:3::/48', { nextHops: [{ via: 'fe80::9', ...DEV }] })),
  ],
  'an IPv4 route by an IPv6 gateway': [put(route('10.3.0.0/16', { nextHops: [{ via: 'fe80::9', ...DEV }] }))],
  'several next hops': [
    put(
      route('10.4.0.0/16', {
        nextHops: [
          { via: '192.0.2.9', ...DEV },
          { via: 'fe80::9', ...DEV },
        ],
      }),
    ),
    put(
      route('fd00:4::/48', {
        nextHops: [
          { via: '2001:db8::9', ...DEV },
          { via: 'fe80::9', ...DEV },
        ],
      }),
    ),
  ],
  'routes to nowhere': [
    put(route('0.0.0.0/0', { type: 'unreachable', table: 1000, metric: 4278198272 })),
    put(route('::/0', { type: 'unreachable', table: 1000, metric: 4278198272 })),
    put(route('10.5.0.0/16', { type: 'blackhole' })),
  ],
  'changes, by way of a stand-in': [
    put(route('10.1.0.3/32', { nextHops: [{ via: '192.0.2.9', ...DEV }] }), route('10.1.0.3/32')),
    put(
      route('fd00:4::/48', { nextHops: [{ via: '2001:db8::a', ...DEV }] }),
      route('fd00:4::/48', {
        nextHops: [
          { via: '2001:db8::9', ...DEV },
          { via: 'fe80::9', ...DEV },
        ],
      }),
    ),
  ],
  removals: [
    remove(route('10.1.0.3/32', { nextHops: [{ via: '192.0.2.9', ...DEV }] })),
    remove(route('fd00:4::/48', { nextHops: [{ via: '2001:db8::a', ...DEV }] })),
    remove(route('::/0', { type: 'unreachable', table: 1000, metric: 4278198272 })),
    remove(address(1, '169.254.7.7/32')),
    remove(veth(1)),
  ],
};

/** Of a sandbox, and so not to be run as they are. */
export const ELSEWHERE: Readonly<Record<string, readonly Operation<KernelResource>[]>> = {
  'addresses in a sandbox, where the interface has another name': [
    put(inSandbox(1, '/run/netns/x', '10.1.0.4/32')),
    put(inSandbox(1, '/run/netns/x', 'fd00:9::4/128')),
    remove(inSandbox(1, '/run/netns/x', '10.1.0.4/32')),
  ],
};
