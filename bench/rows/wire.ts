/** What gossip sends for each operation, and what it takes to write and read it, against JSON. */
import { decode, encode } from '../../src/store/gossip/frames.ts';
import type { Ranges } from '../../src/store/gossip/messages.ts';
import { FRAME_MAX } from '../../src/store/gossip/wire/limits.ts';
import { Splitter } from '../../src/store/gossip/wire/splitter.ts';
import { asJson, type Operation, operations } from '../operations.ts';
import { type Bench, type Figure, type Finding, figure, type Row } from '../row.ts';

const KINDS: Readonly<Record<Operation, string>> = {
  address: 'an address',
  endpoint: 'a joined endpoint',
  both: 'an endpoint and its address',
  removal: 'a removal',
};
const BATCHES = [1, 100, 1000];

async function run({ count }: Bench): Promise<Finding> {
  const samples = count(100, 5);
  const sizes = Object.entries(KINDS).flatMap(([kind, what]) =>
    BATCHES.map((batch) => size(kind as Operation, what, batch, samples)),
  );
  return {
    figures: [...sizes, ...BATCHES.flatMap((batch) => times(batch, count(40_000, 2000)))],
    notes: [
      'bytes of frames before TLS, for each record, sent by the host that wrote them (another one adds 17 bytes to a ' +
        'frame); ratio to JSON; all ids are random, 32 bytes of each record at least',
      'processor time for each record of joined endpoints; ratio to JSON.stringify and JSON.parse',
    ],
  };
}

function size(kind: Operation, what: string, batch: number, samples: number): Figure {
  const bytes: number[] = [];
  const json: number[] = [];
  for (let i = 0; i < samples; i++) {
    const message = operations(kind, batch);
    const { origin, records } = message.ranges[0]!;
    bytes.push(encode(message, origin).length / records.length);
    json.push(Buffer.byteLength(asJson(message)) / records.length);
  }
  const goal = batch === 1 ? undefined : '<= 100';
  return figure(`${what}, ${batch} in a frame`, 'B', bytes, { against: json, ...(goal && { goal }) });
}

function times(batch: number, records: number): Figure[] {
  const message = operations('endpoint', batch);
  const { origin } = message.ranges[0]!;
  const frame = Buffer.from(encode(message, origin));
  const json = asJson(message);
  const rounds = Math.max(1, Math.round(records / batch / SAMPLES));
  const each = (work: () => unknown) => processorTime(work, rounds).map((us) => us / batch);
  return [
    figure(
      `write, ${batch} in a frame`,
      'us',
      each(() => encode(message, origin)),
      { against: each(() => asJson(message)) },
    ),
    figure(
      `read, ${batch} in a frame`,
      'us',
      each(() => read(frame, origin)),
      { against: each(() => JSON.parse(json)) },
    ),
  ];
}

function read(frame: Uint8Array, sender: string): Ranges[] {
  return [...new Splitter(FRAME_MAX).push(frame)].map((one) => decode(one, sender) as Ranges);
}

const SAMPLES = 20;

/** Microseconds of each call, by samples of so many calls, after some to warm up. */
function processorTime(work: () => unknown, rounds: number): number[] {
  for (let i = 0; i < rounds * 3; i++) work();
  return Array.from({ length: SAMPLES }, () => {
    const before = process.cpuUsage();
    for (let i = 0; i < rounds; i++) work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / rounds;
  });
}

export const wireRow: Row = { name: 'wire', lab: 'none', run };
