# SPDX-License-Identifier: Apache-2.0
# Debian packages by purpose; sourced by quickstart and run-tests.
# shellcheck shell=bash
packages_build=(g++ cmake ninja-build pkg-config libboost1.81-dev libre2-dev libssl-dev libsqlite3-dev
  nlohmann-json3-dev libcli11-dev libavahi-client-dev catch2)
packages_test=(clang clang-format libclang-rt-14-dev git openssh-client python3 openssl procps npm ca-certificates
  systemd-container debootstrap groff mandoc zsh fish avahi-daemon avahi-utils dbus iproute2)
packages_windows=(g++-mingw-w64-x86-64-posix cmake ninja-build make perl python3 tcl unicode-data dpkg-dev libboost1.81-dev
  nlohmann-json3-dev libcli11-dev catch2 wine64)
packages_arm64=(g++-aarch64-linux-gnu cmake ninja-build libboost1.81-dev nlohmann-json3-dev qemu-user-static)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages NAME...: installs what is missing, after saying what that is.
install_packages() {
  local missing=() name
  for name in "$@"; do
    # A program of that name does as well as the package: compilers and Node come in many ways.
    case $name in
      g++ | cmake | git | python3 | npm | clang | clang-format | openssl) command -v "$name" >/dev/null 2>&1 && continue ;;
    esac
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "Installing Debian packages: ${missing[*]}" >&2
  as_root apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

jobs_for_build() {
  nproc 2>/dev/null || echo 2
}
