/** Yjs documents on plain TCP connections: each passes on at once what is new to it. */
import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { applyUpdate, Doc, encodeStateAsUpdate, encodeStateVector } from 'yjs';
import { churn } from '../fleet/churn.ts';
import { type Crew, now, type Place, type Seen } from '../fleet/protocol.ts';
import { record } from './record.ts';

class Node {
  readonly doc = new Doc();
  readonly sockets = new Set<Socket>();
  readonly server: Server;

  constructor(seen: Seen) {
    this.server = createServer((socket) => this.linked(socket));
    this.doc.on('update', (update: Uint8Array, from: unknown) => {
      for (const socket of this.sockets) if (socket !== from) send(socket, update);
    });
    this.doc.getMap('records').observe(({ keysChanged }) => {
      for (const key of keysChanged) seen(key);
    });
  }

  linked(socket: Socket): void {
    socket.setNoDelay(true);
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    send(socket, encodeStateAsUpdate(this.doc));
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
        const end = 4 + rest.readUInt32BE(0);
        applyUpdate(this.doc, rest.subarray(4, end), socket);
        rest = rest.subarray(end);
      }
    });
  }
}

export class YjsCrew implements Crew {
  readonly #nodes: Node[] = [];
  readonly #seen: Seen;
  #load: NodeJS.Timeout | undefined;
  #count = 0;

  constructor(seen: Seen) {
    this.#seen = seen;
  }

  async start(orders: readonly unknown[]): Promise<Place[]> {
    for (const _ of orders) {
      const node = new Node(this.#seen);
      await new Promise<void>((resolve) => node.server.listen(0, '127.0.0.1', resolve));
      this.#nodes.push(node);
    }
    return this.#nodes.map(({ server }) => server.address() as Place & object);
  }

  async meet(places: readonly (readonly Place[])[]): Promise<void> {
    const dialled = this.#nodes.flatMap((node, at) =>
      places[at]!.map(async ({ address, port }) => {
        const socket = connect(port, address);
        await new Promise<void>((resolve, reject) => socket.on('connect', resolve).on('error', reject));
        node.linked(socket);
      }),
    );
    await Promise.all(dialled);
  }

  states(): (string | undefined)[] {
    return this.#nodes.map(({ doc, sockets }) =>
      sockets.size === 0 ? undefined : createHash('sha256').update(encodeStateVector(doc)).digest('hex'),
    );
  }

  change(at: number, name: string): number {
    const started = now();
    this.#nodes[at]!.doc.getMap('records').set(name, record(name));
    return started;
  }

  /** Every node begins to make changes, so many a second. */
  churn(rate: number): void {
    const started = now();
    const contents = this.#nodes.map(() => churn(randomBytes(16).toString('hex')));
    this.#load = setInterval(() => {
      for (; this.#count < ((now() - started) / 1000) * rate; this.#count++)
        for (const [at, { doc }] of this.#nodes.entries()) {
          const { key, value } = contents[at]!();
          if (value === undefined) doc.getMap('records').delete(key);
          else doc.getMap('records').set(key, JSON.stringify(value));
        }
    }, 1);
  }

  /** Ends that. @returns how many there were */
  calm(): number {
    clearInterval(this.#load);
    return this.#count * this.#nodes.length;
  }

  async stop(): Promise<void> {
    this.calm();
    for (const { server, sockets } of this.#nodes) {
      server.close();
      for (const socket of sockets) socket.destroy();
    }
  }
}

function send(socket: Socket, update: Uint8Array): void {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(update.length);
  socket.cork();
  socket.write(head);
  socket.write(update);
  socket.uncork();
}
