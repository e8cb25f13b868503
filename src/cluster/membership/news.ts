import type { Log } from '../../ports/log.ts';
import type { ClusterNode } from '../node/node.ts';

/** Tells the log who joins, leaves and is forgotten, as this host hears of it. */
export class News {
  readonly #stops: (() => void)[];

  constructor({ replica, cluster: { members } }: ClusterNode, log: Log) {
    this.#stops = [
      replica.observe('member', ({ key, before, after }) => {
        const member = members.get(key.slice('member/'.length));
        if (!before && after && member) log.info({ id: member.id, name: member.name }, 'a host joins');
        const isComplete = (value: unknown) =>
          (value as { complete?: unknown } | undefined)?.complete === true;
        if (member && before && isComplete(after?.value) && !isComplete(before.value))
          log.info({ id: member.id, name: member.name }, 'a host has joined');
      }),
      replica.observe('gone', ({ key, before, after }) => {
        const gone = members.gone(key.slice('gone/'.length));
        if (before || !after || !gone) return;
        const what = gone.how === 'left' ? 'a host has left' : 'a host is forgotten';
        log.info({ id: gone.id, name: members.nameOf(gone.id), by: members.nameOf(gone.by) }, what);
      }),
    ];
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }
}
