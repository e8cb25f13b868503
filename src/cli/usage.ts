import type { Command, CommanderError } from 'commander';
import { CodedError } from '../errors.ts';

/**
 * Commander's complaint about the words of a command line as an error of ours: one line, without its prefix and its
 * guesses on lines of their own.
 */
export function usageError(error: CommanderError, words: readonly string[]): CodedError {
  const text = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/[.;]$/, '')
    .trim();
  if (text !== '(outputHelp)') return new CodedError('NR_USAGE', text);
  const last = words.at(-1);
  return new CodedError(
    'NR_USAGE',
    last === undefined ? 'a command is expected' : `unknown command ${singlyQuoted(last)}`,
  );
}

/** Words behind a list that is meant without its name: the first was to be a command of the group. */
export function unexpected(list: Command, words: readonly string[]): CodedError {
  const group = list.parent!;
  const named = [list.name(), ...list.aliases()].includes(group.args[0] ?? '');
  const word = singlyQuoted(words[0] ?? '');
  if (named) return new CodedError('NR_USAGE', `unexpected argument ${word}`);
  const known = group.commands.map((command) => command.name()).join(', ');
  return new CodedError('NR_USAGE', `unknown command ${word} of ${group.name()} (known: ${known})`);
}

/** An error of wrong usage points to the help of the command that was meant, if there is one. */
export function withHelp(program: Command, [word]: readonly string[], error: CodedError): CodedError {
  const meant = program.commands.find((one) => one.name() === word || one.aliases().includes(word ?? ''));
  if (error.code !== 'NR_USAGE' || !meant) return error;
  return new CodedError('NR_USAGE', error.what, {
    cause: error,
    remedy: `see net-routed ${meant.name()} --help`,
  });
}

/** As commander writes words. */
function singlyQuoted(word: string): string {
  return `'${word}'`;
}

/** Exit status: 2 for wrong usage, 1 for everything else that failed. */
export function exitStatus(error: CodedError): 1 | 2 {
  return error.code === 'NR_USAGE' ? 2 : 1;
}
