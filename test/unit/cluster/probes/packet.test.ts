import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ENVELOPE_BYTES } from '../../../../src/cluster/probes/envelope.ts';
import {
  ANSWER_STATEMENTS,
  decodePacket,
  encodePacket,
  type Packet,
  STATEMENTS_MAX,
} from '../../../../src/cluster/probes/packet.ts';

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const incarnation = fc.record(
  {
    start: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    count: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  },
  { noNullPrototype: true },
);
const statement = fc.record(
  {
    id: hex(32),
    verdict: fc.constantFrom('alive', 'suspect', 'dead' as const),
    incarnation,
    by: hex(8),
  },
  { noNullPrototype: true },
);
const common = {
  number: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  incarnation,
  statements: fc.array(statement, { maxLength: STATEMENTS_MAX }),
};
const packet: fc.Arbitrary<Packet> = fc.oneof(
  fc.record(
    { kind: fc.constantFrom('ping', 'ack', 'nack', 'word' as const), ...common },
    { noNullPrototype: true },
  ),
  fc.record({ kind: fc.constant('ask' as const), target: hex(32), ...common }, { noNullPrototype: true }),
);

describe('packets of probes', () => {
  it('say what they were made of, in less than 1,200 bytes', () => {
    fc.assert(
      fc.property(packet, (one) => {
        const bytes = encodePacket(one)!;
        assert.ok(bytes.length + ENVELOPE_BYTES < 1200);
        assert.deepEqual(decodePacket(bytes), one);
      }),
    );
  });

  it('that answer are no longer than what they answer, and leave out what has no place', () => {
    const answer = fc.constantFrom('ack', 'nack' as const);
    fc.assert(
      fc.property(packet, answer, fc.nat(300), (one, kind, most) => {
        const bytes = encodePacket({ ...one, kind }, most);
        if (!bytes) return assert.ok(most < 16);
        assert.ok(bytes.length <= most);
        const { statements, ...rest } = decodePacket(bytes)!;
        assert.deepEqual(statements, one.statements.slice(0, statements.length));
        assert.deepEqual([rest.kind, rest.number], [kind, one.number]);
      }),
    );
  });

  it('that ask have place for an answer with news', () => {
    const nothing = { number: 1, incarnation: { start: 1, count: 0 }, statements: [] };
    const news = Array.from({ length: ANSWER_STATEMENTS }, () => fc.sample(statement, 1)[0]!);
    const answer = encodePacket({ ...nothing, kind: 'ack', statements: news })!;
    const ping = encodePacket({ ...nothing, kind: 'ping' })!;
    const ask = encodePacket({ ...nothing, kind: 'ask', target: '0'.repeat(32) })!;
    assert.ok(answer.length <= ping.length);
    assert.ok(ping.length <= ask.length, 'what an `ask` causes is a ping');
  });

  it('that are none are nothing, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1300 }), (bytes) => {
        const read = decodePacket(Buffer.from(bytes));
        if (read) assert.ok(read.statements.length <= STATEMENTS_MAX);
      }),
      { numRuns: 1000 },
    );
    const bytes = encodePacket({
      kind: 'ask',
      number: 1,
      incarnation: { start: 1, count: 0 },
      target: 'a'.repeat(32),
      statements: fc.sample(statement, 3),
    })!;
    for (let length = 0; length < bytes.length; length++) {
      const read = decodePacket(bytes.subarray(0, length));
      assert.ok(!read || read.statements.length === 3);
    }
  });
});
