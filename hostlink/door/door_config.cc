// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/door_config.h"

#include <charconv>
#include <cstdio>
#include <limits>
#include <memory>

#include "base/file_names.h"
#include "base/text.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::size_t kLongestLine = 1023;
constexpr std::size_t kLargestFile = 1'048'576;

Error invalid(std::size_t line, const std::string& what) {
  return make_error("CONFIG_INVALID", "line " + std::to_string(line) + ": " + what);
}

bool is_true(std::string_view value) { return is_one_of(value, {"true", "yes", "1"}); }

template <class Number>
std::optional<Number> number_of(std::string_view value, int base = 10) {
  Number number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number, base);
  if (error != std::errc() || end != value.data() + value.size()) return std::nullopt;
  return number;
}

struct TextKey {
  std::string_view name;
  std::string DoorConfig::*member;
};
struct NumberKey {
  std::string_view name;
  std::int64_t DoorConfig::*member;
  std::int64_t least;
};
struct SwitchKey {
  std::string_view name;
  bool DoorConfig::*member;
};

constexpr TextKey kTexts[] = {{"node_name", &DoorConfig::node_name},
                              {"auth_token", &DoorConfig::auth_token},
                              {"unix_path", &DoorConfig::unix_path},
                              {"unix_group", &DoorConfig::unix_group},
                              {"tcp_bind", &DoorConfig::tcp_bind},
                              {"shell", &DoorConfig::shell},
                              {"log_target", &DoorConfig::log_target},
                              {"log_level", &DoorConfig::log_level},
                              {"output_tmpdir", &DoorConfig::output_tmpdir},
                              {"tls_cert", &DoorConfig::tls_cert},
                              {"tls_key", &DoorConfig::tls_key}};
constexpr NumberKey kNumbers[] = {{"max_concurrent", &DoorConfig::max_concurrent, 1},
                                  {"max_concurrent_io", &DoorConfig::max_concurrent_io, 1},
                                  {"default_timeout_ms", &DoorConfig::default_timeout_ms, 1},
                                  {"max_timeout_ms", &DoorConfig::max_timeout_ms, 1},
                                  {"default_max_output_bytes", &DoorConfig::default_max_output_bytes, 0},
                                  {"max_output_bytes", &DoorConfig::max_output_bytes, 0},
                                  {"job_default_timeout_ms", &DoorConfig::job_default_timeout_ms, 1},
                                  {"job_max_timeout_ms", &DoorConfig::job_max_timeout_ms, 1},
                                  {"job_max_spool_bytes", &DoorConfig::job_max_spool_bytes, 1},
                                  {"job_retention_s", &DoorConfig::job_retention_s, 0}};
constexpr SwitchKey kSwitches[] = {{"unix_enabled", &DoorConfig::unix_enabled},
                                   {"tcp_enabled", &DoorConfig::tcp_enabled},
                                   {"tls", &DoorConfig::tls},
                                   {"insecure", &DoorConfig::insecure}};

Result<void> take(DoorConfig& config, std::string_view key, std::string_view value, std::size_t line) {
  for (const TextKey& text : kTexts)
    if (key == text.name) config.*text.member = std::string(value);
  for (const SwitchKey& choice : kSwitches)
    if (key == choice.name) config.*choice.member = is_true(value);
  for (const NumberKey& number : kNumbers) {
    if (key != number.name) continue;
    const auto read = number_of<std::int64_t>(value);
    if (!read || *read < number.least)
      return invalid(line, std::string(key) + " is no number of at least " + std::to_string(number.least));
    config.*number.member = *read;
  }
  if (key == "tcp_port") {
    const auto port = number_of<std::uint16_t>(value);
    if (!port || *port == 0) return invalid(line, "tcp_port is no port");
    config.tcp_port = *port;
  }
  if (key == "unix_mode") {
    const auto mode = number_of<std::uint32_t>(value, 8);
    if (!mode || *mode > 0777) return invalid(line, "unix_mode is no octal mode");
    config.unix_mode = *mode;
  }
  if (key == "run_as_user" && !value.empty())
    config.warnings.emplace_back(
        "run_as_user is not followed: have the service manager start this program as that user (User=)");
  if (key == "log_file")
    config.warnings.emplace_back("log_file is no setting; log_target = " + std::string(value) +
                                 " writes to that file");
  return {};
}

}  // namespace

Result<DoorConfig> parse_door_config(std::string_view text) {
  DoorConfig config;
  std::size_t number = 0;
  for (const std::string& whole : split(text, '\n')) {
    ++number;
    const std::string_view line = trim(whole);
    if (line.empty() || line.front() == '#' || line.front() == ';' || line.front() == '[') continue;
    if (whole.size() > kLongestLine) return invalid(number, "it is longer than 1023 bytes");
    if (whole.find('\0') != std::string::npos) return invalid(number, "it holds a NUL byte");
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return invalid(number, "`key = value` is expected");
    const std::string_view key = trim(line.substr(0, equals));
    if (auto taken = take(config, key, trim(line.substr(equals + 1)), number); !taken) return taken.error();
  }
  if (config.auth_token.size() > 255)
    return make_error("CONFIG_INVALID", "auth_token is longer than 255 bytes");
  if (!config.unix_enabled && !config.tcp_enabled)
    return make_error("CONFIG_INVALID", "neither unix_enabled nor tcp_enabled: nobody could reach it");
  if (config.tls_cert.empty() != config.tls_key.empty())
    return make_error("CONFIG_INVALID", "tls_cert and tls_key belong together");
  if (!config.tls_cert.empty()) config.tls = true;
  if (config.unix_enabled && config.unix_path.size() > 107)
    return make_error("CONFIG_INVALID",
                      "unix_path is longer than 107 bytes, the most that a socket may have");
  if (config.unix_enabled && !config.unix_path.starts_with('/'))
    return make_error("CONFIG_INVALID", "unix_path is not absolute");
  return config;
}

Result<DoorConfig> read_door_config(const std::string& path) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(open_file(path, "rb"));
  if (!file) return make_error("CONFIG_UNREADABLE", "`" + path + "` cannot be read");
  std::string text(kLargestFile + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (text.size() > kLargestFile) return make_error("CONFIG_INVALID", "`" + path + "` is larger than 1 MiB");
  auto config = parse_door_config(text);
  if (!config) return make_error(config.error().code, path + ", " + config.error().message);
  return config;
}

void take_reloadable(DoorConfig& current, const DoorConfig& next) {
  current.auth_token = next.auth_token;
  current.max_concurrent = next.max_concurrent;
  current.max_concurrent_io = next.max_concurrent_io;
  current.default_timeout_ms = next.default_timeout_ms;
  current.max_timeout_ms = next.max_timeout_ms;
  current.default_max_output_bytes = next.default_max_output_bytes;
  current.max_output_bytes = next.max_output_bytes;
  current.log_level = next.log_level;
}

}  // namespace hostclaw::hostlink
