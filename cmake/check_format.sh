#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_format.sh CLANG_FORMAT [--fix]: every source as .clang-format has it. Generated files lie in build/ and are not looked at.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
format=$1
mode=(--dry-run --Werror)
[ "${2:-}" != --fix ] || mode=(-i)
version=$("$format" --version) || exit 2
case $version in
  *"version 14."*) ;;
  *) echo "check_format.sh: needs clang-format 14, not $version" >&2; exit 2 ;;
esac
find include lib shim tests examples bench -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.h' -o -name '*.c' \) -print0 2>/dev/null |
  xargs -0 -r "$format" "${mode[@]}"
