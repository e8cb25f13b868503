import { CodedError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Replica } from '../../store/replica.ts';
import type { Ended } from './ports.ts';

/**
 * Waits until what another host has decided is so here, too, and durably: with its answer, or by gossip a little later.
 * @throws (to `done`) NR_DEADLINE after `ms` milliseconds
 */
export function arrived(
  { replica, timer, ms }: { replica: Replica; timer: Clock; ms: number },
  isHere: () => boolean,
  done: Ended,
): void {
  let waiting = true;
  const look = () => {
    if (!waiting || !isHere()) return;
    waiting = false;
    stop();
    cancel();
    replica.write([], done);
  };
  const stop = replica.onDurable(look);
  const cancel = timer.after(ms, () => {
    waiting = false;
    stop();
    done(new CodedError('NR_DEADLINE', 'what another host decided has not arrived here yet'));
  });
  look();
}
