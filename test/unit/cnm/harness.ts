import { mkdtempSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { createPluginServer, type PluginOptions, type PluginServer } from '../../../src/cnm/server.ts';
import type { AddressCalls, NetworkCalls } from '../../../src/driver/calls.ts';

export type Call = [name: string, ...args: unknown[]];

/** Calls of the driver that keep what was asked and answer what they are told to. */
export class FakeCalls {
  readonly made: Call[] = [];
  answers: Record<string, unknown> = {};
  /** Instead of the answers. */
  behave: ((name: string, ...args: unknown[]) => unknown) | undefined;

  readonly network = this.#proxy<NetworkCalls>();
  readonly address = this.#proxy<AddressCalls>();

  #proxy<T extends object>(): T {
    return new Proxy({} as T, {
      get:
        (_target, name) =>
        async (...args: unknown[]) => {
          this.made.push([String(name), ...args]);
          return this.behave ? this.behave(String(name), ...args) : this.answers[String(name)];
        },
    });
  }
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

/** A connection that sends bytes as they are and reads HTTP answers one after the other. */
export class Wire {
  readonly socket: Socket;
  #buffer = Buffer.alloc(0);
  #wake = (): void => {};
  closed = false;

  constructor(path: string) {
    this.socket = connect(path);
    this.socket.on('data', (part) => {
      this.#buffer = Buffer.concat([this.#buffer, part]);
      this.#wake();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  send(bytes: string | Buffer): this {
    this.socket.write(bytes);
    return this;
  }

  /** The next answer; an interim one (100 Continue) counts. */
  async reply(): Promise<Reply> {
    for (;;) {
      const reply = this.#take();
      if (reply) return reply;
      if (this.closed) throw new Error(`closed after ${JSON.stringify(this.#buffer.toString())}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take(): Reply | undefined {
    const end = this.#buffer.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const [start = '', ...lines] = this.#buffer.subarray(0, end).toString().split('\r\n');
    const headers = Object.fromEntries(lines.map((line) => splitHeader(line)));
    const length = Number(headers['content-length'] ?? 0);
    if (this.#buffer.length < end + 4 + length) return undefined;
    const text = this.#buffer.subarray(end + 4, end + 4 + length).toString();
    this.#buffer = this.#buffer.subarray(end + 4 + length);
    const status = Number(start.split(' ')[1]);
    return { status, headers, text, body: text ? JSON.parse(text) : {} };
  }

  end(): void {
    this.socket.destroy();
  }
}

function splitHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

/** A request as Docker 20.10 writes it: empty Host, no Content-Type. */
export function post(method: string, body?: unknown): string {
  const text = body === undefined ? '' : typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  return `POST /${method} HTTP/1.1\r\nHost: \r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

/** Sends one request on a connection of its own. */
export async function ask(path: string, bytes: string | Buffer): Promise<Reply> {
  const wire = new Wire(path);
  try {
    return await wire.send(bytes).reply();
  } finally {
    wire.end();
  }
}

/** What the server said to its log, one object a line. */
export interface Logged {
  readonly log: Logger;
  readonly lines: Record<string, unknown>[];
}

export function logged(): Logged {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { log, lines };
}

/** A running server in a folder of its own. */
export interface Running {
  readonly path: string;
  readonly server: PluginServer;
  readonly calls: FakeCalls;
  readonly lines: Record<string, unknown>[];
  stop(): Promise<void>;
}

export async function running(
  options: Partial<PluginOptions> & { ipamOnly?: boolean } = {},
): Promise<Running> {
  const folder = temporary();
  const path = join(folder, 'a.sock');
  const calls = new FakeCalls();
  const { log, lines } = logged();
  const { ipamOnly, ...rest } = options;
  const server = createPluginServer({
    on: { path },
    ...(!ipamOnly && { network: calls.network }),
    address: calls.address,
    log,
    ...rest,
  });
  await server.start();
  const stop = async (): Promise<void> => {
    await server.stop(1000);
    await rm(folder, { recursive: true });
  };
  return { path, server, calls, lines, stop };
}

/** An empty folder; its path is short enough for a socket in it. */
export function temporary(): string {
  return mkdtempSync(join(tmpdir(), 'nrcnm-'));
}

export interface Exchange {
  readonly socket: 'net-routed' | 'ipam-routed';
  readonly request: { readonly head: readonly string[]; readonly body: string };
  readonly response: { readonly head: readonly string[]; readonly body: string };
}
export interface Fixture {
  readonly name: string;
  readonly engine: string;
  readonly recorded: boolean;
  readonly exchanges: readonly Exchange[];
}

const FIXTURES = join(import.meta.dirname, '../../fixtures/cnm');

/** All that dockerd was recorded to say, and what newer ones say by their source. */
export async function fixtures(): Promise<Fixture[]> {
  const all: Fixture[] = [];
  for (const entry of await readdir(FIXTURES, { recursive: true })) {
    if (!entry.endsWith('.json')) continue;
    const fixture = JSON.parse(await readFile(join(FIXTURES, entry), 'utf8'));
    all.push({ ...fixture, name: entry.replace(/\.json$/, '') });
  }
  return all.sort((a, b) => a.name.localeCompare(b.name));
}

/** The bytes of a recorded request. */
export function bytes({ request }: Exchange): string {
  return `${request.head.join('\r\n')}\r\n\r\n${request.body}`;
}

export function methodOf({ request }: Exchange): string {
  return request.head[0]!.split(' ')[1]!.slice(1);
}
