#!/usr/bin/env bash
# What is written about HostLink, done: every line of the ```sh blocks of docs/hostlink.md and of the skill is typed as
# it stands, in order, against the real daemon. The skill is played twice: with the strict default, and with
# --security full. A line must end with the status that its comment names, else with 0.
#   tests/integration/hostlink_docs.sh --bin DIR     DIR holds hostclaw and hostlink
# Comments that mean something here:
#   # exit N                            that status
#   # exit N with the strict default    0 where everything is open
#   # stays in the foreground           until the end of the document
#   # asked                             waits until the next line that resolves it
# /run/hostlink, /etc/hostlink, /srv/app and /nowhere lie in a directory of this test; ID is the question's.
# SPDX-License-Identifier: Apache-2.0
set -uo pipefail
cd "$(dirname "$0")/../.."

bin=build/debug/bin
while [ $# -gt 0 ]; do
  case $1 in
    --bin) bin=$2; shift 2 ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "hostlink_docs.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done
bin=$(realpath "$bin")
project=$PWD
work=$(mktemp -d)
daemon=""
passed=0

cleanup() {
  [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null && wait "$daemon" 2>/dev/null; }
  rm -rf "$work"
}
trap cleanup EXIT
fail() {
  echo "FAILED: $*" >&2
  for file in "$work/place/typed" "$work/place/daemon.log"; do [ ! -s "$file" ] || { echo "--- $file" >&2; tail -n 30 "$file" | sed 's/hlt_[0-9a-f]*_[A-Za-z0-9_-]*/hlt_***/g' >&2; }; done
  exit 1
}

# await WHAT COMMAND...: within 20 seconds.
await() {
  local what=$1 tries=400
  shift
  until "$@" >/dev/null 2>&1; do
    [ $((tries -= 1)) -gt 0 ] || fail "$what did not come"
    sleep 0.05
  done
}

# lines_of DOCUMENT: the commands of its ```sh blocks.
lines_of() { awk '/^```/ {inside = ($0 == "```sh"); next} inside && NF' "$1"; }

stand_ins() {  # the host's programs
  printf '#!/bin/sh\n[ "$1" = ps ] && echo web\n' >"$1/docker"
  cat >"$1/backup" <<'END'
#!/bin/sh
case $1 in
  database) echo "saved the database" ;;
  nothing) echo "there is nothing to save" >&2; exit 3 ;;
  everything) exec sleep 30 ;;
esac
END
  chmod 755 "$1"/*
}

# A machine of its own: a state, a configuration, a host with docker, a container without.
new_place() {
  place=$work/place
  rm -rf "$place"
  mkdir -p "$place"/{client,host,etc,run,app,shims,home}
  chmod 755 "$work" "$place" "$place/host"
  ln -s "$bin/hostclaw" "$place/client/hostclaw"
  ln -s "$bin/hostlink" "$place/client/hostlink"
  ln -s "$bin/hostlink" "$place/client/hostlink-cli"
  stand_ins "$place/host"
  echo "a note" >"$place/home/notes.txt"
  printf 'unix_path = %s/run/hostlink.sock\nunix_group =\noutput_tmpdir = %s/run/output\n' "$place" "$place" >"$place/etc/hostlink.conf"
  chmod 600 "$place/etc/hostlink.conf"
  export HOME=$place/home HOSTCLAW_STATE_DIR=$place/state HOSTLINK_SHIM_DIR=$place/shims
  export PATH=$place/shims:$place/client:/usr/bin:/bin
  unset HOSTLINK_TOKEN HOSTLINK_SOCKET HOSTLINK_TARGET HOSTLINK_TARGETS HOSTLINK_TOKEN_FILE HOSTLINK_EXIT_CODES HOSTLINK_WORKDIR
  cd "$place/home" || exit 1
}

end_place() {
  local status=0
  [ -n "$daemon" ] || fail "no line has started the daemon"
  kill "$daemon"
  wait "$daemon" || status=$?
  daemon=""
  [ "$status" = 143 ] || fail "the daemon ended with $status"
  cd "$project" || exit 1
}

asked=""
asked_line=""
question() { hostclaw approvals pending --json | grep -oE '"id":"[0-9a-f-]{36}"' | head -n 1 | cut -d'"' -f4; }

# type_line LINE: as it stands, places and ID filled in.
type_line() {
  local line=$1 expected=0 status=0 id
  case $line in
    *"# exit "*"with the strict default"*) [ "$mode" = strict ] && expected=$(sed 's/.*# exit \([0-9]*\).*/\1/' <<<"$line") ;;
    *"# exit "*) expected=$(sed 's/.*# exit \([0-9]*\).*/\1/' <<<"$line") ;;
  esac
  line=${line//\/run\/hostlink/$place/run}
  line=${line//\/etc\/hostlink/$place/etc}
  line=${line//\/srv\/app/$place/app}
  line=${line//\/nowhere/$place/nowhere}
  echo "\$ $line" >>"$place/typed"
  case $line in
    *"# stays in the foreground")
      # The host's programs, and nothing of the container's.
      PATH=$place/host:$place/client:/usr/bin:/bin HOME=$place/home bash -c "exec ${line%%#*}" >"$place/daemon.log" 2>&1 &
      daemon=$!
      await "the daemon" grep -q 'listening on' "$place/daemon.log"
      passed=$((passed + 1))
      return ;;
    *"# asked")
      asked_line=$line
      bash -c "$line" </dev/null >>"$place/typed" 2>&1 &
      asked=$!
      await "the question of: $line" test_question
      passed=$((passed + 1))
      return ;;
  esac
  if [[ $line == *" ID "* ]]; then
    id=$(question)
    [ -n "$id" ] || fail "no question is open for: $line"
    line=${line/ ID / $id }
  fi
  # In this shell: what it exports holds for the next lines.
  eval "$line" </dev/null >>"$place/typed" 2>&1 || status=$?
  [ "$status" = "$expected" ] || fail "status $status, not $expected: $line"
  passed=$((passed + 1))
  if [ -n "$asked" ] && [[ $line == *"approvals resolve"* ]]; then
    wait "$asked" || fail "what was allowed ended with $?: $asked_line"
    asked=""
  fi
}
test_question() { [ -n "$(question)" ]; }

play() {  # play DOCUMENT
  local line before=$passed
  while IFS= read -r line <&9; do type_line "$line"; done 9< <(lines_of "$project/$1")
  [ $((passed - before)) -ge 5 ] || fail "$1 has hardly a command: have its blocks another form?"
  [ -z "$asked" ] || fail "nobody answered the question of: $asked_line"
}

for name in hostclaw hostlink; do [ -x "$bin/$name" ] || { echo "hostlink_docs.sh: $bin/$name is not built" >&2; exit 2; }; done

mode=strict
new_place
play docs/hostlink.md
grep -q '^web$' "$place/typed" || fail "docker ps printed nothing"
grep -q 'git version' "$place/typed" || fail "what was asked about has not run"
grep -q '^a note$' "$place/typed" || fail "no file came back"
grep -q '^saved the database' "$place/typed" || fail "the job's output was not shown"
end_place

for mode in strict full; do
  new_place
  play skills/hostlink/references/setup.md
  if [ "$mode" = full ]; then
    hostclaw hostlink token set gateway --security full 2>>"$place/typed" >&2 || fail "security=full"
    # As for a token that was made with it: every file.
    hostclaw hostlink token set gateway --root / 2>>"$place/typed" >&2 || fail "every directory"
  fi
  play skills/hostlink/SKILL.md
  if [ "$mode" = full ]; then
    [ "$(hostlink exec 'echo "$((6 * 7))" | tr 4 5' 2>/dev/null)" = 52 ] || fail "with --security full not everything runs"
  else
    status=0
    said=$(hostlink get /etc/passwd - 2>&1) || status=$?
    [ "$status" = 4 ] || fail "the strict default ended with $status"
    # What the skill tells agents to look for.
    grep -q 'Do not retry it unchanged' <<<"$said" && grep -q 'next: ' <<<"$said" || fail "a refusal does not say what to do: $said"
  fi
  end_place
done

# The units, where there is something to read them.
if command -v systemd-analyze >/dev/null; then
  mkdir "$work/units"
  cp packaging/systemd/*.socket packaging/systemd/*.service "$work/units/"
  sed -i "s#^ExecStart=/usr/bin/hostclaw#ExecStart=$bin/hostclaw#" "$work/units/hostclaw-hostlink.service"
  complaints=$(systemd-analyze verify "$work/units/hostclaw-hostlink.socket" "$work/units/hostclaw-hostlink.service" 2>&1)
  [ -z "$complaints" ] || fail "systemd: $complaints"
  passed=$((passed + 1))
fi
echo "$passed lines did what is written"
