#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds the presets and runs the tests. The last line is the sum of it all:
#   N passed, N failed[, N skipped]
# and the exit status is 0 only when nothing failed. A build counts as a test of its own.
#
#   bash tests/run.sh                   the short form, which CI runs
#   bash tests/run.sh --nightly         every preset with every test: the long lists, soaks and races too
#   bash tests/run.sh --preset asan     that preset alone (may be given several times), its short form
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

usage() { sed -n '3,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

nightly=0
presets=()
while [ $# -gt 0 ]; do
  case $1 in
    --nightly) nightly=1 ;;
    --preset) [ $# -gt 1 ] || { usage >&2; exit 2; }; presets+=("$2"); shift ;;
    --preset=*) presets+=("${1#*=}") ;;
    -h | --help) usage; exit 0 ;;
    *) echo "tests/run.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
whole=0
if [ ${#presets[@]} = 0 ]; then
  whole=1
  presets=(release checks asan tsan)
fi

passed=0 failed=0 skipped=0
finish() {
  local line="$passed passed, $failed failed"
  [ "$skipped" = 0 ] || line="$line, $skipped skipped"
  echo "$line"
  [ "$failed" = 0 ] || exit 1
  exit 0
}

# One step with its log: silent when it works, its last lines when it does not.
step() {
  local name=$1 log=$2 start=$SECONDS
  shift 2
  if "$@" >"$log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "ok     $name ($((SECONDS - start)) s)"
  else
    failed=$((failed + 1))
    echo "FAILED $name; the end of $log:"
    tail -n 60 "$log"
    return 1
  fi
}

# shellcheck source=cmake/install_deps.sh
. cmake/install_deps.sh
groups=(build test)
[ $nightly = 0 ] || groups+=(nightly)
if ! weft_install_deps "${groups[@]}"; then
  failed=1
  finish
fi

jobs=${WEFT_JOBS:-$(nproc)}
common=(-DWEFT_WERROR=ON)
# A fresh clone finds nothing in a cache; without one headers are precompiled (cmake/weft_options.cmake).
if [ "${CI:-}" != true ] && command -v ccache >/dev/null; then
  common+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi

# The folders of tests/ that a preset builds: in the short form each unit test runs in release and under one sanitizer, the one
# that finds more there (the shim's under both, as some of them cannot run under tsan), and what is preloaded also with all
# assertions, which the sanitizers' presets have on, too. The long form builds everything in all.
folders() {
  if [ $whole$nightly != 10 ]; then return; fi
  case $1 in
    checks) echo 'shim' ;;
    asan) echo 'base;context;loop;fd;io;capi;shim' ;;
    tsan) echo 'core;fd;sync;task;shim;stress' ;;
  esac
}

build() {
  local all=()
  [ $nightly = 0 ] || all=(-DWEFT_ARES=ON -DWEFT_TLS=ON)
  cmake --preset "$1" "${common[@]}" "${all[@]}" -DWEFT_TEST_FOLDERS="$(folders "$1")" && cmake --build "build/$1" -j "$jobs"
}

# The sources' check reads everything with clang; the long form builds with it too.
build_with_clang() {
  cmake -S . -B build/clang -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=clang-14 \
    -DCMAKE_CXX_COMPILER=clang++-14 -DWEFT_SOURCE_CHECKS=OFF "${common[@]}" && cmake --build build/clang -j "$jobs"
}

# Which tests a preset runs in the short form. Programs cannot be preloaded with a sanitizer, and the
# suites of other projects take long: they run once, with what is installed.
selection() {
  if [ $nightly = 1 ]; then return; fi
  case $1 in
    checks) echo '-LE nightly|upstream' ;;
    *) echo '-LE nightly' ;;
  esac
}

run_tests() {
  local preset=$1 dir=build/$1 counts status
  rm -f "$dir/junit.xml"
  # shellcheck disable=SC2046  # an option and its value
  ctest --test-dir "$dir" --no-tests=ignore --output-on-failure --timeout 300 -j "$jobs" \
    --output-junit junit.xml $(selection "$preset") </dev/null
  status=$?
  counts=$(python3 tests/junit_sum.py "$dir/junit.xml" "$status") || counts='0 1 0'
  # shellcheck disable=SC2086
  set -- $counts
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
  echo "$preset: $1 passed, $2 failed, $3 skipped"
}

# A slow machine of the continuous integration would cut the run off before its sum: there the later presets give way.
in_time() {
  [ "$SECONDS" -lt "${WEFT_TIME_LIMIT:-$([ "${CI:-}" = true ] && echo 2400 || echo 100000)}" ] && return
  skipped=$((skipped + 1))
  echo "SKIPPED $1: $SECONDS s have passed (WEFT_TIME_LIMIT)"
  return 1
}

mkdir -p build
for preset in "${presets[@]}"; do
  in_time "$preset" || continue
  step "build of $preset" "build/$preset.log" build "$preset" || continue
  run_tests "$preset"
  if [ $whole$nightly = 11 ] && [ "$preset" = release ]; then
    step 'build with clang' build/clang.log build_with_clang
  fi
done
finish
