/** A file system image of busybox: one static program and a link for each of its applets. */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { labFolder } from './paths.ts';
import { must } from './run.ts';

// Links are relative to the folder that they are in. Links to where busybox is on this machine, /usr/bin/busybox, hang
// in the air in a container, and dockerd then says that there is no "ip" in $PATH.
const script = `
umask 022
busybox=$(PATH=/usr/bin:/bin command -v busybox)
root=$(mktemp -d "$1.XXXXXX")
trap 'rm -rf "$root"' EXIT
cd "$root"
mkdir -p bin dev etc proc root sys tmp usr/bin usr/sbin sbin var/run
chmod 755 .
chmod 1777 tmp
cp "$busybox" bin/busybox
for applet in $(./bin/busybox --list); do [ -e "bin/$applet" ] || ln -s busybox "bin/$applet"; done
echo 'root:x:0:0:root:/root:/bin/sh' > etc/passwd
echo 'root:x:0:' > etc/group
tar -cf "$1.tar.tmp" .
`;

let making: Promise<void> | undefined;

/** The image as a tar file, made on first use. */
export async function imageFile(lab: string): Promise<string> {
  const base = join(labFolder(lab), 'busybox');
  const file = `${base}.tar`;
  if (!existsSync(file)) {
    making ??= must(['sh', '-ec', script, 'sh', base])
      .then(() => renameSync(`${file}.tmp`, file))
      .finally(() => {
        making = undefined;
      });
    await making;
  }
  return file;
}
