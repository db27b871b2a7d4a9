#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, builds the release, and shows unmodified threaded servers on OS threads and on
# green threads: examples/thread_echo.cpp with 10,000 connections, then Python's ThreadingHTTPServer with 1,000.
#
#   bash examples/demo.sh [--hubs N] [--seconds S] [--connections N] [--python-connections N]
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case " $* " in
  *' --help '* | *' -h '*) sed -n '3,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
esac

# shellcheck source=cmake/install_deps.sh
. cmake/install_deps.sh
weft_install_deps build demo

options=()
if command -v ccache >/dev/null; then
  options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi
echo 'Building (build/demo.log) ...'
mkdir -p build
if ! { cmake --preset release ${options[@]+"${options[@]}"} && cmake --build build/release; } >build/demo.log 2>&1; then
  tail -n 40 build/demo.log >&2
  exit 1
fi

# A process may raise its soft limit to the hard one; the hard one only with CAP_SYS_RESOURCE.
wanted=40000
before="$(ulimit -Sn) (hard $(ulimit -Hn))"
if [ "$(ulimit -Hn)" != unlimited ] && [ "$(ulimit -Hn)" -lt $wanted ]; then
  ulimit -Hn $wanted 2>/dev/null || true
fi
ulimit -Sn "$(ulimit -Hn)" 2>/dev/null || ulimit -Sn $wanted 2>/dev/null || true
echo "Open files (ulimit -n): were $before, now $(ulimit -Sn) (hard $(ulimit -Hn))."

exec /usr/bin/python3 examples/demo_table.py "$@"
