import { FrameError, malformed } from './error.ts';
import { FRAME_MAX } from './limits.ts';
import type { Reader } from './reader.ts';

/**
 * Ids of 16 bytes and other hexadecimal digits are half of what is sent. Each that occurs in a frame stands in the
 * frame's table once, as bytes; texts refer to it by a control character and its number. Texts with such characters of
 * their own (none that the store takes has any) follow a NUL as they are.
 */
const HEX = '\u0001';
const UUID = '\u0002';
const LITERAL = '\u0000';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they mark references
const MARKS = /[\u0000-\u0002]/;
/** What may hold digits worth a reference; shorter ones cost more in the table than in the text. */
const CANDIDATE = /[0-9a-f-]{12,}/g;
const PACKED = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{12,128}/g;
const ENTRY_MAX = 64;
/** References are characters from "!" to the last before the surrogates. */
const FIRST = 0x21;
const LAST = 0xd7ff;

const ID = /^[0-9a-f]{32}$/;

export function isId(id: string): boolean {
  return ID.test(id);
}

/** Makes the table of a frame. Its first entry, the sender's id, is not sent: the connection tells it. */
export class TableWriter {
  readonly #numbers = new Map<string, number>();
  #text = 0;

  constructor(sender: string) {
    this.id(sender);
  }

  /** The number of an id. @throws FrameError for what is none */
  id(id: string): number {
    if (!isId(id)) throw malformed('an id has 32 hexadecimal digits');
    return this.#number(id);
  }

  /** The text with references. @throws FrameError for lone surrogates, and when the frame has too much text */
  text(text: string): string {
    if (!text.isWellFormed()) throw malformed('text with half of a surrogate pair');
    this.#text += text.length;
    if (this.#text > FRAME_MAX) throw tooMuch();
    if (MARKS.test(text)) return LITERAL + text;
    // One class of characters is found twice as fast as the pattern that tells UUIDs from digits.
    return text.replace(CANDIDATE, (run) =>
      run.length > 2 * ENTRY_MAX || run.includes('-') ? run.replace(PACKED, this.#refer) : this.#refer(run),
    );
  }

  /** All entries but the first, in order. */
  entries(): Uint8Array[] {
    return [...this.#numbers.keys()].slice(1).map((digits) => Buffer.from(digits, 'hex'));
  }

  readonly #refer = (digits: string): string => {
    const uuid = digits[8] === '-';
    if (!uuid && digits.length % 2 === 1) return digits;
    if (this.#numbers.size > LAST - FIRST) return digits;
    const number = this.#number(uuid ? digits.replaceAll('-', '') : digits);
    return (uuid ? UUID : HEX) + String.fromCharCode(FIRST + number);
  };

  #number(digits: string): number {
    const known = this.#numbers.get(digits);
    if (known !== undefined) return known;
    this.#numbers.set(digits, this.#numbers.size);
    return this.#numbers.size - 1;
  }
}

/** The table of a frame that was received. @throws FrameError from each of its methods */
export class TableReader {
  readonly #entries: string[];
  #text = 0;

  constructor(sender: string, reader: Reader) {
    this.#entries = [sender];
    reader.open();
    while (reader.more) this.#entries.push(Buffer.from(reader.bytes(ENTRY_MAX)).toString('hex'));
    reader.close();
  }

  id(number: number): string {
    const id = this.#entries[number];
    if (id === undefined || !isId(id)) throw malformed(`entry ${number} of the table is not an id`);
    return id;
  }

  text(packed: string): string {
    this.#count(packed.length);
    if (!MARKS.test(packed)) return packed;
    if (packed[0] === LITERAL) return packed.slice(1);
    let text = '';
    let done = 0;
    for (let at = 0; at < packed.length; at++) {
      if (packed[at] !== HEX && packed[at] !== UUID) continue;
      text += packed.slice(done, at) + this.#referred(packed[at]!, packed.charCodeAt(at + 1));
      at += 1;
      done = at + 1;
    }
    return text + packed.slice(done);
  }

  #referred(mark: string, code: number): string {
    const digits = this.#entries[code - FIRST];
    if (digits === undefined || (mark === UUID && digits.length !== 32))
      throw malformed('text refers to an entry that is not there');
    // Two bytes name up to 64: what they become is counted before it is there.
    this.#count(digits.length);
    return mark === HEX ? digits : digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  #count(characters: number): void {
    this.#text += characters;
    if (this.#text > 2 * FRAME_MAX) throw tooMuch();
  }
}

function tooMuch(): FrameError {
  return new FrameError('too-large', `more than ${FRAME_MAX} characters of text`);
}
