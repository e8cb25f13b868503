/** Messages as fast-check makes them: everything that the protocol can say. */
import fc from 'fast-check';
import type { Class } from '../../../../src/ports/store.ts';
import type { Versioned } from '../../../../src/store/crdt/record.ts';
import type { Message, Range } from '../../../../src/store/gossip/messages.ts';
import { NAME_MAX } from '../../../../src/store/gossip/wire/limits.ts';

const hex = (digits: number) =>
  fc
    .array(fc.nat(15), { minLength: digits, maxLength: digits })
    .map((values) => values.map((value) => value.toString(16)).join(''));
export const anyId = hex(32);
/** Few, so that they occur again within a message. */
const someId = fc.nat(5).map((n) => `${n}`.padStart(32, 'a0'));
const id = fc.oneof(someId, anyId);
const natural = fc.oneof(fc.nat(300), fc.maxSafeNat());
const name = fc
  .string({ maxLength: 20, unit: 'grapheme' })
  .filter((text) => text.isWellFormed() && Buffer.byteLength(text) <= NAME_MAX);
const uuid = fc.uuid();

/** Text with what the table packs, and with what it marks references by. */
const piece = fc.oneof(
  fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
  fc.constantFrom('\u0000', '\u0001', '\u0002!', '\ufeff', '"id":"', ','),
  someId,
  uuid,
  fc.integer({ min: 1, max: 150 }).chain(hex),
);
const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
const plain = fc
  .array(fc.oneof(id, fc.string({ unit: 'grapheme' }), fc.constantFrom('/', 'default:10.1.0.0/16')), {
    minLength: 1,
    maxLength: 4,
  })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no key has them
  .map((pieces) => pieces.join('').replace(/[\u0000-\u001f\u007f]/g, '') || 'x');

const namespace = fc.constantFrom('endpoint', 'allocation', 'x', 'host', 'a-1');
const className: fc.Arbitrary<Class> = fc.constantFrom('owned', 'ownership', 'shared');

interface Content {
  readonly class: Class;
  readonly namespace: string;
  readonly rest: string;
  readonly owned: boolean;
  readonly text: string | undefined;
  readonly rank: number | undefined;
  readonly seal: Uint8Array | undefined;
}
const content: fc.Arbitrary<Content> = fc.record({
  class: className,
  namespace,
  rest: plain,
  owned: fc.boolean(),
  text: fc.option(fc.oneof(text, fc.json()), { nil: undefined }),
  rank: fc.option(natural, { nil: undefined }),
  seal: fc.option(fc.uint8Array({ maxLength: 70 }), { nil: undefined }),
});

function recordOf(of: Content, origin: string, at: number): Versioned {
  const { namespace: space, rest, owned, seal } = of;
  return {
    class: of.class,
    key: owned ? `${space}/${origin}/${rest}` : `${space}/${rest}`,
    text: of.text,
    origin,
    sequence: at,
    rank: of.rank ?? at,
    ...(seal && { seal }),
  };
}

const range: fc.Arbitrary<Range> = fc
  .record({
    origin: id,
    from: fc.nat(2 ** 40),
    contents: fc.array(fc.tuple(content, fc.integer({ min: 1, max: 1000 })), { maxLength: 8 }),
    beyond: fc.nat(50),
  })
  .map(({ origin, from, contents, beyond }) => {
    let at = from;
    const records = contents.map(([of, gap]) => {
      at += gap;
      return recordOf(of, origin, at);
    });
    return { origin, from, to: at + beyond, records };
  });

const vector = fc
  .array(fc.tuple(id, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })), { maxLength: 20 })
  .map((entries) => new Map(entries));
/** As it is after JSON: -0 is 0, and __proto__ an entry like others. */
const body = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown);

/** Objects like those that are read: with the usual prototype. */
function record<T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }, requiredKeys = Object.keys(shape)) {
  return fc.record(shape, { noNullPrototype: true, requiredKeys: requiredKeys as (keyof T)[] });
}

export const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  record(
    {
      kind: fc.constant('hello' as const),
      protocol: natural,
      cluster: uuid,
      id,
      boot: name,
      bootSequence: natural,
      purpose: fc.constantFrom('link' as const, 'call' as const),
      wallMs: natural,
      founder: id,
    },
    ['kind', 'protocol', 'cluster', 'id', 'boot', 'bootSequence', 'purpose', 'wallMs'],
  ),
  record({ kind: fc.constant('vector' as const), vector, isAnswer: fc.constant(true as const) }, [
    'kind',
    'vector',
  ]),
  record({ kind: fc.constant('probe' as const), hash: hex(16), wallMs: natural }, ['kind', 'hash']),
  record({ kind: fc.constant('word' as const), vector }),
  record({ kind: fc.constant('want' as const), lacking: vector }),
  record({ kind: fc.constant('beacon' as const), root: id, number: natural, hops: natural }),
  record({ kind: fc.constant('branch' as const), isParent: fc.boolean() }),
  { weight: 5, arbitrary: record({ kind: fc.constant('ranges' as const), ranges: fc.array(range) }) },
  record({
    kind: fc.constant('report' as const),
    id,
    life: natural,
    number: natural,
    vector,
  }),
  record({
    kind: fc.constant('request' as const),
    id: natural,
    method: name,
    body: fc.option(body, { nil: undefined }),
  }),
  record(
    {
      kind: fc.constant('reply' as const),
      id: natural,
      body,
      ranges: fc.array(range, { maxLength: 3 }),
      error: record({ code: name, what: name }),
    },
    ['kind', 'id'],
  ),
  record({ kind: fc.constant('goodbye' as const), code: name, what: name }),
);

/** Cuts bytes at any places. */
export function chunked(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.slice(from, places[i] ?? bytes.length));
}
