import type { Request } from '@hapi/hapi';
import { z } from 'zod';
import type { Membership } from '../cluster/membership/membership.ts';
import { CodedError } from '../errors.ts';
import { CLUSTER_PORT, parsePlace } from '../net/place.ts';
import { type Clock, wallOf } from '../ports/clock.ts';
import { bounded } from './bounded.ts';
import { showCluster, showHosts } from './cluster.ts';
import { queryOf } from './query.ts';
import { type ClusterView, type HostView, TOKEN_LIFETIME } from './views.ts';

/** What changes a host's membership: as much of it as the api asks for. */
export type Member = Pick<
  Membership,
  'describe' | 'hosts' | 'init' | 'token' | 'share' | 'join' | 'leave' | 'stay' | 'forget' | 'unban'
>;

/** Longest that a change is waited for, in milliseconds: it waits for others a minute itself. */
const WAIT_MS = 100_000;
const HOUR_S = 3600;

const nothing = z.strictObject({});
const hostName = z.string().min(1).max(253);
const joinBody = z.strictObject({
  host: hostName,
  port: z.number().int().min(1).max(65_535).default(CLUSTER_PORT),
  token: z.string().min(1).max(1024),
});
const forgetBody = z.strictObject({
  hosts: z.array(hostName).min(1).max(1000),
  force: z.boolean().default(false),
  ban: z.boolean().default(false),
});
const unbanBody = forgetBody.pick({ hosts: true });
const LIFETIME = `${TOKEN_LIFETIME.min} to ${TOKEN_LIFETIME.max} seconds are possible`;
const tokenBody = z.strictObject({
  /** Seconds. */
  lifetime: z
    .number()
    .int()
    .min(TOKEN_LIFETIME.min, LIFETIME)
    .max(TOKEN_LIFETIME.max, LIFETIME)
    .default(HOUR_S),
});
const shareBody = z.strictObject({ host: hostName });

interface MemberRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly handler: (request: Request) => Promise<object>;
}

/** What the operator API has of the cluster. None of it waits for what stands on the store. */
export function memberRoutes(member: Member, clock: Clock): MemberRoute[] {
  const now = () => clock.now();
  const view = (): ClusterView => showCluster(member.describe(), now());
  const post = <B>(name: string, schema: z.ZodType<B>, work: (body: B) => Promise<object>): MemberRoute => ({
    method: 'POST',
    path: `/v1/cluster/${name}`,
    handler: async (request) => bounded(work(read(schema, request.payload)), WAIT_MS, name),
  });
  const change = <B>(name: string, schema: z.ZodType<B>, work: (body: B) => Promise<unknown>) =>
    post(name, schema, async (body) => {
      await work(body);
      return view();
    });
  return [
    { method: 'GET', path: '/v1/cluster', handler: async () => view() },
    {
      method: 'GET',
      path: '/v1/hosts',
      handler: async (request) => {
        const isAll = queryOf(request, 'all') !== undefined;
        const hosts = showHosts(member.describe(), now());
        return { hosts: isAll ? hosts : hosts.filter((host) => !isHistory(host)) };
      },
    },
    change('init', nothing, () => member.init()),
    change('join', joinBody, ({ host, port, token }) => member.join(placeOf(host, port), token)),
    change('leave', nothing, () => member.leave()),
    change('stay', nothing, () => member.stay()),
    change('forget', forgetBody, ({ hosts, force, ban }) => member.forget(hosts, { force, ban })),
    change('unban', unbanBody, ({ hosts }) => member.unban(hosts)),
    change('share', shareBody, ({ host }) => member.share(host)),
    post('token', tokenBody, async ({ lifetime }) => {
      const token = await member.token(lifetime * 1000);
      return { token, expires: new Date(wallOf(clock) + lifetime * 1000).toISOString() };
    }),
  ];
}

/** A row that nothing is to be done about any more: the host has left, or come back under another id. */
function isHistory({ state, returnedAs }: HostView): boolean {
  return state === 'left' || returnedAs !== undefined;
}

function placeOf(host: string, port: number) {
  try {
    return { address: parsePlace(host.includes(':') ? `[${host}]` : host, port).address, port };
  } catch (error) {
    throw new CodedError('NR_QUERY_INVALID', `host: ${(error as Error).message}`, { cause: error });
  }
}

/** The body of a request; none is an empty one. @throws NR_QUERY_INVALID that names what does not fit */
function read<B>(schema: z.ZodType<B>, payload: unknown): B {
  const result = schema.safeParse(payload ?? {});
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.');
  throw new CodedError('NR_QUERY_INVALID', `${where ? `${where}: ` : ''}${issue?.message ?? 'a bad body'}`);
}
