import { z } from 'zod';
import { ask, whyNot } from '../api/unixhttp.ts';
import { problemView } from '../api/views.ts';
import { CodedError } from '../errors.ts';

/** Longest wait for the daemon, in milliseconds: more than the longest of its handlers takes. */
const WAIT_MS = 120_000;

/** An error that the daemon answered, in its own words. */
export class RemoteError extends Error {
  constructor({ code, what, remedy }: z.infer<typeof problemView>) {
    super(`${code}: ${what}; ${remedy}`);
  }
}

/** Where the daemon listens, if nobody says otherwise. */
export function defaultSocket(env: Readonly<Record<string, string | undefined>>): string {
  return env.NET_ROUTED_SOCKET || `${env.NET_ROUTED_RUN_DIR || '/run/net-routed'}/api.sock`;
}

/** The operator API, from the other end. */
export class Client {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** The JSON text of the answer. @throws NR_DAEMON_UNREACHABLE, RemoteError */
  async text(path: string, method: 'GET' | 'POST' = 'GET', value?: object): Promise<string> {
    const { status, body } = await ask(this.#socket, method, path, WAIT_MS, value).catch((error: Error) => {
      throw new CodedError('NR_DAEMON_UNREACHABLE', whyNot(this.#socket, error), { cause: error });
    });
    if (status === 200) return body;
    throw new RemoteError(parse(problemView, body));
  }
}

/** @throws NR_ANSWER_UNKNOWN for what a daemon of another release may say */
export function parse<T>(view: z.ZodType<T>, text: string): T {
  try {
    return view.parse(JSON.parse(text));
  } catch (error) {
    const what =
      error instanceof z.ZodError ? z.prettifyError(error).replace(/\s*\n\s*/g, ' ') : String(error);
    throw new CodedError('NR_ANSWER_UNKNOWN', `the daemon's answer is not understood: ${what}`, {
      cause: error,
    });
  }
}
