#!/bin/sh
# Makes the root of a Debian release: build-root.sh SUITE FOLDER MIRROR KEYRING LOG PACKAGE...
# Run in mount and PID namespaces of its own, so that its mounts and processes end with it.
set -eu
umask 022
suite=$1 root=$2 mirror=$3 keyring=$4 log=$5
shift 5

step() { "$@" >> "$log" 2>&1 || { echo "$* failed; $log ends with:"; tail -n 20 "$log"; exit 1; }; }

mount -t proc proc /proc
: > "$log"
step debootstrap --variant=minbase --keyring="$keyring" "$suite" "$root" "$mirror"

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
# Nothing in there may start, and nothing is to be written that only a booted system needs.
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
cat > "$root/etc/apt/apt.conf.d/90lab" <<'END'
APT::Install-Recommends "false";
Dpkg::Options { "--force-unsafe-io"; "--path-exclude=/usr/share/doc/*"; "--path-exclude=/usr/share/man/*"; "--path-exclude=/usr/share/locale/*"; };
END
cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>> "$log" || echo 'no resolv.conf to copy' >> "$log"
# A second step, for debootstrap itself cannot install what brings systemd.
step chroot "$root" apt-get -q -y install "$@"
step chroot "$root" apt-get clean
rm -rf "$root"/var/lib/apt/lists/*
