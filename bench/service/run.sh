#!/usr/bin/env bash
# Start time and memory of the installed service, as JSON: hostclaw and the official host under a real systemd, in one
# container, and hostclaw under the service manager of Wine. Needs root and what ./run-tests installs and builds.
#   bench/service/run.sh [--hostclaw FILE] [--windows FILE] [--dev-gateway FILE] [--starts N]
# start_ms is the time from `systemctl start` to the moment the gateway sees the node; under Wine from `node start` to its
# return. Memory is RSS of every process of the service, 5 s after that.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/service/container.sh
. tests/service/container.sh

hostclaw=build/release/bin/hostclaw
windows=build/windows/bin/hostclaw.exe
dev_gateway=build/debug/bin/hostclaw-dev-gateway
starts=5
while [ $# -gt 0 ]; do
  case $1 in
    --hostclaw) hostclaw=$2; shift 2 ;;
    --windows) windows=$2; shift 2 ;;
    --dev-gateway) dev_gateway=$2; shift 2 ;;
    --starts) starts=$2; shift 2 ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "bench/service/run.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done
packages=tests/e2e/.packages
for needed in "$hostclaw" "$dev_gateway" "$packages/2026.9.6"; do
  [ -e "$needed" ] || { echo "bench/service/run.sh: $needed is missing" >&2; exit 1; }
done

work=$(mktemp -d)
gateway_pid=""
cleanup() {
  container_remove
  [ -n "$gateway_pid" ] && kill "$gateway_pid" 2>/dev/null
  if [ -n "${server:-}" ]; then
    "$wine" "$program" node uninstall --purge </dev/null >/dev/null 2>&1 || true
    "$server" -k 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap cleanup EXIT
umask 077
od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$work/token"
"$dev_gateway" serve --port 0 --token-file "$work/token" >"$work/gateway.log" 2>&1 </dev/null &
gateway_pid=$!
until grep -q '"ready":true' "$work/gateway.log"; do sleep 0.1; done
port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$work/gateway.log" | head -n 1)
gw() {
  local verb=$1
  shift
  "$dev_gateway" "$verb" --url "ws://127.0.0.1:$port" --token-file "$work/token" "$@"
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }
connected() { gw nodes 2>/dev/null | grep -q "  $1  "; }
until_connected() { until connected "$1"; do sleep 0.005; done; }
until_gone() { while connected "$1"; do sleep 0.05; done; }
approve() {
  local id=""
  until [ -n "$id" ]; do
    id=$(gw pending | awk -v name="$1" '$1 == "node" && $3 == name {print $2; exit}')
    sleep 0.1
  done
  gw approve "$id" >/dev/null
}
median() { sort -n | awk '{value[NR] = $1} END {print value[int((NR + 1) / 2)]}'; }
memory() {  # PID...: RSS in MiB and threads of all
  awk '/^VmRSS/ {rss += $2} /^Threads/ {threads += $2} END {printf "\"rss_mib\": %.1f, \"threads\": %d", rss / 1024, threads}' \
    $(printf '/proc/%s/status ' "$@")
}
figures() { printf '"%s": {"start_ms": %s, %s, "processes": %s}' "$1" "$2" "$3" "$4"; }

container_prepare >&2
container_new
install -m 755 "$hostclaw" "$container_root/usr/local/bin/hostclaw"
chroot "$container_root" useradd --create-home --shell /bin/bash tester
container_boot "--bind-ro=$(realpath "$packages"):/mnt" || { echo "bench/service/run.sh: the container does not boot" >&2; exit 1; }
in_container loginctl enable-linger tester
session() {
  in_container systemd-run --quiet --wait --pipe --collect --uid=tester -p PAMName=login -p WorkingDirectory=/home/tester -- \
    bash -lc "$1" </dev/null
}
pids_of() {  # CONTROL_GROUP: the ids of its processes as this machine numbers them
  in_container cat "/sys/fs/cgroup/systemd$1/cgroup.procs" "/sys/fs/cgroup$1/cgroup.procs" 2>/dev/null | while read -r inside; do
    for status in /proc/[0-9]*/status; do
      awk -v inside="$inside" '/^NSpid:/ && NF == 3 && $3 == inside {print $2}' "$status" 2>/dev/null
    done
  done | sort -u
}

container_env=("OPENCLAW_GATEWAY_TOKEN=$(cat "$work/token")")
in_container hostclaw node install --host 127.0.0.1 --port "$port" --display-name native >/dev/null
container_env=()
approve native
for _ in $(seq "$starts"); do
  in_container systemctl stop hostclaw
  until_gone native
  begun=$(now_ms)
  in_container systemctl start hostclaw
  until_connected native
  echo $(($(now_ms) - begun)) >>"$work/native"
done
sleep 5
group=$(in_container systemctl show hostclaw -P ControlGroup)
mapfile -t pids < <(pids_of "$group")
native=$(figures hostclaw "$(median <"$work/native")" "$(memory "${pids[@]}")" ${#pids[@]})
in_container systemctl stop hostclaw

openclaw="/mnt/node-24/node_modules/node/bin/node /mnt/2026.9.6/node_modules/openclaw/openclaw.mjs"
install -m 600 -o 1000 -g 1000 "$work/token" "$container_root/home/tester/token"
session "export OPENCLAW_NO_AUTO_UPDATE=1 OPENCLAW_GATEWAY_TOKEN=\$(cat token)
  $openclaw node install --host 127.0.0.1 --port $port --display-name official --json; rm token" >"$work/official.log"
approve official
for _ in $(seq "$starts"); do
  session 'systemctl --user stop openclaw-node'
  until_gone official
  begun=$(now_ms)
  session 'systemctl --user start openclaw-node'
  until_connected official
  echo $(($(now_ms) - begun)) >>"$work/official"
done
sleep 5
group=$(session 'systemctl --user show openclaw-node -P ControlGroup' | tr -d '\r')
mapfile -t pids < <(pids_of "$group")
official=$(figures official "$(median <"$work/official")" "$(memory "${pids[@]}")" ${#pids[@]})
container_off

on_windows='"hostclaw_windows": null'
if [ -e "$windows" ]; then
  program='C:\Program Files\hostclaw\hostclaw.exe'
  # shellcheck source=tests/windows/session.sh
  . tests/windows/session.sh
  start_session "$(dirname "$(dirname "$windows")")"
  trap cleanup EXIT
  mkdir -p "$WINEPREFIX/drive_c/Program Files/hostclaw"
  cp "$windows" "$WINEPREFIX/drive_c/Program Files/hostclaw/hostclaw.exe"
  OPENCLAW_GATEWAY_TOKEN=$(cat "$work/token") "$wine" "$program" node install --host 127.0.0.1 --port "$port" \
    --display-name windows </dev/null >"$work/windows.log" 2>&1 || { cat "$work/windows.log" >&2; exit 1; }
  approve windows
  for _ in $(seq "$starts"); do
    "$wine" "$program" node stop </dev/null >/dev/null 2>&1
    until_gone windows
    begun=$(now_ms)
    "$wine" "$program" node start </dev/null >/dev/null 2>&1
    echo $(($(now_ms) - begun)) >>"$work/windows"
  done
  sleep 5
  mapfile -t pids < <(pgrep -f 'hostclaw.exe.* service run ')
  on_windows=$(figures hostclaw_windows "$(median <"$work/windows")" "$(memory "${pids[@]}")" ${#pids[@]})
fi
printf '{%s, %s, %s}\n' "$native" "$official" "$on_windows"
