/** A client of Docker's plugin API that costs little, as it shares the machine with what it measures. */
import { connect, type Socket } from 'node:net';

interface Pending {
  readonly resolve: (body: string) => void;
  readonly reject: (error: Error) => void;
}

/** One kept connection with one call at a time, as Go's client has it. */
class Connection {
  readonly #socket: Socket;
  #received = '';
  #pending: Pending | undefined;

  constructor(path: string) {
    this.#socket = connect(path).setEncoding('latin1');
    this.#socket.on('data', (part: string) => this.#take(part));
    this.#socket.on('error', (error) => this.#end(error));
    this.#socket.on('close', () => this.#end(new Error('the plugin closed the connection')));
  }

  call(method: string, body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      const length = Buffer.byteLength(body);
      this.#socket.write(`POST /${method} HTTP/1.1\r\nHost: \r\nContent-Length: ${length}\r\n\r\n${body}`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(part: string): void {
    this.#received += part;
    const head = this.#received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(this.#received.slice(0, head + 2))?.[1]);
    if (this.#received.length < head + 4 + length) return;
    const body = this.#received.slice(head + 4, head + 4 + length);
    this.#received = '';
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.resolve(body);
  }

  #end(error: Error): void {
    this.#pending?.reject(error);
    this.#pending = undefined;
  }
}

/** A plugin, called over as many kept connections as calls are in flight. */
export class Plugin {
  readonly #path: string;
  readonly #idle: Connection[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws with the plugin's own words when it refuses */
  async call<T = Record<string, unknown>>(method: string, body: object = {}): Promise<T> {
    const connection = this.#idle.pop() ?? new Connection(this.#path);
    let text: string;
    try {
      text = await connection.call(method, JSON.stringify(body));
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#idle.push(connection);
    const answer = JSON.parse(text) as T & { Err?: string; Error?: string };
    if (answer.Err || answer.Error) throw new Error(`${method}: ${answer.Err || answer.Error}`);
    return answer;
  }

  close(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }
}
