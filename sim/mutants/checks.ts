import type { Mutant } from './mutant.ts';

const LEDGER = 'sim/ledger.ts';
const CHECK = 'sim/check.ts';
const WORLD = 'sim/world.ts';
const OPERATOR = 'sim/operator.ts';

/** A check of the simulation that does not see what it is for: the check's own tests have to notice. */
function blind(name: string, what: string, file: string, find: string, replace: string): Mutant {
  const test = file === LEDGER ? 'ledger' : 'check';
  return { name, what, changes: [{ file, find, replace }], tests: [`test/unit/sim/${test}.test.ts`] };
}

/** Of the checks themselves. */
export const CHECK_MUTANTS: readonly Mutant[] = [
  blind(
    'blind-to-duplicates',
    'two hosts may have one value',
    LEDGER,
    'if (other !== hold && !other.releasing && !(other.shared && hold.shared))',
    'if (other === hold)',
  ),
  blind(
    'blind-to-sharing',
    'who has a value for itself may have it beside one that shares it',
    LEDGER,
    '!(other.shared && hold.shared)',
    '!(other.shared || hold.shared)',
  ),
  blind(
    'blind-to-what-is-kept',
    'a release that the disk has refused frees the value all the same',
    LEDGER,
    'hold.releasing = false;\n    this.#compareHolds(value, hold);',
    'hold.releasing = false;',
  ),
  blind(
    'blind-to-losses',
    'what was acknowledged may be gone',
    LEDGER,
    'if (!stands && !hold.releasing) this.violation(',
    'if (!stands && !hold) this.violation(',
  ),
  blind(
    'blind-to-replacement',
    'another allocation of the same value is as good',
    LEDGER,
    'stored.get(value)?.tag === hold.tag',
    'stored.has(value)',
  ),
  blind(
    'blind-to-silence',
    'what is on disk and was not acknowledged does not count',
    LEDGER,
    "for (const [value, { tag = '', shared }] of stored) this.acquired(host, value, tag, shared);",
    '',
  ),
  blind(
    'blind-to-old-disks',
    'a host whose disk was set back may give values',
    LEDGER,
    'if (host.tainted) this.violation(',
    'if (host.tainted && !host) this.violation(',
  ),
  blind(
    'blind-to-use-after-removal',
    'values of a removed space may be given',
    LEDGER,
    'if (this.#removed.get(space)?.dead === false)',
    'if (this.#removed.get(value)?.dead === false)',
  ),
  blind(
    'blind-to-removal-in-use',
    'a space may go while values of it are in use',
    LEDGER,
    'if (hold) this.violation(`REMOVED',
    'if (hold && !holds) this.violation(`REMOVED',
  ),
  blind(
    'blind-to-lost-names',
    'a prefix may be missing on a host',
    LEDGER,
    "if (!other.disk.list('prefix').some(",
    "if (!other.disk.list('none').every(",
  ),
  blind(
    'blind-to-values',
    'records that differ in their bytes count as alike',
    CHECK,
    "return [origin, sequence, rank, text, seal && Buffer.from(seal).toString('hex')];",
    "return [origin, sequence, rank, seal && Buffer.from(seal).toString('hex')];",
  ),
  blind(
    'blind-to-seals',
    'records that differ in who has sealed them count as alike',
    CHECK,
    "return [origin, sequence, rank, text, seal && Buffer.from(seal).toString('hex')];",
    'return [origin, sequence, rank, text];',
  ),
  blind('blind-on-one-side', 'a host may have more than the first one', CHECK, "    [b, a, '+'],\n", ''),
  blind(
    'blind-to-knowledge',
    'hosts may know different writes of an origin',
    CHECK,
    'if (a.vector.get(origin) !== b.vector.get(origin))',
    'if (!origin)',
  ),
  blind(
    'blind-hash',
    'the hash of all records does not see what is known',
    CHECK,
    'JSON.stringify([known, records])',
    'JSON.stringify([records])',
  ),
  blind(
    'blind-to-tombstones',
    'tombstones may stay for ever',
    CHECK,
    'of replica.tombstones()) return',
    'of replica.tombstones()) if (!key) return',
  ),
  blind(
    'blind-to-unfinished-business',
    'promises and returns may stay for ever',
    CHECK,
    'if (key !== KNEW_ALL) return `keeps',
    'if (!key) return `keeps',
  ),
  blind(
    'blind-to-owners',
    'chunks may belong to hosts that are gone',
    CHECK,
    'if (owner === undefined || !cluster.members.isPresent(owner))',
    'if (owner === undefined)',
  ),
  blind(
    'blind-to-leftovers',
    'chunks may outlive their spaces',
    CHECK,
    "if (namespace === 'chunk' && !cluster.spaces.get(",
    "if (namespace === 'none' && !cluster.spaces.get(",
  ),
  blind(
    'blind-to-loans',
    'a borrowed value need not be lent by anybody',
    CHECK,
    'if (!nonce || !loan?.includes(',
    'if (!nonce && loan?.includes(',
  ),
  blind(
    'blind-to-borrowers',
    'a value may be lent to a host that does not have it',
    CHECK,
    '(value as { borrowers: { to: string; nonce: string }[] }).borrowers)',
    '[] as { to: string; nonce: string }[])',
  ),
  blind(
    'blind-to-counts',
    'what a host counts as given need not be what its records say',
    CHECK,
    'if (Number(count) !== (held.get(space.id)?.size ?? 0))',
    'if (Number(count) < 0)',
  ),
  blind(
    'blind-to-divergence',
    'hosts that stay different are no failure',
    WORLD,
    'if (!isEnded) this.ledger.violation(',
    'if (!isEnded && !members) this.ledger.violation(',
  ),
  blind(
    'blind-to-causality',
    'a version may stand that somebody has replaced',
    WORLD,
    'if (this.replaced.get(dot)?.some((one) => !one.tainted))',
    'if (this.replaced.get(dot)?.some((one) => one.tainted))',
  ),
  blind(
    'blind-to-faults',
    'what the code throws is no failure',
    WORLD,
    'this.ledger.violation(`FAULT',
    'void (`FAULT',
  ),
  blind(
    'blind-to-halts',
    'a host may stop without a reason',
    OPERATOR,
    'ledger.violation(`HALTED',
    'void (`HALTED',
  ),
  blind(
    'blind-to-leaving-in-use',
    'a host may leave with values in use',
    OPERATOR,
    'if (held) ledger.violation(',
    'if (held && !ledger) ledger.violation(',
  ),
];
