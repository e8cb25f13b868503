/** What is written down about a lab, before it is made. */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { LabError } from './errors.ts';
import { labFolder, labsFolder } from './paths.ts';
import type { Plan } from './plan.ts';
import type { ProcessId } from './process.ts';
import { until } from './wait.ts';

/** A lab as written down. */
export interface State {
  name: string;
  /** Until a lab is `up` it is nothing but a heap to clear away. */
  phase: 'making' | 'up';
  plan: Plan;
  /** First process of each host. */
  inits: Record<string, ProcessId>;
  /** Hosts that are connected to the fabric router that runs now. */
  wired: string[];
}

const file = (lab: string): string => join(labFolder(lab), 'lab.json');

/** Lab names go into paths and control groups. */
export function checkName(name: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,31}$/.test(name)) return name;
  throw new LabError(`"${name}" is no name for a lab: small letters, digits and dashes, at most 32`);
}

/** Reads what is written down about a lab; undefined when there is nothing. */
export function readState(lab: string): State | undefined {
  let text: string;
  try {
    text = readFileSync(file(lab), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return JSON.parse(text) as State;
}

/** Writes it down, whole or not at all. */
export function writeState(state: State): void {
  mkdirSync(labFolder(state.name), { recursive: true, mode: 0o700 });
  const draft = `${file(state.name)}.tmp`;
  writeFileSync(draft, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(draft, file(state.name));
}

/** Names of labs that have a folder. */
export function labsWithFolders(): string[] {
  try {
    return readdirSync(labsFolder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Runs `work` while no other process does the same for this name; the kernel ends the claim with the process. */
export async function alone<T>(name: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const claim = await until(`another command at work on ${name}`, () => listen(`\0net-routed-lab/${name}`), {
    timeoutMs,
  });
  try {
    return await work();
  } finally {
    claim.close();
  }
}

/** Takes an abstract socket address; undefined when somebody else has it. */
function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(address, () => resolve(server));
  });
}
