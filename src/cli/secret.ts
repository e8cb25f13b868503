import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { print } from './command.ts';

/** `net-routed secret`: what a cluster forms by that needs no tokens. Asks no daemon. */
export function addSecret(program: Command): void {
  program
    .command('secret')
    .summary('print a new secret, for a cluster that forms by its settings')
    .description(
      'Prints a secret for the file that clusterSecretFile names on each host of a cluster: of a new cluster, or of one ' +
        'that has a secret, to change that.',
    )
    .option('--of <FILE>', 'a secret for the cluster of the one in this file, to take its place')
    .option('--json', 'print it as JSON')
    .action(async ({ of, json }: { of?: string; json?: boolean }) => {
      const [{ drawSecret, secretText }, { readSecrets }] = await Promise.all([
        import('../store/trust/secret.ts'),
        import('../store/trust/secretfile.ts'),
      ]);
      const secret = secretText(drawSecret(of === undefined ? randomUUID() : readSecrets(of)[0].cluster));
      print(json ? JSON.stringify({ secret }) : secret);
    });
}
