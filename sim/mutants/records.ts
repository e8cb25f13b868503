import type { Mutant } from './mutant.ts';

const REPLICA = 'src/store/replica.ts';
const WRITING = 'src/store/writing.ts';
const MERGING = 'src/store/merging.ts';
const CLOCK = 'src/store/crdt/clock.ts';
const COLLECTOR = 'src/cluster/protocol/collector.ts';
const CLUSTER = 'src/cluster/protocol/cluster.ts';
const REPAIR = 'src/cluster/protocol/repair.ts';
const GOSSIP = 'src/cluster/gossip/gossip.ts';

/** Of merging, clocks and tombstones. */
export const RECORD_MUTANTS: readonly Mutant[] = [
  {
    name: 'no-dot-check',
    what: 'versions are compared by rank only, although the vector knows them',
    changes: [
      { file: MERGING, find: 'if (this.#known.covers(version)) {', replace: 'if (version.sequence < 0) {' },
    ],
    seeds: { within: 100, shows: /^(CAUSALITY|DIVERGED .* differ)/, story: { focus: 'records' } },
    tests: {
      files: ['test/contract/replica.test.ts'],
      title: /merge does not take again what it has seen replaced, and forgotten/,
    },
  },
  {
    name: 'drops-a-record',
    what: 'of what others own, every 97th write is not taken over, and counts as known',
    changes: [
      {
        file: MERGING,
        find: '    const before = this.#contents.version(version.key);\n    if (before) this.#meet(version, before);\n    if (before &&',
        replace:
          "    if (version.class === 'owned' && version.sequence % 97 === 0) return;\n    const before = this.#contents.version(version.key);\n    if (before &&",
      },
    ],
    seeds: { within: 350, shows: /^(REPAIRED|UNMENDED)/ },
  },
  {
    name: 'part-of-a-range',
    what: 'of a range that goes beyond what counts of its origin, the part up to there is taken',
    changes: [
      {
        file: MERGING,
        find: 'if (range.to > admission.limit(range.origin)) continue;',
        replace:
          'const to = Math.min(range.to, admission.limit(range.origin));\n      if (to <= this.#known.of(range.origin)) continue;',
      },
      {
        file: MERGING,
        find: 'for (const version of range.records) this.#take(version, moves);',
        replace:
          'for (const version of range.records) if (version.sequence <= to) this.#take(version, moves);',
      },
      {
        file: MERGING,
        find: 'this.#known.advance(range.origin, range.to);',
        replace: 'this.#known.advance(range.origin, to);',
      },
    ],
    tests: {
      files: ['test/contract/replica.test.ts'],
      title: /a limit leaves out whole what goes beyond it: what counts may be replaced by what does not/,
    },
  },
  {
    name: 'wall-clock',
    what: 'shared writes are ordered by the wall clock',
    changes: [
      {
        file: CLOCK,
        find: 'this.#last = Math.max(this.#last + 1, stampOf(',
        replace: 'this.#last = Math.max(0, stampOf(',
      },
    ],
    seeds: { within: 400, shows: /^CAUSALITY policy\// },
  },
  {
    name: 'clock-that-refuses',
    what: 'the clock does not follow stamps from more than a minute ahead',
    changes: [
      {
        file: CLOCK,
        find: 'if (stamp <= FOLLOWED_MAX) this.#last',
        replace: 'if (stamp <= stampOf(this.#wallMs() + 60_000)) this.#last',
      },
    ],
    seeds: { within: 400, shows: /^CAUSALITY policy\// },
  },
  {
    name: 'forgetful-clock',
    what: 'the stamp of a forgotten tombstone is not kept over a restart',
    changes: [
      {
        file: REPLICA,
        find: 'must not win against us there.\n    this.#writeClock();',
        replace: 'must not win against us there.',
      },
    ],
    tests: {
      files: ['test/contract/replica.test.ts'],
      title:
        /drop does not let the clock go back: a later write of the key wins where the tombstone still is/,
    },
  },
  {
    name: 'textbook-collection',
    what: 'a tombstone goes as soon as all vectors cover it',
    changes: [
      {
        file: COLLECTOR,
        find: 'if (coversAll(this.#replica.vector, report.vector)) this.#settled',
        replace: 'if (coversAll(report.vector, new Map())) this.#settled',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/collector.test.ts'],
      title: /tombstones stay while an older version may arrive that who has seen them did not have any more/,
    },
  },
  {
    name: 'collection-by-own-sequence',
    what: "a tombstone goes when a member's own writes are known, but not all that it knew",
    changes: [
      {
        file: COLLECTOR,
        find: 'if (coversAll(this.#replica.vector, report.vector)) this.#settled',
        replace:
          'if (coversAll(report.vector, new Map()) && this.#replica.known(report.id) >= (report.vector.get(report.id) ?? 0)) this.#settled',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/collector.test.ts'],
      title: /tombstones stay while somebody who has seen them had heard of more than this host/,
    },
  },
  {
    name: 'age-collection',
    what: 'tombstones go by age',
    changes: [
      {
        file: COLLECTOR,
        find: 'const floor = this.#floor(new Set(dead.map(({ origin }) => origin)));',
        replace: 'const floor = new Vector(this.#replica.vector);',
      },
    ],
    // Repair meets it first: what one has removed and another has not, with nobody left who wrote it.
    seeds: { within: 30, shows: /^(UNMENDED|DIVERGED .* differ: [-+] allocation\/)/ },
  },
  {
    name: 'collection-without-seals',
    what: 'tombstones go although writes of a member that is gone may still arrive',
    changes: [
      { file: COLLECTOR, find: 'if (this.#replica.known(id) < seal) return 0;', replace: 'void [id, seal];' },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/collector.test.ts'],
      title: /tombstones stay until all has arrived of who is gone/,
    },
  },
  {
    name: 'careless-drop',
    what: 'a key is forgotten although its tombstone was replaced a moment ago',
    changes: [
      {
        file: REPLICA,
        find: 'if (!before || !sameDot(before, { origin, sequence })) continue;',
        replace: 'void [origin, sequence];\n      if (!before) continue;',
      },
    ],
    tests: {
      files: ['test/contract/replica.test.ts'],
      title: /drop forgets a tombstone where it still stands, and tells nobody/,
    },
  },
  {
    name: 'local-tombstones',
    what: 'records that are never sent leave tombstones, which are told as known',
    changes: [{ file: WRITING, find: "kind === 'local' ? living(row) : row", replace: 'row' }],
    tests: {
      files: ['test/contract/replica.test.ts'],
      title: /local records go without a tombstone, also in the write that made them/,
    },
  },
  {
    name: 'early-shared-writes',
    what: 'a newcomer writes for all before it was let in, with a clock that has followed nobody',
    changes: [
      {
        file: CLUSTER,
        find: 'isMember(replica.origin) || keys.includes(',
        replace: 'isMember(replica.origin) || keys.length > 0 || keys.includes(',
      },
    ],
    tests: {
      files: ['test/unit/cluster/links/connections.test.ts'],
      title: /connections write nothing for all on a host that has not been let in/,
    },
  },
  {
    name: 'unknown-writers',
    what: 'what a host wrote that nobody has let in is merged',
    changes: [
      {
        file: CLUSTER,
        find: 'isMember(origin) || !members.knowsAll ? this.forgetting.limit(origin) : 0',
        replace: 'this.forgetting.limit(origin)',
      },
    ],
    tests: {
      files: ['test/unit/cluster/links/connections.test.ts'],
      title:
        /connections tell a host nothing that is not known as a member, and take from it only what members wrote/,
    },
  },
  {
    name: 'half-informed-newcomer',
    what: 'a newcomer listens to members only as soon as it knows itself as one, who wrote that being none yet',
    changes: [
      {
        file: 'src/cluster/protocol/members.ts',
        find: 'this.#knowsAll ||= this.#members.has(this.#origin) && this.isWhole;',
        replace: 'this.#knowsAll ||= this.#members.has(this.#origin);',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/cluster.test.ts'],
      title: /a newcomer that has heard of itself and not of all others yet/,
    },
  },
  {
    name: 'told-to-strangers',
    what: 'a newcomer is told all before the teller knows that it was let in',
    changes: [{ file: GOSSIP, find: 'if (!members.isPresent(peer)) return 0;', replace: 'void members;' }],
    seeds: { within: 1200, shows: /^DIVERGED .* differ/, story: { focus: 'forgetting' } },
    tests: {
      files: ['test/unit/cluster/links/connections.test.ts'],
      title:
        /connections tell a host nothing that is not known as a member, and take from it only what members wrote/,
    },
  },
  {
    name: 'no-repair',
    what: 'hosts that know the same are not compared by what they have',
    changes: [
      {
        file: REPAIR,
        find: 'if (peer !== undefined) this.#compare({ peer, tries: 0, isInvited: false });',
        replace: 'void peer;',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/repair.test.ts'],
      title: /brings what was told as replaced, by a write that has died with all who knew it/,
    },
  },
  {
    name: 'repair-at-once',
    what: 'what differs for a moment is repaired, too',
    changes: [
      {
        file: REPAIR,
        find: 'if (!before) return this.#again({ ...next, before: new Set(differing) });',
        replace: '',
      },
      { file: REPAIR, find: 'differing.filter((origin) => before.has(origin))', replace: 'differing' },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/repair.test.ts'],
      title: /does nothing where two know different things, or are different for a moment/,
    },
  },
  {
    name: 'repair-by-anybody',
    what: 'what its writer has removed is taken from whoever has missed that',
    changes: [
      {
        file: REPAIR,
        find: 'const judge = origin !== me && this.#members.isPresent(origin) ? origin : peer;',
        replace: 'const judge = peer;\n    void me;',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/repair.test.ts'],
      title: /goes by who wrote it, as long as that is a member: what it has removed does not come back/,
    },
  },
  {
    name: 'repair-in-churn',
    what: 'what two hosts have is compared although they know different things',
    changes: [
      {
        file: REPAIR,
        find: 'const differ = vector === own && sums',
        replace: 'const differ = sums',
      },
      {
        file: REPAIR,
        find: 'return vector !== vectorHash(this.#replica.vector);',
        replace: 'return !vector;',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/repair.test.ts'],
      title: /does nothing where two know different things, or are different for a moment/,
    },
  },
  {
    name: 'records-of-the-gone',
    what: 'what a member that is gone owned is taken over from others again',
    changes: [
      {
        file: CLUSTER,
        find: "version.class !== 'owned' || members.gone(version.origin) === undefined",
        replace: "version.class !== 'owned' || version.origin !== ''",
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/cluster.test.ts'],
      title: /a cluster takes nothing over that a member owned which is gone, and counts it as known/,
    },
  },
];
