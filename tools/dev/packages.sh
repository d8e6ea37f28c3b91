# shellcheck shell=bash disable=SC2154
# What each command needs from Debian 12, and how it gets there. Sourced by ./dev.

# An entry is a package, or COMMAND=PACKAGE where having the command is enough, wherever it is from.
# shellcheck disable=SC2034,SC2191  # the lists are used by ./dev and tests.sh
{
  build_packages=(g++ cmake=cmake ninja=ninja-build ccache=ccache ld.lld=lld pkg-config=pkg-config
    libboost1.81-dev libboost-json1.81-dev libssl-dev libyaml-cpp-dev libspdlog-dev libcli11-dev
    libcjose-dev libjansson-dev libc-ares-dev)
  unit_packages=(python3=python3 libgtest-dev libgmock-dev redis-server=redis-server redis-cli=redis-tools)
  demo_packages=(python3=python3 haproxy=haproxy)
  integration_packages=(python3=python3 openssl=openssl curl=curl dnsmasq-base bind9 bind9-dnsutils
    redis-server=redis-server redis-cli=redis-tools python3-redis node=nodejs npm=npm)
  netns_packages=(python3=python3 ip=iproute2 nft=nftables)
  e2e_packages=(python3=python3 haproxy=haproxy nginx=nginx-light node=nodejs npm=npm chromium=chromium
    openssl=openssl curl=curl)
  fuzz_packages=(clang++=clang libclang-rt-14-dev)
  bench_packages=(python3=python3 nginx=nginx-light haproxy=haproxy wrk=wrk ip=iproute2 go=golang-go
    golang-github-hashicorp-memberlist-dev redis-server=redis-server redis-benchmark=redis-tools openssl=openssl)
  tidy_packages=(git=git clang-format=clang-format clang-tidy=clang-tidy shellcheck=shellcheck)
}

say() { printf '%s %s\n' "${say_prefix:-==>}" "$*"; }
die() {
  printf 'dev: %s\n' "$*" >&2
  exit 1
}

installed() { [[ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" == *"ok installed" ]]; }

# need_packages WHY ENTRY...: installs what is missing, and says so.
need_packages() {
  local why="$1" entry missing=()
  shift
  for entry in "$@"; do
    case "$entry" in
      *=*) command -v "${entry%%=*}" >/dev/null || missing+=("${entry#*=}") ;;
      *) if command -v dpkg-query >/dev/null; then installed "$entry" || missing+=("$entry"); fi ;;
    esac
  done
  ((${#missing[@]} == 0)) && return
  command -v apt-get >/dev/null ||
    die "needed $why, and there is no apt-get here to install them: ${missing[*]}"
  explain_boost "${missing[@]}"
  say "installing what is missing $why: ${missing[*]}"
  as_root bash -s -- "${missing[@]}" <"$root/tools/dev/install.sh" ||
    die "apt-get could not install: ${missing[*]}"
}

# libboost-dev of Debian 12 is 1.74; only one version's headers can be installed at a time.
explain_boost() {
  [[ " $* " == *" libboost1.81-dev "* ]] && installed libboost1.74-dev || return 0
  say "note: kith needs the headers of Boost 1.81, and Debian lets only one version be installed:"
  say "      libboost1.74-dev (what libboost-dev brings) and the -dev packages that need it will be removed."
  if [[ -t 0 && -t 1 ]]; then
    local answer
    read -r -p "    go on? [y/N] " answer
    [[ "$answer" == [yY]* ]] || die "left as it is"
  fi
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    say "root is needed for this (sudo may ask for your password)"
    sudo "$@"
  else
    die "root is needed to install packages, and there is no sudo: run this as root, or install them yourself"
  fi
}
