import { CALM, type Weather } from './network.ts';
import type { Trouble } from './troubles.ts';
import type { Request } from './workload.ts';
import type { Pool } from './world.ts';

/** What a story is about, by weights: what is not named happens now and then. */
export interface Focus {
  readonly requests?: Partial<Readonly<Record<Request, number>>>;
  readonly troubles?: Partial<Readonly<Record<Trouble, number>>>;
  /** Troubles in a hundred requests; 8 by default. */
  readonly strikes?: number;
  readonly weathers?: readonly Weather[];
  readonly pools?: readonly (readonly Pool[])[];
}

export type FocusName = 'records' | 'loans' | 'forgetting' | 'parting' | 'copies' | 'spaces' | RareName;
/** What no story is about unless it is asked for. */
export type RareName = 'losses' | 'splits';

export const WEATHERS: readonly Weather[] = [
  CALM,
  { loss: 0.15, twice: 0.05, linkLoss: 0, delayMs: 40, stall: 0 },
  { loss: 0.15, twice: 0.05, linkLoss: 0.1, delayMs: 40, stall: 0.002 },
  { loss: 0.05, twice: 0.2, linkLoss: 0.3, delayMs: 10, stall: 0.01 },
  { loss: 0.02, twice: 0.02, linkLoss: 0.02, delayMs: 400, stall: 0.002 },
  { loss: 0.05, twice: 0.1, linkLoss: 0.05, linkDisorder: 0.2, delayMs: 60, stall: 0.005 },
];

/** Of different kinds: usual ones, one that runs full, single values, several. */
export const POOLS: readonly (readonly Pool[])[] = [
  [{ id: 'p1', size: 24, chunk: 2 }],
  [{ id: 'p1', size: 24, chunk: 2 }],
  [{ id: 'p1', size: 6, chunk: 1 }],
  [
    { id: 'p1', size: 16, chunk: 2 },
    { id: 'p2', size: 9, chunk: 4 },
  ],
];

/** What many of the stories are about, as it takes a lot of the same to meet a rare mistake. */
export const FOCI: Readonly<Record<Exclude<FocusName, RareName>, Focus>> = {
  /** Writes for all and their removal, on links that lose and stall. */
  records: {
    requests: { write: 10, createPrefix: 1, removePrefix: 1 },
    troubles: { heal: 10, partition: 4, 'one way': 4, clock: 4, 'crash at a write': 3, crash: 3, join: 2 },
    strikes: 5,
    weathers: [
      { loss: 0.05, twice: 0.05, linkLoss: 0.4, delayMs: 40, stall: 0.02 },
      { loss: 0.05, twice: 0.05, linkLoss: 0, delayMs: 40, stall: 0.05 },
      { loss: 0.05, twice: 0.05, linkLoss: 0.1, linkDisorder: 0.3, delayMs: 40, stall: 0.02 },
    ],
  },
  /** Values that hosts have of each other, few of them, with answers that are late and disks that refuse. */
  loans: {
    requests: { claim: 6, release: 5, allocate: 1 },
    troubles: { heal: 10, 'failed write': 12, 'disk full': 3, 'crash at a write': 6, crash: 2, partition: 2 },
    weathers: [
      { loss: 0.15, twice: 0.2, linkLoss: 0, delayMs: 40, stall: 0 },
      { loss: 0.02, twice: 0.1, linkLoss: 0, delayMs: 150, stall: 0 },
    ],
    pools: [[{ id: 'p1', size: 6, chunk: 1 }], [{ id: 'p1', size: 4, chunk: 2 }]],
  },
  /** Hosts that do not come back, newcomers, and operators that disagree. */
  forgetting: {
    troubles: {
      bury: 12,
      join: 8,
      heal: 12,
      partition: 6,
      'one way': 4,
      'one alone': 3,
      crash: 4,
      'crash at a write': 6,
      'failed write': 3,
    },
    strikes: 12,
    weathers: [
      ...WEATHERS,
      { loss: 0.05, twice: 0.05, linkLoss: 0.2, delayMs: 100, stall: 0.03 },
      { loss: 0.02, twice: 0.05, linkLoss: 0, delayMs: 20, stall: 0.05 },
      // Requests are fast and gossip is slow: what has been decided is known to few.
      { loss: 0.02, twice: 0.02, linkLoss: 0.05, delayMs: 10, linkDelayMs: 2000, stall: 0.01 },
      { loss: 0, twice: 0, linkLoss: 0, delayMs: 10, linkDelayMs: 4000, stall: 0 },
    ],
    pools: [...POOLS, [{ id: 'p1', size: 12, chunk: 2 }]],
  },
  /** Hosts that leave, over crashes and cuts. */
  parting: {
    requests: { release: 6, allocate: 2, claim: 3, write: 1, createPrefix: 2 },
    troubles: {
      leave: 12,
      join: 8,
      heal: 12,
      partition: 4,
      'one way': 3,
      crash: 3,
      'crash at a write': 5,
      'failed write': 4,
      bury: 2,
    },
    strikes: 12,
  },
  /** Backups that are played back, and machines that are copied. */
  copies: {
    troubles: { backup: 8, rollback: 10, clone: 10, join: 5, heal: 4, 'power failure': 3, crash: 3 },
  },
  /** Spaces and names that come and go. */
  spaces: {
    requests: {
      createSpace: 4,
      removeSpace: 4,
      allocate: 5,
      claim: 2,
      release: 4,
      createPrefix: 3,
      removePrefix: 3,
    },
    troubles: { heal: 12, partition: 5, crash: 4, 'crash at a write': 5, bury: 3, join: 3 },
  },
};

/** What befalls no product that has no defect: records are lost where nobody can see it. */
export const RARE: Readonly<Record<RareName, Focus>> = {
  losses: {
    requests: { write: 8, allocate: 4, claim: 3, release: 3 },
    troubles: {
      'lost record': 25,
      heal: 12,
      bury: 8,
      join: 6,
      crash: 5,
      'crash at a write': 5,
      partition: 4,
    },
    strikes: 12,
    weathers: WEATHERS,
  },
  /** Backups that are played back with nobody there to see it. */
  splits: {
    requests: { allocate: 6, release: 4, write: 2 },
    troubles: { 'rollback unseen': 20, heal: 10, crash: 8, 'crash at a write': 4, join: 12, partition: 3 },
    strikes: 6,
    pools: [[{ id: 'p1', size: 48, chunk: 2 }]],
  },
};
