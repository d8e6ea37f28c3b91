# shellcheck shell=bash disable=SC2154
# ./dev test: every part writes its counts to build/test/PART.count; the last line adds them up.

counts="$root/build/test"
tsan_programs=(runtime_tests platform_tests http_tests cluster_tests gateway_tests)

cmd_test() {
  local part="${1:-all}" started=$SECONDS
  rm -rf "$counts"
  mkdir -p "$counts"
  need_packages "to build" "${build_packages[@]}"
  need_packages "to test" "${unit_packages[@]}"
  case "$part" in
    unit) part_unit ;;
    integration) part_release && part_integration ;;
    netns) part_release && part_netns ;;
    e2e) part_release && part_e2e ;;
    all)
      part_unit || true
      part_tsan || true
      part_release && { part_integration || true; part_netns || true; part_e2e || true; }
      ;;
    *) die "no such part: $part (unit, integration, netns, e2e)" ;;
  esac || true
  summary $((SECONDS - started))
}

# A part that begins has failed until it has counted: whatever ends it early, the last line tells.
begins() {
  echo "0 1" >"$counts/$1.count"
}

# GoogleTest programs of a preset through ctest; each case is counted.
run_ctest() {
  local name="$1" preset="$2" results="$counts/$1.gtest"
  shift 2
  mkdir -p "$results"
  begins "$name"
  say "running the tests of build/$preset"
  GTEST_OUTPUT="xml:$results/" ctest --test-dir "build/$preset" --output-on-failure --output-junit "$counts/$name.xml" \
    --parallel "$(nproc)" "$@" >"$counts/$name.txt" 2>&1 || true
  python3 tools/dev/count_gtest.py "$counts/$name.xml" "$results" "$counts/$name.count" || {
    cat "$counts/$name.txt"
    return 1
  }
}

failed_to_build() {
  begins "$1"
  say "part $1: the build failed"
  return 1
}

part_unit() {
  export UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1
  export KITH_SIM_SEEDS="${KITH_SIM_SEEDS:-20}" # sanitizers make them slow; ./dev sim runs more
  if bash tools/dev/lint.sh; then echo "1 0"; else echo "0 1"; fi >"$counts/lint.count"
  build_preset debug all || failed_to_build unit || return 1
  run_ctest unit debug
}

part_tsan() {
  local filter
  filter="$(IFS='|'; echo "${tsan_programs[*]}")"
  configure_preset tsan
  local targets=() target
  for target in "${tsan_programs[@]}"; do
    ninja -C build/tsan -t query "$target" >/dev/null 2>&1 && targets+=("$target")
  done
  build_preset tsan "${targets[@]}" || failed_to_build tsan || return 1
  TSAN_OPTIONS=halt_on_error=1 run_ctest tsan tsan -R "$filter"
}

part_release() {
  build_preset release kith kith-demo-app || failed_to_build release
}

part_integration() {
  need_packages "for the integration tests" "${integration_packages[@]}"
  begins integration
  npm_ci tests/integration/redis_clients || true # the tests of these clients fail then, and only they
  say "integration: real processes, real sockets"
  python3 tests/run.py --bin build/release --jobs 2 --counts "$counts/integration.count" tests/integration
}

# Root's alone: each node gets a network of its own. Elsewhere it is left out, and says so.
part_netns() {
  local why
  if ((EUID == 0)); then need_packages "for the network tests" "${netns_packages[@]}"; fi
  why="$(PYTHONPATH=tools python3 -c 'from harness import netns; netns.sweep(); print(netns.why_not())')"
  if [[ -n "$why" ]]; then
    say "netns: left out: $why"
    return
  fi
  begins netns
  say "netns: nodes in network namespaces, faults by nftables"
  python3 tests/run.py --bin build/release --counts "$counts/netns.count" tests/netns
}

part_e2e() {
  need_packages "for the end-to-end tests" "${e2e_packages[@]}"
  begins e2e
  say "end to end: load balancers, an identity provider, many users, a browser"
  npm_ci tests/e2e || return 1
  python3 tests/run.py --bin build/release --counts "$counts/e2e.count" tests/e2e
}

# What a folder's package-lock.json names, into its node_modules.
npm_ci() {
  npm ci --prefix "$1" --no-audit --no-fund --loglevel=error </dev/null >"$counts/npm.txt" 2>&1 || {
    cat "$counts/npm.txt"
    return 1
  }
}

summary() {
  local file passed failed all_passed=0 all_failed=0
  echo
  for file in "$counts"/*.count; do
    [[ -e "$file" ]] || continue
    read -r passed failed <"$file"
    printf '    %-12s %6d passed %6d failed\n' "$(basename "$file" .count)" "$passed" "$failed"
    all_passed=$((all_passed + passed))
    all_failed=$((all_failed + failed))
  done
  printf '    %d min %d s\n\n' $(($1 / 60)) $(($1 % 60))
  ((all_passed + all_failed == 0)) && all_failed=1 # nothing ran: that is no success
  echo "$all_passed passed, $all_failed failed"
  ((all_failed == 0))
}
