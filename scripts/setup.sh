#!/bin/sh
# Installs what this checkout needs and this machine lacks: Debian packages for the lab and the tests, npm packages.
# Says what it does while it does it, and nothing when there is nothing to do. Starts no service.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }

# What has to be there, and the package that brings it. Files and not package names: other packages may bring them too.
missing_packages() {
  while read -r file package; do
    [ -e "$file" ] || echo "$package"
  done <<END
/usr/sbin/dockerd docker.io
/usr/bin/gobgpd gobgpd
/usr/lib/frr/bgpd frr
/usr/sbin/nft nftables
/usr/sbin/iptables iptables
/bin/ip iproute2
/bin/ping iputils-ping
/usr/bin/tcpdump tcpdump
/usr/bin/iperf3 iperf3
/usr/sbin/conntrack conntrack
/usr/bin/tini tini
/usr/sbin/debootstrap debootstrap
/usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
/usr/bin/strace strace
/usr/bin/ps procps
/usr/bin/systemd-analyze systemd
END
  # Docker's client: part of docker.io up to Debian 12, a package of its own since.
  if [ -e /usr/sbin/dockerd ] && [ ! -e /usr/bin/docker ]; then echo docker-cli; fi
  # Plain busybox has the same path, but needs libraries that a container from it would lack.
  [ -e /var/lib/dpkg/info/busybox-static.list ] || echo busybox-static
}

install_packages() {
  [ "$(id -u)" = 0 ] || die "run as root to have these installed: $*"
  command -v apt-get > /dev/null || die "no apt-get here; these are missing: $*"
  say "installing $*"
  apt="apt-get -q -o DPkg::Lock::Timeout=300"
  log=$(mktemp)
  policy=
  # Packages ask this file whether they may start their services: they may not.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
  fi
  trap 'rm -f "$log" $policy' EXIT
  trap 'exit 130' INT TERM
  services=$(enabled_services)
  if ! { $apt update && DEBIAN_FRONTEND=noninteractive $apt install -y --no-install-recommends "$@"; } > "$log" 2>&1; then
    tail -n 30 "$log" >&2
    die "apt-get failed; above are its last words"
  fi
  leave_off "$services"
  rm -f "$log" $policy
  trap - EXIT INT TERM
}

# Units that would run these programs at the next boot.
units="docker.service docker.socket containerd.service frr.service gobgpd.service nftables.service"
enabled_services() {
  command -v systemctl > /dev/null || return 0
  # shellcheck disable=SC2086
  for unit in $units; do
    if systemctl is-enabled --quiet "$unit" 2> /dev/null; then echo "$unit"; fi
  done
}

# The lab runs its own copies, so what this has newly installed need not run on this machine.
leave_off() {
  for unit in $(enabled_services); do
    case " $(echo "$1" | tr '\n' ' ') " in
      *" $unit "*) ;;
      *) say "leaving $unit off: the lab runs its own"; systemctl disable --quiet --now "$unit" ;;
    esac
  done
}

install_modules() {
  command -v npm > /dev/null || die 'no npm here; install it: apt-get install npm'
  say 'installing npm packages'
  # Not `npm ci`: it refuses a lock file without the packages of platforms that the registry does not offer. This
  # keeps to the versions in the lock file as well.
  npm install --no-save --no-fund --no-audit --ignore-scripts --loglevel=error
  touch node_modules/.package-lock.json
}

# Debian 12's npm, when it leaves out the package of the other architecture, drops the link that both would make.
link_node() {
  for node in node_modules/node-linux-*/bin/node; do
    [ -x "$node" ] || die "npm has brought no Node for $(uname -m)"
    ln -sf "../${node#node_modules/}" node_modules/.bin/node
  done
}

# First, because this works elsewhere than on Debian too. npm writes the file inside when it has done its work.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  install_modules
fi
[ -x node_modules/.bin/node ] || link_node

# Twice, for what is missing may depend on what has been installed.
for _ in 1 2; do
  packages=$(missing_packages)
  # shellcheck disable=SC2086
  [ -z "$packages" ] || install_packages $packages
done
