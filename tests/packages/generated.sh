#!/usr/bin/env bash
# The man page and the completions say what --help says: every visible verb and flag, found by asking --help of
# each verb, stands in each of them; the shells that are installed really complete; groff finds nothing to warn of.
#   tests/packages/generated.sh [--hostclaw FILE]
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/../.."

hostclaw=build/debug/bin/hostclaw
while [ $# -gt 0 ]; do
  case $1 in
    --hostclaw) hostclaw=$2; shift 2 ;;
    -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "generated.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done
hostclaw=$(realpath "$hostclaw")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
ok() { passed=$((passed + 1)); }
fail() { echo "FAILED: $*" >&2; exit 1; }
# has GREP-OPTIONS...: reads to the end, where `grep -q` would leave before who writes is done, which fails the pipe.
has() { grep "$@" | cat >/dev/null; }

"$hostclaw" generate man >"$work/hostclaw.1"
for shell in bash zsh fish powershell; do "$hostclaw" completion "$shell" >"$work/$shell"; done

# The page as a reader sees it, and the page's sections one a verb: "hostclaw node run" -> its flags.
sed 's/\\-/-/g; s/\\f[BIR]//g; s/\\&//g' "$work/hostclaw.1" >"$work/page"

# flags_of TEXT / verbs_of TEXT: from the text of --help.
flags_of() { sed -n 's/^  \(-[^ ]*\).*/\1/p' "$1" | tr ',' '\n'; }
verbs_of() { sed -n '/^[A-Za-z ]*[Cc]ommands:$/,/^$/s/^  \([a-z][a-z-]*\).*/\1/p' "$1"; }
aliases_of() { sed -n '/^[A-Za-z ]*[Cc]ommands:$/,/^$/s/^  [a-z][a-z-]*, \([a-z][a-z-]*\).*/\1/p' "$1"; }

# section PATH: what stands under the heading of the verb in the page.
section() { awk -v head=".SS $1" '$0 == head {on = 1; next} /^\.S[SH] / {on = 0} on' "$work/page"; }

# completes WORD...: what bash offers for the last word.
completes() {
  (
    # shellcheck disable=SC1091
    . "$work/bash"
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _hostclaw
    [ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}"
  )
}

# powershell_has TABLE PATH WORD: the table of that name holds the word, with a text, for the path.
powershell_has() {
  awk -v head="    \$$1 = @{" '$0 == head {on = 1; next} $0 == "    }" {on = 0} on' "$work/powershell" |
    grep -F -- "        '$2' = @(" | has -F -- "'$3', '"
}

# contains LINES WORD
contains() { grep -qxF -- "$2" <<<"$1"; }

examine() {
  local path=("$@") text name verb flag offered fish_start
  name="hostclaw${path[*]:+ ${path[*]}}"
  text=$(mktemp "$work/help.XXXXXX")
  "$hostclaw" "${path[@]}" --help >"$text"
  [ ${#path[@]} -eq 0 ] || grep -qxF ".SS $name" "$work/page" || fail "the man page has no section for $name"

  offered=$(completes hostclaw "${path[@]}" --)
  fish_start="-n '__hostclaw_at \"$name\"'"
  for flag in $(flags_of "$text"); do
    if [ "$flag" = -h ] || [ "$flag" = --help ] || [ ${#path[@]} -eq 0 ]; then
      grep -qE -- "(^|[ ,])$flag([ ,]|\$)" "$work/page" || fail "the man page lacks $flag"
    else
      section "$name" | has -E -- "(^|[ ,])$flag([ ,]|\$)" || fail "the man page lacks $name $flag"
    fi
    case $flag in
      --*)
        contains "$offered" "$flag" || fail "bash does not offer $name $flag"
        grep -F -- "$fish_start" "$work/fish" | has -E -- " -l ${flag#--} " || fail "fish lacks $name $flag" ;;
      *) grep -F -- "$fish_start" "$work/fish" | has -E -- " -[so] ${flag#-} " || fail "fish lacks $name $flag" ;;
    esac
    awk -v head="    ('$name')" '$0 == head {on = 1; next} / ;;$/ {on = 0} on' "$work/zsh" |
      has -F -- "'$flag:" || fail "zsh lacks $name $flag"
    powershell_has flags "$name" "$flag" || fail "PowerShell lacks $name $flag"
    ok
  done
  offered=$(completes hostclaw "${path[@]}" "")
  for verb in $(verbs_of "$text") $(aliases_of "$text"); do
    contains "$offered" "$verb" || fail "bash does not offer $name $verb"
    grep -F -- "$fish_start" "$work/fish" | has -F -- " -a '$verb' " || fail "fish lacks $name $verb"
    awk -v head="    ('$name')" '$0 == head {on = 1; next} / ;;$/ {on = 0} on' "$work/zsh" |
      has -F -- "'$verb:" || fail "zsh lacks $name $verb"
    powershell_has verbs "$name" "$verb" || fail "PowerShell lacks $name $verb"
    ok
  done
  for verb in $(verbs_of "$text"); do examine "${path[@]}" "$verb"; done
}
examine
[ "$passed" -gt 100 ] || fail "only $passed verbs and flags were found: has the form of --help changed?"

# Hidden flags stay hidden.
for file in page bash zsh fish powershell; do
  ! grep -q -- 'ephemeral\|generate' "$work/$file" || fail "$file shows what --help hides"
  ok
done

# offers EXPECTED WORD...: bash offers exactly that, in one line.
offers() {
  local expected=$1 got
  shift
  got=$(completes "$@" | tr '\n' ' ')
  [ "${got% }" = "$expected" ] || fail "bash offers '$got' for '$*', not '$expected'"
  ok
}
offers "node" hostclaw no
offers "status" hostclaw sta
offers "install" hostclaw node inst
offers "error warn info debug" hostclaw node run --log-level ""
offers "debug" hostclaw node run --log-level = d
offers "error warn info debug" hostclaw node run --log-level =
offers "" hostclaw node run --host ""
offers "--log-level --log-format --log-file" hostclaw node run --host gateway.example --log
offers "bash zsh fish powershell" hostclaw completion ""
offers "" hostclaw policy check -- --j
offers "$(completes hostclaw approvals "" | tr '\n' ' ' | sed 's/ $//')" hostclaw exec-approvals ""

# Ids come from the program itself, and are words, never text to be evaluated.
mkdir "$work/stand-in"
cat >"$work/stand-in/hostclaw" <<'END'
#!/bin/sh
if [ "$1" = --profile ]; then printf 'of-%s\t\n' "$2"; exit; fi
[ "$1" = complete ] || exit 1
printf '%s-1\twhat it is\n%s-2\twhat it is\n$(touch evil)\tnone\n' "$2" "$2"
END
chmod +x "$work/stand-in/hostclaw"
PATH=$work/stand-in:$PATH
offers "run-1 run-2" hostclaw runs show run
offers "open-run-1 open-run-2" hostclaw runs cancel open
offers "question-2" hostclaw approvals resolve question-2
offers "grant-1 grant-2" hostclaw approvals grants revoke gr
offers "rule-1 rule-2" hostclaw policy remove ru
offers "of-work" hostclaw --profile work runs show of
offers "of-work" hostclaw runs show --profile = work of
(cd "$work" && completes hostclaw runs show "" | grep -qxF '$(touch evil)' && [ ! -e evil ]) || fail "bash evaluates an id"
ok

# What the interactive shell does with it.
bash --norc -c ". '$work/bash' && complete -p hostclaw" | grep -qx 'complete -F _hostclaw hostclaw' ||
  fail "bash does not register the completion"
ok
if command -v zsh >/dev/null; then
  zsh -n "$work/zsh" || fail "zsh cannot read its completion"
  zsh -fc "autoload -Uz compinit && compinit -D -d '$work/dump' && . '$work/zsh' && [[ \${_comps[hostclaw]} == _hostclaw ]]" ||
    fail "zsh does not register the completion"
  ok
else
  echo "skipped: zsh is not installed, its completion was only read"
fi
if command -v fish >/dev/null; then
  fish_offers() { HOME=$work fish --no-config -c ". '$work/fish'; complete -C '$1'" | cut -f1 | sort | tr '\n' ' '; }
  fish_expect() {
    local got
    got=$(fish_offers "$2")
    [ "${got% }" = "$1" ] || fail "fish offers '$got' for '$2', not '$1'"
    ok
  }
  fish_expect "node" "hostclaw no"
  fish_expect "install" "hostclaw node inst"
  fish_expect "debug error info warn" "hostclaw node run --log-level "
  fish_expect "--log-file --log-format --log-level" "hostclaw node run --host gateway.example --log"
  fish_expect "bash fish powershell zsh" "hostclaw completion "
else
  echo "skipped: fish is not installed, its completion was only read"
fi
if command -v pwsh >/dev/null; then
  pwsh_expect() {
    local got
    got=$(pwsh -NoProfile -Command ". '$work/powershell.ps1'; (TabExpansion2 '$2' $((${#2}))).CompletionMatches.CompletionText" |
      sort | tr '\n' ' ')
    [ "${got% }" = "$1" ] || fail "PowerShell offers '$got' for '$2', not '$1'"
    ok
  }
  cp "$work/powershell" "$work/powershell.ps1"
  pwsh_expect "install" "hostclaw node inst"
  pwsh_expect "debug error info warn" "hostclaw node run --log-level "
  pwsh_expect "--log-file --log-format --log-level" "hostclaw node run --host gateway.example --log"
  pwsh_expect "bash fish powershell zsh" "hostclaw completion "
else
  echo "skipped: PowerShell is not installed, its completion was only read"
fi
# PowerShell's tables do not tell cases apart, and refuse a name that is there already.
twice=$(awk '/^    \$[a-z]+ = @[{]$/ {table = $1} / = / {print table, tolower($0)}' "$work/powershell" | sed 's/ = .*//' | sort | uniq -d)
[ -z "$twice" ] || fail "the PowerShell completion has names twice: $twice"
ok
# Quotes and brackets come in pairs, outside of quoted texts.
leftover=$(sed "s/#.*//; s/'\([^']\|''\)*'//g; s/\"[^\"]*\"//g" "$work/powershell" | tr -cd "(){}'\"" )
for pair in '()' '{}'; do
  opened=$(tr -cd "${pair:0:1}" <<<"$leftover" | wc -c)
  closed=$(tr -cd "${pair:1:1}" <<<"$leftover" | wc -c)
  [ "$opened" = "$closed" ] || fail "the PowerShell completion has $opened ${pair:0:1} and $closed ${pair:1:1}"
done
grep -q "[\"']" <<<"$leftover" && fail "the PowerShell completion leaves a quote open"
ok

# The page without complaints.
if command -v groff >/dev/null; then
  complaints=$(groff -man -Tutf8 -ww -Wbreak -z "$work/hostclaw.1" 2>&1)
  [ -z "$complaints" ] || fail "groff: $complaints"
  ok
else
  echo "skipped: groff is not installed, the man page was not set"
fi
if command -v mandoc >/dev/null; then
  complaints=$(mandoc -T lint -W error "$work/hostclaw.1" 2>&1) || fail "mandoc: $complaints"
  ok
fi
echo "$passed checks passed"
