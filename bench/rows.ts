/** All rows: those on hosts of one kind after each other, as another kind means another lab. */
import type { Row } from './row.ts';
import { addressRow } from './rows/address.ts';
import { bootRow } from './rows/boot.ts';
import { handshakeRow } from './rows/handshake.ts';
import { joinRow } from './rows/join.ts';
import { journalRow } from './rows/journal.ts';
import { memoryRow } from './rows/memory.ts';
import { propagateRow } from './rows/propagate.ts';
import { restartRow } from './rows/restart.ts';
import { routesRow } from './rows/routes.ts';
import { runRow } from './rows/run.ts';
import { streamRow } from './rows/stream.ts';
import { wireRow } from './rows/wire.ts';

export const rows: readonly Row[] = [
  journalRow,
  wireRow,
  handshakeRow,
  runRow,
  streamRow,
  restartRow,
  bootRow,
  addressRow,
  joinRow,
  propagateRow,
  memoryRow,
  routesRow,
];
