# shellcheck shell=bash disable=SC2154
# Building, with a progress display: ninja's own line on a terminal, a line per tenth elsewhere.

# The same compile in another clone is a hit in the compiler cache.
export CCACHE_BASEDIR="$root" CCACHE_NOHASHDIR=1

# configure_preset PRESET
configure_preset() {
  local preset="$1" log="build/$1/configure.txt" tests=OFF
  installed libgtest-dev && tests=ON
  [[ "$preset" == fuzz ]] && tests=OFF
  mkdir -p "build/$preset"
  if ! cmake --preset "$preset" -DKITH_TESTS="$tests" >"$log" 2>&1; then
    cat "$log" >&2
    die "cmake could not configure the preset $preset"
  fi
}

# build_preset PRESET TARGET...
build_preset() {
  local preset="$1" started=$SECONDS
  shift
  say "building ${*} ($preset)"
  configure_preset "$preset"
  # `|| return`: the caller may have switched off `set -e` by testing our result.
  if [[ -t 1 ]]; then
    NINJA_STATUS="    [%f/%t] " cmake --build "build/$preset" --target "$@" --parallel "$(nproc)" || return
  else
    NINJA_STATUS="[%f/%t] " cmake --build "build/$preset" --target "$@" --parallel "$(nproc)" 2>&1 | condense ||
      return
  fi
  say "built in $((SECONDS - started)) s"
}

# Passes on ninja's status lines only at each tenth of the way, and everything else whole.
condense() {
  awk 'match($0, /^\[[0-9]+\/[0-9]+\] /) {
         split(substr($0, 2, RLENGTH - 3), n, "/")
         tenth = int(10 * n[1] / n[2])
         if (tenth != last) { last = tenth; printf "    %3d %%  %d of %d\n", 10 * tenth, n[1], n[2]; fflush() }
         next
       }
       { print; fflush() }'
}
