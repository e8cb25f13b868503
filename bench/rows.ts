/** All rows: those on hosts of one kind after each other, as another kind means another lab. */
import type { Row } from './row.ts';
import { acksRow } from './rows/acks.ts';
import { addressRow } from './rows/address.ts';
import { bootRow } from './rows/boot.ts';
import { bytesRow } from './rows/bytes.ts';
import { churnRow } from './rows/churn.ts';
import { daemonsRow } from './rows/daemons.ts';
import { handshakeRow } from './rows/handshake.ts';
import { healRow } from './rows/heal.ts';
import { joinRow } from './rows/join.ts';
import { journalRow } from './rows/journal.ts';
import { memoryRow } from './rows/memory.ts';
import { millionRow } from './rows/million.ts';
import { newcomerRow } from './rows/newcomer.ts';
import { propagateRow } from './rows/propagate.ts';
import { restartRow } from './rows/restart.ts';
import { routesRow } from './rows/routes.ts';
import { runRow } from './rows/run.ts';
import { streamRow } from './rows/stream.ts';
import { visibleRow } from './rows/visible.ts';
import { wireRow } from './rows/wire.ts';

export const rows: readonly Row[] = [
  journalRow,
  wireRow,
  handshakeRow,
  visibleRow,
  acksRow,
  newcomerRow,
  churnRow,
  bytesRow,
  healRow,
  daemonsRow,
  runRow,
  streamRow,
  restartRow,
  bootRow,
  addressRow,
  joinRow,
  propagateRow,
  memoryRow,
  millionRow,
  routesRow,
];
