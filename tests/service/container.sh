# SPDX-License-Identifier: Apache-2.0
# A booted Debian with a real systemd, in a directory: for tests of services and packages. Sourced.
# Needs root. Everything it makes is below $service_build; everything it starts, container_off ends by its id.
# shellcheck shell=bash
service_build=${service_build:-$PWD/build/service}
container_root=""     # the root directory of the container of this run
container_nspawn=""   # process id of systemd-nspawn
container_leader=""   # process id of the container's first process, as this machine sees it

container_mirror() {
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 == "bookworm" && $2 ~ /debian/ {print $2; exit}'
}

# container_permitted: false, with the reason on stderr, where this machine may not start containers.
container_permitted() {
  if [ "$(id -u)" != 0 ]; then
    echo "not root: unshare and mount are not permitted" >&2
    return 1
  fi
  if ! unshare --mount --pid --fork --mount-proc --uts --ipc --cgroup true 2>/dev/null; then
    echo "namespaces may not be made here; to see that: unshare --mount --pid --fork --mount-proc --cgroup true" >&2
    return 1
  fi
}

# container_prepare: the pristine root, made once and kept below build/.
container_prepare() {
  local pristine=$service_build/bookworm mirror
  [ -e "$pristine.ready" ] && return 0
  mirror=$(container_mirror)
  [ -n "$mirror" ] || { echo "apt knows no source of Debian 12 packages" >&2; return 1; }
  rm -rf "$pristine"
  mkdir -p "$service_build"
  debootstrap --variant=minbase \
    --include=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,procps,iproute2,cron,libre2-9,libsqlite3-0,libssl3,libstdc++6,bash-completion \
    bookworm "$pristine" "$mirror" >"$service_build/debootstrap.log" 2>&1 ||
    { tail -n 20 "$service_build/debootstrap.log" >&2; return 1; }
  # Nothing of the network is set up inside: the container shares this machine's.
  chroot "$pristine" systemctl mask --quiet systemd-networkd-wait-online.service systemd-resolved.service \
    systemd-timesyncd.service systemd-firstboot.service getty@.service console-getty.service >/dev/null 2>&1
  rm -rf "$pristine/var/cache/apt/archives" "$pristine/var/lib/apt/lists"
  touch "$pristine.ready"
}

# container_new: a fresh root for this run.
container_new() {
  container_root=$(mktemp -d "$service_build/run.XXXXXX")
  cp -a --reflink=auto "$service_build/bookworm/." "$container_root/"
}

# container_boot: boots container_root and waits until systemd inside says it is up (10 s at most).
container_boot() {
  local log=$service_build/nspawn.log tries=200 state
  : >"$log"
  setsid systemd-nspawn --register=no --keep-unit --quiet --console=pipe -M hostclaw-test -D "$container_root" \
    --link-journal=no -b "$@" >>"$log" 2>&1 </dev/null &
  container_nspawn=$!
  container_leader=""
  while [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    if ! kill -0 "$container_nspawn" 2>/dev/null; then
      echo "systemd-nspawn ended:" >&2
      tail -n 20 "$log" >&2
      return 1
    fi
    container_leader=$(pgrep -P "$container_nspawn" | head -n 1)
    # Without a pid namespace of its own this is not the container, and nsenter would act on this machine.
    if [ -n "$container_leader" ] &&
      [ "$(readlink "/proc/$container_leader/ns/pid")" != "$(readlink /proc/self/ns/pid)" ]; then
      state=$(in_container systemctl is-system-running 2>/dev/null || true)
      case $state in running | degraded) return 0 ;; esac
    fi
    sleep 0.1
  done
  echo "the container did not come up: ${state:-no answer}" >&2
  in_container systemctl list-jobs >&2 || true
  return 1
}

# in_container COMMAND...: as root, with an empty environment but for PATH, HOME and what container_env holds.
container_env=()
in_container() {
  nsenter -t "$container_leader" -m -u -i -p -n -C -- \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 "${container_env[@]}" "$@"
}

# in_container_as USER COMMAND...: in a session that ended before it: what a user has after logging out and in.
in_container_as() {
  local user=$1
  shift
  in_container runuser -l "$user" -c "$(printf '%q ' "$@")"
}

# container_off: as the power button does.
container_off() {
  [ -n "$container_nspawn" ] || return 0
  if [ -n "$container_leader" ] && kill -0 "$container_nspawn" 2>/dev/null; then
    in_container systemctl poweroff >/dev/null 2>&1 || true
    local tries=150
    while kill -0 "$container_nspawn" 2>/dev/null && [ "$tries" -gt 0 ]; do
      tries=$((tries - 1))
      sleep 0.1
    done
    kill -KILL "$container_nspawn" 2>/dev/null || true
  fi
  wait "$container_nspawn" 2>/dev/null || true
  container_nspawn=""
  container_leader=""
}

container_remove() {
  container_off
  [ -n "$container_root" ] && rm -rf "$container_root"
  container_root=""
}
