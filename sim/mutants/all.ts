import { CHECK_MUTANTS } from './checks.ts';
import { FORGETTING_MUTANTS } from './forgetting.ts';
import { HOST_MUTANTS } from './hosts.ts';
import type { Mutant } from './mutant.ts';
import { OWNERSHIP_MUTANTS } from './ownership.ts';
import { RECORD_MUTANTS } from './records.ts';

/** All that the simulation has to catch. */
export const MUTANTS: readonly Mutant[] = [
  ...RECORD_MUTANTS,
  ...OWNERSHIP_MUTANTS,
  ...FORGETTING_MUTANTS,
  ...HOST_MUTANTS,
  ...CHECK_MUTANTS,
];
