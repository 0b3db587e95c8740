#!/usr/bin/env bash
# Runs the test programs that were built for Windows under Wine, in a Windows session of its own:
#   tests/windows/run.sh [--build FOLDER] [TEST...]     default: build/windows, and every test program that is there
# Prints one line for each program, and its whole output when it fails. `-- ARGUMENTS...` go to each of them.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/windows/session.sh
. tests/windows/session.sh

build=build/windows
tests=()
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2; shift 2 ;;
    --) shift; arguments=("$@"); break ;;
    -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "tests/windows/run.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    *) tests+=("$1"); shift ;;
  esac
done
start_session "$build"
if [ ${#tests[@]} -eq 0 ]; then
  for program in "$bin"/*_test.exe; do tests+=("$(basename "$program" .exe)"); done
fi

failed=0
for name in "${tests[@]}"; do
  begun=$SECONDS
  log=$build/$name.wine.log
  if timeout "${TEST_SECONDS:-300}" "$wine" "$bin/$name.exe" ${arguments[@]+"${arguments[@]}"} </dev/null >"$log" 2>&1; then
    echo "ok      $name: $(tr -d '\r' <"$log" | grep -a 'tests passed' | tail -n 1) ($((SECONDS - begun)) s)"
  else
    status=$?
    if [ "$status" = 77 ]; then
      echo "skipped $name: $(tail -n 1 "$log" | tr -d '\r')"
      continue
    fi
    failed=1
    cat "$log"
    echo "FAILED  $name: exit $status ($((SECONDS - begun)) s)"
  fi
done
exit $failed
