import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { CodedError } from '../../errors.ts';
import type { Json } from '../../ports/store.ts';
import { type Authority, authorityOf } from './authority.ts';
import { readPrivate, removePrivate, writePrivate } from './files.ts';
import { createIdentity, type Identity, identityOf } from './identity.ts';

const NODE_KEY = 'node.key';
const NODE_CERTIFICATE = 'node.crt';
const CLUSTER_CERTIFICATE = 'cluster.crt';
const CLUSTER_KEY = 'cluster.key';
/** UUID of the cluster whose secret this host has, where it is in one without authority. */
const CLUSTER = 'cluster.id';
const TURN = 'node.next';
/** Clusters with a secret in which this host was: it outlives who this host was there. */
const PAST = 'cluster.past';
const ANEW = 'node.anew';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A node's certificate with that of who made it. */
export interface Membership {
  readonly certificate: X509Certificate;
  readonly authority: X509Certificate;
}

const pastSchema = z.object({
  /** Where members were last known to be, the likeliest first. */
  places: z.array(z.object({ address: z.string(), port: z.number().int().positive() })),
  /** It was told to leave, and not yet to come back. */
  left: z.boolean(),
});
/** What is left of a cluster in which this host was by a secret. */
export type Past = z.infer<typeof pastSchema>;
const PLACES_MAX = 32;

/** Where a newcomer asks to be let in: the member that gave it its certificate, as far as it knows. */
export const sponsorSchema = z.object({
  id: z.string(),
  address: z.string(),
  port: z.int().min(1).max(65_535),
  /** Who made the cluster, where that was told along. */
  founder: z.string().optional(),
});
export type Sponsor = z.infer<typeof sponsorSchema>;

/**
 * Who this host is to be from now on, with an empty store: a newcomer of a cluster, or alone. It is written down as a
 * whole before anything is changed for it, so that whoever starts after a crash goes on with it.
 */
export interface Turn {
  readonly identity: Identity;
  readonly joins?: ((Membership | Shared) & { readonly sponsor: Sponsor }) | undefined;
  /** What it begins with of its own. */
  readonly keeps?: readonly Kept[] | undefined;
  /** It goes on to hold the cluster's key. */
  readonly holds?: boolean | undefined;
  /** What is to stay of the cluster in which it was by a secret. */
  readonly past?: Past | undefined;
}

/** A record of this host's own, without the host's id in its key. */
export interface Kept {
  readonly namespace: string;
  readonly id: string;
  readonly value: Json;
}

/** In a cluster whose members share a secret. */
interface Shared {
  /** Its UUID. */
  readonly cluster: string;
}

const turnSchema = z.object({
  key: z.string(),
  joins: z
    .union([
      z.object({ certificate: z.string(), authority: z.string(), sponsor: sponsorSchema }),
      z.object({ cluster: z.string().regex(UUID), sponsor: sponsorSchema }),
    ])
    .optional(),
  keeps: z.array(z.object({ namespace: z.string(), id: z.string(), value: z.json() })).optional(),
  holds: z.boolean().optional(),
  past: pastSchema.optional(),
});

/** Keys and certificates of this host, in files of a folder of its own. */
export class TrustFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** The node's key, drawn when there is none. @throws NR_TRUST_FAILED */
  identity(): Identity {
    return this.#drawn(NODE_KEY);
  }

  /**
   * Who this host asks to be from now on, drawn when there is nobody yet: whoever it asks takes no other one instead.
   * Forgotten when it is somebody else.
   * @throws NR_TRUST_FAILED
   */
  anew(): Identity {
    return this.#drawn(ANEW);
  }

  /** Writes down what is about to begin. From then on it happens. @throws NR_TRUST_FAILED */
  keepTurn({ identity, joins, keeps, holds, past }: Turn): void {
    const written = {
      key: pem(identity.privateKey),
      ...(past && { past }),
      ...(keeps && { keeps }),
      ...(holds !== undefined && { holds }),
      ...(joins && {
        joins:
          'cluster' in joins
            ? joins
            : {
                certificate: joins.certificate.toString(),
                authority: joins.authority.toString(),
                sponsor: joins.sponsor,
              },
      }),
    };
    this.#guarded(TURN, () => writePrivate(this.#path, TURN, JSON.stringify(written)));
  }

  /** What was begun and is not ended. @throws NR_TRUST_FAILED */
  turn(): Turn | undefined {
    return this.#guarded(TURN, () => {
      const text = readPrivate(this.#path, TURN);
      if (text === undefined) return undefined;
      const { key, joins, keeps, holds, past } = turnSchema.parse(JSON.parse(text));
      return {
        identity: identityOf(createPrivateKey(key)),
        keeps,
        holds,
        past,
        joins:
          joins && 'certificate' in joins
            ? {
                certificate: new X509Certificate(joins.certificate),
                authority: new X509Certificate(joins.authority),
                sponsor: joins.sponsor,
              }
            : joins,
      };
    });
  }

  /** Makes this host who it is to be, and ends the turn. May be done again after a crash. @throws NR_TRUST_FAILED */
  take({ identity, joins, holds, past }: Turn): void {
    // Before anything else: no crash may leave a host that was in a cluster and does not know.
    const was = this.shared();
    if (was !== undefined) this.keepPast(was, past ?? { places: [], left: false });
    this.#guarded(NODE_KEY, () => {
      for (const name of [NODE_CERTIFICATE, CLUSTER_KEY, CLUSTER_CERTIFICATE, CLUSTER, ANEW])
        if (name !== CLUSTER_KEY || !holds) removePrivate(this.#path, name);
      writePrivate(this.#path, NODE_KEY, pem(identity.privateKey));
    });
    if (joins && 'cluster' in joins) this.keepShared(joins.cluster);
    else if (joins) this.keepMembership(joins);
    this.#guarded(TURN, () => removePrivate(this.#path, TURN));
  }

  /** Undefined for a host that is in no cluster, or in one without authority. @throws NR_TRUST_FAILED */
  membership(): Membership | undefined {
    return this.#guarded(NODE_CERTIFICATE, () => {
      const certificate = readPrivate(this.#path, NODE_CERTIFICATE);
      const authority = readPrivate(this.#path, CLUSTER_CERTIFICATE);
      if (certificate === undefined || authority === undefined) return undefined;
      return { certificate: new X509Certificate(certificate), authority: new X509Certificate(authority) };
    });
  }

  /** @throws NR_TRUST_FAILED */
  keepMembership({ certificate, authority }: Membership): void {
    this.#guarded(NODE_CERTIFICATE, () => {
      // The node's is what counts, and so it is written last.
      writePrivate(this.#path, CLUSTER_CERTIFICATE, authority.toString());
      writePrivate(this.#path, NODE_CERTIFICATE, certificate.toString());
    });
  }

  /** The cluster's authority, on those hosts that hold its key. @throws NR_TRUST_FAILED */
  authority(): Authority | undefined {
    return this.#guarded(CLUSTER_KEY, () => {
      const certificate = readPrivate(this.#path, CLUSTER_CERTIFICATE);
      const key = readPrivate(this.#path, CLUSTER_KEY);
      if (certificate === undefined || key === undefined) return undefined;
      return authorityOf(new X509Certificate(certificate), createPrivateKey(key));
    });
  }

  /** @throws NR_TRUST_FAILED */
  keepAuthority({ certificate, privateKey }: Authority): void {
    this.#guarded(CLUSTER_KEY, () => {
      writePrivate(this.#path, CLUSTER_CERTIFICATE, certificate.toString());
      writePrivate(this.#path, CLUSTER_KEY, pem(privateKey));
    });
  }

  /** This host is in no cluster: what of one had been made is taken back. @throws NR_TRUST_FAILED */
  dropMembership(): void {
    this.#guarded(NODE_CERTIFICATE, () => {
      for (const name of [NODE_CERTIFICATE, CLUSTER_KEY, CLUSTER_CERTIFICATE])
        removePrivate(this.#path, name);
    });
  }

  /** UUID of the cluster whose secret this host has; undefined in any other. @throws NR_TRUST_FAILED */
  shared(): string | undefined {
    return this.#guarded(CLUSTER, () => {
      const uuid = readPrivate(this.#path, CLUSTER)?.trim();
      if (uuid !== undefined && !UUID.test(uuid)) throw new Error('this is no UUID');
      return uuid;
    });
  }

  /** From here on this host is in the cluster of that UUID, by its secret. @throws NR_TRUST_FAILED */
  keepShared(cluster: string): void {
    this.#guarded(CLUSTER, () => writePrivate(this.#path, CLUSTER, `${cluster}\n`));
  }

  #drawn(name: string): Identity {
    return this.#guarded(name, () => {
      const kept = readPrivate(this.#path, name);
      if (kept !== undefined) return identityOf(createPrivateKey(kept));
      const identity = createIdentity();
      writePrivate(this.#path, name, pem(identity.privateKey));
      return identity;
    });
  }

  /** What is left of the cluster of that UUID, if this host was ever in it by a secret. @throws NR_TRUST_FAILED */
  past(cluster: string): Past | undefined {
    return this.#pasts()[cluster];
  }

  /** Notes that this host was in that cluster. Places of before stay, after those. @throws NR_TRUST_FAILED */
  keepPast(cluster: string, { places, left }: Past): void {
    const pasts = this.#pasts();
    const all = [...places, ...(pasts[cluster]?.places ?? [])];
    const known = new Map(all.map(({ address, port }) => [`${address} ${port}`, { address, port }]));
    const kept: Past = { places: [...known.values()].slice(0, PLACES_MAX), left };
    const written = JSON.stringify({ ...pasts, [cluster]: kept });
    this.#guarded(PAST, () => writePrivate(this.#path, PAST, written));
  }

  #pasts(): Record<string, Past> {
    return this.#guarded(PAST, () => {
      const text = readPrivate(this.#path, PAST);
      return text === undefined ? {} : z.record(z.string().regex(UUID), pastSchema).parse(JSON.parse(text));
    });
  }

  #guarded<T>(name: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof CodedError && error.code === 'NR_TRUST_FAILED') throw error;
      const why = error instanceof CodedError ? error.what : error instanceof Error ? error.message : error;
      throw new CodedError('NR_TRUST_FAILED', `${this.#path}/${name}: ${why}`, { cause: error });
    }
  }
}

function pem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }) as string;
}
