/** A cluster that is there from the start: its keys, certificates and members. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { memberChange } from '../../src/cluster/protocol/members.ts';
import { JournalStore } from '../../src/store/journal.ts';
import { Sealer } from '../../src/store/seal.ts';
import { createAuthority, issue } from '../../src/store/trust/authority.ts';
import { createIdentity, spkiOf } from '../../src/store/trust/identity.ts';
import { IdentitySigner } from '../../src/store/trust/signer.ts';
import { CLASSES, type Order } from './cluster.ts';

/**
 * Orders for so many nodes that are members of one cluster. Admitting them one after the other would take a second for
 * each: what makes them members is written by the first, and given to all.
 */
export async function foundCluster(
  count: number,
  folder: string,
  addressOf: (node: number) => string,
): Promise<Order[]> {
  const time = Date.now();
  const authority = await createAuthority(randomUUID(), time);
  const identities = Array.from({ length: count }, createIdentity);
  const fileOf = (node: number) => join(folder, `${node}.db`);
  const founder = new JournalStore({ file: fileOf(0), origin: identities[0]!.id, classes: CLASSES });
  founder.sealer = new Sealer(new IdentitySigner(identities[0]!), authority.cluster);
  await founder.commit(
    identities.map(({ id, publicKey }, node) =>
      memberChange({
        id,
        number: node + 1,
        key: spkiOf(publicKey).toString('base64'),
        complete: true,
        name: `n${node}`,
      }),
    ),
  );
  const founding = founder.range(founder.origin, 0);
  await founder.close();
  return Promise.all(
    identities.map(async ({ privateKey, publicKey }, node) => ({
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
      certificate: (await issue(authority, publicKey, time)).toString(),
      authority: authority.certificate.toString(),
      file: fileOf(node),
      address: addressOf(node),
      founding,
      members: count,
    })),
  );
}
