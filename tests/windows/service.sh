#!/usr/bin/env bash
# The installed service under the Service Control Manager of Wine: install, start, query, kill, stop, reboot, a
# configuration error, uninstall; and the process of the logon task. Half a minute.
#   tests/windows/service.sh [--hostclaw FILE] [--dev-gateway FILE] [--keep]
# Default: build/windows/bin/hostclaw.exe with the development gateway of build/debug, or, when it is not built, the
# probe, whose node does nothing. Nothing here leans on what Wine only pretends to do: docs/windows-service.md has
# the list.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/support/checks.sh
. tests/support/checks.sh

hostclaw=build/windows/bin/hostclaw.exe
[ -e "$hostclaw" ] || hostclaw=build/windows/bin/probe/hostclaw.exe
dev_gateway=build/debug/bin/hostclaw-dev-gateway
keep=0
while [ $# -gt 0 ]; do
  case $1 in
    --hostclaw) hostclaw=$2; shift 2 ;;
    --dev-gateway) dev_gateway=$2; shift 2 ;;
    --keep) keep=1; shift ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "service.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done
wine=/usr/lib/wine/wine64
wineserver=/usr/lib/wine/wineserver64
[ -x "$wine" ] || { echo "service.sh: wine64 is missing (scripts/windows-dependencies installs it)" >&2; exit 1; }
[ -e "$hostclaw" ] || { echo "service.sh: $hostclaw is missing; cmake --build --preset windows" >&2; exit 1; }

show_trouble() { tail -n 30 "$state_folder/logs/hostclaw.log"; }

# Wine does not hand the access list of a folder down to what is made in it; the umask stands in for that.
umask 077
work=$(mktemp -d)
export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe=d'
state_folder=$WINEPREFIX/drive_c/ProgramData/hostclaw
gateway_pid=""
session_pid=""
cleanup() {
  exec 7>&- || true
  "$wineserver" -k 2>/dev/null || true
  [ -n "$gateway_pid" ] && kill "$gateway_pid" 2>/dev/null && wait "$gateway_pid" 2>/dev/null
  if [ "$keep" = 1 ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap cleanup EXIT

# A session lives as long as one of its programs; this one waits for input that never comes.
mkfifo "$work/never"
exec 7<>"$work/never"
boot() {
  "$wine" cmd <"$work/never" >/dev/null 2>&1 7>&- &
  session_pid=$!
  within 30 "the session is up" "$wine" cmd /c exit 0
}
power_off() {
  "$wineserver" -k || true
  "$wineserver" -w
  wait "$session_pid" 2>/dev/null || true
}
run() { "$wine" "$program" "$@" 2>"$work/stderr" </dev/null | tr -d '\r'; }
node() { run node "$@"; }
status() { node status --json "$@"; }
pid_of() { sed -n 's/.*"pid":\([0-9]*\).*/\1/p' <<<"$(status "$@")" | head -n 1; }
status_is() { grep -qF "\"status\":\"$1\"" <<<"$(status)"; }
manager() { "$wine" sc query hostclaw 2>/dev/null | tr -d '\r'; }
manager_says() { grep -q "$1" <<<"$(manager)"; }
unix_pids() { pgrep -f "hostclaw.exe.* service $1 " || true; }

step "session"
"$wine" wineboot -i >"$work/boot.log" 2>&1
"$wineserver" -w
"$wine" winecfg /v win10 >>"$work/boot.log" 2>&1
"$wineserver" -w
boot
mkdir -p "$WINEPREFIX/drive_c/Program Files/hostclaw"
cp "$hostclaw" "$WINEPREFIX/drive_c/Program Files/hostclaw/hostclaw.exe"
program="C:\\Program Files\\hostclaw\\hostclaw.exe"
( umask 077; od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$work/token" )
flags=()
bad_flags=(--commands no.such.command)
if [[ $hostclaw == */probe/* ]]; then
  bad_flags=(--exit-status 78)
elif [ -x "$dev_gateway" ]; then
  "$dev_gateway" serve --port 0 --token-file "$work/token" >"$work/gateway.log" 2>&1 7>&- &
  gateway_pid=$!
  within 20 "the development gateway listens" grep -q '"ready":true' "$work/gateway.log"
  flags=(--host 127.0.0.1 --port "$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$work/gateway.log" | head -n 1)")
else
  echo "   no development gateway: each start waits 10 s for one"
fi

step "before there is a service"
expect "stop of an absent service is no failure" says '"result":"not-loaded"' "$(node stop --json)"
expect "start of an absent service says so" says '"ok":false' "$(node start --json || true)"
expect "uninstall of an absent service is no failure" says '"result":"not-loaded"' "$(node uninstall --json)"

step "install"
with_token() { OPENCLAW_GATEWAY_TOKEN=$(cat "$work/token") "$@"; }
installed=$(with_token node install --json "${flags[@]}" || true)
expect "install succeeds" says '"result":"installed"' "$installed"
expect "the service runs" status_is running
first=$(pid_of)
expect "its process is named" [ "${first:-0}" -gt 0 ]
expect "sc sees it" manager_says "RUNNING"
"$wine" reg export 'HKLM\SYSTEM\CurrentControlSet\Services\hostclaw' "$work/service.reg" >/dev/null 2>&1
iconv -f UTF-16 -t UTF-8 "$work/service.reg" >"$work/service.txt"
expect "the program's path is in quotes" \
  says '"ImagePath"="\"C:\\Program Files\\hostclaw\\hostclaw.exe\" service run --state-dir' "$(cat "$work/service.txt")"
expect "it starts by itself" says '"Start"=dword:00000002' "$(cat "$work/service.txt")"
expect "its account is its own" says 'NT SERVICE\\hostclaw' "$(cat "$work/service.txt")"
lacks_token() { ! grep -qaFf "$work/token" "$@"; }
kept=$state_folder/credentials/gateway-token
expect "the token was given to the service" [ -s "$kept" ]
expect "it cannot be read in its file" lacks_token "$kept"
expect "it is not in the registry" lacks_token "$work/service.txt"
process=$(unix_pids run | head -n 1)
expect "nor in the environment or the arguments of the process" lacks_token "/proc/$process/environ" "/proc/$process/cmdline"
expect "a second install changes nothing" says '"result":"already-installed"' "$(node install --json "${flags[@]}")"
expect "the process is the same" [ "$(pid_of)" = "$first" ]
node install --json "${flags[@]}" --display-name other >"$work/other" || true
expect "other settings without --force are kept" says '"result":"already-installed"' "$(cat "$work/other")"
expect "and told" grep -qF -- --force "$work/other" "$work/stderr"

real=0
[[ $hostclaw == */probe/* || -z $gateway_pid ]] || real=1
if [ "$real" = 1 ]; then
  step "pair and run"
  port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$work/gateway.log" | head -n 1)
  gw() {
    local verb=$1
    shift
    "$dev_gateway" "$verb" --url "ws://127.0.0.1:$port" --token-file "$work/token" "$@"
  }
  expect "status names the command to type" says 'openclaw nodes approve' "$(node status)"
  name=$(gw pending | awk '$1 == "node" {print $3; exit}')
  gw approve "$(gw pending | awk '$1 == "node" {print $2; exit}')" >/dev/null
  node_ready() { gw nodes | grep -q "  $name  ready"; }
  within 30 "the node is ready after approval" node_ready
  agent_runs() { gw exec --node "$name" -- "$1" 2>"$work/exec.log" | tr -d '\r'; }
  mkdir -p "$WINEPREFIX/drive_c/tools"
  cp "$(dirname "$hostclaw")/keep_session.exe" "$WINEPREFIX/drive_c/tools/keep.exe"
  run approvals allowlist add 'C:\windows\system32\hostname.exe' >/dev/null
  run approvals allowlist add 'C:\tools\keep.exe' >/dev/null
  expect "a command runs" [ -n "$(agent_runs 'C:\windows\system32\hostname.exe')" ]
  examined=$(run doctor --json) || fail "doctor finds a fault: $examined"
  for code in SERVICE_RUNNING SERVICE_AT_BOOT SERVICE_EXECUTABLE_OK SECRETS_CLOSED DOCKER_ABSENT GATEWAY_REACHABLE \
    LINK_CONNECTED PAIRING_DONE SURFACE_APPROVED DATABASE_OK AUDIT_OK; do
    expect "doctor says $code" says "\"$code\"" "$examined"
  done
  expect "logs shows the service's log" says 'node host gateway connected' "$(run logs --since 1h)"
  expect "as JSON too" says '"level":"info"' "$(run logs --json --lines 5)"

  step "stop while a command runs"
  agent_runs 'C:\tools\keep.exe' >/dev/null &
  agent=$!
  keep_runs() { pgrep -f '^.?C:.tools.keep.exe' >/dev/null; }
  keep_is_gone() { ! keep_runs; }
  within 20 "it runs" keep_runs
  expect "stop waits for it, then ends it" says '"result":"stopped"' "$(node stop --json)"
  expect "the command is gone" keep_is_gone
  expect "its end is recorded" says '"state":"cancelled"' "$(run runs --json)"
  expect "the log says so" grep -q '1 commands have 20 s to end' "$state_folder/logs/hostclaw.log"
  wait "$agent" 2>/dev/null || true
  expect "start" says '"result":"started"' "$(node start --json)"
  within 30 "it connects again" node_ready
  first=$(pid_of)
fi

step "killed"
kill -9 "$(unix_pids run | head -n 1)"
within 10 "a process that is gone does not count as running" status_is failed
expect "it can be started again" says '"result":"started"' "$(node start --json)"
second=$(pid_of)
expect "as another process" [ "$second" != "$first" ]

step "stop, start, restart"
expect "stop" says '"result":"stopped"' "$(node stop --json)"
expect "sc sees it stopped" manager_says "STOPPED"
expect "without an error" manager_says "WIN32_EXIT_CODE *: 0 "
expect "no process is left" [ -z "$(unix_pids run)" ]
expect "stop again is no failure" says '"result":"stopped"' "$(node stop --json)"
expect "start" says '"result":"started"' "$(node start --json)"
expect "start again says that it runs" says '"result":"already-running"' "$(node start --json)"
third=$(pid_of)
expect "restart" says '"result":"restarted"' "$(node restart --json)"
expect "as another process" [ "$(pid_of)" != "$third" ]
"$wine" sc stop hostclaw >/dev/null 2>&1
within 30 "sc stops it as well" manager_says STOPPED
expect "start" says '"result":"started"' "$(node start --json)"

step "reboot"
power_off
boot
within 60 "the service came up by itself" status_is running

step "a configuration error"
refused=$(node install --force --json "${flags[@]}" "${bad_flags[@]}" || true)
expect "install says that it did not start" says '"ok":false' "$refused"
expect "and why: status 78" says 'status 78' "$refused"
expect "it stays stopped, with the reason" manager_says "SERVICE_EXIT_CODE *: 78 "
expect "status says failed" status_is failed
expect "other settings help" says '"result":"installed"' "$(node install --force --json "${flags[@]}")"
expect "it runs" status_is running

step "uninstall"
expect "uninstall" says '"result":"uninstalled"' "$(node uninstall --json)"
expect "the service is gone" [ -z "$(manager | grep STATE || true)" ]
expect "no process is left" [ -z "$(unix_pids run)" ]
expect "the state is kept" [ -d "$state_folder" ]
expect "the token is not" [ ! -e "$kept" ]
expect "--purge removes the state" says '"ok":true' "$(node uninstall --purge --json)"
expect "all of it" [ ! -e "$state_folder" ]

if [[ $hostclaw != */probe/* ]]; then
  step "pairing as the service's account"
  status=0
  printf 'not-a-code\n' | "$wine" "$program" connect --service --target-file - >"$work/paired" 2>&1 || status=$?
  expect "a code that is none is refused, by the process of that account" grep -q SETUP_CODE_INVALID "$work/paired"
  expect "with its exit status" [ "$status" != 0 ]
  expect "the service is not left behind" [ -z "$(manager | grep STATE || true)" ]
  expect "nor is the code" [ ! -e "$state_folder/credentials/once" ]
  expect "nor what was said about it" [ ! -e "$state_folder/logs/once.log" ]
  node uninstall --purge --json >/dev/null
fi

step "a service of somebody else"
"$wine" sc create hostclaw binpath= 'C:\windows\system32\svchost.exe' >/dev/null 2>&1
expect "install refuses" says 'SERVICE_FOREIGN' "$(node install --json "${flags[@]}" || true)"
expect "uninstall refuses" says 'SERVICE_FOREIGN' "$(node uninstall --json || true)"
expect "it is left alone" says 'svchost' "$("$wine" reg query 'HKLM\SYSTEM\CurrentControlSet\Services\hostclaw' /v ImagePath)"
"$wine" sc delete hostclaw >/dev/null 2>&1

step "the logon task"
own='C:\users\Public\own state'
installed=$(with_token node install --user --no-start --state-dir "$own" --json "${flags[@]}" || true)
expect "the task is registered" says '"result":"installed"' "$installed"
expect "it is there" [ -e "$WINEPREFIX/drive_c/windows/system32/tasks/hostclaw" ]
expect "nothing runs yet" says '"status":"stopped"' "$(status --user)"
# Wine's scheduler starts nothing: the process is started as the task would.
"$wine" "$program" service logon --state-dir "$own" "${flags[@]}" >/dev/null 2>&1 </dev/null 7>&- &
running_user() { says '"status":"running"' "$(status --user)" 2>/dev/null; }
within 30 "its node runs" running_user
first=$(pid_of --user)
kill -9 "$(unix_pids logon-node | head -n 1)"
another_runs() { local now; now=$(pid_of --user); [ "${now:-0}" != 0 ] && [ "$now" != "$first" ]; }
within 30 "a node that was killed is started again" another_runs
expect "stop ends it gently" says '"result":"stopped"' "$(node stop --user --json)"
within 10 "no process is left" [ -z "$(unix_pids 'logon[a-z-]*')" ]
expect "uninstall" says '"result":"uninstalled"' "$(node uninstall --user --purge --json)"
expect "the task is gone" [ ! -e "$WINEPREFIX/drive_c/windows/system32/tasks/hostclaw" ]
expect "the state is gone" [ ! -e "$WINEPREFIX/drive_c/users/Public/own state" ]

echo "$passed checks passed in $((SECONDS - started)) s"
