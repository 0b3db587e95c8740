// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/peer_socket.h"

#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "node-host/system/process/proc_files.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kShownId = 12;
constexpr std::size_t kMostOfCgroup = 8192;

std::string link_target(const std::string& path) {
  std::array<char, 256> buffer{};
  const ssize_t count = ::readlink(path.c_str(), buffer.data(), buffer.size());
  return count > 0 ? std::string(buffer.data(), static_cast<std::size_t>(count)) : std::string();
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

// A path component that names a container: 64 hexadecimal digits by themselves or behind an engine's prefix,
// or a machine of systemd.
std::string id_in(std::string_view part) {
  constexpr std::string_view kScope = ".scope";
  constexpr std::string_view kService = ".service";
  constexpr std::string_view kMachine = "machine-";
  constexpr std::string_view kNspawn = "systemd-nspawn@";
  if (part.ends_with(kScope)) part.remove_suffix(kScope.size());
  if (part.starts_with(kNspawn) && part.ends_with(kService))
    return std::string(part.substr(kNspawn.size(), part.size() - kNspawn.size() - kService.size()));
  if (part.starts_with(kMachine)) return std::string(part.substr(kMachine.size()));
  for (const std::string_view prefix : {"docker-", "cri-containerd-", "crio-", "libpod-", "libpod_pod_"})
    if (part.starts_with(prefix)) part.remove_prefix(prefix.size());
  return part.size() == 64 && is_hex(part) ? std::string(part.substr(0, kShownId)) : std::string();
}

// As /proc/net/tcp writes it: the address in words of this machine's byte order.
std::string listed_end(const sockaddr_storage& end) {
  std::array<std::uint32_t, 4> words{};
  std::size_t count = 1;
  std::uint16_t port = 0;
  if (end.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(end);
    std::memcpy(words.data(), &address.sin6_addr, sizeof address.sin6_addr);
    count = words.size();
    port = ntohs(address.sin6_port);
  } else {
    const auto& address = reinterpret_cast<const sockaddr_in&>(end);
    words[0] = address.sin_addr.s_addr;
    port = ntohs(address.sin_port);
  }
  std::string text;
  std::array<char, 16> part{};
  for (std::size_t i = 0; i < count; ++i) {
    std::snprintf(part.data(), part.size(), "%08X", words[i]);
    text += part.data();
  }
  std::snprintf(part.data(), part.size(), ":%04X", static_cast<unsigned>(port));
  return text + part.data();
}

bool is_loopback(const sockaddr_storage& end) {
  if (end.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(end);
    return (ntohl(address.sin_addr.s_addr) >> 24) == 127;
  }
  const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(end).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

// A machine reaches itself by each of its addresses: what can be bound is one.
bool is_of_this_machine(sockaddr_storage end) {
  socklen_t size = sizeof(sockaddr_in);
  if (end.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(end).sin6_port = 0;
    size = sizeof(sockaddr_in6);
  } else {
    reinterpret_cast<sockaddr_in&>(end).sin_port = 0;
  }
  const UniqueFd probe(::socket(end.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return probe && ::bind(probe.get(), reinterpret_cast<const sockaddr*>(&end), size) == 0;
}

struct ListedSocket {
  std::uint32_t uid = 0;
  std::string inode;
};

// The row of the peer's end: `sl local remote state queues timer retransmits uid timeout inode ...`.
std::optional<ListedSocket> listed_socket(const LoopbackEnds& ends) {
  // An IPv4 peer of a socket that serves both has its own end in the first table.
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream rows(table);
    for (std::string row; std::getline(rows, row);) {
      std::istringstream words(row);
      std::string number, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
      words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >>
          inode;
      if (!words || !ends.peer.ends_with(local) || !ends.own.ends_with(remote)) continue;
      return ListedSocket{static_cast<std::uint32_t>(std::stoul(uid)), inode};
    }
  }
  return std::nullopt;
}

bool other_namespace(const std::string& proc, const char* kind) {
  const std::string theirs = link_target(proc + "/ns/" + kind);
  const std::string ours = link_target(std::string("/proc/self/ns/") + kind);
  return !theirs.empty() && !ours.empty() && theirs != ours;
}

// What its directory in /proc says of it.
void look_closer(PeerProcess& peer) {
  const std::string proc = "/proc/" + std::to_string(peer.pid);
  peer.container = container_of(read_proc_file(proc + "/cgroup", kMostOfCgroup));
  peer.other_namespaces = other_namespace(proc, "pid") || other_namespace(proc, "mnt");
}

}  // namespace

std::string container_of(const std::string& cgroup_text) {
  for (const std::string& line : split(cgroup_text, '\n')) {
    std::string found;
    for (const std::string& part : split(line, '/'))
      if (std::string id = id_in(part); !id.empty()) found = std::move(id);
    if (!found.empty()) return found;
  }
  return {};
}

std::optional<PeerProcess> peer_process(NativeHandle socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  int family = 0;
  socklen_t family_size = sizeof family;
  if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &family_size) != 0 || family != AF_UNIX)
    return std::nullopt;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  PeerProcess peer;
  peer.uid = credentials.uid;
  peer.gid = credentials.gid;
  peer.pid = credentials.pid;
  if (peer.pid <= 0) {
    peer.other_namespaces = true;
    return peer;
  }
  look_closer(peer);
  return peer;
}

std::optional<LoopbackEnds> loopback_ends(NativeHandle socket) {
  sockaddr_storage peer{};
  sockaddr_storage own{};
  socklen_t peer_size = sizeof peer;
  socklen_t own_size = sizeof own;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &own_size) != 0) return std::nullopt;
  if (own.ss_family != AF_INET && own.ss_family != AF_INET6) return std::nullopt;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return LoopbackEnds{};
  if (!is_loopback(peer) && !is_loopback(own) && !is_of_this_machine(peer)) return std::nullopt;
  return LoopbackEnds{listed_end(peer), listed_end(own)};
}

PeerProcess process_of(const LoopbackEnds& ends) {
  PeerProcess peer;
  const auto listed = ends.peer.empty() ? std::nullopt : listed_socket(ends);
  // Without an inode nobody holds it any more: what it sent before is still to be answered.
  peer.unseen = !listed || listed->inode == "0";
  if (peer.unseen) return peer;
  peer.uid = listed->uid;
  const std::string wanted = "socket:[" + listed->inode + "]";
  using Directory = std::filesystem::directory_iterator;
  std::error_code error;
  for (auto process = Directory("/proc", error); !error && process != Directory(); process.increment(error)) {
    const std::string name = process->path().filename().string();
    if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; }))
      continue;
    std::error_code unseen;  // of another account, or gone
    for (auto open = Directory(process->path() / "fd", unseen); !unseen && open != Directory();
         open.increment(unseen)) {
      if (link_target(open->path().string()) != wanted) continue;
      peer.holders.push_back(std::stoll(name));
      break;
    }
  }
  // One of this account that does not let itself be looked into.
  peer.unseen = peer.holders.empty() && peer.uid == ::geteuid();
  if (peer.holders.empty()) return peer;
  peer.pid = peer.holders.front();
  struct stat status {};
  if (::stat(("/proc/" + std::to_string(peer.pid)).c_str(), &status) == 0) peer.gid = status.st_gid;
  look_closer(peer);
  return peer;
}

bool process_lives(std::int64_t pid) {
  const auto status = read_process_status(proc_file(pid, "stat"));
  return status && !status->ended();
}

PeerPresence peer_presence(NativeHandle socket) {
  pollfd watched{socket, POLLIN | POLLRDHUP, 0};
  if (::poll(&watched, 1, 0) < 0) return PeerPresence::kThere;
  if ((watched.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) return PeerPresence::kGone;
  if ((watched.revents & POLLRDHUP) == 0) return PeerPresence::kThere;
  int family = 0;
  socklen_t size = sizeof family;
  if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_UNIX)
    return PeerPresence::kHalfClosed;
  return PeerPresence::kGone;
}

bool set_socket_mode(NativeHandle socket, std::uint32_t mode) { return ::fchmod(socket, mode) == 0; }

bool set_file_group(const std::string& path, const std::string& group) {
  const struct group* found = ::getgrnam(group.c_str());
  return found != nullptr && ::chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) == 0;
}

bool set_file_mode(const std::string& path, std::uint32_t mode) { return ::chmod(path.c_str(), mode) == 0; }

bool remove_stale_socket(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return errno == ENOENT;
  return S_ISSOCK(status.st_mode) && ::unlink(path.c_str()) == 0;
}

}  // namespace hostclaw::node_host
