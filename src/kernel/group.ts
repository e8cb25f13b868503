import { CodedError } from '../errors.ts';
import type { Line } from './arguments.ts';

/** Why something failed, or undefined. */
export type Verdict = CodedError | undefined;

export interface Answer {
  /** One for each line. */
  readonly errors: readonly Verdict[];
  /** What reading commands printed, parsed, in order; failed ones print nothing. */
  readonly documents: readonly unknown[];
}

/** Commands that are sent together and acknowledged together by the sentinel behind them. */
export class Group {
  readonly lines: readonly Line[];
  /** How many processes ended while this was the oldest group. */
  deaths = 0;
  /** Number of its first line, as the process counts. */
  first = 0;
  readonly #done: (answer: Answer) => void;
  #errors: Verdict[] = [];
  #documents: unknown[] = [];
  #said: string[] = [];

  constructor(lines: readonly Line[], done: (answer: Answer) => void) {
    this.lines = lines;
    this.#done = done;
  }

  /** Takes a line of output. True if it was the sentinel's. */
  hear(text: string): boolean {
    const failed = /^Command failed -:(\d+)$/.exec(text);
    if (failed) {
      const index = Number(failed[1]) - this.first;
      if (index >= 0 && index < this.lines.length) this.#errors[index] = refused(this.#said);
      this.#said = [];
      return false;
    }
    if (!text.startsWith('[')) {
      if (text !== '') this.#said.push(text);
      return false;
    }
    const document = parsed(text);
    if (isSentinel(document)) return true;
    this.#documents.push(document);
    return false;
  }

  finish(): void {
    this.#done({ errors: this.lines.map((_, index) => this.#errors[index]), documents: this.#documents });
  }

  fail(error: CodedError): void {
    this.#done({ errors: this.lines.map(() => error), documents: [] });
  }

  /** Before it is sent again. */
  forget(): void {
    this.#errors = [];
    this.#documents = [];
    this.#said = [];
  }

  /** One group for each line, which together answer for this one. */
  split(): Group[] {
    const answers: Answer[] = [];
    let open = this.lines.length;
    return this.lines.map(
      (line, index) =>
        new Group([line], (answer) => {
          answers[index] = answer;
          if (--open > 0) return;
          this.#done({
            errors: answers.map(({ errors }) => errors[0]),
            documents: answers.flatMap(({ documents }) => documents),
          });
        }),
    );
  }

  /** Why it ended the process: a command that could not be parsed, unless it was only about a missing device. */
  fatal(): CodedError {
    if (this.#said.some((text) => text.startsWith('Cannot find device'))) return refused(this.#said);
    const said = this.#said.join('; ') || 'no reason given';
    return new CodedError('NR_KERNEL_ARGUMENT', `ip cannot take "${this.lines[0]}": ${said}`);
  }
}

function refused(said: readonly string[]): CodedError {
  const text = said.join('; ').replace(/^RTNETLINK answers: |\.$/g, '');
  return new CodedError('NR_KERNEL_REFUSED', text || 'no reason given');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // cut off by the end of the process; the group is repeated
  }
}

function isSentinel(document: unknown): boolean {
  const [first] = Array.isArray(document) && document.length === 1 ? document : [];
  return typeof first === 'object' && first !== null && 'ifname' in first && first.ifname === 'lo';
}
