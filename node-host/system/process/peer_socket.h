// SPDX-License-Identifier: Apache-2.0
// Who is at the other end of a connection from this machine, and whether they still are.
// Thread rule: safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

struct PeerProcess {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t pid = 0;   // in this process's own PID namespace; 0: in one that is not seen from here
  std::string container;  // the id of its container, shortened, from its control group; empty: none is known
  bool other_namespaces = false;      // it lives in a PID or mount namespace that is not ours
  std::vector<std::int64_t> holders;  // all that hold the peer's end, where more than one can
  bool unseen = false;  // of this machine and of this account, or perhaps, and not to be found any more
};

// Of a Unix socket, as the kernel kept it when the peer connected (SO_PEERCRED); a process that has ended
// since leaves its ids alone. nullopt: no Unix socket, or not on this system.
std::optional<PeerProcess> peer_process(NativeHandle socket);

// The two ends of a TCP connection within this machine, as the kernel lists them.
struct LoopbackEnds {
  std::string peer;  // address and port in the form of /proc/net/tcp; empty: it has gone already
  std::string own;
};
// To be asked for as soon as there is the connection: later it may have ended. nullopt: no TCP, from another
// machine, or not on this system.
std::optional<LoopbackEnds> loopback_ends(NativeHandle socket);
// The processes that hold the peer's end; pid 0: none that this account can look into. Costs a look at the
// descriptors of every process.
PeerProcess process_of(const LoopbackEnds& ends);

// The id of a container in the text of /proc/PID/cgroup, at most its first twelve characters, or empty.
// Docker, containerd, Podman, CRI-O and systemd-nspawn name their control groups after it.
std::string container_of(const std::string& cgroup_text);

// False: it has ended, whether its parent has taken notice or not. What is looked up of one that lives
// afterwards was its own.
bool process_lives(std::int64_t pid);

enum class PeerPresence {
  kThere,
  kHalfClosed,  // it sends nothing more, and may still read
  kGone,
};
// Looks without waiting and without taking anything. On TCP the end of what it sends counts as gone: nothing
// tells the two apart there.
PeerPresence peer_presence(NativeHandle socket);

// For a socket that is about to be bound: with this mode its file comes into being. False: the system has no
// such thing.
bool set_socket_mode(NativeHandle socket, std::uint32_t mode);
// The group of an existing file. False: there is no such group (or right).
bool set_file_group(const std::string& path, const std::string& group);
bool set_file_mode(const std::string& path, std::uint32_t mode);
// Removes a socket that lies at `path`. False: something else does, which is left alone.
bool remove_stale_socket(const std::string& path);

}  // namespace hostclaw::node_host
