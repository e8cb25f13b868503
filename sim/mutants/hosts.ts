import type { Mutant } from './mutant.ts';

const ARRIVAL = 'src/cluster/protocol/arrival.ts';
const STANDING = 'src/cluster/protocol/standing.ts';
const GREETING = 'src/cluster/protocol/greeting.ts';
const LEAVING = 'src/cluster/protocol/leaving.ts';

/** Of hosts that come, go, and are not who they were. */
export const HOST_MUTANTS: readonly Mutant[] = [
  {
    name: 'instant-admission',
    what: 'a newcomer may own something before a majority knows it',
    changes: [
      {
        file: 'src/cluster/protocol/admission.ts',
        find: 'if (count < majority(present.length) || !standing || standing.complete) return;',
        replace: 'if (count < 0 || !standing || standing.complete) return;\n    void majority;',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/admission.test.ts'],
      title: /an admission is complete when more than half of the members have it on disk/,
    },
  },
  {
    name: 'admissions-at-once',
    what: 'the next newcomer is let in before the last one is complete',
    changes: [
      {
        file: 'src/cluster/protocol/admission.ts',
        find: 'const last = this.#incomplete();',
        replace: 'const last = undefined as Member | undefined;',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/admission.test.ts'],
      title: /an admission waits for the last one to be complete/,
    },
  },
  {
    name: 'no-questions',
    what: 'a host that starts does not ask what others know of it',
    changes: [{ file: ARRIVAL, find: 'this.#ask(this.#others());', replace: 'this.#ask([]);' }],
    seeds: { within: 50, shows: /^GIVEN .* disk is not what it was/, story: { focus: 'copies' } },
  },
  {
    name: 'numbers-only',
    what: 'a host is taken for itself unless others know more of its writes than it does',
    changes: [
      {
        file: GREETING,
        find: 'if (replica.known(id) >= bootSequence && known !== boot)',
        replace: 'if (replica.known(id) > bootSequence && known !== boot)',
      },
    ],
    seeds: { within: 100, shows: /^GIVEN .* disk is not what it was/, story: { focus: 'copies' } },
  },
  {
    name: 'twins',
    what: 'two of one identity at the same time are not told from one',
    changes: [
      {
        file: GREETING,
        find: "for (const other of boots) if (other !== boot) return 'twice';",
        replace: 'void boots;',
      },
    ],
    seeds: { within: 75, shows: /^(DUPLICATE|GIVEN|UNAWARE)/, story: { focus: 'copies' } },
  },
  {
    name: 'hasty-clone',
    what: 'who finds another one of its identity connected stops at once',
    changes: [{ file: ARRIVAL, find: 'const TWICE_MAX = 180;', replace: 'const TWICE_MAX = 1;' }],
    tests: {
      files: ['test/unit/cluster/protocol/arrival.test.ts'],
      title: /an arrival goes on as soon as the other one of its identity is not seen any more/,
    },
  },
  {
    name: 'witness-forgotten',
    what: 'who has seen another one of this identity is not waited for when it is out of reach',
    changes: [{ file: ARRIVAL, find: 'const SILENT_MAX = 30;', replace: 'const SILENT_MAX = 0;' }],
    tests: {
      files: ['test/unit/cluster/protocol/arrival.test.ts'],
      title: /an arrival does not go on because who has seen another one of its identity cannot be reached/,
    },
  },
  {
    name: 'early-handover',
    what: 'a successor takes over before it knows all that the leaving host knew',
    changes: [
      {
        file: LEAVING,
        find: 'if (!coversAll(this.#replica.vector, known))',
        replace: 'if (!coversAll(new Map(Object.entries(vector)), new Map()))',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/forgetting.test.ts'],
      title: /to forget goes by what was promised, not by what was known before a host left/,
    },
  },
  {
    name: 'talkative-leaver',
    what: 'a host that has left tells what it writes after its seal',
    changes: [
      {
        file: STANDING,
        find: 'const seal = this.parting?.seal ?? Number.POSITIVE_INFINITY;',
        replace: 'const seal = Number.POSITIVE_INFINITY;',
      },
    ],
    seeds: { within: 25, shows: /^HALTED .* passed/, story: { focus: 'parting' } },
  },
  {
    name: 'no-heirs',
    what: 'what is given to a successor that has left meanwhile belongs to nobody',
    changes: [{ file: LEAVING, find: '    this.#adopt();\n', replace: '' }],
    tests: {
      files: ['test/unit/cluster/protocol/leaving.test.ts'],
      title: /to leave takes over what was given to a host that had left by then/,
    },
  },
  {
    name: 'loans-stay-behind',
    what: 'who leaves hands over its chunks without the loans of their values',
    changes: [
      {
        file: LEAVING,
        find: 'borrowers.length > 0 && this.#ownerOf(key) !== to',
        replace: 'borrowers.length > 0 && this.#ownerOf(key) === to',
      },
    ],
    seeds: { within: 250, shows: /^DUPLICATE/, story: { focus: 'parting' } },
  },
  {
    name: 'any-key',
    what: 'a host is let in with the key of another one',
    changes: [
      {
        file: 'src/cluster/protocol/admission.ts',
        find: 'if (sealer && sealer.memberOf(applicant.key) !== from)',
        replace: 'if (sealer && sealer.memberOf(applicant.key) === undefined)',
      },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/admission.test.ts'],
      title: /in a cluster that signs is of the key that the id is of/,
    },
  },
  {
    name: 'writes-what-nobody-believes',
    what: 'a host writes what all others find forged',
    changes: [
      { file: 'src/store/writing.ts', find: '      if (fault) {\n', replace: '      if (fault === key) {\n' },
    ],
    tests: {
      files: ['test/unit/cluster/protocol/admission.test.ts'],
      title: /is not written, whoever would, in a way that others do not believe/,
    },
  },
];
