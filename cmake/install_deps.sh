# SPDX-License-Identifier: MIT
# Installs the Debian packages that Weft needs, by group. Sourced by tests/run.sh and examples/demo.sh:
#   . cmake/install_deps.sh && weft_install_deps build test
# or run by hand: bash cmake/install_deps.sh build test
# Says nothing and takes a few milliseconds when nothing is missing. WEFT_NO_INSTALL=1 turns it off.

weft_packages() {
  case $1 in
    build) echo g++ cmake ninja-build pkg-config python3 libev-dev libboost-dev libboost-context-dev liburing-dev libcapstone-dev libc-ares-dev \
                libssl-dev libcli11-dev libgtest-dev libgmock-dev libbenchmark-dev ;;
    test) echo clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev libomp-14-dev binutils procps gdb linux-perf \
               python3 libpython3.11-testsuite memcached tinyproxy stunnel4 curl mariadb-server mariadb-client openssl \
               libcurl4-openssl-dev libhiredis-dev redis-server libpq-dev postgresql pigz zstd ;;
    nightly) echo chromium chromium-driver default-jdk-headless erlang-base ruby rustc haproxy nginx varnish unbound pbzip2 xz-utils sqlite3 fio \
                  libglib2.0-tests ;;
    demo) echo python3 procps ;;
    bench) echo python3 golang-go libboost-fiber-dev libst-dev libuv1-dev python3-gevent ;;
    *) echo "weft: no group of packages is called '$1'" >&2; return 2 ;;
  esac
}

weft_missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${Package}:${db:Status-Status}\n' "$@" 2>/dev/null)
  local package
  for package in "$@"; do
    case $'\n'$installed$'\n' in
      *$'\n'"$package:installed"$'\n'*) ;;
      *) echo "$package" ;;
    esac
  done
}

# Run as root by weft_install_deps. A package's postinst starts its daemon through invoke-rc.d or
# deb-systemd-invoke, and both obey /usr/sbin/policy-rc.d (exit status 101: not allowed). We answer 101
# while apt works, and put back what was there, also when apt fails or is interrupted.
weft_install_as_root='
set -u
policy=/usr/sbin/policy-rc.d
saved=$policy.before-weft
restore() { rm -f "$policy"; if [ -e "$saved" ]; then mv "$saved" "$policy"; fi; }
denied=0
if [ -x "$policy" ]; then "$policy" mariadb start >/dev/null 2>&1 </dev/null; denied=$?; fi
if [ "$denied" != 101 ]; then
  trap restore EXIT
  trap "exit 130" INT TERM HUP
  if [ -e "$policy" ]; then mv "$policy" "$saved"; fi
  printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod 755 "$policy" || exit 1
fi
export DEBIAN_FRONTEND=noninteractive
lock="-o DPkg::Lock::Timeout=300"
apt-get $lock -qq update </dev/null || echo "weft: apt-get update failed; trying with the lists there are" >&2
apt-get $lock -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@" </dev/null >/dev/null
'

weft_install_deps() {
  [ "${WEFT_NO_INSTALL:-}" != 1 ] || return 0
  local group names wanted='' missing
  for group in "$@"; do
    names=$(weft_packages "$group") || return
    wanted="$wanted $names"
  done
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "weft: this is not a Debian system. Install what corresponds to:$wanted" >&2
    echo "weft: then run this again with WEFT_NO_INSTALL=1." >&2
    return 1
  fi
  # shellcheck disable=SC2086  # lists of package names
  missing=$(weft_missing_packages $wanted | sort -u | tr '\n' ' ')
  [ -n "$missing" ] || return 0

  echo "weft: installing $missing" >&2
  local root='env'
  if [ "$(id -u)" != 0 ]; then
    root='sudo'
    [ -t 0 ] || root='sudo -n'
    if ! command -v sudo >/dev/null || ! $root true; then
      echo "weft: cannot install packages: neither root nor able to use sudo. As root, run" >&2
      echo "  apt-get install --no-install-recommends $missing" >&2
      return 1
    fi
  fi
  # shellcheck disable=SC2086
  if ! $root bash -c "$weft_install_as_root" weft-install $missing; then
    echo "weft: apt-get could not install: $missing" >&2
    return 1
  fi
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  weft_install_deps "$@"
fi
