#!/usr/bin/env bash
# Runs the programs that were built for Windows under Wine, in a Windows session of its own below the build folder:
#   tests/windows/run.sh [--build FOLDER] [TEST...]     default: build/windows, and every test program that is there
# Prints one line for each program, and its whole output when it fails. `-- ARGUMENTS...` go to each of them.
set -euo pipefail
cd "$(dirname "$0")/../.."

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
wine=/usr/lib/wine/wine64
server=/usr/lib/wine/wineserver64
[ -x "$wine" ] || { echo "tests/windows/run.sh: Wine is missing: apt-get install --no-install-recommends wine64" >&2; exit 2; }
bin=$build/bin
if [ ${#tests[@]} -eq 0 ]; then
  for program in "$bin"/*_test.exe; do
    [ -e "$program" ] || { echo "tests/windows/run.sh: nothing is built in $bin: cmake --preset windows && cmake --build --preset windows" >&2; exit 2; }
    tests+=("$(basename "$program" .exe)")
  done
fi

# Wine does not hand the access list of a folder down to what is made in it; the umask stands in for that.
umask 077
build=$(realpath "$build")
bin=$build/bin
export WINEPREFIX=$build/wine WINEDEBUG=-all WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe=d'
trap '"$server" -k 2>/dev/null || true; "$server" -w 2>/dev/null || true' EXIT
if [ ! -e "$WINEPREFIX/ready" ]; then
  rm -rf "$WINEPREFIX"
  "$wine" wineboot -i </dev/null >"$build/wineboot.log" 2>&1
  "$wine" winecfg /v win10 </dev/null >>"$build/wineboot.log" 2>&1
  touch "$WINEPREFIX/ready"
fi
# The server of the session inherits what its first program has open: a pipe to our reader would never end.
"$wine" "$bin/keep_session.exe" </dev/null >/dev/null 2>&1 &

failed=0
for name in "${tests[@]}"; do
  begun=$SECONDS
  log=$build/$name.wine.log
  if timeout "${TEST_SECONDS:-300}" "$wine" "$bin/$name.exe" ${arguments[@]+"${arguments[@]}"} </dev/null >"$log" 2>&1; then
    echo "ok      $name: $(tail -n 2 "$log" | tr -d '\r' | sed -n '/./p' | tail -n 1) ($((SECONDS - begun)) s)"
  else
    status=$?
    failed=1
    cat "$log"
    echo "FAILED  $name: exit $status ($((SECONDS - begun)) s)"
  fi
done
exit $failed
