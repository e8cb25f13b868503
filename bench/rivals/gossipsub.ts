/** libp2p's gossipsub: TCP, Noise, Yamux, messages signed, its defaults otherwise. */

import { randomBytes } from 'node:crypto';
import { type GossipSub, gossipsub } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { churn } from '../fleet/churn.ts';
import { type Crew, now, type Place, type Seen } from '../fleet/protocol.ts';
import { record } from './record.ts';

const TOPIC = 'records';
/** Peers with the topic that a node has before it counts as being there. */
const PEERS = 3;

async function start(seen: Seen) {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // All come from one address here.
    connectionManager: { inboundConnectionThreshold: 1000, maxIncomingPendingConnections: 1000 },
    services: {
      identify: identify(),
      // All peers have one address here, for which its default takes marks off until nobody is let into a mesh.
      pubsub: gossipsub({ scoreParams: { IPColocationFactorWeight: 0 } }),
    },
  });
  const pubsub = node.services.pubsub as GossipSub;
  pubsub.addEventListener('message', ({ detail }) => {
    const { name } = JSON.parse(Buffer.from(detail.data).toString()) as { name?: string };
    if (name !== undefined) seen(name);
  });
  pubsub.subscribe(TOPIC);
  return { node, pubsub };
}

type Node = Awaited<ReturnType<typeof start>>;

export class GossipsubCrew implements Crew {
  readonly #nodes: Node[] = [];
  readonly #seen: Seen;
  #load: NodeJS.Timeout | undefined;
  #count = 0;

  constructor(seen: Seen) {
    this.#seen = seen;
  }

  async start(orders: readonly unknown[]): Promise<Place[]> {
    for (const _ of orders) this.#nodes.push(await start(this.#seen));
    return this.#nodes.map(({ node }) => {
      const [, , address = '', , port = ''] = node.getMultiaddrs()[0]!.toString().split('/');
      return { address, port: Number(port) };
    });
  }

  async meet(places: readonly (readonly Place[])[]): Promise<void> {
    for (const [at, { node }] of this.#nodes.entries())
      for (const { address, port } of places[at]!) {
        await node.dial(multiaddr(`/ip4/${address}/tcp/${port}`));
      }
  }

  states(): (string | undefined)[] {
    return this.#nodes.map(({ pubsub }) =>
      pubsub.getSubscribers(TOPIC).length < PEERS ? undefined : 'ready',
    );
  }

  change(at: number, name: string): number {
    const started = now();
    const { pubsub } = this.#nodes[at]!;
    // It does not hear itself.
    pubsub.publish(TOPIC, Buffer.from(record(name))).then(() => this.#seen(name), fail);
    return started;
  }

  /** Every node begins to make changes, so many a second. */
  churn(rate: number): void {
    const started = now();
    const contents = this.#nodes.map(() => churn(randomBytes(16).toString('hex')));
    this.#load = setInterval(() => {
      for (; this.#count < ((now() - started) / 1000) * rate; this.#count++)
        for (const [at, { pubsub }] of this.#nodes.entries())
          pubsub.publish(TOPIC, Buffer.from(JSON.stringify(contents[at]!()))).catch(fail);
    }, 1);
  }

  /** Ends that. @returns how many there were */
  calm(): number {
    clearInterval(this.#load);
    return this.#count * this.#nodes.length;
  }

  async stop(): Promise<void> {
    this.calm();
    await Promise.all(this.#nodes.map(({ node }) => node.stop()));
  }
}

function fail(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}
