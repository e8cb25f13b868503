import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../errors.ts';
import type { Step } from './change.ts';
import { type Answer, type Command, run } from './command.ts';
import { type Listing, parseListing } from './listing.ts';
import { replaceTable, TABLE } from './ruleset.ts';
import { blamed, compact, linewise } from './script.ts';
import { Session } from './session.ts';

/** Longest text of a transaction that a session is given, in characters. */
const SESSION_LIMIT = 16_384;

/** Counts the files of this process, for their names. */
let scripts = 0;

/** What became of a transaction. Refused: nothing of it was done, and `blamed` has the steps nft complained of. */
export type Verdict =
  | { readonly done: true }
  | { readonly done: false; readonly complaint: string; readonly blamed: ReadonlyMap<Step, string> };

/** Our table as nft sees it: lists it and makes transactions on it. One call at a time. */
export class Table {
  readonly #command: Command;
  readonly #folder: string;
  readonly #session: Session;

  constructor(command: Command, folder: string) {
    this.#command = command;
    this.#folder = folder;
    this.#session = new Session(command);
  }

  start(): void {
    this.#session.start();
  }

  stop(): Promise<void> {
    return this.#session.stop();
  }

  /**
   * What the table holds, undefined if it is not there.
   * @throws CodedError NR_FIREWALL_UNAVAILABLE, NR_FIREWALL_REFUSED
   */
  async list(): Promise<Listing | undefined> {
    const answer = await run(this.#command, ['-j', 'list', 'table', ...TABLE.split(' ')]);
    if (answer.status === 0) return parseListing(answer.stdout);
    if (answer.stderr.includes('No such file or directory')) return undefined;
    const code = answer.stderr.includes('not permitted') ? 'NR_FIREWALL_UNAVAILABLE' : 'NR_FIREWALL_REFUSED';
    throw new CodedError(code, complaintOf(answer));
  }

  /** Makes the steps the fast way. @returns whether they are known to be done */
  async attempt(steps: readonly Step[]): Promise<boolean> {
    if (steps.length === 0) return true;
    const commands = compact(steps);
    const length = commands.reduce((sum, command) => sum + command.length, 0);
    if (length <= SESSION_LIMIT && this.#session.usable) return this.#session.submit(commands);
    return (await this.#load(`${commands.join('\n')}\n`)).status === 0;
  }

  /**
   * Makes the steps in a way that tells who is to blame, on a `fresh` table if asked for.
   * @throws CodedError NR_FIREWALL_UNAVAILABLE
   */
  async transact(steps: readonly Step[], fresh: boolean): Promise<Verdict> {
    const head = fresh ? replaceTable() : '';
    const answer = await this.#load(`${head}${linewise(steps).join('\n')}\n`);
    if (answer.status === 0) return { done: true };
    const offset = head.split('\n').length - 1;
    return { done: false, complaint: complaintOf(answer), blamed: blamed(answer.stderr, steps, offset) };
  }

  /** Runs a script from a file: standard input of a child of Node's is a socket, which nft cannot open. */
  async #load(script: string): Promise<Answer> {
    const file = join(this.#folder, `firewall-${process.pid}-${++scripts}.nft`);
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      writeFileSync(file, script, { mode: 0o600, flag: 'wx' });
      return await run(this.#command, ['-f', file]);
    } catch (cause) {
      if (cause instanceof CodedError) throw cause;
      throw new CodedError('NR_FIREWALL_UNAVAILABLE', `${file} cannot be written`, { cause });
    } finally {
      rmSync(file, { force: true });
    }
  }
}

function complaintOf({ stderr, status }: Answer): string {
  const complaint = /(?:Error: )(.*)/.exec(stderr)?.[1] ?? stderr.trim().split('\n')[0];
  return `nft: ${complaint || `exit status ${status}`}`;
}
