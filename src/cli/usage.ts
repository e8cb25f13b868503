import type { CommanderError } from 'commander';
import { CodedError } from '../errors.ts';

/** Commander's complaint as an error of ours: one line, without its prefix and its guesses on lines of their own. */
export function usageError(error: CommanderError): CodedError {
  const text = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/[.;]$/, '')
    .trim();
  return new CodedError('NR_USAGE', text === '(outputHelp)' ? 'a command is expected' : text);
}

/** Exit status: 2 for wrong usage, 1 for everything else that failed. */
export function exitStatus(error: CodedError): 1 | 2 {
  return error.code === 'NR_USAGE' ? 2 : 1;
}
