/**
 * Options of everything that reads. Numbers (-N) because names in /etc/iproute2 are the administrator's to choose;
 * details (-d) because `addr show` leaves the alias out otherwise.
 */
export const LISTING = ['-N', '-d', '-j'] as const;
