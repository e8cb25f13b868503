import { type Command, Option } from 'commander';
import { CONFIG_FILE, flagOf, isList, loadSettings, variableOf } from '../config/load.ts';
import { type Settings, settingsSchema } from '../config/settings.ts';
import { addPeerFlags } from './peerflags.ts';

/** Runs the daemon until it is told to stop; answers the exit status. */
export type RunDaemon = (settings: Settings) => Promise<number>;

/** What stands for the value in --help. */
const PLACEHOLDER: Record<Exclude<keyof Settings, 'peers'>, string> = {
  stateDir: 'DIR',
  runDir: 'DIR',
  pluginDir: 'DIR',
  dockerSocket: 'PATH',
  dockerPropagate: 'BOOLEAN',
  logLevel: 'LEVEL',
  as: 'N',
  routerId: 'ADDRESS',
  address: 'ADDRESS',
  addressV6: 'ADDRESS',
  listenPort: 'PORT',
  peering: 'WITH',
  meshLimit: 'HOSTS',
  mtu: 'BYTES',
  gobgpd: 'FILE',
  engineSocket: 'PATH',
  automaticPools: 'PREFIX,...',
  aliasPrefixes: 'PREFIX,...',
  restSeconds: 'SECONDS',
  manageForwarding: 'BOOLEAN',
  hostName: 'NAME',
  clusterAddress: 'ADDRESS',
  clusterPort: 'PORT',
  clusterAdvertise: 'ADDRESS',
  seeds: 'HOST,...',
  clusterSecretFile: 'FILE',
  founder: 'NAME',
  discovery: 'HOW',
};

/** `net-routed daemon`, with a flag for every setting. */
export function describeDaemon(command: Command, run: RunDaemon, end: (status: number) => void): void {
  command
    .description(
      'Serves Docker on this host until SIGTERM or SIGINT. Without any setting it serves one host.\n' +
        'Flags come before environment variables, those before the file, and that before the defaults.',
    )
    .addOption(
      new Option(
        '--config <FILE>',
        `settings as YAML (default: ${CONFIG_FILE} where it exists; env: NET_ROUTED_CONFIG)`,
      ),
    );
  const names = Object.keys(PLACEHOLDER) as (keyof typeof PLACEHOLDER)[];
  for (const name of names) command.addOption(settingOption(name));
  const peers = addPeerFlags(command);
  command.action(async () => {
    const given = command.opts<Record<string, unknown>>();
    const flags = Object.fromEntries(names.map((name) => [name, given[name]]));
    const settings = loadSettings({
      file: (given.config as string | undefined) ?? process.env.NET_ROUTED_CONFIG,
      environment: process.env,
      flags: { ...flags, peers: peers() },
    });
    end(await run(settings));
  });
}

function settingOption(name: keyof typeof PLACEHOLDER): Option {
  const schema = settingsSchema.shape[name];
  const standard = schema.safeParse(undefined).data;
  const text = Array.isArray(standard) ? standard.join(',') : standard;
  const facts = [
    text === undefined || text === '' ? '' : `default: ${text}; `,
    `env: ${variableOf(name)}`,
  ].join('');
  const option = new Option(`${flagOf(name)} <${PLACEHOLDER[name]}>`, `${schema.description} (${facts})`);
  // Commander would name --address-v6 after its dashes, which comes out the same; lists add up.
  if (isList(name))
    option.argParser((value, before: string[] | undefined) => [...(before ?? []), ...value.split(',')]);
  return option;
}
