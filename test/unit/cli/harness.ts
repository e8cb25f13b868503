import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';

const EXECUTABLE = join(import.meta.dirname, '../../../bin/net-routed');

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the executable to its end, with nothing of the tester's environment but the PATH. */
export function cli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  /** Has something to say on standard input, whenever it likes. */
  say: (input: Writable) => void = (input) => input.end(),
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(EXECUTABLE, args, { env: { PATH: process.env.PATH ?? '', ...env } });
    say(child.stdin);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (part) => {
      stdout += part;
    });
    child.stderr.on('data', (part) => {
      stderr += part;
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

/** A daemon that says what the test wants, by `METHOD path`. */
export async function fakeDaemon() {
  const folder = mkdtempSync(join(tmpdir(), 'nr-cli-'));
  const socket = join(folder, 'api.sock');
  const answers = new Map<string, { status: number; body: string }>();
  const asked: string[] = [];
  const bodies: unknown[] = [];
  const server = createServer((request, response) => {
    const what = `${request.method} ${request.url}`;
    asked.push(what);
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => void (body !== '' && bodies.push(JSON.parse(body))));
    const answer = answers.get(what) ?? {
      status: 404,
      body: JSON.stringify({
        code: 'NR_PATH_UNKNOWN',
        what: `${what} is not served`,
        remedy: 'ask otherwise',
      }),
    };
    request.on('end', () =>
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body),
    );
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    folder,
    socket,
    asked,
    /** What was sent with requests. */
    bodies,
    says(what: string, body: unknown, status = 200) {
      answers.set(what, { status, body: typeof body === 'string' ? body : JSON.stringify(body) });
    },
    /** Runs the command against it. */
    run: (...args: string[]) => cli([...args, '--socket', socket]),
    async close() {
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}

export type FakeDaemon = Awaited<ReturnType<typeof fakeDaemon>>;
