#!/usr/bin/env bash
# The installed service under a real systemd: install, pair, run a command, kill -9, watchdog, graceful stop, a
# configuration error, reboot, logout, uninstall. Needs root and systemd-container, debootstrap; about a minute.
#   tests/service/run.sh [--hostclaw FILE] [--dev-gateway FILE] [--official FOLDER] [--keep]
# FOLDER: what tests/e2e/setup.mjs installed; the official installer is tried where it is there.
# systemd need not be process 1 here: the tests boot one in a container of its own (tests/service/container.sh).
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/service/container.sh
. tests/service/container.sh
# shellcheck source=tests/support/checks.sh
. tests/support/checks.sh

hostclaw=build/debug/bin/hostclaw
dev_gateway=build/debug/bin/hostclaw-dev-gateway
official=tests/e2e/.packages
keep=0
while [ $# -gt 0 ]; do
  case $1 in
    --hostclaw) hostclaw=$2; shift 2 ;;
    --dev-gateway) dev_gateway=$2; shift 2 ;;
    --official) official=$2; shift 2 ;;
    --keep) keep=1; shift ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done

if ! reason=$(container_permitted 2>&1); then
  echo "SKIPPED: a container with its own systemd cannot be started: $reason"
  exit 0
fi
for tool in systemd-nspawn debootstrap nsenter; do
  command -v "$tool" >/dev/null || { echo "run.sh: $tool is missing; ./run-tests installs it" >&2; exit 1; }
done

show_trouble() { in_container journalctl -u hostclaw --no-pager -n 30; }

work=$(mktemp -d)
gateway_pid=""
cleanup() {
  if [ "$keep" = 1 ]; then
    echo "kept: $container_root"
    container_off
  else
    container_remove
  fi
  [ -n "$gateway_pid" ] && kill "$gateway_pid" 2>/dev/null && wait "$gateway_pid" 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT

step "container"
container_prepare
container_new
install -m 755 "$hostclaw" "$container_root/usr/local/bin/hostclaw"
mkdir -p "$container_root/etc/systemd/logind.conf.d"
printf '[Login]\nUserStopDelaySec=0\n' >"$container_root/etc/systemd/logind.conf.d/test.conf"
chroot "$container_root" useradd --create-home --shell /bin/bash tester

step "where no service manager runs"
refused=$(chroot "$container_root" env HOME=/root hostclaw node install --json 2>&1) && fail "install without systemd succeeded"
expect "install says that there is no service manager" says '"code":"SERVICE_MANAGER_MISSING"' "$refused"
expect "and what to type instead" says 'hostclaw node run' "$refused"
expect "stop of an absent service is no failure" says '"result":"not-loaded"' "$(chroot "$container_root" hostclaw node stop --json)"

step "development gateway"
( umask 077; od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$work/token" )
"$dev_gateway" serve --port 0 --token-file "$work/token" >"$work/gateway.log" 2>&1 &
gateway_pid=$!
within 20 "it listens" grep -q '"ready":true' "$work/gateway.log"
port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$work/gateway.log" | head -n 1)
gw() {
  local verb=$1
  shift
  "$dev_gateway" "$verb" --url "ws://127.0.0.1:$port" --token-file "$work/token" "$@"
}
approve_surface() {  # of the node with this name
  local id
  id=$(gw pending | awk -v name="$1" '$1 == "node" && $3 == name {print $2; exit}')
  [ -n "$id" ] && gw approve "$id"
}
node_ready() { gw nodes | grep -q "  $1  ready"; }
node_gone() { ! gw nodes | grep -q "  $1  "; }
agent_runs() {  # NODE TEXT: what the command printed
  gw exec --node "$1" -- "$2" 2>"$work/exec.log"
}

shared=()
[ -d "$official/2026.9.6" ] && shared=("--bind-ro=$(realpath "$official"):/mnt")
boot() { container_boot "${shared[@]}" || fail "the container boots"; ok "the container boots"; }
files_of_container() {
  (cd "$container_root" && find . \( -path ./proc -o -path ./sys -o -path ./run -o -path ./tmp -o -path ./dev -o -path ./var/log \
    -o -path ./var/tmp -o -path ./var/lib/systemd -o -path ./var/lib/dbus -o -path ./etc/machine-id -o -path ./etc/resolv.conf \
    -o -name '*-' -o -path ./home/tester/.config -o -name .pwd.lock -o -path ./etc/.updated -o -path ./var/.updated \
    -o -path ./home/tester/.local \) -prune -o -print | sort; cat etc/passwd etc/group etc/shadow)
}
unit() { in_container systemctl show hostclaw -P "$1"; }
unit_is() { [ "$(unit "$1")" = "$2" ]; }

step "boot"
boot
files_of_container >"$work/before"

step "install as root"
container_env=("OPENCLAW_GATEWAY_TOKEN=$(cat "$work/token")")
installed=$(in_container hostclaw node install --host 127.0.0.1 --port "$port" --display-name machine --json)
container_env=()
expect "install answers in OpenClaw's shape" says '"action":"install"' "$installed"
expect "with its result" says '"result":"installed"' "$installed"
expect "the service is enabled" unit_is UnitFileState enabled
expect "ready: the node waits for approval" unit_is ActiveState active
expect "its status names the command to type" says 'openclaw nodes approve' "$(unit StatusText)"
expect "node status does so too" says 'openclaw nodes approve' "$(in_container hostclaw node status)"
expect "the account is told" says 'account hostclaw' "$(in_container hostclaw node status)"
expect "the token is in a file that root alone can read" \
  [ "$(in_container stat -c '%a %U' /etc/hostclaw/credentials/gateway-token)" = "600 root" ]
holds_token() { grep -qaFf "$work/token" "$@"; }
lacks_token() { ! holds_token "$@"; }
process=/proc/$container_leader/root/proc/$(unit MainPID)
expect "it is there" holds_token "$container_root/etc/hostclaw/credentials/gateway-token"
expect "the token is not in the unit" lacks_token "$container_root/etc/systemd/system/hostclaw.service"
expect "nor in the environment or the arguments of the process" lacks_token "$process/environ" "$process/cmdline"
expect "a second install changes nothing" says '"result":"already-installed"' \
  "$(in_container hostclaw node install --host 127.0.0.1 --port "$port" --display-name machine --json)"
other=$(in_container hostclaw node install --host 127.0.0.1 --port "$port" --display-name other 2>&1)
expect "other settings without --force are kept, and told" says '--force' "$other"

step "pair and run"
approve_surface machine
within 20 "the node is ready after approval" node_ready machine
unit_says() { says "$1" "$(unit StatusText)"; }
within 10 "the unit's status says connected" unit_says connected
in_container hostclaw approvals allowlist add /usr/bin/id >/dev/null
in_container hostclaw approvals allowlist add /usr/bin/sleep >/dev/null
in_container hostclaw approvals allowlist add /usr/bin/printenv >/dev/null
expect "a command runs as the service's account" [ "$(agent_runs machine 'id -un')" = hostclaw ]
expect "root's verbs leave every file of the state to the service" \
  [ -z "$(in_container find /var/lib/hostclaw ! -user hostclaw)" ]
agent_runs machine printenv >"$work/env"
expect "a command sees an environment" grep -q '^PATH=' "$work/env"
no_manager_variables() { ! grep -E '^(NOTIFY_SOCKET|WATCHDOG_|CREDENTIALS_DIRECTORY|JOURNAL_STREAM|INVOCATION_ID)' "$work/env"; }
expect "without the variables of the service manager" no_manager_variables

step "a control group for each command"
own_group=$(unit ControlGroup)
group_of_node() { in_container sed -n 's/^0:://p' "/proc/$(unit MainPID)/cgroup"; }
expect "the node is in a group below that of its service" [ "$(group_of_node)" = "$own_group/node" ]
expect "the log says so" says 'control group of its own' "$(in_container journalctl -u hostclaw --no-pager)"
groups_of_runs() {
  in_container sh -c "for root in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    [ -e \$root/cgroup.controllers ] && find \$root$own_group -mindepth 1 -maxdepth 1 -name 'run-*'; done; true"
}
no_groups_of_runs() { [ -z "$(groups_of_runs)" ]; }
expect "nothing runs, and no group is left" no_groups_of_runs
# flee NAME THEN: leaves a process in a session of its own, orphaned, with an empty environment, that writes its number
# to /tmp/NAME; then does THEN. With it, another run at the same time: the orphan could be either's.
cat >"$container_root/usr/local/bin/flee" <<'END'
#!/bin/sh
mkfifo "/tmp/$1.up"
(setsid env -i /bin/sh -c "echo \$\$ >/tmp/$1; : >/tmp/$1.up; exec /usr/bin/sleep 300" >/dev/null 2>&1 </dev/null &)
read -r _ <"/tmp/$1.up"
case $2 in
  hang) exec sleep 300 ;;
  *) exit "$2" ;;
esac
END
chmod 755 "$container_root/usr/local/bin/flee"
in_container hostclaw approvals allowlist add /usr/local/bin/flee >/dev/null
fled_lives() { in_container sh -c "kill -0 \$(cat /tmp/$1)" 2>/dev/null; }
fled_ended() { in_container test -e "/tmp/$1" && ! fled_lives "$1"; }
agent_runs machine 'sleep 8' >/dev/null 2>&1 &
beside=$!
within 10 "another command runs beside" in_container pgrep -x sleep
agent_runs machine 'flee failed 3' >/dev/null 2>&1 || true
within 5 "what a failed command left has ended, whatever it did to get away" fled_ended failed
agent_runs machine 'flee good 0' >/dev/null 2>&1 || true
expect "what a successful command left stays" fled_lives good
(gw exec --node machine -- 'flee hung hang' >"$work/hung.log" 2>&1 || true) &
hanging=$!
within 10 "a command hangs" in_container test -e /tmp/hung
run_of() { in_container hostclaw runs --limit 1 --search "$1" --json | sed -n 's/.*"runId":"\([^"]*\)".*/\1/p' | head -n 1; }
expect "it is cancelled" in_container hostclaw runs cancel "$(run_of 'flee hung')"
within 5 "and what it left ends with it" fled_ended hung
wait "$hanging" || true
wait "$beside" || true
in_container sh -c 'kill -KILL $(cat /tmp/good)'
in_container sh -c 'rm -f /tmp/failed* /tmp/good* /tmp/hung*'
rm "$container_root/usr/local/bin/flee"
agent_runs machine 'id -un' >/dev/null
within 10 "no group is left when all is over" no_groups_of_runs
used=$(in_container hostclaw runs show "$(run_of 'id -un')" --json)
expect "the record says what a run used" grep -q '"cpuMs":[0-9.]*[1-9]' <<<"$used"
expect "of all that it started" says '"measured":"group"' "$used"
expect "in words too" says 'of processor time' "$(in_container hostclaw runs show "$(run_of 'id -un')")"
if in_container grep -qw memory "/sys/fs/cgroup$own_group/cgroup.controllers" 2>/dev/null; then
  expect "and its peak of memory" grep -q '"peakMemoryBytes":[1-9]' <<<"$used"
fi

step "no run lifts its own policy"
cat >"$container_root/usr/local/bin/attack" <<'END'
#!/bin/sh
# attack WAY: tries to set the policy to deny-all.
order="/usr/local/bin/hostclaw exec-policy preset deny-all"
case $1 in
  plain) $order ;;
  orphan) (setsid env -i sh -c "while kill -0 $$; do sleep 0.05; done; $order; touch /tmp/orphan-done" >/tmp/orphan 2>&1 </dev/null &) ;;
  manager) systemd-run --quiet --wait $order ;;
  user-manager) XDG_RUNTIME_DIR=/run/user/$(id -u) systemd-run --user --quiet --wait $order ;;
  cron) echo "* * * * * $order >/tmp/cron 2>&1" | crontab - ;;
esac
END
chmod 755 "$container_root/usr/local/bin/attack"
policy_is() { says "security=$1" "$(in_container hostclaw exec-policy show 2>/dev/null)"; }
in_container hostclaw exec-policy preset yolo >/dev/null 2>&1
decision_refuses() {  # TEXT
  agent_runs machine "$1" >"$work/attack" || true
  grep -q 'does not change the policy of its own node' "$work/attack" "$work/exec.log"
}
expect "the decision refuses it" decision_refuses 'hostclaw exec-policy preset deny-all'
expect "behind systemd-run too" decision_refuses 'systemd-run hostclaw exec-policy preset deny-all'
agent_runs machine 'attack plain' >"$work/attack" 2>&1 || true
expect "a script is refused by the command line" grep -q SELF_POLICY "$work/attack" "$work/exec.log"
agent_runs machine 'attack orphan' >/dev/null 2>&1
within 10 "an orphan goes on after its run" in_container test -e /tmp/orphan-done
expect "and is refused too" in_container grep -q SELF_POLICY /tmp/orphan
agent_runs machine 'attack manager' >"$work/attack" 2>&1 || true
expect "the service's account may not have the system's manager start anything" policy_is full
agent_runs machine 'attack cron' >"$work/attack" 2>&1 || true
expect "nor write a crontab" [ -z "$(in_container crontab -u hostclaw -l 2>/dev/null)" ]
inside=$(in_container sh -c 'for root in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    group=$root$(systemctl show hostclaw -P ControlGroup)
    # Delegated, it is divided: the node is in a group below it, and nobody may be beside that.
    [ -e "$group/node/cgroup.procs" ] && group=$group/node
    [ -e "$group/cgroup.procs" ] && echo $$ >"$group/cgroup.procs"
  done
  exec hostclaw exec-policy preset deny-all' 2>&1) &&
  fail "from the control group of the service the policy was changed"
expect "the control group of the service counts as a run" says "control group of the node's service" "$inside"
expect "the policy is what it was" policy_is full
expect "each attempt that came so far is a row" \
  [ "$(in_container hostclaw audit tail --kind attempt --json | grep -c '"verb":"exec-policy preset"')" = 3 ]
expect "and names who" says 'run ' "$(in_container hostclaw audit tail --kind attempt)"
expect "a run reads the policy of its node" says 'security=full' "$(agent_runs machine 'hostclaw exec-policy show')"
expect "and its own runs" says 'hostclaw runs' "$(agent_runs machine 'hostclaw runs')"
in_container hostclaw exec-policy preset cautious >/dev/null
expect "root's verbs beside it change what they say" policy_is allowlist

step "doctor and logs"
examined=$(in_container hostclaw doctor --json) || fail "doctor finds a fault: $examined"
for code in SERVICE_RUNNING SECRETS_CLOSED PATH_SAME DOCKER_ABSENT GATEWAY_REACHABLE LINK_CONNECTED PAIRING_DONE \
  SURFACE_APPROVED STATE_PRIVATE DATABASE_OK AUDIT_OK; do
  expect "doctor says $code" says "\"$code\"" "$examined"
done
expect "root's doctor leaves every file of the state to the service" \
  [ -z "$(in_container find /var/lib/hostclaw ! -user hostclaw)" ]
expect "logs shows the service's journal" says 'node host gateway connected' "$(in_container hostclaw logs --since 1h)"
expect "as JSON too" says '"PRIORITY":"6"' "$(in_container hostclaw logs --json --lines 5)"
in_container systemctl stop hostclaw
stopped=$(in_container hostclaw doctor --only service,node 2>&1) && fail "doctor finds no fault with a stopped service"
expect "doctor tells a service that was stopped" says 'SERVICE_STOPPED' "$stopped"
expect "and how to start it" says 'next: hostclaw node start' "$stopped"
in_container hostclaw node start >/dev/null
within 30 "it connects again" node_ready machine

step "kill -9"
in_container systemctl kill --signal=KILL --kill-whom=main hostclaw
within 30 "systemd starts it again" unit_is NRestarts 1
within 30 "it connects again" node_ready machine
expect "and runs commands" [ "$(agent_runs machine 'id -un')" = hostclaw ]

step "a job of HostLink outlives the daemon's service"
in_container sh -c "printf 'unix_path=/var/lib/hostclaw/h.sock\nauth_token=%s\noutput_tmpdir=/var/lib/hostclaw/output\n' of-this-test-alone \
  >/var/lib/hostclaw/hostlink.conf; chown hostclaw: /var/lib/hostclaw/hostlink.conf; chmod 600 /var/lib/hostclaw/hostlink.conf"
in_container hostclaw hostlink enable --config /var/lib/hostclaw/hostlink.conf >/dev/null
in_container hostclaw approvals allowlist add --agent hostlink-default /usr/bin/sleep >/dev/null
in_container hostclaw node restart >/dev/null
within 30 "it connects again" node_ready machine
hostlink_in() { in_container env HOSTLINK_TOKEN=of-this-test-alone hostclaw hostlink -s /var/lib/hostclaw/h.sock "$@"; }
job=$(hostlink_in exec -D 'sleep 6')
expect "it has a number" [ "${#job}" = 12 ]
in_container hostclaw node restart >/dev/null
within 30 "it connects again" node_ready machine
expect "the job goes on" says 'running' "$(hostlink_in job status "$job")"
job_ended() { says 'exit code: 0' "$(hostlink_in job status "$job")"; }
within 20 "and its end is told" job_ended
within 10 "no group is left of it" no_groups_of_runs
in_container hostclaw hostlink disable >/dev/null
in_container hostclaw node restart >/dev/null
within 30 "it connects again" node_ready machine

step "watchdog"
in_container mkdir -p /run/systemd/system/hostclaw.service.d
in_container bash -c 'printf "[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\nRestartSec=100ms\n" >/run/systemd/system/hostclaw.service.d/test.conf'
in_container systemctl daemon-reload
in_container hostclaw node restart >/dev/null
within 20 "the node is back" node_ready machine
pid=$(unit MainPID)
sleep 4
expect "a node that makes progress is left alone" unit_is MainPID "$pid"
in_container kill -STOP "$pid"
within 20 "a node that hangs is killed and started again" unit_is NRestarts 1
within 20 "and is back" node_ready machine
in_container rm -r /run/systemd/system/hostclaw.service.d
in_container systemctl daemon-reload

step "graceful stop"
agent_runs machine 'sleep 3' >/dev/null &
running=$!
within 10 "a command runs" in_container pgrep -x sleep
expect "node stop answers" says '"result":"stopped"' "$(in_container hostclaw node stop --json)"
wait "$running" || true
expect "the command ended by itself and its result was delivered" grep -q 'exit 0' "$work/exec.log"
expect "nothing failed" unit_is Result success
expect "a stopped service is started" says '"result":"started"' "$(in_container hostclaw node start --json)"
expect "a running one stays" says '"result":"already-running"' "$(in_container hostclaw node start --json)"

step "a configuration error is not tried again"
in_container mkdir -p /run/systemd/system/hostclaw.service.d
in_container bash -c 'printf "[Service]\nEnvironment=HOSTCLAW_STATE_DIR=/proc/nowhere\n" >/run/systemd/system/hostclaw.service.d/test.conf'
in_container systemctl daemon-reload
in_container systemctl restart hostclaw 2>/dev/null || true
within 10 "it ends with 78" unit_is ExecMainStatus 78
expect "and stays down" unit_is ActiveState failed
in_container rm -r /run/systemd/system/hostclaw.service.d
in_container systemctl daemon-reload
in_container hostclaw node start >/dev/null
within 20 "it comes back when the error is gone" node_ready machine

step "a user's service"
# session COMMAND: in a login session of its own, which ends with the command.
session() {
  in_container systemd-run --quiet --wait --pipe --collect --uid=tester -p PAMName=login -p WorkingDirectory=/home/tester -- \
    bash -lc "$1"
}
install -m 600 -o 1000 -g 1000 "$work/token" "$container_root/home/tester/token"
session "OPENCLAW_GATEWAY_TOKEN=\$(cat token) hostclaw node install --host 127.0.0.1 --port $port --display-name person; sleep 1; rm token" \
  >"$work/user.log" 2>&1 || { cat "$work/user.log"; fail "install in a user's session"; }
cat "$work/user.log"
expect "lingering is looked at and told" grep -q 'loginctl enable-linger tester' "$work/user.log"
within 10 "without lingering it ends with the session" node_gone person
in_container loginctl enable-linger tester
approve_person() { approve_surface person; }
within 20 "its surface is approved" approve_person
within 20 "it is ready" node_ready person
session 'hostclaw approvals allowlist add /usr/bin/id; hostclaw node status' >"$work/user.log" 2>&1
expect "the user's verbs find the user's state" grep -q '/home/tester/.local/state/hostclaw' "$work/user.log"
expect "it survives the end of a session" node_ready person
expect "its commands run as the user" [ "$(agent_runs person 'id -un')" = tester ]

step "what the same user still can"
# docs/guide.md lists these as limits: if one of them no longer works, say so there.
session 'hostclaw exec-policy preset yolo' >/dev/null 2>&1
user_policy_is() { session 'hostclaw exec-policy show' >"$work/user.log" 2>&1; grep -q "security=$1" "$work/user.log"; }
agent_runs person 'attack plain' >"$work/attack" 2>&1 || true
expect "a script is refused" user_policy_is full
agent_runs person 'systemd-run --user hostclaw exec-policy preset deny-all' >"$work/attack" 2>&1 || true
expect "so is what names hostclaw behind systemd-run --user" user_policy_is full
agent_runs person 'attack user-manager' >"$work/attack" 2>&1 || true
expect "the user's own manager is a way out" user_policy_is deny
session 'hostclaw exec-policy preset yolo' >/dev/null 2>&1
agent_runs person 'attack cron' >"$work/attack" 2>&1 || true
expect "cron takes nothing from a service, which gains no privileges" [ -z "$(session 'crontab -l 2>/dev/null')" ]
session 'hostclaw exec-policy preset cautious' >/dev/null 2>&1
rm "$container_root/usr/local/bin/attack"

step "the relay for agents"
relay_unit() { in_container systemctl show hostclaw-clawlink -P "$1"; }
relay_unit_is() { [ "$(relay_unit "$1")" = "$2" ]; }
container_env=("CLAWLINK_TOKEN=$(cat "$work/token")")
expect "it is enabled" says '"result":"enabled"' "$(in_container hostclaw clawlink enable --json)"
container_env=()
expect "and serves when that is said" relay_unit_is ActiveState active
expect "its status names the address" says 'serving on http://127.0.0.1:9077' "$(relay_unit StatusText)"
expect "it runs as the account of the service" relay_unit_is User hostclaw
expect "its token is in a file that root alone can read" \
  [ "$(in_container stat -c '%a %U' /etc/hostclaw/clawlink/token)" = "600 root" ]
expect "and not in the unit" lacks_token "$container_root/etc/systemd/system/hostclaw-clawlink.service"
relay_process=/proc/$container_leader/root/proc/$(relay_unit MainPID)
expect "nor in the environment or the arguments of the process" lacks_token "$relay_process/environ" "$relay_process/cmdline"
client() { in_container env "CLAWLINK_TOKEN=$1" hostclaw clawlink --relay http://127.0.0.1:9077 "${@:2}" 2>&1; }
expect "a client with the token registers" says agent_id "$(client "$(cat "$work/token")" register --name one --json)"
expect "root's verbs find its state" says one "$(in_container hostclaw clawlink agents list)"
looked=$(in_container hostclaw doctor --json --only clawlink,clawlink-clock,clawlink-cert,clawlink-token,clawlink-store) ||
  fail "doctor finds a fault with the relay: $looked"
for code in CLAWLINK_SERVED CLAWLINK_CLOCK_UNKNOWN CLAWLINK_TLS_NOT_NEEDED CLAWLINK_TOKEN_OK CLAWLINK_STORE_OK; do
  expect "doctor says $code" says "\"$code\"" "$looked"
done
expect "the same again changes nothing" says '"result":"already-enabled"' "$(in_container hostclaw clawlink enable --json)"
in_container systemctl kill --signal=KILL hostclaw-clawlink
within 30 "killed, it is started again" relay_unit_is NRestarts 1
within 30 "and serves" relay_unit_is ActiveState active
in_container systemctl stop hostclaw-clawlink
expect "doctor tells that it was stopped" says 'systemctl start hostclaw-clawlink' "$(in_container hostclaw doctor --only clawlink)"
expect "the node's state cannot be purged under it" says SERVICE_IN_USE "$(in_container hostclaw node uninstall --purge 2>&1)"
expect "it is disabled" says '"result":"disabled"' "$(in_container hostclaw clawlink disable --json)"
expect "no unit is left of it" [ "$(relay_unit LoadState)" = not-found ]
expect "and no token" in_container test ! -e /etc/hostclaw/clawlink
rm -rf "$container_root/root/.clawlink"
session 'hostclaw clawlink enable --port 9100 --json' >"$work/user.log"
expect "a user has one too" grep -q '"result":"enabled"' "$work/user.log"
session 'hostclaw doctor --json --only clawlink,clawlink-store; hostclaw clawlink disable --json' >"$work/user.log"
expect "and doctor finds it served" grep -q 'CLAWLINK_SERVED.*127.0.0.1:9100' "$work/user.log"
expect "the user's is disabled" grep -q '"result":"disabled"' "$work/user.log"
session 'rm ~/.local/state/hostclaw/clawlink*'

step "reboot"
container_off
boot
within 30 "the machine's service comes back by itself" node_ready machine
within 30 "the user's service comes back without a login" node_ready person
expect "and runs commands" [ "$(agent_runs machine 'id -un')" = hostclaw ]
in_container journalctl --no-pager >"$work/journal"
expect "the journal was read" grep -q 'node host gateway connected' "$work/journal"
expect "the token is in no log" lacks_token "$work/journal"

step "uninstall"
session 'hostclaw node uninstall --purge --json' >"$work/user.log"
expect "the user's service is uninstalled" grep -q '"result":"uninstalled"' "$work/user.log"
removed=$(in_container hostclaw node uninstall 2>&1)
expect "what stays is told" says 'kept /var/lib/hostclaw' "$removed"
expect "the identity stays without --purge" in_container test -e /var/lib/hostclaw/hostclaw.sqlite
expect "a second uninstall is no failure" says '"result":"not-loaded"' "$(in_container hostclaw node uninstall --purge --json)"
expect "no unit is left" [ "$(unit LoadState)" = not-found ]
files_of_container >"$work/after"
expect "nothing is left" diff "$work/before" "$work/after"
left=$(in_container find /home/tester -name '*hostclaw*')
expect "nothing of the user's is left" diff <(printf '') <(printf '%s' "$left")

step "the only process of a container, not root"
# As docs/containers.md says, with what a container runtime does: process 1 of its own process namespace, a user without
# capabilities, an empty environment.
chroot "$container_root" useradd --uid 10001 --create-home --shell /usr/sbin/nologin node
install -d -m 700 -o 10001 -g 10001 "$container_root/state"
alone=(env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/home/node HOSTCLAW_STATE_DIR=/state)
capless=(setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all)
install -m 600 -o 10001 -g 10001 "$work/token" "$container_root/home/node/token"
unshare --pid --fork --kill-child --root="$container_root" --mount-proc \
  "${capless[@]}" "${alone[@]}" sh -c "OPENCLAW_GATEWAY_TOKEN=\$(cat ~/token) exec hostclaw node run --host 127.0.0.1 --port $port \
    --display-name contained" >"$work/contained.log" 2>&1 </dev/null &
contained=$!
approve_contained() { approve_surface contained; }
within 20 "it asks for its approval" approve_contained
within 20 "it is ready" node_ready contained
first=$(pgrep -P "$contained" | head -n 1)
inside() { nsenter -t "$first" -p -m -- chroot "$container_root" "${capless[@]}" "${alone[@]}" "$@"; }
expect "verbs of the same user find its state" inside hostclaw approvals allowlist add /usr/bin/id
expect "commands run as that user" [ "$(agent_runs contained 'id -u')" = 10001 ]
expect "there is no service manager, and it says so" says SERVICE_MANAGER_MISSING "$(inside hostclaw node install 2>&1)"
kill -TERM "$first"
within 10 "SIGTERM ends it" [ ! -e "/proc/$first" ]
wait "$contained" || true

if [ ${#shared[@]} = 0 ]; then
  echo "SKIPPED: the official installer; tests/e2e/setup.mjs gets it"
else
  step "the wrapper of the official installer"
  openclaw="/mnt/node-24/node_modules/node/bin/node /mnt/2026.9.6/node_modules/openclaw/openclaw.mjs"
  install -m 600 -o 1000 -g 1000 "$work/token" "$container_root/home/tester/token"
  session "export OPENCLAW_NO_AUTO_UPDATE=1 OPENCLAW_WRAPPER=/usr/local/bin/hostclaw
    OPENCLAW_GATEWAY_TOKEN=\$(cat token) $openclaw node install --host 127.0.0.1 --port $port --display-name wrapped --json; rm token" \
    >"$work/user.log" 2>&1 || { cat "$work/user.log"; fail "openclaw node install with OPENCLAW_WRAPPER"; }
  expect "openclaw node install takes hostclaw as its wrapper" grep -q '"result": "installed"' "$work/user.log"
  expect "its unit starts hostclaw" grep -q '^ExecStart=/usr/local/bin/hostclaw node run --host 127.0.0.1' \
    "$container_root/home/tester/.config/systemd/user/openclaw-node.service"
  approve_wrapped() { approve_surface wrapped; }
  within 20 "the node asks for its approval" approve_wrapped
  within 20 "and is ready" node_ready wrapped
  session 'hostclaw approvals allowlist add /usr/bin/id' >/dev/null 2>&1
  expect "it runs commands" [ "$(agent_runs wrapped 'id -un')" = tester ]
  session "$openclaw node status --json" >"$work/user.log"
  expect "openclaw node status sees it run" grep -q '"status": "running"' "$work/user.log"
  in_container ln -s /usr/local/bin/hostclaw /usr/local/bin/openclaw
  expect "under the name openclaw it answers who the node is" \
    grep -qE '^\{"deviceId":"[0-9a-f]{64}","publicKey":"[A-Za-z0-9_-]{43}"\}$' <<<"$(session 'openclaw node identity --json')"
  session "$openclaw node uninstall --json" >"$work/user.log"
  within 20 "openclaw node uninstall ends it" node_gone wrapped
fi

printf 'passed: %d checks in %d s\n' "$passed" $((SECONDS - started))
