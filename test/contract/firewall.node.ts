import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Task } from './firewall.agent.ts';
import { Namespace } from './firewall.namespace.ts';

const AGENT = fileURLToPath(new URL('./firewall.agent.ts', import.meta.url));
/** Longest wait for an answer that shall come, in milliseconds. */
const PATIENCE = 5_000;

/** A namespace with an agent in it. */
export class Node {
  readonly namespace: Namespace;
  readonly #agent: ChildProcess;
  #count = 0;

  private constructor(namespace: Namespace, agent: ChildProcess) {
    this.namespace = namespace;
    this.#agent = agent;
    agent.setMaxListeners(50);
  }

  static async open(): Promise<Node> {
    const namespace = await Namespace.open();
    const [program, ...args] = [...namespace.enter, process.execPath, AGENT];
    return new Node(namespace, spawn(program!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
  }

  run(script: string): Promise<string> {
    return this.namespace.run(script);
  }

  async serve(protocol: 'tcp' | 'udp', host: string, port: number): Promise<void> {
    const answer = await this.#tell({ do: 'serve', protocol, host, port });
    if (answer !== 'ready') throw new Error(answer);
  }

  /** Asks a server who it sees. @returns that, or the code of the error, or `silence` */
  ask(
    protocol: 'tcp' | 'udp',
    host: string,
    port: number,
    rest: { from?: string; keep?: string; patience?: number } = {},
  ): Promise<string> {
    return this.#tell({ do: 'ask', protocol, host, port, patience: PATIENCE, ...rest });
  }

  /** Asks once more on a connection that was kept. */
  again(keep: string, patience = PATIENCE): Promise<string> {
    return this.#tell({ do: 'again', keep, patience });
  }

  /** Whether an echo comes back. */
  async pings(host: string, seconds = 3): Promise<boolean> {
    const answer = await this.run(
      `busybox ping -c 1 -W ${seconds} ${host} >/dev/null 2>&1 && echo yes || echo no`,
    );
    return answer === 'yes\n';
  }

  async close(): Promise<void> {
    if (this.#agent.exitCode === null && this.#agent.connected) {
      this.#agent.disconnect();
      await once(this.#agent, 'exit');
    }
    await this.namespace.close();
  }

  #tell(task: Task): Promise<string> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      const listen = (message: { id: number; answer: string }) => {
        if (message.id !== id) return;
        this.#agent.off('message', listen).off('exit', lost);
        resolve(message.answer);
      };
      const lost = () => reject(new Error('the agent has ended'));
      this.#agent.on('message', listen).on('exit', lost);
      this.#agent.send({ id, task });
    });
  }
}
