import type { ClusterView } from '../../api/views.ts';
import { counted } from '../../api/words.ts';
import { duration } from '../table.ts';

const STATES: Record<ClusterView['state'], string> = {
  alone: 'none: this host is alone',
  waiting: 'none yet, see below',
  joining: ', not let in yet',
  member: '',
  leaving: ', leaving it',
  halted: ', halted',
};

/** In one line. */
export function renderCluster({ state, cluster, members, change }: ClusterView): string {
  const doing = change ? `; ${change.what}: ${change.step}, for ${duration(change.seconds)}` : '';
  if (cluster === undefined) return `${STATES[state]}${doing}`;
  const heard = members ? `, ${members.heard} of ${counted(members.total, 'member')} heard` : '';
  return `${cluster}${heard}${STATES[state]}${doing}`;
}
