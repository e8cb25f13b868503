import type { Mutant } from './mutant.ts';

const FORGETTING = 'src/cluster/protocol/forgetting.ts';
const STANDING = 'src/cluster/protocol/standing.ts';

/** Of the way in which members that do not come back are forgotten. */
export const FORGETTING_MUTANTS: readonly Mutant[] = [
  {
    name: 'forget-alone',
    what: 'the coordinator takes over without asking anybody',
    changes: [
      {
        file: FORGETTING,
        find: 'const asked = [...known].filter(',
        replace: 'const asked = [...new Set<string>()].filter(',
      },
      {
        file: FORGETTING,
        find: '.find(({ id }) => !attempt.victims.includes(id) && !attempt.promised.has(id));',
        replace: '.find(() => false);',
      },
    ],
    seeds: { within: 75, shows: /^DUPLICATE/, story: { focus: 'forgetting' } },
  },
  {
    name: 'forget-twice',
    what: 'a member promises the same to two coordinators',
    changes: [
      {
        file: FORGETTING,
        find: 'if (other) return new CodedError(',
        replace: 'if (other && !other) return new CodedError(',
      },
    ],
    seeds: { within: 2500, shows: /^DUPLICATE/, story: { focus: 'forgetting' } },
    tests: {
      files: ['test/unit/cluster/protocol/forgetting.test.ts'],
      title:
        /to forget promises a member to one coordinator only, unless that one is to be forgotten as well/,
    },
  },
  {
    name: 'forget-majority',
    what: 'more than half of the promises are enough',
    changes: [
      {
        file: FORGETTING,
        find: 'if (error || !promised) {',
        replace:
          "if (error?.code === 'NR_MEMBER_UNREACHABLE' && 2 * attempt.promised.size > this.#members.present().length) { attempt.asked.delete(from); if (attempt.promised.size === attempt.asked.size) this.#await(attempt); return; }\n    if (error || !promised) {",
      },
      {
        file: FORGETTING,
        find: '.find(({ id }) => !attempt.victims.includes(id) && !attempt.promised.has(id));',
        replace: '.find(() => false);',
      },
    ],
    seeds: {
      within: 3000,
      shows: /^(DUPLICATE|FAULT .* was not promised to forget it)/,
      story: { focus: 'forgetting' },
    },
  },
  {
    name: 'no-freeze',
    what: 'late writes of a forgotten member still count',
    changes: [
      {
        file: FORGETTING,
        find: 'const seal = this.#members.gone(origin)?.seal ?? Number.POSITIVE_INFINITY;',
        replace: 'const seal = Number.POSITIVE_INFINITY;',
      },
      {
        file: FORGETTING,
        find: 'if (!promise) return seal;',
        replace: 'if (promise || !promise) return seal;',
      },
    ],
    seeds: { within: 600, shows: /^(HALTED .* passed|DUPLICATE)/, story: { focus: 'forgetting' } },
  },
  {
    name: 'claims-of-the-frozen',
    what: 'who is frozen still gets an answer to what it asked of others',
    changes: [{ file: FORGETTING, find: 'for (const id of victims) this.#claims.abandon(id);', replace: '' }],
    tests: {
      files: ['test/unit/cluster/protocol/forgetting.test.ts'],
      title: /to forget ends what was asked of a member that is frozen/,
    },
  },
  {
    name: 'last-promise-only',
    what: 'a promise ends with the one that takes its place, although its coordinator may have committed',
    changes: [
      {
        file: 'src/cluster/protocol/promise.ts',
        find: 'return written(id, { to: [...others, to], limit, again });',
        replace: 'return written(id, { to: [...others.slice(0, 0), to], limit, again });',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/forgetting.test.ts'],
      title:
        /to forget keeps a promise that another one took the place of, until it is known how that ended, too/,
    },
  },
  {
    name: 'no-evidence-of-the-frozen',
    what: 'what a frozen member has written is no evidence, although it counts by its departure',
    changes: [
      {
        file: 'src/cluster/protocol/doubts.ts',
        find: 'this.#entitlement?.sealOf(origin) ?? 0',
        replace: '0',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/doubts.test.ts'],
      title:
        /ranges that wait for each other are helped by what one has written that is frozen here, as far as it counts by its own departure/,
    },
  },
  {
    name: 'careless-promise',
    what: 'a promise is dropped although its coordinator may have committed',
    changes: [
      {
        file: FORGETTING,
        find: 'if (error || !body || body.going || this.#replica.known(coordinator) < body.sequence) return;',
        replace: 'if (error || !body || body.going) return;',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/forgetting.test.ts'],
      title: /to forget keeps a promise until all is known that its coordinator has written/,
    },
  },
  {
    name: 'half-known-cluster',
    what: 'members are forgotten although an admission number is missing',
    changes: [
      {
        file: FORGETTING,
        find: 'if (!attempt.force && !this.#members.isWhole)',
        replace: 'if (!attempt.victims && !this.#members.isWhole)',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/forgetting.test.ts'],
      title: /to forget waits for a member that is not known yet, as a number is missing/,
    },
  },
  {
    name: 'not-stopped-when-passed',
    what: 'who was not asked, as nobody knew of it, goes on',
    changes: [
      {
        file: STANDING,
        find: "if (this.#replica.known(id) > seal) return 'passed';",
        replace: 'void [id, seal];',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/forgetting.test.ts'],
      title: /to forget stops who knows more than what counts/,
    },
  },
  {
    name: 'seals-out-of-reach',
    what: 'the seal of a member stays where it was when nobody knows all up to it any more',
    changes: [
      {
        file: FORGETTING,
        find: 'const seal = Math.min(gone.seal, this.#seal(attempt, gone.id));',
        replace: 'const { seal } = gone;',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/forgetting.test.ts'],
      title: /to forget lowers a seal that nobody can reach any more/,
    },
  },
  {
    name: 'seals-of-the-living',
    what: 'a seal is lowered to what was known before its host had left',
    changes: [
      {
        file: FORGETTING,
        find: 'return this.#seal(attempt, id) >= seal || all.every(',
        replace: 'return this.#seal(attempt, id) >= 0 || all.every(',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/forgetting.test.ts'],
      title: /to forget goes by what was promised, not by what was known before a host left/,
    },
  },
  {
    name: 'chunks-of-loans',
    what: 'a loan is taken over without its chunk, whose record died with the lender',
    changes: [{ file: FORGETTING, find: 'if (!this.#replica.get(chunk)) chunks.add(chunk);', replace: '' }],
    tests: {
      files: ['test/unit/cluster/protocol/forgetting.test.ts'],
      title: /to forget takes over the chunk of a loan that only the borrower knows of/,
    },
  },
  {
    name: 'loans-forgotten',
    what: 'what others have borrowed of the victims counts as free',
    changes: [{ file: FORGETTING, find: 'if (to === me) continue;', replace: 'if (to !== "") continue;' }],
    seeds: { within: 300, shows: /^DUPLICATE/, story: { focus: 'forgetting' } },
  },
];
