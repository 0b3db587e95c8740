// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/targets.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/text.h"
#include "hostlink/client/local_files.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::size_t kMaxTargetsFile = 1'048'576;
constexpr std::size_t kMaxTokenFile = 4096;

Error targets_invalid(std::size_t line, const std::string& why) {
  return make_error("TARGETS_INVALID", "targets.conf, line " + std::to_string(line) + ": " + why);
}

bool is_yes(std::string_view value) { return is_one_of(to_lower_ascii(value), {"1", "true", "yes"}); }

std::optional<std::int64_t> positive_number(std::string_view text, std::int64_t most) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || value < 1 || value > most)
    return std::nullopt;
  return value;
}

// What is wrong with the value, or nothing.
std::optional<std::string> set_key(Target& target, std::string_view key, const std::string& value) {
  Endpoint& endpoint = target.endpoint;
  if (key == "transport") {
    if (!is_one_of(value, {"unix", "tcp", "tls"})) return "transport is none of unix, tcp and tls";
    endpoint.transport = value == "unix"  ? Transport::kUnix
                         : value == "tcp" ? Transport::kTcp
                                          : Transport::kTls;
  } else if (key == "socket") {
    endpoint.socket = value;
  } else if (key == "address") {
    endpoint.host = value;
  } else if (key == "port") {
    const auto port = positive_number(value, 65535);
    if (!port) return "port is no number from 1 to 65535";
    endpoint.port = static_cast<std::uint16_t>(*port);
  } else if (key == "token") {
    target.token = value;
  } else if (key == "token_file") {
    target.token_file = value;
  } else if (key == "timeout_ms") {
    target.timeout_ms = positive_number(value, 2'147'483'647);
    if (!target.timeout_ms) return "timeout_ms is no number above zero";
  } else if (key == "insecure") {
    endpoint.insecure = is_yes(value);
  } else if (key == "ca") {
    endpoint.authority_file = value;
  } else if (key == "server_name") {
    endpoint.server_name = value;
  } else if (key == "pin") {
    const auto line = parse_command_line({"--pin", value});
    if (!line) return "pin is no SHA-256 of a certificate (64 hexadecimal digits)";
    endpoint.pin = line->options.pin;
  }
  return std::nullopt;
}

// HOST, HOST:PORT, [IPv6]:PORT, or an IPv6 address by itself.
Result<void> set_address(Endpoint& endpoint, const std::string& address) {
  std::string_view host = address;
  std::string_view port;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) return make_error("USAGE", "the address has a [ without its ]");
    port = host.substr(end + 1);
    host = host.substr(1, end - 1);
    if (!port.empty() && port[0] != ':') return make_error("USAGE", "behind ] only :PORT may stand");
  } else if (std::count(host.begin(), host.end(), ':') == 1) {
    port = host.substr(host.find(':'));
    host = host.substr(0, host.find(':'));
  }
  if (host.empty()) return make_error("USAGE", "the address has no host");
  endpoint.host = host;
  if (!port.empty()) {
    const auto number = positive_number(port.substr(1), 65535);
    if (!number) return make_error("USAGE", "the port of the address is no number from 1 to 65535");
    endpoint.port = static_cast<std::uint16_t>(*number);
  }
  return {};
}

Result<std::string> read_token(const std::string& path) {
  const auto text = read_local_file(path, kMaxTokenFile);
  if (!text) return make_error("TOKEN_MISSING", "no token in " + path + ": " + text.error().message);
  const std::string token(trim(*text));
  if (token.empty()) return make_error("TOKEN_MISSING", "no token in " + path + ": it is empty");
  return token;
}

Result<std::string> find_token(const Target& target, const Options& options, const Environment& environment) {
  if (!options.token.empty()) return options.token;
  if (!options.token_file.empty()) return read_token(options.token_file);
  if (!target.token.empty()) return target.token;
  if (!target.token_file.empty()) return read_token(target.token_file);
  if (const auto token = environment("HOSTLINK_TOKEN"); token && !token->empty()) return *token;
  if (const auto path = environment("HOSTLINK_TOKEN_FILE"); path && !path->empty()) return read_token(*path);
  return make_error(
      "TOKEN_MISSING", "no token is given",
      "set HOSTLINK_TOKEN or HOSTLINK_TOKEN_FILE; a token is made by `hostclaw hostlink token add NAME`");
}

Result<void> apply_options(Endpoint& endpoint, const Options& options) {
  if (!options.socket.empty() && !options.address.empty())
    return make_error("USAGE", "-s and -a are two places; give one");
  if (!options.socket.empty()) {
    endpoint.transport = Transport::kUnix;
    endpoint.socket = options.socket;
  }
  if (!options.address.empty()) {
    if (endpoint.transport == Transport::kUnix) endpoint.transport = Transport::kTcp;
    endpoint.port = kDefaultPort;
    if (const auto set = set_address(endpoint, options.address); !set) return set;
  }
  if (options.insecure) endpoint.insecure = true;
  if (!options.pin.empty()) endpoint.pin = options.pin;
  if (!options.authority_file.empty()) endpoint.authority_file = options.authority_file;
  if (!options.server_name.empty()) endpoint.server_name = options.server_name;
  const bool wants_tls = options.tls || !options.pin.empty() || !options.authority_file.empty();
  if (wants_tls && endpoint.transport == Transport::kUnix)
    return make_error("USAGE", "TLS goes to an address (-a HOST:PORT), not to a Unix socket");
  if (wants_tls) endpoint.transport = Transport::kTls;
  return {};
}

Result<Target> find_target(const std::string& name, const Options& options, const Environment& environment) {
  const auto targets = load_targets(options, environment);
  if (!targets) return targets.error();
  for (const Target& target : *targets)
    if (target.name == name) return target;
  return make_error("USAGE", "there is no target " + name + " in targets.conf", "hostlink targets");
}

}  // namespace

Result<std::vector<Target>> parse_targets(std::string_view text) {
  std::vector<Target> targets;
  std::size_t number = 0;
  for (const std::string& raw : split(text, '\n')) {
    ++number;
    const std::string_view line = trim(raw);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      const std::string_view name = trim(line.substr(1, line.size() - 1 - (line.ends_with(']') ? 1 : 0)));
      if (!line.ends_with(']') || name.empty()) return targets_invalid(number, "a section is [name]");
      targets.emplace_back().name = name;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return targets_invalid(number, "neither [name] nor key = value");
    if (targets.empty()) return targets_invalid(number, "a key stands in front of the first [name]");
    const std::string value(trim(line.substr(equals + 1)));
    if (const auto problem = set_key(targets.back(), trim(line.substr(0, equals)), value))
      return targets_invalid(number, *problem);
  }
  for (const Target& target : targets) {
    if (target.endpoint.transport != Transport::kUnix && target.endpoint.host.empty())
      return make_error("TARGETS_INVALID", "targets.conf: the target " + target.name + " has no address");
  }
  return targets;
}

Result<std::vector<Target>> load_targets(const Options& options, const Environment& environment) {
  std::vector<std::string> usual{"/etc/hostlink/targets.conf"};
  if (const auto home = environment("HOME"); home && !home->empty())
    usual.push_back(*home + "/.config/hostlink/targets.conf");
  std::string named = options.targets_file;
  if (named.empty()) named = environment("HOSTLINK_TARGETS").value_or("");
  if (!named.empty()) {
    const auto text = read_local_file(named, kMaxTargetsFile);
    if (!text) return make_error("TARGETS_INVALID", "cannot read the targets: " + text.error().message);
    return parse_targets(*text);
  }
  for (const std::string& path : usual) {
    const auto text = read_local_file(path, kMaxTargetsFile);
    if (text) return parse_targets(*text);
    if (!is_missing(path))
      return make_error("TARGETS_INVALID", "cannot read the targets: " + text.error().message);
  }
  return std::vector<Target>();
}

Result<Target> with_token(Target target, const Options& options, const Environment& environment) {
  Result<std::string> token = find_token(target, options, environment);
  if (!token) return token.error();
  target.token = std::move(*token);
  return target;
}

Result<Target> resolve_target(const Options& options, const Environment& environment) {
  Target target;
  const bool placed = !options.socket.empty() || !options.address.empty();
  std::string name = options.target;
  if (name.empty() && !placed) name = environment("HOSTLINK_TARGET").value_or("");
  if (!name.empty()) {
    Result<Target> found = find_target(name, options, environment);
    if (!found) return found.error();
    target = std::move(*found);
  } else if (const auto socket = environment("HOSTLINK_SOCKET"); !placed && socket && !socket->empty()) {
    target.endpoint.socket = *socket;
  }
  if (const auto applied = apply_options(target.endpoint, options); !applied) return applied.error();
  if (options.timeout_ms) target.timeout_ms = options.timeout_ms;
  return with_token(std::move(target), options, environment);
}

}  // namespace hostclaw::hostlink
