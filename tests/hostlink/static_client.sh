#!/usr/bin/env bash
# The static client in a root directory that holds nothing else, against the daemon of the tests:
#   tests/hostlink/static_client.sh --client FILE --daemon FILE --most BYTES [--emulator FILE]
# --emulator: for another architecture, as /usr/bin/qemu-aarch64-static.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
client='' daemon='' most='' emulator=''
while [ $# -gt 0 ]; do
  case $1 in
    --client) client=$2 ;;
    --daemon) daemon=$2 ;;
    --most) most=$2 ;;
    --emulator) emulator=$2 ;;
    *) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done

root=$(mktemp -d)
daemon_id=''
finish() {
  exec 3>&- || true
  [ -z "$daemon_id" ] || wait "$daemon_id" || true
  rm -rf "$root"
}
trap finish EXIT
failed=0
check() {  # WHAT WANTED GOT
  if [ "$2" = "$3" ]; then
    echo "ok: $1"
  else
    printf 'FAILED: %s\n  wanted: %s\n  got:    %s\n' "$1" "$2" "$3"
    failed=1
  fi
}

size=$(stat -c %s "$client")
check "$(basename "$client") has at most $most bytes ($size)" yes "$([ "$size" -le "$most" ] && echo yes || echo no)"
check 'it names no library and no loader' '' "$(readelf -lWd "$client" 2>/dev/null | grep -E 'INTERP|NEEDED' || true)"

cp "$client" "$root/hostlink"
mkdir "$root/run"
start=(/hostlink)
if [ -n "$emulator" ]; then
  cp "$emulator" "$root/emulator"
  start=(/emulator /hostlink)
fi
mkfifo "$root/run/alive" "$root/run/says"
"$daemon" "$root/run" <"$root/run/alive" >"$root/run/says" &
daemon_id=$!
exec 3>"$root/run/alive"
read -r said <"$root/run/says"
check 'the daemon listens' ready "$said"

inside() {  # in the empty root, with the client's words
  local enter=(chroot)
  [ "$(id -u)" = 0 ] || enter=(unshare --map-root-user chroot)
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOSTLINK_SOCKET=/run/hostlink.sock HOSTLINK_TOKEN=s3cret "${enter[@]}" "$root" "${start[@]}" "$@"
}
check 'version' hostlink "$(inside --version | cut -d' ' -f1)"
check 'ping' '[box] pong - uptime 42s' "$(inside ping)"
check 'exec by protocol 2' 'to out' "$(inside exec both 2>/dev/null)"
check 'exec by protocol 1' 'hello' "$(inside --protocol 1 exec say hello 2>/dev/null)"
check 'run with stdin' 'through' "$(printf through | inside run cat)"
status=0
inside run status 42 || status=$?
check 'status' 42 "$status"
check 'get' 'content of the host' "$(inside get /far/file -)"
status=0
said=$(inside -k wrong ping 2>&1) || status=$?
check 'wrong token' 3 "$status"
status=0
said=$(inside -a localhost:1 ping 2>&1) || status=$?
case $most in
  2097152) check 'the small one says that it knows no network' 7 "$status" ;;
  *) check 'localhost is known without a hosts file' 'yes' "$(grep -q 'Connection refused' <<<"$said" && echo yes || echo "$said")" ;;
esac
exit $failed
