/** First descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST_FD = 3;

/**
 * The sockets that systemd opened for this process, by the name of their unit's FileDescriptorName, or by number
 * where they have none. Empty when it passed none, or passed them to another process.
 */
export function inheritedSockets(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): Map<string, number> {
  const count = Number(env.LISTEN_FDS);
  const sockets = new Map<string, number>();
  if (!Number.isSafeInteger(count) || count < 1 || Number(env.LISTEN_PID) !== pid) return sockets;
  const names = (env.LISTEN_FDNAMES ?? '').split(':');
  for (let i = 0; i < count; i++) {
    const name = names[i];
    // systemd writes "unknown" for a socket without a name.
    sockets.set(!name || name === 'unknown' ? String(FIRST_FD + i) : name, FIRST_FD + i);
  }
  return sockets;
}
