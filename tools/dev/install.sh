# shellcheck shell=bash
# Runs as root, from standard input of a shell: installs the packages named as arguments, from which
# no service starts.
set -eu
export DEBIAN_FRONTEND=noninteractive

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

install() {
  apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" \
    </dev/null >/tmp/kith-apt.$$ 2>&1
}
update() {
  echo "    apt-get update"
  apt-get update -qq -o DPkg::Lock::Timeout=300 </dev/null
}

fresh="$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -mtime -1 2>/dev/null | head -n 1)"
[ -n "$fresh" ] || update
echo "    apt-get install"
if ! install "$@"; then
  update # the lists may be older than the mirror
  install "$@" || {
    cat "/tmp/kith-apt.$$" >&2
    exit 1
  }
fi
rm -f "/tmp/kith-apt.$$"
