import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type {
  LearnedRoute,
  PeerState,
  Speaker,
  SpeakerEvent,
  SpeakerResource,
} from '../../src/ports/speaker.ts';
import { speakerKey } from '../../src/ports/speaker.ts';
import type { Operation, Outcome } from '../../src/ports/target.ts';

/** Waits until `condition` holds, looking again every 20 ms, and says what it waited for when it never does. */
export async function until(what: string, condition: () => unknown, within = 15_000): Promise<void> {
  for (const end = Date.now() + within; ; ) {
    if (await condition()) return;
    if (Date.now() > end) throw new Error(`waited ${within} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What a speaker told: the routes as they add up, and all events. */
export class Recorder {
  readonly events: SpeakerEvent[] = [];
  readonly learned = new Map<string, LearnedRoute>();
  readonly states = new Map<string, PeerState['state']>();

  readonly listen = (event: SpeakerEvent): void => {
    this.events.push(event);
    if (event.kind === 'peer') this.states.set(event.peer.key, event.peer.state);
    if (event.kind === 'learned-all') this.learned.clear();
    if (event.kind === 'learned') for (const prefix of event.prefixes) this.learned.delete(prefix);
    if (event.kind !== 'learned' && event.kind !== 'learned-all') return;
    for (const route of event.routes) this.learned.set(route.prefix, route);
  };

  /** How many events of a kind there were. */
  count(kind: SpeakerEvent['kind']): number {
    return this.events.filter((event) => event.kind === kind).length;
  }
}

export function put(...resources: readonly SpeakerResource[]): Operation<SpeakerResource>[] {
  return resources.map((resource) => ({ do: 'put', key: speakerKey(resource), resource }));
}

export function remove(...resources: readonly SpeakerResource[]): Operation<SpeakerResource>[] {
  return resources.map((resource) => ({ do: 'remove', key: speakerKey(resource), resource }));
}

/** Applies and expects success of everything. */
export async function succeed(
  speaker: Speaker,
  operations: readonly Operation<SpeakerResource>[],
): Promise<void> {
  for (const { key, error } of await speaker.apply(operations))
    if (error) throw new Error(`${key}: ${error.message}`);
}

/** The codes of the outcomes, undefined for success. */
export function codes(outcomes: readonly Outcome[]): (string | undefined)[] {
  return outcomes.map(({ error }) => error?.code);
}

export async function stateOf(speaker: Speaker, key: string): Promise<PeerState | undefined> {
  return (await speaker.peers()).find((peer) => peer.key === key);
}

/** What a program prints. */
export async function run(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args);
  return stdout;
}
