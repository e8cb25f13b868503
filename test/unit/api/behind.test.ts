import assert from 'node:assert/strict';
import { behindRouters, behindText } from '../../../src/api/behind.ts';
import type { PeerView } from '../../../src/api/views.ts';

const peer = (neighbour: string, origin: 'cluster' | 'configured', host?: string): PeerView => ({
  neighbour,
  origin,
  ...(host !== undefined && { host }),
  state: 'established',
  uptime: 1,
  received: 0,
  accepted: 0,
  advertised: 0,
});
const routed = [
  { hop: '198.51.100.3', router: '192.0.2.254' },
  { hop: '198.51.100.2', router: '192.0.2.254' },
  { hop: '203.0.113.9', router: '192.0.2.253' },
];
const learned = { routed: () => routed } as unknown as Parameters<typeof behindRouters>[0]['learned'];
const members = [peer('198.51.100.2', 'cluster', 'h2'), peer('198.51.100.3', 'cluster', 'h3')];

describe('routers on the way to other hosts', () => {
  it('are named, each with the hosts behind it', () => {
    assert.deepEqual(behindRouters({ learned }, members), [
      { router: '192.0.2.253', hosts: ['203.0.113.9'] },
      { router: '192.0.2.254', hosts: ['h2', 'h3'] },
    ]);
  });

  it('are not where the host peers with anybody besides: that one may know the containers', () => {
    assert.deepEqual(behindRouters({ learned }, [...members, peer('192.0.2.254', 'configured')]), []);
  });

  it('are told with a few hosts only', () => {
    const hosts = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    assert.match(behindText({ router: '192.0.2.254', hosts })[0], / of a, b, c, d, e and 2 more is by /);
  });
});
