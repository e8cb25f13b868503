import { CodedError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { TrustFolder } from '../../store/trust/folder.ts';
import { presharedKey, secretName } from '../../store/trust/secret.ts';
import { readSecrets, type Secrets, traceOf } from '../../store/trust/secretfile.ts';

/** How often the file is looked at, in milliseconds. */
const LOOK_MS = 1000;

/**
 * The secrets of the cluster, as the file of the settings has them now. What is wrong with the file later is said, and
 * those that were good go on.
 */
export class SecretFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #calls = new Set<() => void>();
  #secrets: Secrets;
  #trace: string | undefined;
  #trouble: CodedError | undefined;
  /** Whether the secrets may become another cluster's now: this host is in none. */
  isFree: () => boolean = () => false;
  #cancel = () => {};

  /** @throws NR_SECRET_FILE */
  constructor(path: string, { clock, log }: { clock: Clock; log: Log }) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    this.#trace = traceOf(path);
    this.#secrets = readSecrets(path);
    this.#later();
  }

  /** UUID. */
  get cluster(): string {
    return this.#secrets[0].cluster;
  }

  get current(): Secrets {
    return this.#secrets;
  }

  /** What they are called on the wire, where they can be told apart and do not show. */
  get names(): string[] {
    return this.#secrets.map((secret) => secretName(presharedKey(secret)));
  }

  /** What is wrong with the file now. */
  get trouble(): CodedError | undefined {
    return this.#trouble;
  }

  /** Calls when there are others. Returns the way to stop that. */
  onChange(call: () => void): () => void {
    this.#calls.add(call);
    return () => void this.#calls.delete(call);
  }

  /** Reads the file again, now. Never throws. */
  read(): void {
    this.#trace = this.#traceNow();
    try {
      const secrets = readSecrets(this.#path);
      const [{ cluster }] = secrets;
      if (cluster !== this.cluster && !this.isFree())
        throw new CodedError('NR_SECRET_MISMATCH', `${this.#path} has the secret of another cluster now`);
      this.#trouble = undefined;
      const before = this.names.join();
      this.#secrets = secrets;
      if (this.names.join() === before) return;
      this.#log.info({ secrets: this.names }, 'read the secrets of the cluster again');
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      if (this.#trouble?.what !== error.what)
        this.#log.error({ err: error }, 'cannot use the file of the secret; those of before go on');
      this.#trouble = error;
      return;
    }
    for (const call of [...this.#calls]) call();
  }

  stop(): void {
    this.#cancel();
  }

  #later(): void {
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      // Also while something is wrong: a mode that is set right is a change of the file, but not one of its folder's.
      if (this.#trouble || this.#traceNow() !== this.#trace) this.read();
      this.#later();
    });
  }

  #traceNow(): string | undefined {
    try {
      return traceOf(this.#path);
    } catch {
      return undefined; // reading it tells why
    }
  }
}

/**
 * `secret`: of the settings, if they have one.
 * @throws NR_SECRET_MISMATCH where what is on disk is of another cluster than the settings'
 */
export function checkSecret(folder: TrustFolder, secret: SecretFile | undefined): void {
  const joins = folder.turn()?.joins;
  const isCertified = joins ? 'certificate' in joins : folder.membership() !== undefined;
  const kept = joins && 'cluster' in joins ? joins.cluster : folder.shared();
  const differs = (what: string) => new CodedError('NR_SECRET_MISMATCH', what);
  if (secret && isCertified)
    throw differs('clusterSecretFile is set, and this host is in a cluster with certificates');
  if (secret && kept !== undefined && kept !== secret.cluster)
    throw differs(`the secret is of cluster ${secret.cluster}, and this host is in ${kept}`);
  if (!secret && kept !== undefined)
    throw differs(`this host is in cluster ${kept} by its secret, and clusterSecretFile is not set`);
}
