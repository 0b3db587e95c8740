# SPDX-License-Identifier: Apache-2.0
# Checks of the shell tests; sourced. A test that has more to show of a failure defines show_trouble.
# shellcheck shell=bash
started=$SECONDS
passed=0
step() { printf '== %s (after %d s)\n' "$*" $((SECONDS - started)); }
ok() { passed=$((passed + 1)); printf '   ok: %s\n' "$*"; }
show_trouble() { :; }
fail() {
  printf '   FAILED: %s\n' "$*" >&2
  show_trouble >&2 2>/dev/null || true
  exit 1
}
# expect WHAT COMMAND...: the command answers 0.
expect() {
  local what=$1
  shift
  "$@" || fail "$what"
  ok "$what"
}
# within SECONDS WHAT COMMAND...: it does so in time.
within() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || { "$@" || true; fail "$what"; }
    sleep 0.1
  done
  ok "$what"
}
# says WORDS TEXT: the text holds the words.
says() { grep -qF -- "$1" <<<"$2" || { printf '   it says: %s\n' "$2" >&2; false; }; }
says_not() { ! grep -qF -- "$1" <<<"$2"; }
