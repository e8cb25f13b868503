import { type Command, Option } from 'commander';
import { counted } from '../api/words.ts';
import { CodedError } from '../errors.ts';

/** What the flags of peers gave, in the order in which they came. */
interface PeerFlags {
  readonly neighbours: ({ readonly address: string } | { readonly interface: string })[];
  readonly as: string[];
  readonly passwordFiles: string[];
}

/**
 * Adds the flags by which peers are given without a file. The n-th --peer or --peer-interface goes with the n-th
 * --peer-as and --peer-password-file; a single one of those serves all. The function answers the peers.
 */
export function addPeerFlags(command: Command): () => Record<string, unknown>[] | undefined {
  const flags: PeerFlags = { neighbours: [], as: [], passwordFiles: [] };
  const collect = (name: string, description: string, take: (value: string) => void) =>
    command.addOption(
      new Option(name, description).argParser((value) => {
        take(value);
        return true;
      }),
    );
  collect(
    '--peer <ADDRESS>',
    'a BGP neighbour; repeatable (setting: peers, env: NET_ROUTED_PEERS as YAML)',
    (value) => flags.neighbours.push({ address: value }),
  );
  collect('--peer-interface <IF>', 'an unnumbered BGP neighbour behind this interface; repeatable', (value) =>
    flags.neighbours.push({ interface: value }),
  );
  collect(
    '--peer-as <N>',
    "AS number of the n-th neighbour, or of all; the host's own one for iBGP",
    (value) => flags.as.push(value),
  );
  collect(
    '--peer-password-file <FILE>',
    'file with the TCP MD5 key of the n-th neighbour, or of all',
    (value) => flags.passwordFiles.push(value),
  );
  return () => peersOf(flags);
}

/** @throws NR_USAGE when the numbers of flags do not match */
function peersOf({ neighbours, as, passwordFiles }: PeerFlags): Record<string, unknown>[] | undefined {
  const count = neighbours.length;
  if (count === 0) {
    if (as.length + passwordFiles.length === 0) return undefined;
    throw new CodedError('NR_USAGE', '--peer-as and --peer-password-file need a --peer or --peer-interface');
  }
  if (as.length === 0) throw new CodedError('NR_USAGE', '--peer-as is missing');
  const pick = (flag: string, values: readonly string[], index: number): string | undefined => {
    if (values.length > 1 && values.length !== count) {
      throw new CodedError('NR_USAGE', `${values.length} times ${flag} for ${counted(count, 'neighbour')}`);
    }
    return values.length === 1 ? values[0] : values[index];
  };
  return neighbours.map((neighbour, index) => {
    const passwordFile = pick('--peer-password-file', passwordFiles, index);
    return {
      ...neighbour,
      as: pick('--peer-as', as, index),
      ...(passwordFile !== undefined && { passwordFile }),
    };
  });
}
