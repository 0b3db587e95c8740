#!/usr/bin/env bash
# The commands of hostclaw.exe under Wine: what they print, and what they leave behind.
#   tests/windows/commands.sh [--build FOLDER]     default: build/windows
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/windows/session.sh
. tests/windows/session.sh

build=build/windows
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2; shift 2 ;;
    -h | --help) sed -n '2,3s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "tests/windows/commands.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done
start_session "$build"
work=$(mktemp -d)
trap 'rm -rf "$work"; "$server" -k 2>/dev/null || true; "$server" -w 2>/dev/null || true' EXIT

# Unix folders are the drive Z: there.
export HOSTCLAW_STATE_DIR="Z:$work/Büro 1/state"
passed=0
# says WORDS STATUS COMMAND...: hostclaw answers with that status and prints these words.
says() {
  local words=$1 wanted=$2 status=0 said
  shift 2
  said=$(timeout 60 "$wine" "$bin/hostclaw.exe" "$@" </dev/null 2>&1) || status=$?
  if [ "$status" != "$wanted" ] || ! grep -qF -- "$words" <<<"$said"; then
    printf 'FAILED: hostclaw %s\n  exit %s, wanted %s; wanted to read: %s\n%s\n' "$*" "$status" "$wanted" "$words" "$said" >&2
    exit 1
  fi
  passed=$((passed + 1))
}

says 'hostclaw ' 0 --version
says 'Subcommands:' 0 --help
says 'nothing is stored yet' 1 policy check -- where cmd
says '"code":"ALLOWLIST_MISS"' 1 policy check --json -- where cmd
says '"security":"allowlist"' 0 exec-policy show --json
says 'whoami.exe' 0 approvals get
says 'where.exe' 0 approvals allowlist add --agent main 'C:\Windows\System32\where.exe'
says 'ALLOWED_BY_LIST' 0 policy check --agent main -- where cmd
says 'argv: ["where","cmd"]' 0 policy check --agent main --shell 'where cmd'
says 'NOT_ANALYSABLE' 1 policy check --agent main --shell 'where cmd & dir'
says 'PATH_SUSPICIOUS' 1 policy check --agent main -- '\\server\share\where.exe'
says '"Grüße 🙂"' 0 policy check --agent main -- where 'Grüße 🙂'
says 'policy-write' 0 audit tail
says 'valid: ' 0 audit verify
says 'link       never-started' 0 status
says '"state":"never-started"' 0 status --json
says 'STATE_PRIVATE' 1 doctor --offline
says 'Register-ArgumentCompleter' 0 completion powershell
says 'NOT_ON_THIS_SYSTEM' 1 generate unit
says 'SERVICE_NOT_INSTALLED' 1 logs
says 'report.json' 0 bugreport --offline --output "Z:$work/report.json"

# The program as it is shipped, manifest and all, on a system whose programs write code page 850; and what else of a run
# Wine can show. Rows that need what it lacks are not asked for.
"$wine" reg add 'HKLM\System\CurrentControlSet\Control\Nls\CodePage' /v OEMCP /d 850 /f </dev/null >/dev/null 2>&1
timeout 120 "$wine" "$bin/hostclaw.exe" selftest --json </dev/null >"$work/selftest.json" 2>/dev/null || true
row_passes() {  # ROW WORDS
  python3 - "$work/selftest.json" "$1" "$2" <<'END' || { echo "FAILED: selftest: $1" >&2; cat "$work/selftest.json" >&2; exit 1; }
import json, sys
rows = {row["row"]: row for row in json.load(open(sys.argv[1], encoding="utf-8"))["rows"]}
row = rows[sys.argv[2]]
sys.exit(0 if row["verdict"] == "pass" and sys.argv[3] in row["detail"] else 1)
END
  passed=$((passed + 1))
}
row_passes code-page 'OEM code page 850'
row_passes code-page 'ü'
for row in arguments streams environment question time-limit store secret utf-16 arguments-cmd tree nested-jobs ctrl-c \
  hidden-prompt; do
  row_passes "$row" ''
done

# A node tells what it does while it does it, also where its output is no console.
coproc node_OUT { exec timeout 60 "$wine" "$bin/hostclaw.exe" node run --host 127.0.0.1 --port 1 </dev/null 2>&1; }
node=$node_OUT_PID
read -r -t 40 line <&"${node_OUT[0]}" || line=''
kill "$node" 2>/dev/null || true
case $line in
  *'info  hostclaw '*) passed=$((passed + 1)) ;;
  *) echo "FAILED: a node that runs says nothing: $line" >&2; exit 1 ;;
esac

# Wine shows an access list as a mode: SYSTEM and Administrators are its group.
open_files=$(find "$work/Büro 1" -perm /007)
[ -z "$open_files" ] || { printf 'FAILED: open to others:\n%s\n' "$open_files" >&2; exit 1; }
if grep -q $'\r' "$work/report.json"; then echo "FAILED: the report has carriage returns" >&2; exit 1; fi
echo "ok      $((passed + 2)) checks of hostclaw.exe"
