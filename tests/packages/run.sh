#!/usr/bin/env bash
# The packages as a user meets them: the .deb installed in a clean Debian and taken away again, the .tar.gz unpacked,
# the npm packages installed offline and started with npx; and made twice, they are the same bytes.
#   tests/packages/run.sh [--build-dir DIR]
# DIR (default: build/release) holds a release build; without one it is built. The clean Debian needs root and debootstrap.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/service/container.sh
. tests/service/container.sh
# shellcheck source=tests/support/checks.sh
. tests/support/checks.sh

build_dir=build/release
while [ $# -gt 0 ]; do
  case $1 in
    --build-dir) build_dir=$2; shift 2 ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done

work=$(mktemp -d)
launcher_pid=""
cleanup() {
  [ -n "$launcher_pid" ] && kill "$launcher_pid" 2>/dev/null && wait "$launcher_pid" 2>/dev/null
  container_remove
  rm -rf "$work"
}
trap cleanup EXIT
version=$(sed -n 's/^project(hostclaw VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
printed="hostclaw native-$version"

step "made twice"
if [ -x "$build_dir/bin/hostclaw" ]; then
  ./package --build-dir "$build_dir" --output "$work/packages" >"$work/package.log"
else
  ./package --output "$work/packages" >"$work/package.log"
fi
head -n 1 "$work/package.log"
packages=$work/packages
ls "$packages" >"$work/names"
for name in "hostclaw_${version}_amd64.deb" "hostclaw-$version-linux-x64.tar.gz" "hostclaw-$version.tgz" \
  "hostclaw-linux-x64-$version.tgz" "hostlink-$version-linux-x64" "hostclaw-$version.spdx.json" SHA256SUMS; do
  expect "made: $name" grep -qxF "$name" "$work/names"
done
windows_zip=$packages/hostclaw-$version-windows-x64.zip
if [ -e "$windows_zip" ]; then
  for name in "hostclaw-win32-x64-$version.tgz" "hostclaw-$version-windows-x64.spdx.json"; do
    expect "made: $name" grep -qxF "$name" "$work/names"
  done
else
  echo "SKIPPED: the Windows program is not built (./package --windows)"
fi
(umask 077 && TZ=Asia/Tokyo LANG=C TMPDIR=$work ./package --build-dir "$build_dir" --output "$work/again" >/dev/null)
expect "the same bytes with another umask, time zone and directory" diff -r "$packages" "$work/again"

step "the executable"
mkdir "$work/tar"
tar -xzf "$packages/hostclaw-$version-linux-x64.tar.gz" -C "$work/tar"
tree=$work/tar/hostclaw-$version-linux-x64
size=$(stat -c %s "$tree/bin/hostclaw")
expect "at most 12 MiB ($size bytes)" [ "$size" -le $((12 * 1024 * 1024)) ]
! grep -qaF "$PWD/" "$tree/bin/hostclaw" || fail "the executable names the directory it was built in"
ok "no trace of the directory it was built in"
expect "the archive's program runs" [ "$("$tree/bin/hostclaw" --version)" = "$printed" ]
expect "the archive's man page and completions say what --help says" \
  tests/packages/generated.sh --hostclaw "$tree/bin/hostclaw"
expect "the archive's man page is the program's" diff "$tree/share/man/man1/hostclaw.1" <("$tree/bin/hostclaw" generate man)
tar -tvzf "$packages/hostclaw-$version-linux-x64.tar.gz" | awk '{print $2}' | sort -u >"$work/owners"
expect "everything in the archive belongs to root" [ "$(cat "$work/owners")" = 0/0 ]

step "HostLink's client for containers"
clients=$tree/share/hostclaw/client
mkdir "$work/empty"
cp "$clients/linux-x64/hostlink" "$clients/linux-x64/hostlink-unix" "$work/empty/"
in_empty_root() { if [ "$(id -u)" = 0 ]; then chroot "$work/empty" "$@"; else unshare --map-root-user chroot "$work/empty" "$@"; fi; }
for name in hostlink hostlink-unix; do
  expect "$name runs in a root directory that holds nothing else" [ "$(in_empty_root "/$name" --version)" = "hostlink (hostclaw) $version" ]
done
expect "alone it is the same" cmp "$clients/linux-x64/hostlink" "$packages/hostlink-$version-linux-x64"
! grep -qaF "$PWD/" "$clients/linux-x64/hostlink" || fail "the client names the directory it was built in"
ok "no trace of the directory it was built in"
size=$(stat -c %s "$clients/linux-x64/hostlink")
expect "at most 6 MiB ($size bytes)" [ "$size" -le $((6 * 1024 * 1024)) ]
size=$(stat -c %s "$clients/linux-x64/hostlink-unix")
expect "for Unix sockets alone at most 2 MiB ($size bytes)" [ "$size" -le $((2 * 1024 * 1024)) ]

step "what is inside"
sbom=$packages/hostclaw-$version.spdx.json
for document in "$packages"/*.spdx.json; do
  command -v python3 >/dev/null || break
  expect "$(basename "$document") is JSON in which every reference holds" python3 - "$document" <<'PYTHON'
import json, sys
document = json.load(open(sys.argv[1]))
ids = {package["SPDXID"] for package in document["packages"]} | {document["SPDXID"]}
assert document["spdxVersion"] == "SPDX-2.3" and len(ids) == len(document["packages"]) + 1
for relation in document["relationships"]:
    assert relation["spdxElementId"] in ids and relation["relatedSpdxElement"] in ids, relation
for package in document["packages"]:
    assert package["SPDXID"] == "SPDXRef-hostclaw" or package["licenseDeclared"] != "NOASSERTION", package
PYTHON
done
for library in libboost libssl-dev libsqlite3-dev libre2-dev nlohmann-json3-dev libcli11-dev libstdc++ libc6-dev; do
  expect "$library is listed, with its version" grep -q "\"name\": \"$library.*\"versionInfo\": \"[0-9]" "$sbom"
  licence=$(find "$tree/share/doc/hostclaw/third-party" -name "$library*.copyright.gz" | head -n 1)
  expect "its licence is there" gzip -t "$licence"
done

if [ -e "$windows_zip" ]; then
  step "the archive for Windows"
  python3 -m zipfile -e "$windows_zip" "$work/zip"
  windows=$work/zip/hostclaw-$version-windows-x64
  for name in hostclaw.exe install.ps1 completion/hostclaw.ps1 doc/windows-service.md doc/copyright doc/LICENSE doc/SECURITY.md doc/hostclaw.spdx.json; do
    expect "it holds $name" [ -s "$windows/$name" ]
  done
  size=$(stat -c %s "$windows/hostclaw.exe")
  expect "the program has at most 14 MiB ($size bytes)" [ "$size" -le $((14 * 1024 * 1024)) ]
  ! grep -qaF "$PWD/" "$windows/hostclaw.exe" || fail "the Windows program names the directory it was built in"
  ok "no trace of the directory it was built in"
  expect "it holds the texts of its events" env LC_ALL=C grep -qaP 'n\x00o\x00d\x00e\x00 \x00h\x00o\x00s\x00t\x00 \x00r\x00u\x00n\x00s' "$windows/hostclaw.exe"
  expect "and asks for no console" grep -qaF consoleAllocationPolicy "$windows/hostclaw.exe"
  expect "the completion is the program's" diff "$windows/completion/hostclaw.ps1" <("$tree/bin/hostclaw" completion powershell)
  for library in libboost openssl sqlite3 re2 nlohmann-json3-dev libcli11-dev mingw-w64-x86-64-dev; do
    expect "$library is listed, with its version" grep -q "\"name\": \"$library.*\"versionInfo\": \"[0-9]" "$windows/doc/hostclaw.spdx.json"
    licence=$(find "$windows/doc/third-party" -name "$library*.copyright.gz" | head -n 1)
    expect "its licence is there" gzip -t "$licence"
  done
  if [ -x /usr/lib/wine/wine64 ]; then
    said=$(WINEPREFIX=$work/wine WINEDEBUG=-all WINEDLLOVERRIDES='mscoree=;mshtml=' /usr/lib/wine/wine64 "$windows/hostclaw.exe" --version 2>/dev/null </dev/null | tr -d '\r')
    WINEPREFIX=$work/wine /usr/lib/wine/wineserver64 -k || true
    expect "the program runs under Wine" [ "$said" = "$printed" ]
  fi
fi

step "the .deb in a clean Debian"
deb=$packages/hostclaw_${version}_amd64.deb
if [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null; then
  echo "SKIPPED: a clean root needs root and debootstrap"
else
  container_prepare
  container_new
  inside() { chroot "$container_root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"; }
  listing() { (cd "$container_root" && find . -xdev ! -path './var/lib/dpkg*' ! -path './var/log/*' ! -path './proc/*' | sort); }
  cp "$deb" "$container_root/root/hostclaw.deb"
  listing >"$work/before"
  inside dpkg -i /root/hostclaw.deb >"$work/install.log" 2>&1 || { cat "$work/install.log" >&2; fail "dpkg -i"; }
  ok "it installs"
  expect "it says that nothing was started" grep -q 'nothing was started' "$work/install.log"
  expect "the program runs" [ "$(inside hostclaw --version)" = "$printed" ]
  expect "the man page is there" inside gzip -t /usr/share/man/man1/hostclaw.1.gz
  expect "the copyright is there" inside test -s /usr/share/doc/hostclaw/copyright
  expect "the example of a unit is there" inside grep -q '^ExecStart=/usr/bin/hostclaw node run' /usr/share/doc/hostclaw/examples/hostclaw.service
  for name in /usr/bin/hostlink /usr/bin/hostlink-cli /usr/sbin/hostlinkd; do
    expect "$name leads to the program" [ "$(inside readlink -f "$name")" = /usr/bin/hostclaw ]
  done
  expect "hostlink is the client" [ "$(inside hostlink --version)" = "hostlink (hostclaw) $version" ]
  expect "hostlinkd is the daemon" [ "$(inside hostlinkd --version)" = "hostlinkd (hostclaw native-$version)" ]
  expect "the client for containers is there" [ "$(inside /usr/share/hostclaw/client/linux-x64/hostlink --version)" = "hostlink (hostclaw) $version" ]
  expect "the skill for agents is there" inside test -s /usr/share/hostclaw/skills/hostlink/SKILL.md
  expect "the units of HostLink are there" inside test -s /usr/lib/systemd/system/hostclaw-hostlink.socket -a -s /usr/lib/systemd/system/hostclaw-hostlink.service
  expect "bash loads the completion" inside bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader hostclaw; complete -p hostclaw >/dev/null'
  expect "dpkg finds every file as it was packed" [ -z "$(inside dpkg --verify hostclaw)" ]
  listing >"$work/with"
  inside bash -c 'getent passwd hostclaw' >/dev/null && fail "an account was made"
  ok "no account was made"
  # Only below /usr: nothing is switched on, nothing is configured.
  expect "nothing outside /usr was touched" [ -z "$(comm -13 "$work/before" "$work/with" | grep -v '^\./usr/')" ]
  inside dpkg -r hostclaw >"$work/remove.log" 2>&1 || { cat "$work/remove.log" >&2; fail "dpkg -r"; }
  listing >"$work/after"
  expect "removed, it leaves nothing" diff "$work/before" "$work/after"
  container_remove
fi

step "the npm packages"
if ! command -v npm >/dev/null; then
  echo "SKIPPED: npm is not installed"
else
  home=$HOME
  export HOME=$work/home npm_config_cache=$work/npm-cache npm_config_update_notifier=false
  mkdir -p "$HOME" "$work/project" "$work/bare"
  install_npm() { (cd "$1" && shift && npm install --offline --no-audit --no-fund --loglevel=error "$@" >"$work/npm.log" 2>&1) || { cat "$work/npm.log" >&2; return 1; }; }
  expect "npm installs them offline" install_npm "$work/project" "$packages/hostclaw-$version.tgz" "$packages/hostclaw-linux-x64-$version.tgz"
  expect "npx starts the program" [ "$(cd "$work/project" && npx --offline hostclaw --version </dev/null)" = "$printed" ]
  expect "no install script" [ -z "$(grep -l '"scripts"\|"preinstall"\|"postinstall"' "$work"/project/node_modules/hostclaw*/package.json)" ]
  launcher=$work/project/node_modules/.bin/hostclaw
  expect "words and exit status go through" bash -c '"$1" no-such-verb 2>/dev/null; [ $? = 2 ]' - "$launcher"
  expect "it tells where the program is" [ "$("$("$launcher" --print-executable)" --version)" = "$printed" ]

  # A signal to the launcher reaches the program, and its end is the launcher's.
  HOSTCLAW_STATE_DIR=$work/state "$launcher" node run --host 127.0.0.1 --port 1 2>"$work/node.log" &
  launcher_pid=$!
  tries=200
  until [ -s "$work/node.log" ] || [ $((tries -= 1)) = 0 ]; do sleep 0.1; done
  native_pid=$(pgrep -P "$launcher_pid")
  kill -TERM "$launcher_pid"
  status=0
  wait "$launcher_pid" || status=$?
  launcher_pid=""
  expect "SIGTERM ends both, with status 143" [ "$status" = 143 ]
  [ -e "/proc/$native_pid" ] && fail "the program outlived its launcher"
  ok "the program is gone"

  tar -xzf "$packages/hostclaw-$version.tgz" -C "$work/bare"
  status=0
  node "$work/bare/package/bin/hostclaw.js" --version 2>"$work/bare.log" || status=$?
  expect "without the platform's package it says so" grep -q PLATFORM_MISSING "$work/bare.log"
  expect "and fails" [ "$status" = 1 ]
  HOME=$home
fi

echo "$passed checks passed"
