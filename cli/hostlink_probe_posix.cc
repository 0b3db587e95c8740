// SPDX-License-Identifier: Apache-2.0
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/json.h"
#include "cli/doctor_hostlink.h"
#include "hostlink/client/channel.h"
#include "hostlink/client/endpoint.h"

namespace hostclaw::cli {
namespace {

constexpr std::chrono::milliseconds kHostlinkPatience{1'000};
// docs/hostlink-protocol.md: the first word of the opening. No token is in it, and none is asked for; the
// answer says who serves.
constexpr const char* kHello =
    R"({"version":2,"type":"hello","id":"doctor","key":"default","nonce":"doctor-looks-and-leaves"})";

hostlink::Endpoint endpoint_of(const hostlink::DoorConfig& config) {
  hostlink::Endpoint endpoint;
  if (config.unix_enabled) {
    endpoint.socket = config.unix_path;
    return endpoint;
  }
  endpoint.transport = hostlink::Transport::kTcp;
  const bool any = config.tcp_bind == "0.0.0.0" || config.tcp_bind == "::";
  endpoint.host = any ? "127.0.0.1" : config.tcp_bind;
  endpoint.port = config.tcp_port;
  endpoint.insecure = true;  // an address of this machine, and nothing secret is said
  return endpoint;
}

}  // namespace

HostlinkAnswer ask_hostlink(const hostlink::DoorConfig& config) {
  using Kind = HostlinkAnswer::Kind;
  const hostlink::Endpoint endpoint = endpoint_of(config);
  HostlinkAnswer answer;
  answer.where = hostlink::endpoint_text(endpoint);
  if (config.unix_enabled && ::access(config.unix_path.c_str(), W_OK) != 0 && errno == EACCES) {
    answer.kind = Kind::kClosed;
    return answer;
  }
  auto stream = hostlink::connect_to(endpoint, kHostlinkPatience);
  if (!stream) {
    answer.kind = Kind::kNobody;
    answer.detail = stream.error().message;
    return answer;
  }
  answer.kind = Kind::kSilent;
  const hostlink::Deadline deadline = hostlink::Deadline::in(kHostlinkPatience);
  hostlink::FrameChannel channel(std::move(*stream));
  if (!channel.send(kHello, deadline)) return answer;
  const auto payload = channel.receive(deadline);
  if (!payload) return answer;
  const auto reply = parse_json(*payload);
  if (!reply || !reply->is_object()) return answer;
  const auto node = reply->find("node");
  if (node != reply->end() && node->is_string()) answer.node = node->get<std::string>();
  const auto protocol = reply->find("protocol");
  answer.kind = protocol != reply->end() && *protocol == 2 ? Kind::kHostclaw : Kind::kOlder;
  return answer;
}

std::optional<HostlinkSocket> look_at_hostlink_socket(const hostlink::DoorConfig& config) {
  struct stat status {};
  if (::stat(config.unix_path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return std::nullopt;
  HostlinkSocket socket;
  socket.mode = status.st_mode & 0777;
  const group* owner = ::getgrgid(status.st_gid);
  socket.group = owner != nullptr ? owner->gr_name : std::to_string(status.st_gid);
  socket.configured_group_exists =
      config.unix_group.empty() || ::getgrnam(config.unix_group.c_str()) != nullptr;
  return socket;
}

}  // namespace hostclaw::cli
