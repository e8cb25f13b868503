import type { Mutant } from './mutant.ts';

const WRITING = 'src/store/writing.ts';
const WANTS = 'src/cluster/protocol/wants.ts';
const CLAIMS = 'src/cluster/protocol/claims.ts';
const NAMES = 'src/cluster/protocol/names.ts';
const LEAVING = 'src/cluster/protocol/leaving.ts';
const HOST = 'sim/host.ts';
const ENTITLEMENT = 'src/cluster/protocol/entitlement.ts';
const TRANSFERS = ['test/unit/cluster/protocol/transfers.test.ts'];

/** Of chunks, claims and names. */
export const OWNERSHIP_MUTANTS: readonly Mutant[] = [
  {
    name: 'gives-in-dispute',
    what: 'who owns a chunk in the end gives of it, although it was given to another host as well',
    changes: [
      {
        file: 'src/cluster/protocol/spaces.ts',
        find: 'isOurs && !this.#replica.get(disputeKey(key))',
        replace: 'isOurs',
      },
    ],
    seeds: { within: 40, shows: /^GIVEN .* in dispute/, story: { focus: 'splits' } },
    tests: {
      files: ['test/unit/cluster/protocol/disputes.test.ts'],
      title: /nobody gives of it, over restarts/,
    },
  },
  {
    name: 'order-with-gaps',
    what: 'of two versions of one origin and rank neither stands',
    changes: [
      {
        file: 'src/store/crdt/record.ts',
        find: '  if (a.sequence !== b.sequence) return a.sequence > b.sequence;',
        replace: '  if (a.rank === b.rank) return false;',
      },
    ],
    seeds: { within: 40, shows: /^DIVERGED in chunk/, story: { focus: 'splits' } },
  },
  {
    name: 'ends-disputes-early',
    what: 'a dispute ends although others have something of the chunk',
    changes: [
      {
        file: 'src/cluster/protocol/disputes.ts',
        find: 'if (unreachable.length > 0 || held.size > 0) return;',
        replace: 'if (unreachable.length > 0) return;',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/disputes.test.ts'],
      title: /keeps what both have of it/,
    },
  },
  {
    name: 'no-ownership',
    what: 'everybody takes any chunk, and the last writer wins',
    changes: [
      {
        file: WANTS,
        find: 'if (this.#ownership.treasury(space.domain) !== this.#replica.origin) return undefined;',
        replace: '',
      },
      {
        file: WANTS,
        find: 'treasury === undefined ? order : [treasury, ...order]',
        replace: '[this.#replica.origin]',
      },
    ],
    seeds: { within: 60, shows: /^DUPLICATE/ },
  },
  {
    name: 'early-acknowledgement',
    what: 'a write is acknowledged before it is durable',
    changes: [
      {
        file: WRITING,
        find: '      const moves = this.#apply(changes);\n      this.#staging.add({',
        replace:
          '      const moves = this.#apply(changes);\n      done(undefined, moves.flatMap(({ after }) => living(after) ?? []));\n      this.#staging.add({',
      },
      {
        file: WRITING,
        find: '        done: () =>\n          done(\n            undefined,\n            moves.flatMap(({ after }) => living(after) ?? []),\n          ),\n        failed: done,',
        replace: '        done: () => {},\n        failed: () => {},',
      },
    ],
    seeds: { within: 25, shows: /^LOST/ },
  },
  {
    name: 'early-grant',
    what: 'what was told to others may be lost in a crash',
    changes: [
      {
        file: HOST,
        find: '    super.write(batch);\n',
        replace: '    if (this.watch) this.before = this.copy();\n    super.write(batch);\n',
      },
      {
        file: HOST,
        find: '  /** Called once, when',
        replace: '  before: SimulatedDisk | undefined;\n  /** Called once, when',
      },
      {
        file: HOST,
        find: '    this.#node.replica.kill();\n',
        replace: '    this.#node.replica.kill();\n    if (this.disk.before) this.disk = this.disk.before;\n',
      },
    ],
    seeds: { within: 60, shows: /^(LOST|DUPLICATE)/ },
  },
  {
    name: 'release-by-value',
    what: 'a release that comes late ends another loan of the same value',
    changes: [
      {
        file: CLAIMS,
        find: '(one) => one.to === from && one.nonce === nonce',
        replace: '(one) => one.to === from',
      },
    ],
    seeds: { within: 700, shows: /^DIVERGED .* is not lent by/, story: { focus: 'loans' } },
  },
  {
    name: 'early-release',
    what: 'an owner is told of a release that the disk may still refuse',
    changes: [
      {
        file: CLAIMS,
        find: 'this.#replica.write([], (failure) => {\n        if (failure) return;',
        replace:
          '((then: (failure?: undefined) => void) => then())((failure) => {\n        if (failure) return;',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/claims.test.ts'],
      title: /claims are given back when that is durable, and not if the disk refuses it/,
    },
  },
  {
    name: 'early-replacement',
    what: 'a loan is replaced whose release the disk may still refuse',
    changes: [
      {
        file: CLAIMS,
        find: 'this.#replica.write([], (error) => (error ? done(error) : claim()));',
        replace: 'claim();',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/claims.test.ts'],
      title: /claims replace no loan whose release is on its way to the disk/,
    },
  },
  {
    name: 'hasty-audit',
    what: 'a claim that is being answered is not known to its borrower',
    changes: [{ file: CLAIMS, find: 'if (this.#open.has(nonce)) return false;', replace: '' }],
    seeds: { within: 250, shows: /^DUPLICATE/, story: { focus: 'loans' } },
  },
  {
    name: 'audit-of-what-is-staged',
    what: 'a borrower answers an audit by what is not durable',
    changes: [
      {
        file: CLAIMS,
        find: 'this.#replica.write([], (error) => done(error, { body: { unknown: unknown.map(({ nonce }) => nonce) } }));',
        replace: 'done(undefined, { body: { unknown: unknown.map(({ nonce }) => nonce) } });',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/claims.test.ts'],
      title: /claims are not unknown to their borrower because of what is on its way to the disk/,
    },
  },
  {
    name: 'refused-loan-frees',
    what: 'a value that its owner has, and shares, is free when the disk refuses a loan of it',
    changes: [
      {
        file: CLAIMS,
        find: 'if (error && !this.#isUsed(space.id, claim.value)) allocator.free(value, 0);',
        replace: 'if (error) allocator.free(value, 0);',
      },
    ],
    seeds: { within: 1000, shows: /^DIVERGED .* counts \d+ values of/, story: { focus: 'loans' } },
  },
  {
    name: 'claim-again-alone',
    what: 'a claim that comes twice is answered without word of the owner that shares the value',
    changes: [
      {
        file: CLAIMS,
        find: 'own || standing.length > 1 ? { shared: true as const } : {}',
        replace: 'standing.length > 1 ? { shared: true as const } : {}',
      },
    ],
    seeds: { within: 1200, shows: /^DUPLICATE/, story: { focus: 'loans' } },
  },
  {
    name: 'late-claim',
    what: 'a claim that is answered while the host leaves is taken',
    changes: [
      {
        file: CLAIMS,
        find: '        this.#standing.mayGive(); // still: it may have begun to leave\n',
        replace: '',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/claims.test.ts'],
      title: /claims are not taken any more by a host that leaves/,
    },
  },
  {
    name: 'chunks-outlive-spaces',
    what: "a space goes without its chunks' records, which each host drops for itself",
    changes: [
      {
        file: NAMES,
        find: '), ...chunks, ...keys];',
        replace: '), ...chunks.slice(chunks.length), ...keys];',
      },
      {
        file: 'src/cluster/protocol/cluster.ts',
        find: '    this.#methods = new Map([',
        replace:
          "    replica.observe('space', ({ key, after }) => {\n      const id = key.slice('space/'.length);\n      if (!after) replica.drop(ownership.chunks(id).map(({ key: chunk, version }) => ({ key: chunk, ...version })));\n    });\n    this.#methods = new Map([",
      },
    ],
    seeds: { within: 600, shows: /^DIVERGED .* differ: [-+] chunk\//, story: { focus: 'spaces' } },
  },
  {
    name: 'space-ids-again',
    what: 'the id of a removed space is used again',
    changes: [
      {
        file: 'sim/workload.ts',
        find: 'const { size, chunk } = space;\n    const id =',
        replace: 'const { size, chunk, id } = space;\n    void',
      },
    ],
    // A chunk of the old space and one of the new have the same name, and owners that nobody has made after each other.
    seeds: { within: 50, shows: /^FAULT .*"disputed":.*"chunk\/q/, story: { focus: 'spaces' } },
  },
  {
    name: 'removal-in-use',
    what: 'a space is removed although values of it are in use',
    changes: [{ file: NAMES, find: 'return held > 0n ? new', replace: 'return held > 10_000n ? new' }],
    seeds: { within: 50, shows: /^REMOVED/, story: { focus: 'spaces' } },
  },
  {
    name: 'creates-anything',
    what: 'the treasury writes whatever record a member asks for',
    changes: [{ file: NAMES, find: 'if (foreign) return done(foreign);', replace: 'void foreign;' }],
    tests: {
      files: ['test/unit/cluster/protocol/names.test.ts'],
      title: /asked for by a member that keeps no rule are no chunk/,
    },
  },
  {
    name: 'removes-anything',
    what: 'the treasury removes whatever record a member asks it to',
    changes: [
      {
        file: NAMES,
        find: 'if (other !== undefined) return done(notForOthers(other));',
        replace: 'void other;',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/names.test.ts'],
      title: /asked for by a member that keeps no rule end none of what is not made that way/,
    },
  },
  {
    name: 'handover-of-anything',
    what: 'who leaves hands over loans of what it does not own',
    changes: [
      {
        file: LEAVING,
        find: 'if (!space || this.#ownerOf(key) !== this.#replica.origin) return undefined;',
        replace: 'if (space || !space) return undefined;',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/leaving.test.ts'],
      title: /takes no loan from a host that does not own what is lent/,
    },
  },
  {
    name: 'handover-that-replaces',
    what: 'a handover that comes once more, late, ends the loans that were made since',
    changes: [{ file: LEAVING, find: '[...others, ...borrowers]', replace: 'borrowers' }],
    tests: {
      files: ['test/unit/cluster/protocol/leaving.test.ts'],
      title: /replaces no loan by another one when it is asked late/,
    },
  },
  {
    name: 'names-anywhere',
    what: 'every host creates names by itself',
    changes: [
      {
        file: NAMES,
        find: 'if (treasury === this.#replica.origin) return decide(done);',
        replace: 'if (treasury !== undefined) return decide(done);',
      },
    ],
    seeds: { within: 75, shows: /^DUPLICATE (prefix|name|vni|vlan)/, story: { focus: 'spaces' } },
  },
  {
    name: 'transfers-for-nobody',
    what: 'what a seal leaves out is forgotten although a host that is away has not heard of it',
    changes: [
      {
        file: 'src/cluster/protocol/transfers.ts',
        find: '!latest || isKnownToAll(latest)',
        replace: '!latest || latest.rank > 0 || isKnownToAll(latest)',
      },
    ],
    tests: { files: TRANSFERS, title: /is kept as long as somebody may need it/ },
  },
  {
    name: 'leaps',
    what: 'a record that changed hands many times is believed by the last of them only',
    changes: [
      {
        file: ENTITLEMENT,
        find: 'if (standing && steps.some(',
        replace: 'if (standing && steps.length === 0 && steps.some(',
      },
      { file: ENTITLEMENT, find: '!this.#follows(owner, first)', replace: 'owner === undefined' },
    ],
    tests: { files: TRANSFERS, title: /waits for one that was there, as who came later cannot show it/ },
  },
  {
    name: 'transfers-by-hearsay',
    what: 'what another host shows of a record is believed without the signatures of who had it',
    changes: [
      {
        file: 'src/store/seal.ts',
        find: 'if (!shown.every((link) => this.#isSigned(key, link, link.bytes))) return;',
        replace: '',
      },
    ],
    tests: { files: TRANSFERS, title: /is believed only as those who had it have signed it/ },
  },
  {
    name: 'transfers-by-strangers',
    what: 'what another host shows of a record is believed whoever had it',
    changes: [
      {
        file: ENTITLEMENT,
        find: 'before.rank === step.rank - 1 && !this.#follows(before.owner, step)',
        replace: 'before.rank === step.rank + 1',
      },
      {
        file: ENTITLEMENT,
        find: '!this.#follows(owner, first)',
        replace: 'owner === undefined',
      },
    ],
    tests: { files: TRANSFERS, title: /gives nothing to a member that was never given it/ },
  },
];
