import assert from 'node:assert/strict';
import { checkCluster } from '../../../../src/api/doctor/cluster.ts';
import type { ClusterFacts, MemberFacts } from '../../../../src/cluster/membership/facts.ts';
import type { HostView } from '../../../../src/cluster/membership/hosts.ts';
import { CodedError, type ErrorCode } from '../../../../src/errors.ts';

const NOW = 1_000_000;

const host = (more: Partial<HostView>): HostView => ({
  id: 'a'.repeat(32),
  name: 'h1',
  isSelf: false,
  state: 'present',
  holdsKey: false,
  silentSince: NOW,
  silentAfterMs: 20_000,
  isUdpBlocked: false,
  isLinked: true,
  chunks: 0,
  isBanned: false,
  isBlocking: false,
  ...more,
});

function member(hosts: readonly HostView[], ...codes: ErrorCode[]): ClusterFacts {
  const problems = codes.map((code) => new CodedError(code, 'so it is'));
  const facts: Partial<MemberFacts> = { hosts, problems };
  return { state: 'member', id: 'a'.repeat(32), name: 'h1', member: facts as MemberFacts };
}

describe("doctor's look at the cluster", () => {
  it('has nothing to say of a host that is to be in none', () => {
    assert.deepEqual(checkCluster({ state: 'alone', id: 'a', name: 'h1' }, NOW), []);
  });

  it('tells what a host waits for that is to be in one', () => {
    const wait = new CodedError('NR_CLUSTER_WAITING', 'no member has answered', { remedy: 'start one' });
    assert.deepEqual(checkCluster({ state: 'waiting', id: 'a', name: 'h1', waits: [wait] }, NOW), [
      {
        name: 'cluster',
        result: 'fail',
        what: 'NR_CLUSTER_WAITING: no member has answered',
        remedy: 'start one',
      },
    ]);
  });

  it('counts who is heard of those that are in', () => {
    const hosts = [host({ isSelf: true }), host({}), host({ silentSince: 0 }), host({ state: 'left' })];
    assert.deepEqual(checkCluster(member(hosts), NOW), [
      { name: 'cluster', result: 'ok', what: '2 of 3 members heard' },
    ]);
  });

  it('fails by what is wrong with this host, and warns of what is with others', () => {
    const found = checkCluster(member([host({})], 'NR_CLUSTER_LISTEN', 'NR_MEMBER_UNREACHABLE'), NOW);
    assert.deepEqual(
      found.map(({ result, what }) => [result, what]),
      [
        ['fail', 'NR_CLUSTER_LISTEN: so it is'],
        ['warn', 'NR_MEMBER_UNREACHABLE: so it is'],
      ],
    );
  });
});
