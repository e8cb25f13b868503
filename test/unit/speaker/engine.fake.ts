import { CodedError } from '../../../src/errors.ts';
import { Api } from '../../../src/speaker/gobgp/api.ts';
import type { Answer, Client } from '../../../src/speaker/gobgp/client.ts';
import type { Message } from '../../../src/speaker/gobgp/encode.ts';
import { v4 } from '../../../src/speaker/gobgp/v4.ts';

/** An engine that keeps paths, and writes down what is asked of it. */
export class FakeEngine {
  readonly calls: string[] = [];
  readonly paths = new Map<string, Answer>();
  /** Most calls that were under way at one time. */
  most = 0;
  /** Prefixes that the stream swallows without a word. */
  swallow = new Set<string>();
  /** Prefixes that are refused, with what is said. */
  refuse = new Map<string, string>();
  /** What else happens before a stream is answered. */
  streamed: () => void = () => {};
  #now = 0;

  readonly api = new Api(v4, {
    call: (method: string, request: Message) => this.#call(method, request),
    list: (method: string, request: Message) => this.#list(method, request),
    send: (method: string, requests: Iterable<Message>) => this.#send(method, requests),
  } as unknown as Client);

  async #call(method: string, request: Answer): Promise<Answer> {
    this.calls.push(method);
    this.most = Math.max(this.most, ++this.#now);
    await new Promise((resolve) => setImmediate(resolve));
    this.#now--;
    if (method === 'AddPath') this.#put(request.path);
    if (method === 'DeletePath') this.paths.delete(keyOf(request.path));
    if (method === 'GetTable') return { num_path: this.#of(request).length };
    return {};
  }

  async #list(method: string, request: Answer): Promise<Answer[]> {
    this.calls.push(method);
    if (method !== 'ListPath') return [];
    return this.#of(request).map((path) => ({ destination: { paths: [path] } }));
  }

  #of(request: Answer): Answer[] {
    return [...this.paths.values()].filter((path) => path.family.afi === request.family.afi);
  }

  async #send(method: string, requests: Iterable<Answer>): Promise<Answer> {
    for (const { paths } of requests) {
      this.calls.push(`${method} ${paths.length}`);
      for (const path of paths) {
        if (this.swallow.has(keyOf(path))) continue;
        if (path.is_withdraw) this.paths.delete(keyOf(path));
        else this.#put(path);
      }
    }
    this.streamed();
    await new Promise((resolve) => setImmediate(resolve));
    return {};
  }

  #put(path: Answer): void {
    const refused = this.refuse.get(keyOf(path));
    if (refused) throw new CodedError('NR_SPEAKER_REFUSED', refused);
    this.paths.set(keyOf(path), path);
  }
}

function keyOf(path: Answer): string {
  return `${path.nlri.prefix.prefix}/${path.nlri.prefix.prefix_len}`;
}
