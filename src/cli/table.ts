/**
 * Rows under a heading, columns aligned by two spaces. Columns in which no row has anything are left out, and the
 * last one is not padded, so that nothing ends in spaces.
 */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const used = heading
    .map((_, column) => column)
    .filter((column) => rows.some((row) => (row[column] ?? '') !== ''));
  const cells = [heading, ...rows].map((row) => used.map((column) => row[column] || '-'));
  const widths = used.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  return cells
    .map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join('  '))
    .join('\n');
}

/** Names and values below each other, for one thing in detail. Values that are empty are left out. */
export function facts(rows: readonly (readonly [name: string, value: string | undefined])[]): string {
  const given = rows.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(...given.map(([name]) => name.length));
  return given.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

/** An id as Docker shows it. */
export function short(id: string): string {
  return id.slice(0, 12);
}

/** A duration for people: its two largest units. */
export function duration(seconds: number): string {
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const;
  const parts: string[] = [];
  let rest = Math.max(0, Math.round(seconds));
  const first = units.findIndex(([, size]) => rest >= size);
  if (first < 0) return '0 s';
  for (const [name, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(' ');
}

/** A count that may be an IPv6 pool's, exactly: where it is too long to be read by its distance from a power of two. */
export function count(text: string): string {
  if (text.length <= 12) return text;
  const value = BigInt(text);
  const low = value.toString(2).length - 1;
  const written = [low, low + 1].map((power) => {
    const distance = value - (1n << BigInt(power));
    return `2^${power}${distance > 0n ? '+' : ''}${distance === 0n ? '' : distance}`;
  });
  const [shortest = text] = written.sort((a, b) => a.length - b.length);
  return shortest.length < text.length ? shortest : text;
}
