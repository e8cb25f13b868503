/** Where the lab keeps its things. One folder per lab; nothing of a lab lives outside it but its cgroups. */
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout that this file is part of. */
export const checkout = dirname(dirname(fileURLToPath(import.meta.url)));

/** Folder of all labs. */
export const labsFolder = '/var/lib/net-routed-lab';

/** Name of the cgroup, in every hierarchy, that all labs live under. */
export const labsCgroup = 'net-routed-lab';

/** Folder of one lab. */
export const labFolder = (lab: string): string => join(labsFolder, lab);

/** Folder of one host of a lab; its `disk` survives a reboot of the host. */
export const hostFolder = (lab: string, host: string): string => join(labFolder(lab), host);

/** Roots of other Debian releases. */
export const rootsFolder = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'net-routed', 'roots');
