# SPDX-License-Identifier: Apache-2.0
# A Windows session for programs that were cross-built, below their build folder; sourced. Bash, `set -euo pipefail`.
# shellcheck shell=bash
wine=/usr/lib/wine/wine64
server=/usr/lib/wine/wineserver64

# start_session BUILD: sets `bin`; the session ends with this shell.
start_session() {
  local build
  build=$(realpath "$1")
  bin=$build/bin
  [ -x "$wine" ] || { echo "$0: Wine is missing: apt-get install --no-install-recommends wine64" >&2; exit 2; }
  [ -e "$bin/keep_session.exe" ] ||
    { echo "$0: nothing is built in $bin: cmake --preset windows && cmake --build --preset windows" >&2; exit 2; }
  # Wine does not hand the access list of a folder down to what is made in it; the umask stands in for that.
  umask 077
  export WINEPREFIX=$build/wine WINEDEBUG=-all WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe=d'
  # One session at a time: whoever ends first would end the other one's.
  exec 9>"$build/wine.lock"
  flock 9
  trap '"$server" -k 2>/dev/null || true; "$server" -w 2>/dev/null || true' EXIT
  if [ ! -e "$WINEPREFIX/ready" ]; then
    rm -rf "$WINEPREFIX"
    "$wine" wineboot -i </dev/null >"$build/wineboot.log" 2>&1 9>&-
    "$wine" winecfg /v win10 </dev/null >>"$build/wineboot.log" 2>&1 9>&-
    touch "$WINEPREFIX/ready"
  fi
  # The server of the session inherits what its first program has open: a pipe to our reader would never end.
  "$wine" "$bin/keep_session.exe" </dev/null >/dev/null 2>&1 9>&- &
  # Nor may a later program be the one that starts a part of it.
  "$wine" cmd.exe /c exit </dev/null >/dev/null 2>&1 9>&-
}
