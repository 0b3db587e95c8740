#!/usr/bin/env bash
# ClawLink's mDNS against Debian's avahi-daemon: two machines on one cable, as two namespaces of network, each with a
# bus and a daemon of its own. Nothing of it reaches the machine's own network, bus or daemon.
#   tests/integration/clawlink_mdns.sh --bin DIR relay      a relay is announced, found, renamed, and taken back
#   tests/integration/clawlink_mdns.sh --bin DIR stranger   what a client does with a relay that nobody has named
# Without avahi-daemon, dbus-daemon or avahi-utils it is skipped (status 77); with them it passes or fails.
# SPDX-License-Identifier: Apache-2.0
set -uo pipefail
here=$(realpath "$0")
# shellcheck source=tests/support/checks.sh
. "${here%/*}/../support/checks.sh"
export PATH=$PATH:/usr/sbin:/sbin

bin=build/debug/bin
scene=""
while [ $# -gt 0 ]; do
  case $1 in
    --bin) bin=$2; shift 2 ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    relay | stranger) scene=$1; shift ;;
    *) echo "clawlink_mdns.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done
bin=$(realpath "$bin")
[ -n "$scene" ] || { echo "clawlink_mdns.sh: relay or stranger? (see --help)" >&2; exit 2; }

for program in avahi-daemon dbus-daemon avahi-publish avahi-browse ip unshare nsenter python3; do
  command -v "$program" >/dev/null && continue
  echo "skipped: $program is not there (apt-get install avahi-daemon avahi-utils dbus iproute2 python3)" >&2
  exit 77
done
if [ -z "${CLAWLINK_MDNS_INSIDE:-}" ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(--map-root-user)
  CLAWLINK_MDNS_INSIDE=1 exec unshare "${as_root[@]}" --net --mount -- bash "$here" --bin "$bin" "$scene"
fi

work=$(mktemp -d)
pids=()
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/near.bus
cleanup() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
  rm -rf "$work"
}
trap cleanup EXIT
show_trouble() {
  local file
  for file in "$work"/*.log; do echo "--- ${file##*/}"; tail -n 30 "$file" | cat -v; done
}
absent() { ! grep -qF -- "$1" "$2"; }                           # TEXT FILE
said() { grep -qF -- "$1" "$work/$2.log"; }                     # TEXT LOG
times_said() { [ "$(grep -cF -- "$2" "$work/$3.log")" -ge "$1" ]; }  # COUNT TEXT LOG
start() {  # LOG COMMAND...: in the background; $started is its process
  local log=$1
  shift
  "$@" >"$work/$log.log" 2>&1 &
  started=$!
  pids+=("$started")
}
stop() {  # PID
  kill "$1" && wait "$1" 2>/dev/null
}

# ---- two machines: `near` is this namespace, `far` another one ----
# `near COMMAND...`, `far COMMAND...`; in the background $! is the command itself.
in_its_place() { if [ "$BASHPID" = "$$" ]; then "$@"; else exec "$@"; fi; }
near() { in_its_place bash -c '"$@"' near "$@"; }
far() {
  in_its_place nsenter --target "$far" --net --mount -- env "DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/far.bus" bash -c '"$@"' far "$@"
}
bus_and_configuration() {  # MACHINE
  cat >"$work/$1.bus.conf" <<END
<busconfig><type>system</type><listen>unix:path=$work/$1.bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/></policy></busconfig>
END
  printf '[server]\nhost-name=%s\nuse-ipv4=yes\nuse-ipv6=yes\n[publish]\npublish-workstation=no\n' "$1" >"$work/$1.avahi.conf"
  start "$1.bus" "$1" dbus-daemon --config-file="$work/$1.bus.conf" --nofork --nopidfile
  within 20 "the bus of $1" test -S "$work/$1.bus"
  "$1" mount -t tmpfs tmpfs /run || fail "no /run of $1's own"
}
daemon() {  # MACHINE: $started is its process
  start "$1.avahi" "$1" exec_avahi "$work/$1.avahi.conf"
  within 20 "the daemon of $1" said "Server startup complete" "$1.avahi"
}
exec_avahi() { exec avahi-daemon --file="$1" --no-drop-root --no-chroot --no-rlimits --no-proc-title; }
export -f exec_avahi

# The daemon hands its directory to an account, which need not exist in these namespaces: there it is this one.
for table in passwd group; do
  sed -E 's/^avahi:[^:]*:[0-9]+:([0-9]+:)?/avahi:x:0:\1/; s/^avahi:x:0:[0-9]+:/avahi:x:0:0:/' "/etc/$table" >"$work/$table"
  mount --bind "$work/$table" "/etc/$table" || fail "no /etc/$table of its own"
done
unshare --net --mount -- sleep infinity &
far=$!
pids+=("$far")
has_own_network() { [ "$(readlink "/proc/$far/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
within 20 "the other machine" has_own_network
link() { ip link set lo up && ip addr add "$1/24" dev "$2" && ip link set "$2" up; }
export -f link
ip link add near0 type veth peer name far0 netns "$far" && link 10.87.0.1 near0 && far link 10.87.0.2 far0 ||
  fail "no cable"
for machine in near far; do bus_and_configuration "$machine"; done

# ---- hostclaw, with a home for each log ----
secret=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
client() {  # LOG WORDS...
  local log=$1
  shift
  mkdir -p "$work/homes/$log"
  HOME=$work/homes/$log "$bin/hostclaw" clawlink "$@" >"$work/$log.log" 2>&1
}
# seek LOG PATTERN WORDS...: again, five times at most, while the answer has not what a search for a few seconds finds:
# with a busy processor it may find less.
seek() {
  local log=$1 pattern=$2 tries=5 status
  shift 2
  while :; do
    status=0
    client "$log" "$@" || status=$?
    [ $((tries -= 1)) -gt 0 ] && ! grep -q -- "$pattern" "$work/$log.log" || return "$status"
  done
}
export -f client seek
export work bin
unset CLAWLINK_TOKEN CLAWLINK_RELAY
serve() {  # LOG WORDS...: a relay with a token; $started is its process, $port its port
  local log=$1
  shift
  mkdir -m 700 "$work/$log.state"
  start "$log" env HOME="$work" HOSTCLAW_STATE_DIR="$work/$log.state" CLAWLINK_TOKEN="$secret" \
    "$bin/hostclaw" clawlink serve --json "$@"
  within 20 "relay $log" said '"port":' "$log"
  port=$(sed -n 's/.*"port":\([0-9]*\).*/\1/p' "$work/$log.log" | head -n 1)
}
listed() {  # ADDRESS AUTH HOSTNAME NAME PORT OF-THIS-MACHINE VERSION: by `scan --json`, as text of JSON
  said "{\"address\":\"$1\",\"auth\":$2,\"hostname\":\"$3\",\"name\":\"$4\",\"port\":$5,\"this_machine\":$6,\"tls\":false,\"url\":\"http://$1:$5\",\"version\":\"$7\"}" scan-json
}

if [ "$scene" = relay ]; then
  mkdir "$work/no-avahi"
  for library in common client; do echo "no library" >"$work/no-avahi/libavahi-$library.so.3"; done
  # Another link, which the relay is not reached by.
  ip link add aside0 type veth peer name aside1 && link 10.88.0.1 aside0 && ip link set aside1 up || fail "no second link"
  LD_LIBRARY_PATH=$work/no-avahi far client without scan && fail "something is found without Avahi's library"
  expect "why nothing is found" said "libavahi-client.so.3) is not installed" without
  client no-daemon scan && fail "something is found without a daemon"
  expect "why nothing is found" said "avahi-daemon does not run" no-daemon
  daemon far
  # Somebody has the name, and writes what a terminal would obey.
  name="ClawLink Relay ($(uname -n))"
  start neighbour far avahi-publish -s "$name" _clawlink._tcp 9099 auth=no $'version=\e[2J' $'hostname=a\nerror: b'
  within 20 "the neighbour" said Established neighbour
  start browse far stdbuf -oL avahi-browse -p _clawlink._tcp
  within 20 "the neighbour, seen" said "ClawLink" browse

  # The relay is there before its daemon.
  DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/nowhere serve relay --host 10.87.0.1 --port 0 --insecure
  relay=$started
  relay_port=$port
  serve early --host 10.87.0.1 --port 0 --insecure
  early=$started
  early_port=$port
  expect "a relay on a bus that is not there serves" said "serving on" relay
  within 20 "why nothing is announced" said "not announced by mDNS" relay
  within 20 "that the daemon does not run" said "not announced by mDNS: avahi-daemon does not run" early
  CLAWLINK_TOKEN=$secret far client unannounced --relay "http://10.87.0.1:$relay_port" info ||
    fail "a relay without mDNS does not answer"
  stop "$relay"
  expect "the end of a relay that is not announced" said "ended; what waits is kept" relay

  daemon near
  near_daemon=$started
  within 20 "the daemon's start, seen" said "announced by mDNS as \`$name #2\`" early
  far seek scan-json '"address".*"address"' scan --json &
  scan_json=$!
  far seek scan 'http://10.87.0.1:' scan &
  scan=$!
  far seek several 'relays announce' info &
  several=$!
  near avahi-browse -pt _clawlink._tcp >"$work/links.log" 2>&1
  expect "announced on the link that it listens on" grep -q '^+;near0;IPv4;ClawLink.*0352' "$work/links.log"
  expect "announced on no other" absent "aside0" "$work/links.log"
  serve quiet --host 10.87.0.1 --port 0 --insecure --no-mdns
  serve loopback --port 0
  wait "$several" && fail "one of several was asked"
  expect "none of several is asked" said "error: RELAY_NOT_NAMED: relays announce themselves" several
  wait "$scan_json" || fail "scan --json"
  version=$("$bin/hostclaw" --version)
  expect "scan finds the relay" listed 10.87.0.1 true "$(uname -n)" "$name #2" "$early_port" false "${version##* }"
  expect "scan finds the neighbour" listed 10.87.0.2 false 'a\\u{a}error: b' "$name" 9099 true '\\u{1b}[2J'
  expect "scan finds no more" [ "$(grep -o '"address"' "$work/scan-json.log" | wc -l)" = 2 ]
  wait "$scan" || fail "scan"
  expect "scan shows the relay" said "http://10.87.0.1:" scan
  expect "no sequence of a peer reaches the terminal" absent $'\e' "$work/scan.log"
  expect "no line of a peer is one of ours" [ "$(grep -c '^error: b' "$work/scan.log")" = 0 ]

  # Its daemon goes and comes again.
  stop "$near_daemon"
  within 20 "that the daemon has gone" times_said 2 "not announced by mDNS" early
  daemon near
  within 20 "announced again" times_said 2 "announced by mDNS as" early
  far avahi-browse -rpt _clawlink._tcp >"$work/records.log" 2>&1
  expect "the records of the original" grep -q '0352;_clawlink._tcp;local;near.local;10.87.0.1;.*"auth=yes"' "$work/records.log"
  expect "no token in them" absent "$secret" "$work/records.log"

  stop "$early"
  expect "the end of a relay that is announced" said "ended; what waits is kept" early
  within 20 "that it is taken back" grep -q '^-;far0;IPv4;.*0352;_clawlink' "$work/browse.log"
  expect "--no-mdns announces nothing" absent "announced" "$work/quiet.log"
  expect "loopback announces nothing" absent "announced" "$work/loopback.log"
fi

if [ "$scene" = stranger ]; then
  daemon near
  daemon far
  start stranger python3 -u -c '
import http.server, os, socket
mute = socket.socket(socket.AF_UNIX)
mute.bind(os.environ["work"] + "/mute.bus")
mute.listen()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("request", self.requestline, dict(self.headers), flush=True)
        body = b"{\"service\":\"stranger\"}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *words): pass
server = http.server.HTTPServer(("10.87.0.1", 0), Handler)
print("port", server.server_port, flush=True)
server.serve_forever()'
  within 20 "the stranger" said port stranger
  # A bus that hangs: the library would wait for it, 25 s long.
  DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/mute.bus near client hangs scan & hangs=$!
  DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/mute.bus serve muted --host 10.87.0.1 --port 0 --insecure
  muted=$started
  port=$(sed -n 's/^port //p' "$work/stranger.log")
  start publish near avahi-publish -s "ClawLink Relay (stranger)" _clawlink._tcp "$port" version=1.0.2 hostname=stranger auth=no
  within 20 "the stranger's announcement" said Established publish

  far seek asks stranger info --json & asks=$!
  CLAWLINK_TOKEN=$secret far seek shows NOT_NAMED info & shows=$!
  far seek flag NOT_NAMED --token "$secret" discover & flag=$!
  far seek joins NOT_NAMED register --name x & joins=$!
  far seek takes NOT_NAMED file-get --key policy & takes=$!
  wait "$asks" || fail "the relay that was found is not asked"
  expect "it is asked" said '"service":"stranger"' asks
  expect "and the user told who that is" said "asking http://10.87.0.1:$port, which was found by mDNS" asks
  for log in shows flag joins takes; do
    wait "${!log}" && fail "$log: a relay that nobody has named was used"
    expect "$log: why it was not used" said "error: RELAY_NOT_NAMED" "$log"
    expect "$log: what to type" said "next: hostclaw clawlink --relay http://10.87.0.1:$port ..." "$log"
  done
  expect "it was asked once" [ "$(grep -c '^request' "$work/stranger.log")" = 1 ]
  expect "no token was shown to it" absent "$secret" "$work/stranger.log"
  # The twin: named, it gets what it is owed, and what was looked for above would have been seen.
  CLAWLINK_TOKEN=$secret far client named --relay "http://10.87.0.1:$port" info || fail "named, it is not used"
  expect "a relay that was named is shown the token" said "Bearer $secret" stranger

  # A relay of this machine comes first.
  requests=$(grep -c '^request' "$work/stranger.log")
  mkdir -m 700 "$work/own.state"
  start own far env HOME="$work" HOSTCLAW_STATE_DIR="$work/own.state" "$bin/hostclaw" clawlink serve
  within 20 "the relay of this machine" said "serving on http://127.0.0.1:9077" own
  far client local register --name x || fail "the relay of this machine is not used"
  expect "it is registered there" grep -q localhost:9077 "$work/homes/local/.clawlink/agent_state.json"
  expect "the stranger was not asked" [ "$(grep -c '^request' "$work/stranger.log")" = "$requests" ]

  within 20 "the end of a search that nobody answers" said "error: MDNS_UNAVAILABLE" hangs
  wait "$hangs" && fail "something is found on a bus that hangs"
  expect "why nothing is found" said "avahi-daemon does not answer" hangs
  stop "$muted"
  expect "the end of a relay whose bus hangs" said "ended; what waits is kept" muted
fi
echo "$passed checks passed"
