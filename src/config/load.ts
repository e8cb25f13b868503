import { existsSync, readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { CodedError } from '../errors.ts';
import { quote } from '../net/address.ts';
import { type Settings, settingsSchema } from './settings.ts';

/** Where the configuration is looked for; its absence is no error. */
export const CONFIG_FILE = '/etc/net-routed/config.yaml';

/** Name of the variable for a setting: `stateDir` is NET_ROUTED_STATE_DIR. */
export function variableOf(setting: string): string {
  return `NET_ROUTED_${setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** Name of the flag for a setting: `stateDir` is --state-dir. */
export function flagOf(setting: string): string {
  return `--${setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export interface Sources {
  /** A file that the user named, which must exist then. */
  readonly file?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By setting name; lists as lists. */
  readonly flags: Readonly<Record<string, unknown>>;
}

/**
 * The settings: flags before variables before file before defaults. Peers of the flags come in addition.
 * @throws NR_CONFIG_INVALID naming the setting
 */
export function loadSettings(sources: Sources): Settings {
  const file = readFile(sources.file);
  const variables: Record<string, unknown> = {};
  for (const setting of Object.keys(settingsSchema.shape)) {
    const value = sources.environment[variableOf(setting)];
    // An empty variable is how scripts and units say that there is none.
    if (value !== undefined && value !== '')
      variables[setting] = isList(setting) ? listOf(setting, value) : value;
  }
  const flags = defined(sources.flags);
  const peers = [file, variables, flags].flatMap((source) => listIn(source));
  const merged = { ...file, ...variables, ...flags, peers };
  const result = settingsSchema.safeParse(merged);
  if (!result.success) {
    const issue = result.error.issues[0];
    const where = issue?.path.join('.') ?? '';
    throw new CodedError('NR_CONFIG_INVALID', `${where === '' ? 'configuration' : where}: ${issue?.message}`);
  }
  return withPasswords(result.data);
}

function readFile(named: string | undefined): Record<string, unknown> {
  const path = named ?? CONFIG_FILE;
  if (named === undefined && !existsSync(path)) return {};
  let parsed: unknown;
  try {
    parsed = parseYaml(readFileSync(path, 'utf8'));
  } catch (error) {
    throw invalid(path, error);
  }
  if (parsed === null || parsed === undefined) return {};
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw new CodedError('NR_CONFIG_INVALID', `${path}: settings by name are expected, not ${quote(parsed)}`);
  }
  // A setting that is named and has no value is one that is left out.
  return Object.fromEntries(Object.entries(parsed).filter(([, value]) => value !== null));
}

function listIn({ peers }: Record<string, unknown>): unknown[] {
  if (peers === undefined) return [];
  if (Array.isArray(peers)) return peers;
  throw new CodedError('NR_CONFIG_INVALID', 'peers: a list is expected');
}

/** Passwords from their files, so that the configuration can be read by more people than they. */
function withPasswords(settings: Settings): Settings {
  const peers = settings.peers.map(({ passwordFile, ...peer }, index) => {
    if (passwordFile === undefined) return peer;
    const where = `peers.${index}.passwordFile`;
    try {
      const password = readFileSync(passwordFile, 'utf8').trim();
      if (password === '' || password.length > 80)
        throw new Error(`${passwordFile} holds no key of 1 to 80 characters`);
      return { ...peer, password };
    } catch (error) {
      throw invalid(where, error);
    }
  });
  return { ...settings, peers };
}

/** Of an error that may have many lines, the first. */
function invalid(where: string, error: unknown): CodedError {
  const [first] = (error as Error).message.split('\n');
  return new CodedError('NR_CONFIG_INVALID', `${where}: ${first?.replace(/:$/, '')}`, { cause: error });
}

export function isList(setting: string): boolean {
  return ['peers', 'automaticPools', 'aliasPrefixes', 'seeds'].includes(setting);
}

/** A list in a variable: separated by commas, or YAML where the members have settings of their own. */
function listOf(setting: string, value: string): unknown[] {
  if (setting !== 'peers') return value.split(',').map((part) => part.trim());
  try {
    const parsed: unknown = parseYaml(value);
    return Array.isArray(parsed) ? parsed : [parsed];
  } catch (error) {
    throw invalid(setting, error);
  }
}

function defined(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}
