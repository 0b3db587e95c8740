// SPDX-License-Identifier: Apache-2.0
#include "service-win/service_plan.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>

#include "base/text.h"
#include "service-win/windows_words.h"

namespace hostclaw::service_win {
namespace {

constexpr const char* kVerb = "service";
constexpr int kConfigurationStatus = 78;

constexpr Starter kStarters[] = {Starter::kServiceManager, Starter::kLogonTask, Starter::kLogonTaskItself};
constexpr std::string_view kStarterWords[] = {"run", "logon", "logon-node"};

// As lines of the log begin: the order of the texts is the order of the times.
std::string line_time(std::int64_t ms) {
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  const std::tm* parts = std::gmtime(&seconds);
  char text[32] = "";
  if (parts != nullptr) std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", parts);
  return text;
}

std::string_view time_of_line(std::string_view line) {
  constexpr std::string_view kJsonStart = "{\"time\":\"";
  if (line.starts_with(kJsonStart)) line.remove_prefix(kJsonStart.size());
  return line.size() >= 24 && line[10] == 'T' && line[23] == 'Z' ? line.substr(0, 24) : std::string_view();
}

}  // namespace

std::vector<std::string> words_of(const Definition& definition) {
  std::vector<std::string> words{with_backslashes(definition.executable), kVerb,
                                 std::string(kStarterWords[static_cast<int>(definition.starter)]),
                                 "--state-dir", with_backslashes(definition.state_directory)};
  for (const auto& [name, value] : definition.environment)
    words.insert(words.end(), {"--set", name + "=" + value});
  words.insert(words.end(), definition.run_arguments.begin(), definition.run_arguments.end());
  return words;
}

std::optional<Definition> definition_of(const std::vector<std::string>& words) {
  if (words.size() < 5 || to_lower_ascii(file_name_of(words[0])) != "hostclaw.exe" || words[1] != kVerb ||
      words[3] != "--state-dir") {
    return std::nullopt;
  }
  Definition out;
  const auto* word = std::find(std::begin(kStarterWords), std::end(kStarterWords), words[2]);
  if (word == std::end(kStarterWords)) return std::nullopt;
  out.starter = kStarters[word - std::begin(kStarterWords)];
  out.executable = words[0];
  out.state_directory = words[4];
  std::size_t at = 5;
  for (; at + 1 < words.size() && words[at] == "--set"; at += 2) {
    const std::size_t equals = words[at + 1].find('=');
    if (equals == std::string::npos) return std::nullopt;
    out.environment.emplace_back(words[at + 1].substr(0, equals), words[at + 1].substr(equals + 1));
  }
  out.run_arguments.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  return out;
}

Result<ServiceAccount> account_named(std::string_view text) {
  std::string name = to_lower_ascii(text);
  for (const std::string_view prefix : {"nt authority\\", ".\\"}) {
    if (name.starts_with(prefix) &&
        is_one_of(name.substr(prefix.size()), {"localservice", "local service", "networkservice",
                                               "network service", "localsystem", "system"})) {
      name = name.substr(prefix.size());
    }
  }
  if (name.empty() || name == to_lower_ascii(own_service_account()))
    return ServiceAccount{AccountKind::kOwn, own_service_account()};
  if (name == "localservice" || name == "local service")
    return ServiceAccount{AccountKind::kLocalService, "NT AUTHORITY\\LocalService"};
  if (name == "networkservice" || name == "network service")
    return ServiceAccount{AccountKind::kNetworkService, "NT AUTHORITY\\NetworkService"};
  if (name == "localsystem" || name == "system")
    return ServiceAccount{AccountKind::kLocalSystem, "LocalSystem"};
  if (name.starts_with("nt service\\")) {
    return make_error("CONFIG_INVALID", std::string(text) + " is the account of another service",
                      "hostclaw node install    (as " + own_service_account() + ")");
  }
  const bool has_domain = text.find_first_of("\\@") != std::string_view::npos;
  ServiceAccount out{name.ends_with('$') ? AccountKind::kManaged : AccountKind::kUser, std::string(text)};
  if (!has_domain) out.name = ".\\" + out.name;
  return out;
}

std::string service_sid(std::string_view service_name) {
  std::string utf16;
  for (const char c : to_upper_ascii(service_name)) {
    utf16 += c;
    utf16 += '\0';
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  EVP_Digest(utf16.data(), utf16.size(), hash.data(), &size, EVP_sha1(), nullptr);
  std::string out = "S-1-5-80";
  for (std::size_t i = 0; i + 4 <= 20; i += 4) {
    const std::uint32_t part = hash[i] | static_cast<std::uint32_t>(hash[i + 1]) << 8 |
                               static_cast<std::uint32_t>(hash[i + 2]) << 16 |
                               static_cast<std::uint32_t>(hash[i + 3]) << 24;
    out += "-" + std::to_string(part);
  }
  return out;
}

std::string state_folder_sddl(const std::vector<std::string>& sids) {
  std::string out = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
  for (const std::string& sid : sids) out += "(A;OICI;FA;;;" + sid + ")";
  return out;
}

bool is_to_be_restarted(int exit_status, bool asked) {
  // Also after 0: nothing but a request ends a node well.
  return !asked && exit_status != kConfigurationStatus && exit_status != 130 && exit_status != 143;
}

ServiceEnd end_of_run(int exit_status, bool asked) {
  ServiceEnd end;
  end.report_stopped = !is_to_be_restarted(exit_status, asked);
  if (!asked && exit_status == kConfigurationStatus) {
    end.win32_exit_code = kServiceSpecificError;
    end.specific_exit_code = kConfigurationStatus;
  }
  return end;
}

std::chrono::seconds restart_delay(int failures) {
  constexpr int kLast = static_cast<int>(std::size(kRestartDelays)) - 1;
  return kRestartDelays[std::min(std::max(failures, 1) - 1, kLast)];
}

std::string status_word(std::uint32_t current_state, std::uint32_t win32_exit_code) {
  switch (current_state) {
    case 1:
      return win32_exit_code == kNoError || win32_exit_code == kNeverStarted ? "stopped" : "failed";
    case 2:
      return "starting";
    case 3:
      return "stopping";
    case 4:
      return "running";
    default:
      return "unknown";
  }
}

std::string state_word(std::uint32_t current_state) {
  constexpr const char* kWords[] = {"UNKNOWN", "STOPPED",          "START_PENDING", "STOP_PENDING",
                                    "RUNNING", "CONTINUE_PENDING", "PAUSE_PENDING", "PAUSED"};
  return kWords[current_state < std::size(kWords) ? current_state : 0];
}

std::optional<int> last_exit_status(std::uint32_t win32_exit_code, std::uint32_t specific_exit_code) {
  if (win32_exit_code == kNeverStarted) return std::nullopt;
  return static_cast<int>(win32_exit_code == kServiceSpecificError ? specific_exit_code : win32_exit_code);
}

std::string last_exit_reason(std::uint32_t win32_exit_code, std::uint32_t specific_exit_code) {
  if (win32_exit_code == kNoError) return {};
  if (win32_exit_code == kNeverStarted) return "never-started";
  return win32_exit_code == kServiceSpecificError && specific_exit_code == kConfigurationStatus
             ? "configuration"
             : "exit-code";
}

std::chrono::milliseconds poll_pause(std::uint32_t wait_hint_ms) {
  return std::chrono::milliseconds(std::min(std::max(wait_hint_ms / 10, 50U), 250U));
}

std::string told_status_text(const ToldStatus& status) {
  std::string out = std::to_string(status.pid);
  if (status.started_ms > 0) out += " " + std::to_string(status.started_ms);
  out += "\n";
  for (const char c : status.text.substr(0, 500)) out += c == '\n' || c == '\r' ? ' ' : c;
  return out + "\n";
}

bool is_who_told(const ToldStatus& told, std::int64_t started_ms) {
  return told.started_ms == 0 || started_ms == 0 || told.started_ms == started_ms;
}

ToldStatus read_told_status(std::string_view text) {
  const auto lines = split(text, '\n');
  ToldStatus out;
  const auto is_number = [](const std::string& digits, std::size_t longest) {
    return !digits.empty() && digits.size() <= longest &&
           digits.find_first_not_of("0123456789") == std::string::npos;
  };
  const auto numbers = split(lines.front(), ' ');
  if (lines.size() < 2 || numbers.size() > 2 || !is_number(numbers[0], 10)) return out;
  if (numbers.size() == 2 && !is_number(numbers[1], 15)) return out;
  out.pid = std::stoll(numbers[0]);
  if (numbers.size() == 2) out.started_ms = std::stoll(numbers[1]);
  out.text = std::string(trim(lines[1]));
  return out;
}

std::string newest_log_lines(const std::string& older, const std::string& newer, std::size_t lines,
                             std::int64_t since_ms) {
  std::vector<std::string> all = split(older, '\n');
  if (!all.empty() && all.back().empty()) all.pop_back();
  for (std::string& line : split(newer, '\n')) all.push_back(std::move(line));
  if (!all.empty() && all.back().empty()) all.pop_back();
  std::size_t first = 0;
  if (since_ms > 0) {
    const std::string from = line_time(since_ms);
    // A line without a time belongs to the one before it.
    for (first = all.size(); first > 0; --first) {
      const std::string_view time = time_of_line(all[first - 1]);
      if (!time.empty() && time < from) break;
    }
  }
  if (lines > 0 && all.size() - first > lines) first = all.size() - lines;
  std::string out;
  for (; first < all.size(); ++first) out += all[first] + "\n";
  return out;
}

}  // namespace hostclaw::service_win
