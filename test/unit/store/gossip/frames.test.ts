import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { encode as cbor } from 'cborg';
import fc from 'fast-check';
import type { Versioned } from '../../../../src/store/crdt/record.ts';
import { decode, encode } from '../../../../src/store/gossip/frames.ts';
import type { Message } from '../../../../src/store/gossip/messages.ts';
import { inflate } from '../../../../src/store/gossip/wire/deflate.ts';
import { FrameError, type FrameFault } from '../../../../src/store/gossip/wire/error.ts';
import { FRAME_MAX } from '../../../../src/store/gossip/wire/limits.ts';
import { Reader } from '../../../../src/store/gossip/wire/reader.ts';
import { join } from '../../../../src/store/gossip/wire/splitter.ts';
import { TableReader } from '../../../../src/store/gossip/wire/table.ts';
import { anyId, anyMessage, chunked } from './arbitrary.ts';
import { FrameReader } from './framereader.ts';

const ME = 'c0ffee00'.repeat(4);
const OTHER = 'beef0123'.repeat(4);

const record = (more: Partial<Versioned> = {}): Versioned => ({
  class: 'owned',
  key: `x/${ME}/1`,
  text: '{}',
  origin: ME,
  sequence: 5,
  rank: 5,
  ...more,
});
const ranges = (...records: Versioned[]): Message => ({
  kind: 'ranges',
  ranges: [{ origin: ME, from: 4, to: 10, records }],
});

function readAll(reader: FrameReader, ...chunks: Uint8Array[]): Message[] {
  return chunks.flatMap((chunk) => [...reader.push(chunk)]);
}

/** What these bytes are refused for. */
function faultOf(...chunks: Uint8Array[]): FrameFault {
  try {
    readAll(new FrameReader(ME), ...chunks);
  } catch (error) {
    assert.ok(error instanceof FrameError, String(error));
    return error.fault;
  }
  return assert.fail('was read');
}

/** A frame of these fields, as a writer of another release may make it. */
function frame(type: number, fields: unknown, { table = [] as Uint8Array[], version = 1 } = {}): Uint8Array {
  return join(version, type, [cbor(table), cbor(fields)]);
}
const TYPE = { hello: 1, vector: 2, probe: 3, ranges: 4, request: 6, goodbye: 8 } as const;
const DEFLATED = 0x80;

describe('frames', () => {
  it('give back every message, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyMessage, { maxLength: 4 }),
        anyId,
        fc.array(fc.nat()),
        (messages, sender, cuts) => {
          const bytes = Buffer.concat(messages.map((message) => encode(message, sender)));
          assert.deepEqual(readAll(new FrameReader(sender), ...chunked(bytes, cuts)), messages);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('throw nothing but FrameError for bytes that are no frame', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }), (chunks) => {
        onlyFrameErrors(() => readAll(new FrameReader(ME), ...chunks));
      }),
      { numRuns: 3000 },
    );
  });

  it('throw nothing but FrameError for bodies of arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 300 }), (type, body) => {
        onlyFrameErrors(() => decode({ version: 1, type, body }, ME));
        onlyFrameErrors(() => decode({ version: 1, type, body: Buffer.concat([cbor([]), body]) }, ME));
        onlyFrameErrors(() =>
          decode(
            { version: 1, type: type | DEFLATED, body: Buffer.concat([cbor([]), deflateRawSync(body)]) },
            ME,
          ),
        );
      }),
      { numRuns: 3000 },
    );
  });

  it('throw nothing but FrameError for frames that were tampered with', () => {
    const change = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }), cut: fc.nat(9) });
    fc.assert(
      fc.property(
        anyMessage,
        fc.array(change, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        (message, changes, inflated) => {
          const bytes = inflated ? plainly(message) : encode(message, ME);
          const body = [...bytes.subarray(6)];
          for (const { at, byte, cut } of changes) {
            if (cut === 0) body.splice(at % (body.length + 1), 1);
            else if (cut === 1) body.splice(at % (body.length + 1), 0, byte);
            else if (body.length > 0) body[at % body.length] = byte;
          }
          onlyFrameErrors(() => decode({ version: 1, type: bytes[5]!, body: Uint8Array.from(body) }, ME));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('refuse a length beyond the limit with its fourth byte, and keep nothing', () => {
    const gigabyte = Uint8Array.of(0x40, 0, 0, 0);
    const reader = new FrameReader(ME);
    assert.deepEqual(readAll(reader, gigabyte.subarray(0, 3)), []);
    assert.throws(() => readAll(reader, gigabyte.subarray(3)), { fault: 'too-large' });
    assert.equal(faultOf(Uint8Array.of(0, 0x40, 0, 1)), 'too-large');
    assert.equal(faultOf(Uint8Array.of(0, 0, 0, 1, 1)), 'malformed', 'no type');
    assert.deepEqual(readAll(new FrameReader(ME), Uint8Array.of(0, 0x40, 0, 0)), [], 'just the limit');
  });

  it('refuse a bomb without making what is in it', () => {
    const bomb = join(1, TYPE.goodbye | DEFLATED, [cbor([]), deflateRawSync(Buffer.alloc(64 * FRAME_MAX))]);
    assert.ok(bomb.length < FRAME_MAX / 8);
    const before = process.memoryUsage().arrayBuffers;
    assert.equal(faultOf(bomb), 'too-large');
    assert.ok(process.memoryUsage().arrayBuffers - before < 4 * FRAME_MAX);
  });

  it('refuse a text that becomes too long by what it refers to', () => {
    const table = [Buffer.alloc(64, 7)];
    const bomb = '\u0001"'.repeat(100_000);
    assert.equal(faultOf(frame(TYPE.request, [1, 'm', bomb], { table })), 'too-large');
  });

  it('refuse an array that says it is longer than its frame', () => {
    const gigantic = Uint8Array.of(0x9b, 0, 0, 0, 0x40, 0, 0, 0, 0);
    const refused = (type: number, ...parts: Uint8Array[]) =>
      assert.throws(() => readAll(new FrameReader(ME), join(1, type, parts)), {
        fault: 'malformed',
        message: /longer than its frame/,
      });
    refused(TYPE.ranges, cbor([]), Uint8Array.of(0x81), gigantic);
    refused(TYPE.ranges, gigantic);
    // In a field that is skipped.
    refused(TYPE.probe, cbor([]), Uint8Array.of(0x83), cbor(Buffer.alloc(8)), cbor(5), gigantic);
  });

  it('skip fields that nested arrays end with, however deep', () => {
    const deep = Buffer.concat([Buffer.alloc(1_000_000, 0x81), Buffer.of(0)]);
    const bytes = join(1, TYPE.probe, [cbor([]), Uint8Array.of(0x83), cbor(Buffer.alloc(8)), cbor(5), deep]);
    assert.deepEqual(readAll(new FrameReader(ME), bytes), [
      { kind: 'probe', hash: '00'.repeat(8), wallMs: 5 },
    ]);
  });

  it('refuse bodies that are nested deep', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    assert.equal(faultOf(frame(TYPE.request, [1, 'm', deep])), 'malformed');
    const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    assert.equal(readAll(new FrameReader(ME), frame(TYPE.request, [1, 'm', nested(64)])).length, 1);
    assert.equal(faultOf(frame(TYPE.request, [1, 'm', nested(65)])), 'malformed');
  });

  it('skip and count unknown types, and go on', () => {
    const reader = new FrameReader(ME);
    const bytes = Buffer.concat([
      frame(99, ['?']),
      join(1, 99 | DEFLATED, [Buffer.from('no CBOR')]),
      encode(ranges(), ME),
    ]);
    assert.deepEqual(readAll(reader, bytes), [ranges()]);
    assert.equal(reader.skipped, 2);
  });

  it('ignore what a later release adds at the end of fields', () => {
    const more = [7, -1, 'x', null, 1.5, [1, { a: [true] }]];
    const hash = Buffer.alloc(8, 1);
    const [probe] = readAll(new FrameReader(ME), frame(TYPE.probe, [hash, 5, ...more]));
    assert.deepEqual(probe, { kind: 'probe', hash: '01'.repeat(8), wallMs: 5 });
    // As an earlier one sends it.
    const [bare] = readAll(new FrameReader(ME), frame(TYPE.probe, [hash]));
    assert.deepEqual(bare, { kind: 'probe', hash: '01'.repeat(8) });
    const row = [1, 4, 'x//1', '{}', null, null, ...more];
    const [range] = readAll(new FrameReader(ME), frame(TYPE.ranges, [[[0, 4, 5, [row], ...more]], ...more]));
    assert.deepEqual(range, ranges(record()));
  });

  it('read a hello of any version, and nothing else of a later one', () => {
    const hello: Message = {
      kind: 'hello',
      protocol: 7,
      cluster: '00000000-0000-4000-8000-00000000000a',
      id: OTHER,
      boot: 'b',
      bootSequence: 3,
      purpose: 'link',
      wallMs: 1_800_000_000_000,
    };
    const bytes = encode({ ...hello, boot: 'b'.repeat(60) }, ME);
    assert.equal(bytes[5], TYPE.hello, 'not deflated: they may not have our dictionary');
    bytes[4] = 9;
    assert.deepEqual(readAll(new FrameReader(ME), bytes), [{ ...hello, boot: 'b'.repeat(60) }]);
    const probe = encode({ kind: 'probe', hash: '01'.repeat(8) }, ME);
    probe[4] = 9;
    assert.equal(faultOf(probe), 'version');
    probe[4] = 0;
    assert.equal(faultOf(probe), 'malformed');
  });

  const one = (...fields: unknown[]) => [[[0, 4, 5, [fields]]]];
  for (const [what, fields, message] of [
    ['an index beyond the table', [[[1, 4, 5, []]]], /entry 1 of the table/],
    ['a class that there is not', one(1, 3, 'x/1'), /unknown class/],
    ['a flag that there is not', one(1, 8, 'x/1'), /8 is more than/],
    ['two records of one sequence', one(0, 0, 'x/2'), /at least 1/],
    ['a sequence that is not safe', [[[0, 2 ** 53 - 1, 5, [[1, 0, 'x/1']]]]], /not a natural/],
    ['a range that ends beyond', [[[0, 2 ** 53 - 1, 1, []]]], /not a natural/],
    ['a negative number', [[[0, -4, 5, []]]], /negint instead/],
    ['a fraction', [[[0, 1.5, 5, []]]], /float instead/],
    ['a key without namespace', one(1, 0, 'x1'), /namespace/],
    ['a key with a control character', one(1, 0, 'x/\n'), /namespace/],
    ['a reference that is cut', one(1, 0, 'x/1', '"\u0001'), /not there/],
    ['a reference to what is no UUID', one(1, 0, 'x/1', '\u0002"'), /not there/],
    ['a map', { 0: [] }, /map instead/],
    ['too few fields', [[[0, 4]]], /too few/],
    ['a text for an array', ['x'], /string instead/],
  ] as const) {
    it(`refuse ${what}`, () => {
      const bytes = frame(TYPE.ranges, fields, { table: [Buffer.alloc(8)] });
      assert.throws(() => readAll(new FrameReader(ME), bytes), { fault: 'malformed', message });
    });
  }

  it('refuse text that is not UTF-8, short or long', () => {
    for (const more of ['', 'y'.repeat(100)]) {
      const bytes = frame(TYPE.ranges, one(1, 0, 'x/1', `é${more}`));
      bytes[bytes.indexOf(0xc3)] = 0xff;
      assert.throws(() => readAll(new FrameReader(ME), bytes), { fault: 'malformed', message: /UTF-8/ });
    }
  });

  it('refuse ids and hashes of the wrong length, and ids that occur twice', () => {
    const [one, twice] = [Buffer.alloc(16), Buffer.alloc(32)];
    for (const fields of [
      [twice, [1, 2]],
      [one, [1, 2]],
      [Buffer.alloc(17), [1]],
      [twice, [1]],
      [one, [0]],
    ])
      assert.equal(faultOf(frame(TYPE.vector, fields)), 'malformed');
    assert.equal(faultOf(frame(TYPE.probe, [Buffer.alloc(7)])), 'malformed');
    assert.equal(faultOf(frame(TYPE.probe, [Buffer.alloc(9)])), 'too-large');
  });

  it('refuse what follows the last field', () => {
    assert.equal(faultOf(join(1, TYPE.probe, [cbor([]), cbor([Buffer.alloc(8)]), cbor(0)])), 'malformed');
  });

  it('refuse keys, values, seals and names beyond their limits, in both directions', () => {
    const long = (n: number) => 'y'.repeat(n);
    const euro = '€'.repeat(22_000); // 66,000 bytes
    for (const [what, more, fields] of [
      ['key', { key: `x/${long(1023)}` }, [1, 0, `x/${long(1023)}`]],
      ['value', { text: long(65_537) }, [1, 0, 'x/1', long(65_538)]],
      ['value in bytes', { text: euro }, [1, 0, 'x/1', euro]],
      ['seal', { seal: new Uint8Array(4097) }, [1, 0, 'x/1', null, null, new Uint8Array(4097)]],
    ] as const) {
      assert.throws(() => encode(ranges(record(more)), ME), { fault: 'too-large' }, what);
      assert.equal(faultOf(frame(TYPE.ranges, one(...fields))), 'too-large', what);
    }
    const most = record({ key: `x/${long(1022)}`, text: long(65_536), seal: new Uint8Array(4096) });
    assert.deepEqual(readAll(new FrameReader(ME), encode(ranges(most), ME)), [ranges(most)]);
    assert.equal(faultOf(frame(TYPE.request, [1, long(65)])), 'too-large');
    const literal = record({ text: `\u0001${long(65_535)}` });
    assert.deepEqual(readAll(new FrameReader(ME), encode(ranges(literal), ME)), [ranges(literal)]);
  });

  it('are refused when they would be larger than the limit', () => {
    const records = Array.from({ length: 70 }, (_, i) =>
      record({ key: `x/${i}`, sequence: 5 + i, text: 'z'.repeat(65_000) }),
    );
    assert.throws(() => encode(ranges(...records), ME), { fault: 'too-large' });
    const sealed = Array.from({ length: 4200 }, (_, i) =>
      record({ key: `x/${i}`, text: undefined, sequence: 5 + i, seal: Buffer.alloc(1024) }),
    );
    const most = { kind: 'ranges', ranges: [{ origin: ME, from: 4, to: 5000, records: sealed }] } as const;
    assert.throws(() => encode(most, ME), { fault: 'too-large' }, 'without any text');
    const fits = records.slice(0, 60);
    const message: Message = { kind: 'ranges', ranges: [{ origin: ME, from: 4, to: 64, records: fits }] };
    assert.deepEqual(readAll(new FrameReader(ME), encode(message, ME)), [message]);
  });

  it('have more ids than there are characters to refer to them by', () => {
    const records = Array.from({ length: 56_000 }, (_, i) => {
      const id = i.toString(16).padStart(12, 'f');
      return record({ key: `x/${ME}/${id}`, text: undefined, sequence: 5 + i, rank: 5 + i });
    });
    const message: Message = { kind: 'ranges', ranges: [{ origin: ME, from: 4, to: 56_004, records }] };
    assert.deepEqual(readAll(new FrameReader(ME), encode(message, ME)), [message]);
  });

  it('are not made of what must not be sent', () => {
    const wrong: Record<string, Message> = {
      'local record': ranges(record({ class: 'local' })),
      'record of another origin': ranges(record({ origin: OTHER })),
      'records out of order': ranges(record(), record()),
      'record beyond its range': {
        kind: 'ranges',
        ranges: [{ origin: ME, from: 4, to: 4, records: [record()] }],
      },
      'id that is none': { kind: 'ranges', ranges: [{ origin: 'x', from: 0, to: 0, records: [] }] },
      'sequence 0': { kind: 'vector', vector: new Map([[ME, 0]]) },
      fraction: { kind: 'vector', vector: new Map([[ME, 1.5]]) },
      'key without namespace': ranges(record({ key: 'x' })),
      'half a character': ranges(record({ text: '\ud800' })),
    };
    for (const [what, message] of Object.entries(wrong))
      assert.throws(() => encode(message, ME), { fault: 'malformed' }, what);
  });

  it('cut a sentence for people instead of refusing it', () => {
    const [message] = readAll(
      new FrameReader(ME),
      encode({ kind: 'goodbye', code: 'c', what: '€'.repeat(5000) }, ME),
    );
    assert.equal(message?.kind === 'goodbye' && message.what, `${'€'.repeat(256)}…`);
  });

  it('are small: an allocation takes 98 bytes, one with its endpoint 200, in a batch 60 each', () => {
    const id = (n: number) => createHash('sha256').update(`${n}`).digest('hex');
    const pool = 'default:10.1.0.0/16';
    const operation = (n: number): Versioned[] => {
      const [endpoint, address, time] = [id(n), `10.1.7.${n}`, 1_795_000_000_000 + n * 997];
      const mac = `02:42:0a:01:07:${n.toString(16).padStart(2, '0')}`;
      const allocation = { pool, address, use: 'endpoint', endpoint, since: time };
      const base = { id: endpoint, network: id(-1), address, mac, aliases: [], anycast: false };
      const value = { ...base, phase: 'created', ports: [], createdAt: time };
      return [
        record({ key: `allocation/${ME}/${pool}/${address}`, text: JSON.stringify(allocation) }),
        record({ key: `endpoint/${ME}/${endpoint}`, text: JSON.stringify(value) }),
      ];
    };
    const size = (records: readonly Versioned[]) => {
      const numbered = records.map((one, i) => ({ ...one, sequence: 90_001 + i, rank: 90_001 + i }));
      const to = 90_000 + records.length;
      return encode({ kind: 'ranges', ranges: [{ origin: ME, from: 90_000, to, records: numbered }] }, ME)
        .length;
    };
    const allocation = size(operation(9).slice(0, 1));
    assert.ok(allocation <= 98, `${allocation} bytes`);
    const both = size(operation(9));
    assert.ok(both <= 200, `${both} bytes`);
    const batch = size(Array.from({ length: 100 }, (_, n) => operation(n).slice(0, 1)).flat()) / 100;
    assert.ok(batch <= 60, `${batch} bytes`);
  });

  it('do not keep the memory of what they came in', () => {
    const chunk = Buffer.from(encode(ranges(record({ seal: Uint8Array.of(1, 2, 3) })), ME));
    const [message] = readAll(new FrameReader(ME), chunk);
    chunk.fill(0);
    assert.deepEqual(message, ranges(record({ seal: Uint8Array.of(1, 2, 3) })));
  });
});

function onlyFrameErrors(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
  }
}

/** The frame of a message before it is deflated, so that changes hit fields and not zlib. */
function plainly(message: Message): Uint8Array {
  const bytes = encode(message, ME);
  if (!(bytes[5]! & DEFLATED)) return bytes;
  const body = bytes.subarray(6);
  const reader = new Reader(body);
  new TableReader(ME, reader);
  const parts = [body.subarray(0, reader.position), inflate(body.subarray(reader.position), FRAME_MAX)];
  return join(1, bytes[5]! & ~DEFLATED, parts);
}
