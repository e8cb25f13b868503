import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { z } from 'zod';
import { clusterView, TOKEN_LIFETIME, tokenView } from '../api/views.ts';
import { CodedError } from '../errors.ts';
import { CLUSTER_PORT, parsePlace } from '../net/place.ts';
import { Client, parse } from './client.ts';
import { type Asking, asking, askingOf, print } from './command.ts';

/** How often it is asked how far a change has come, in milliseconds. */
const LOOK_MS = 500;

/** The commands by which a host becomes a member of a cluster, and ends to be one. */
export function addCluster(program: Command): void {
  changing(program, 'init', 'make a cluster of this host, which others can join')
    .description(
      'Makes a cluster of this host. Its networks and containers go on. Others join with a token of it.',
    )
    .action(async (_options: object, command: Command) => {
      await change(command, 'init', {}, ({ cluster }) => `made the cluster ${cluster}`);
    });

  changing(program, 'join', 'join the cluster that another host is in')
    .description(
      'Joins the cluster of another host, which has to hold its key. This host must have no networks of ours. The token ' +
        'may be given by a file or on standard input, so that the list of processes does not show it.',
    )
    .argument('<HOST[:PORT]>', `a member, by address or name (port: ${CLUSTER_PORT})`)
    .option('--token <TOKEN>', 'what net-routed token has printed there; - for standard input')
    .option('--token-file <FILE>', 'file that holds the token; - for standard input')
    .action(async (at: string, options: { token?: string; tokenFile?: string }, command: Command) => {
      const { address, port } = placeIn(at);
      const token = await tokenOf(options);
      await change(
        command,
        'join',
        { host: address, port, token },
        ({ cluster }) => `joined the cluster ${cluster}`,
      );
    });

  changing(program, 'token', 'print a token that lets one host join')
    .description('Prints a token, with which one host can join within its lifetime.')
    .option('--lifetime <TIME>', 'how long it is good, 1m to 30d: 30m, 1h, 7d', '1h')
    .action(async ({ lifetime }: { lifetime: string }, command: Command) => {
      const answer = await post(askingOf(command), 'token', { lifetime: secondsIn(lifetime) });
      const { token, expires } = parse(tokenView, answer);
      // Apart from the token, which goes through a pipe.
      process.stderr.write(`it lets one host in, until ${expires}\n`);
      print(askingOf(command).json ? answer : token);
    });

  changing(program, 'leave', 'leave the cluster; containers and networks have to be removed before')
    .description(
      'Hands over to the other members and leaves. The containers and networks of this host have to be removed before, ' +
        'but for networks that the daemon has made itself (dockerPropagate): these it removes, when they have no containers. ' +
        'The last member takes containers and networks along: the cluster ends, and the host is alone, as before init.',
    )
    .action(async (_options: object, command: Command) => {
      await change(command, 'leave', {}, () => 'left the cluster');
    });

  changing(program, 'stay', 'stay in the cluster after all, or come back to it')
    .description(
      'Takes back a leave that has not come to its end. What was handed over stays with the others. ' +
        'A host that has left the cluster of its settings (clusterSecretFile) goes to be let in again.',
    )
    .action(async (_options: object, command: Command) => {
      await change(command, 'stay', {}, ({ cluster }) =>
        cluster === undefined ? 'asks to be let in again' : `stays in the cluster ${cluster}`,
      );
    });

  changing(program, 'forget', 'forget hosts that will not come back')
    .description(
      'Has all other members agree that these hosts are gone, and frees what they held. Make sure before that they ' +
        'are off, or cut off from the network: their containers keep their addresses. A host that is there again comes ' +
        'back by itself, as a new member, unless it is banned.',
    )
    .argument('<HOST...>', 'names or ids, as net-routed hosts lists them')
    .option('--force', 'even if they run, are half of all members or more, or the last that hold the key')
    .option('--ban', 'they may not come back by themselves; also for those that are forgotten already')
    .action(async (hosts: string[], options: { force?: boolean; ban?: boolean }, command: Command) => {
      const [force, ban] = [options.force === true, options.ban === true];
      const done = `${ban ? 'forgot and banned' : 'forgot'} ${hosts.join(', ')}`;
      await change(command, 'forget', { hosts, force, ban }, () => done);
    });

  changing(program, 'unban', 'let hosts come back that were forgotten and banned')
    .description('Takes back forget --ban: the hosts come back by themselves, if they are there.')
    .argument('<HOST...>', 'names or ids, as net-routed hosts lists them')
    .action(async (hosts: string[], _options: object, command: Command) => {
      await change(command, 'unban', { hosts }, () => `${hosts.join(', ')} may come back`);
    });

  changing(program, 'share', "let another member hold the cluster's key too")
    .description(
      "Hands the cluster's key to another member, which can make tokens and renew certificates then. Two or three " +
        'members that hold it are right.',
    )
    .argument('<HOST>', 'a member, by name or id')
    .action(async (host: string, _options: object, command: Command) => {
      await change(command, 'share', { host }, () => `${host} holds the key of the cluster too`);
    });
}

function changing(program: Command, name: string, summary: string): Command {
  return asking(program.command(name).summary(summary));
}

type Cluster = z.infer<typeof clusterView>;

/** Asks for a change, tells on standard error how far it has come, and at its end what was done. */
async function change(
  command: Command,
  name: string,
  body: object,
  done: (cluster: Cluster) => string,
): Promise<void> {
  const { socket, json } = askingOf(command);
  const progress = new Progress(socket);
  try {
    const answer = await post({ socket, json }, name, body);
    print(json ? answer : done(parse(clusterView, answer)));
  } finally {
    progress.stop();
  }
}

function post({ socket }: Asking, name: string, body: object): Promise<string> {
  return new Client(socket).text(`/v1/cluster/${name}`, 'POST', body);
}

/** Tells each step of a change once, as it begins. */
class Progress {
  readonly #client: Client;
  readonly #timer: NodeJS.Timeout;
  #told: string | undefined;

  constructor(socket: string) {
    this.#client = new Client(socket);
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    // Who does not answer this does not answer the other question either, and that one tells why.
    const answer = await this.#client.text('/v1/cluster').catch(() => undefined);
    const step = answer === undefined ? undefined : parse(clusterView, answer).change?.step;
    if (step === undefined || step === this.#told) return;
    this.#told = step;
    process.stderr.write(`${step} …\n`);
  }
}

/** @throws NR_USAGE */
function placeIn(at: string) {
  try {
    return parsePlace(at, CLUSTER_PORT);
  } catch (error) {
    throw new CodedError('NR_USAGE', (error as Error).message);
  }
}

/** @throws NR_USAGE where there is none, or two */
async function tokenOf({ token, tokenFile }: { token?: string; tokenFile?: string }): Promise<string> {
  if ((token === undefined) === (tokenFile === undefined))
    throw new CodedError('NR_USAGE', 'either --token or --token-file is expected');
  if (token !== undefined && token !== '-') return token;
  try {
    // Standard input may be a pipe that has nothing in it yet.
    const isInput = tokenFile === undefined || tokenFile === '-';
    return (isInput ? await text(process.stdin) : await readFile(tokenFile, 'utf8')).trim();
  } catch (error) {
    throw new CodedError('NR_USAGE', `the token cannot be read: ${(error as Error).message}`);
  }
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** @throws NR_USAGE for what is no time that a token may be good for */
function secondsIn(time: string): number {
  const [, digits, unit = 's'] = /^(\d{1,8})([smhd])?$/.exec(time) ?? [];
  if (digits === undefined)
    throw new CodedError('NR_USAGE', `--lifetime ${time} is not a time such as 30m, 1h, 7d`);
  const seconds = Number(digits) * UNITS[unit]!;
  if (seconds < TOKEN_LIFETIME.min || seconds > TOKEN_LIFETIME.max)
    throw new CodedError('NR_USAGE', `--lifetime ${time} is not between 1m and 30d`);
  return seconds;
}
