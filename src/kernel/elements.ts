/**
 * Takes JSON arrays of objects apart as their text arrives, so that a listing of many thousand links is never parsed
 * in one go. `take` gets each element of each top-level array.
 */
export class Elements {
  readonly #take: (element: unknown) => void;
  #text = '';
  /** Up to where #text was looked at, and where the open element begins. */
  #at = 0;
  #start = -1;
  #depth = 0;
  #quoted = false;

  constructor(take: (element: unknown) => void) {
    this.#take = take;
  }

  /** @throws SyntaxError for an element that is no JSON */
  push(text: string): void {
    this.#text += text;
    for (; this.#at < this.#text.length; this.#at++) this.#look(this.#text.charCodeAt(this.#at));
    const used = this.#start >= 0 ? this.#start : this.#at;
    this.#text = this.#text.slice(used);
    this.#at -= used;
    if (this.#start >= 0) this.#start = 0;
  }

  /** Whether the text so far ends between elements. */
  get complete(): boolean {
    return this.#start < 0;
  }

  #look(code: number): void {
    if (this.#quoted) {
      if (code === BACKSLASH) this.#at++;
      else if (code === QUOTE) this.#quoted = false;
    } else if (code === QUOTE) {
      this.#quoted = true;
    } else if (code === OPEN) {
      if (this.#depth++ === 0) this.#start = this.#at;
    } else if (code === CLOSE && --this.#depth === 0) {
      this.#take(JSON.parse(this.#text.slice(this.#start, this.#at + 1)));
      this.#start = -1;
    }
  }
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN = 123;
const CLOSE = 125;
