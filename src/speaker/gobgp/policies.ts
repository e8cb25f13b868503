import type { Prefix } from '../../net/prefix.ts';
import type { Api } from './api.ts';
import type { Answer } from './client.ts';
import type { Rules } from './peers.ts';
import { type EnginePolicy, exportPolicy, importPolicy, OURS, type Ruled, rulesIn } from './policy.ts';

/** The table whose policies count for all peers that are not clients of a route server. */
const TABLE = 'global';

/** Keeps our two policies in force in the engine. Content is recognised by the digest in the name. */
export class Policies {
  readonly #api: Api;
  /** Nobody else uses the engine: what no policy decides is refused. */
  readonly #exclusive: boolean;

  constructor(api: Api, exclusive: boolean) {
    this.#api = api;
    this.#exclusive = exclusive;
  }

  /** The rules that are in force, by the key of the peer. */
  async rules(): Promise<Map<string, Rules>> {
    const { imports, exports } = this.#api.dialect.names;
    const policies = [...(await this.#assigned(imports)), ...(await this.#assigned(exports))];
    return rulesIn(policies.filter(isOurs));
  }

  /** Puts the policies in force; nothing happens when they are already. */
  async set(peers: readonly Ruled[], pools: readonly Prefix[]): Promise<void> {
    const { dialect } = this.#api;
    const imports = importPolicy(dialect, peers);
    const exports = exportPolicy(dialect, peers, pools);
    const done = [
      await this.#assign(dialect.names.imports, imports),
      await this.#assign(dialect.names.exports, exports),
    ];
    if (done.includes(true)) await this.#clean([imports.name, exports.name]);
  }

  /** The new policy is complete before it takes the old one's place, in one step. */
  async #assign(direction: string, policy: EnginePolicy): Promise<boolean> {
    const assigned = await this.#assigned(direction);
    if (assigned.some(({ name }) => name === policy.name)) return false;
    const { client, dialect } = this.#api;
    const known = await client.list('ListPolicy', { name: policy.name });
    if (known.length === 0) {
      for (const set of policy.sets) await client.call('AddDefinedSet', { defined_set: set });
      await client.call('AddPolicy', { policy: policy.policy });
    }
    const others = assigned.filter((one) => !isOurs(one)).map(({ name }) => ({ name }));
    await client.call('SetPolicyAssignment', {
      assignment: {
        name: TABLE,
        direction,
        policies: [...others, { name: policy.name }],
        ...(this.#exclusive && { default_action: dialect.names.reject }),
      },
    });
    return true;
  }

  /** Takes away what an earlier policy left. */
  async #clean(current: readonly string[]): Promise<void> {
    const { client, dialect } = this.#api;
    const old = (name: string | undefined) =>
      name?.startsWith(OURS) && !current.some((one) => name.startsWith(one));
    for (const { policy } of await client.list('ListPolicy', {})) {
      if (old(policy?.name)) await client.call('DeletePolicy', { policy: { name: policy.name }, all: true });
    }
    for (const type of [dialect.names.prefixSet, dialect.names.neighborSet, dialect.names.communitySet]) {
      for (const { defined_set: set } of await client.list('ListDefinedSet', { defined_type: type })) {
        if (!old(set?.name)) continue;
        await client.call('DeleteDefinedSet', {
          defined_set: { defined_type: type, name: set.name },
          all: true,
        });
      }
    }
  }

  async #assigned(direction: string): Promise<Answer[]> {
    const answers = await this.#api.client.list('ListPolicyAssignment', { name: TABLE, direction });
    return answers.flatMap(({ assignment }) => assignment?.policies ?? []);
  }
}

function isOurs({ name }: { name?: string }): boolean {
  return name?.startsWith(OURS) ?? false;
}
