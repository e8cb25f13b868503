export interface Mutant {
  readonly name: string;
  /** What it gets wrong. */
  readonly what: string;
  readonly changes: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
}

const FORGETTING = 'src/cluster/forgetting.ts';
const REPLICA = 'src/store/replica.ts';
const COLLECTOR = 'src/cluster/collector.ts';
const CLAIMS = 'src/cluster/claims.ts';

/** Variants of the protocol that are known to be wrong: the simulation has to catch each of them. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'forget-alone',
    what: 'the coordinator takes over without asking anybody',
    changes: [
      { file: FORGETTING, find: 'const asked = [...known]', replace: 'const asked = [...new Set<string>()]' },
      { file: FORGETTING, find: 'if (late) return', replace: 'if (late && Date.now() < 0) return' },
    ],
  },
  {
    name: 'forget-twice',
    what: 'a member promises the same to two coordinators',
    changes: [
      {
        file: FORGETTING,
        find: 'if (other && other.attempt !== attempt && ',
        replace: 'if (other && attempt < 0 && ',
      },
    ],
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
      { file: FORGETTING, find: 'if (late) return', replace: 'if (late && Date.now() < 0) return' },
    ],
  },
  {
    name: 'no-freeze',
    what: 'late writes of a forgotten member still count',
    changes: [
      {
        file: FORGETTING,
        find: 'if (gone) return gone.seal;',
        replace: 'if (gone) return Number.POSITIVE_INFINITY;',
      },
      { file: FORGETTING, find: 'if (!promise) return', replace: 'if (promise || !promise) return' },
    ],
  },
  {
    name: 'early-acknowledgement',
    what: 'an allocation is acknowledged before it is durable',
    changes: [
      {
        file: 'sim/world.ts',
        find: 'const tag = `t${++this.#tags}`;\n    replica.write(',
        replace:
          'const tag = `t${++this.#tags}`;\n    this.ledger.acquired(host, `${id}/${value}`, tag);\n    replica.write(',
      },
    ],
  },
  {
    name: 'early-grant',
    what: 'what is told to others may be lost in a crash',
    changes: [
      {
        file: 'sim/host.ts',
        find: '    super.write(batch);\n',
        replace: '    this.before = this.copy();\n    super.write(batch);\n',
      },
      {
        file: 'sim/host.ts',
        find: '  /** Called once, when',
        replace: '  before: MemoryDisk | undefined;\n  /** Called once, when',
      },
      {
        file: 'sim/host.ts',
        find: '    this.#node.replica.kill();\n',
        replace:
          '    this.#node.replica.kill();\n    const { before } = this.disk;\n    if (before) { this.disk = new SimulatedDisk(this.id); this.disk.write({ steps: [...before.resident()].map((record) => ({ do: "put" as const, record })), known: before.vector }); }\n',
      },
    ],
  },
  {
    name: 'no-ownership',
    what: 'everybody takes any chunk, and the last writer wins',
    changes: [
      {
        file: 'src/cluster/wants.ts',
        find: 'if (this.#ownership.treasury(space.domain) !== this.#replica.origin) return undefined;',
        replace: '',
      },
      {
        file: 'src/cluster/wants.ts',
        find: 'treasury === undefined ? order : [treasury, ...order]',
        replace: '[this.#replica.origin]',
      },
    ],
  },
  {
    name: 'textbook-collection',
    what: 'a tombstone goes as soon as all vectors cover it',
    changes: [
      {
        file: COLLECTOR,
        find: 'if (this.#replica.known(report.id) >= (report.vector.get(report.id) ?? 0))',
        replace: '',
      },
    ],
  },
  {
    name: 'no-seal',
    what: 'tombstones go although writes of a member that is gone may still arrive',
    changes: [
      { file: COLLECTOR, find: 'if (this.#replica.known(id) < seal) return 0;', replace: 'void [id, seal];' },
    ],
  },
  {
    name: 'age-collection',
    what: 'tombstones go by age',
    changes: [
      {
        file: COLLECTOR,
        find: 'const floor = this.#floor();',
        replace: 'const floor = new Vector(this.#replica.vector);',
      },
    ],
  },
  {
    name: 'no-dot-check',
    what: 'versions are compared by rank only, although the vector knows them',
    changes: [
      { file: REPLICA, find: 'if (this.#vector.covers(version)) {', replace: 'if (version.sequence < 0) {' },
    ],
  },
  {
    name: 'wall-clock',
    what: 'shared writes are ordered by the wall clock',
    changes: [
      {
        file: 'src/store/crdt/clock.ts',
        find: 'this.#last = Math.max(this.#last + 1, stampOf(',
        replace: 'this.#last = Math.max(0, stampOf(',
      },
    ],
  },
  {
    name: 'clock-that-refuses',
    what: 'the clock does not follow stamps from more than a minute ahead',
    changes: [
      {
        file: 'src/store/crdt/clock.ts',
        find: '    this.#last = Math.max(this.#last, stamp);',
        replace:
          '    if (stamp <= stampOf(this.#wallMs() + 60_000)) this.#last = Math.max(this.#last, stamp);',
      },
    ],
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
  },
  {
    name: 'hasty-audit',
    what: 'a claim that is being answered is not known to its borrower',
    changes: [{ file: CLAIMS, find: 'if (this.#open.has(nonce)) return false;', replace: '' }],
  },
  {
    name: 'early-handover',
    what: 'a successor takes over before it knows all that the leaving host knew',
    changes: [
      {
        file: 'src/cluster/leaving.ts',
        find: 'if (!coversAll(this.#replica.vector, new Map(Object.entries(vector))))',
        replace: 'if (coversAll(new Map(), new Map([["x", 1]])) && vector)',
      },
    ],
  },
  {
    name: 'instant-admission',
    what: 'a newcomer may own something before a majority knows it',
    changes: [
      {
        file: 'src/cluster/admission.ts',
        find: 'if (count < majority(present.length) || !standing || standing.complete) return;',
        replace: 'if (count < 0 || !standing || standing.complete) return;\n    void majority;',
      },
    ],
  },
];
