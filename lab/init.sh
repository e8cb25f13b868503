#!/bin/sh
# First process of a lab host, in its own mount, network, PID, UTS, IPC and cgroup namespaces.
# Makes the host's file system and ends as a process that only collects orphans. Everything mounted here
# belongs to the private mount namespace, so it goes away with the last process of the host.
#
#   LAB_NAME      host name
#   LAB_HOSTS     lines of /etc/hosts by which the hosts know each other's names
#   LAB_DISK      folder that survives a reboot of the host
#   LAB_ROOT      root of another Debian release; empty: the machine's own root
#   LAB_CHECKOUT  checkout of the project, to be seen under the same path
#   LAB_CGROUP    v1 | v2
#   LAB_ROLE      host | router | plain
#
# Talks to whoever started it: prints its process id, waits for "go", prints "ready".
set -eu
umask 022 # whatever the caller's: FRR does not run as root, and has to find its way

# The machine's /proc is still mounted here, so this is the id that the machine knows us by.
read -r pid _ < /proc/self/stat
echo "$pid"
# Nobody may run who is not written down: without the answer (its writer died) this host never comes to be.
read -r go || exit 1
[ "$go" = go ]

hostname "$LAB_NAME"

# --- root ---
new=
if [ -n "$LAB_ROOT" ]; then
  new=$LAB_DISK/../root
  mkdir -p "$new" "$LAB_DISK/upper" "$LAB_DISK/work"
  new=$(readlink -f "$new")
  mount -t overlay -o "lowerdir=$LAB_ROOT,upperdir=$LAB_DISK/upper,workdir=$LAB_DISK/work" lab "$new"
else
  # Files of the machine's /etc are the start, changes stay on the host's disk.
  mkdir -p "$LAB_DISK/etc" "$LAB_DISK/etc.work"
  mount -t overlay -o "lowerdir=/etc,upperdir=$LAB_DISK/etc,workdir=$LAB_DISK/etc.work" lab /etc
fi

mount -t tmpfs -o mode=755 lab "$new/run"
mkdir -p "$new/run/lab/disk" "$new/run/lab/checkout" "$new/run/lock"
# Held here because the mounts below may hide where they come from.
mount --bind "$LAB_DISK" "$new/run/lab/disk"
mount --bind "$LAB_CHECKOUT" "$new/run/lab/checkout"

disk=$new/run/lab/disk
mkdir -p "$disk/var/lib/docker" "$disk/var/lib/net-routed" "$disk/var/log" "$disk/var/cache" "$disk/var/tmp" \
  "$disk/home" "$disk/etc-docker" "$disk/etc-frr" "$new/etc/docker" "$new/etc/frr" "$new/etc/net-routed"
[ -e "$disk/var/run" ] || ln -s /run "$disk/var/run"
[ -e "$disk/var/lock" ] || ln -s /run/lock "$disk/var/lock"
chmod 1777 "$disk/var/tmp"

# The machine's own Docker and FRR settings are none of this host's business.
mount --bind "$disk/etc-docker" "$new/etc/docker"
mount --bind "$disk/etc-frr" "$new/etc/frr"
echo "$LAB_NAME" > "$disk/hostname"
printf '127.0.0.1 localhost %s\n::1 localhost\n%s\n' "$LAB_NAME" "$LAB_HOSTS" > "$disk/hosts"
for file in hostname hosts; do
  [ -e "$new/etc/$file" ] || : > "$new/etc/$file"
  mount --bind "$disk/$file" "$new/etc/$file"
done
# No name server can be reached from here; rm because it may be a link into the machine's /run.
rm -f "$new/etc/resolv.conf"
echo '# a lab host has no name server' > "$new/etc/resolv.conf"

mount --bind "$disk/home" "$new/root"
mount -t tmpfs -o mode=1777 lab "$new/tmp"
mount --bind "$disk/var" "$new/var"
if [ ! -e "$new$LAB_CHECKOUT/package.json" ]; then
  mkdir -p "$new$LAB_CHECKOUT"
  mount --bind "$new/run/lab/checkout" "$new$LAB_CHECKOUT"
fi

if [ -n "$new" ]; then
  mount --rbind /dev "$new/dev"
  mount -t proc proc "$new/proc"
  cd "$new"
  pivot_root . mnt
  cd /
  umount -l /mnt
else
  mount -t proc proc /proc
fi

# --- /sys: of this network namespace, with the cgroups of this host only ---
mount -t sysfs sysfs /sys
if [ "$LAB_CGROUP" = v2 ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control
  done
else
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  while IFS=: read -r _ names _; do
    case $names in
      '') continue ;;
      name=*) folder=${names#name=} type="none,$names" ;;
      *) folder=$names type=$names ;;
    esac
    mkdir "/sys/fs/cgroup/$folder"
    mount -t cgroup -o "$type" cgroup "/sys/fs/cgroup/$folder"
    case $folder in *,*) for one in $(echo "$folder" | tr , ' '); do ln -s "$folder" "/sys/fs/cgroup/$one"; done ;; esac
  done < /proc/self/cgroup
fi

# --- network: what a router needs, set before dockerd (which would else drop what it does not know) ---
set_sysctl() { [ ! -e "/proc/sys/$1" ] || echo "$2" > "/proc/sys/$1"; }
ip link set lo up
for scope in all default; do
  set_sysctl "net/ipv6/conf/$scope/accept_dad" 0
  set_sysctl "net/ipv6/conf/$scope/accept_ra" 0
done
set_sysctl net/ipv6/conf/default/dad_transmits 0
if [ "$LAB_ROLE" != plain ]; then
  set_sysctl net/ipv4/ip_forward 1
  set_sysctl net/ipv6/conf/all/forwarding 1
  set_sysctl net/ipv4/fib_multipath_hash_policy 1
  set_sysctl net/ipv6/fib_multipath_hash_policy 1
  # A path may go but one way through a fabric; 2 is also what systemd sets.
  for scope in all default; do set_sysctl "net/ipv4/conf/$scope/rp_filter" 2; done
  set_sysctl net/ipv4/neigh/default/gc_thresh3 65536
  set_sysctl net/ipv4/neigh/default/gc_thresh2 32768
  set_sysctl net/ipv6/neigh/default/gc_thresh3 65536
  set_sysctl net/ipv6/neigh/default/gc_thresh2 32768
  set_sysctl net/ipv6/route/max_size 1048576
fi

echo ready
exec tini -- sleep infinity < /dev/null > /dev/null 2>&1
