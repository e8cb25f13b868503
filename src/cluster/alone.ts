import { CodedError } from '../errors.ts';
import type { Calls } from './ports.ts';

/** Requests of a host that has no connections to others: none is answered. `nameOf`: what people call a member. */
export function unreachable(nameOf: (member: string) => string): Calls {
  return {
    ask: (member, _method, _body, _ms, done) =>
      void setImmediate(() => {
        const what = `there is no connection to host ${nameOf(member)}`;
        done(new CodedError('NR_MEMBER_UNREACHABLE', what));
      }),
  };
}
