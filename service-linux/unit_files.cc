// SPDX-License-Identifier: Apache-2.0
#include "service-linux/unit_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "base/text.h"
#include "node-host/system/files/file_handles.h"
#include "service-linux/accounts.h"
#include "service-linux/systemd_service.h"

namespace hostclaw::service_linux {
namespace {

using node_host::ServiceScope;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string own_home() {
  if (const std::string home = variable("HOME"); home.starts_with('/')) return home;
  const auto account = find_account(::geteuid());
  return account ? account->home : "/";
}

// `su -` and cron leave the variable unset although the user's manager runs.
std::string user_runtime_directory() {
  if (std::string named = variable("XDG_RUNTIME_DIR"); !named.empty()) return named;
  const std::string directory = "/run/user/" + std::to_string(::geteuid());
  return ::access(directory.c_str(), X_OK) == 0 ? directory : std::string();
}

}  // namespace

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

Error file_error(const std::string& what, const std::string& path) {
  const std::string code =
      errno == EACCES || errno == EPERM || errno == EROFS ? "SERVICE_PERMISSIONS" : "SERVICE_FAILED";
  return make_error(code, what + " " + path + ": " + std::strerror(errno));
}

// All or nothing: a crash leaves the old file.
Result<void> write_file(const std::string& path, const std::string& text, unsigned mode) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  const node_host::UniqueFd file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file || ::fchmod(file.get(), mode) != 0) return file_error("cannot write", temporary);
  std::size_t at = 0;
  while (at < text.size()) {
    const ssize_t size = ::write(file.get(), text.data() + at, text.size() - at);
    if (size < 0) return file_error("cannot write", temporary);
    at += static_cast<std::size_t>(size);
  }
  if (::fsync(file.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    return file_error("cannot write", path);
  }
  return {};
}

Result<void> make_directories(const std::string& path, unsigned mode) {
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    const bool last = at == std::string::npos;
    if (::mkdir(part.c_str(), last ? mode : 0755) != 0 && errno != EEXIST) {
      return file_error("cannot make", part);
    }
    if (last) return {};
  }
}

Error refused(const ToolOutput& said, const std::string& tool, const std::string& next) {
  std::string text(trim(said.standard_error.empty() ? said.standard_output : said.standard_error));
  const bool denied = text.find("Access denied") != std::string::npos ||
                      text.find("authentication required") != std::string::npos;
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return make_error(denied ? "SERVICE_PERMISSIONS" : "SERVICE_FAILED", tool + ": " + text, next);
}

std::string status_word(const std::string& active) {
  if (active == "active" || active == "reloading") return "running";
  if (active == "activating") return "starting";
  if (active == "deactivating") return "stopping";
  if (active == "failed") return "failed";
  if (active == "inactive") return "stopped";
  return "unknown";
}

std::string user_units_directory() {
  const std::string config = variable("XDG_CONFIG_HOME");
  return (config.starts_with('/') ? config : own_home() + "/.config") + "/systemd/user";
}

std::string systemd_unavailable(ServiceScope scope) {
  if (::access("/run/systemd/system", F_OK) != 0) {
    return "systemd does not run on this machine (a container?)";
  }
  if (scope == ServiceScope::kSystem) return {};
  const std::string runtime = user_runtime_directory();
  if (!runtime.empty() && ::access((runtime + "/systemd").c_str(), F_OK) == 0) return {};
  return "no user manager of systemd runs for " + current_account_name() +
         " (log in through a session, or: sudo loginctl enable-linger " + current_account_name() + ")";
}

Result<ToolOutput> run_systemctl(ServiceScope scope, std::vector<std::string> words,
                                 std::chrono::seconds timeout) {
  const bool user = scope == ServiceScope::kUser;
  std::vector<std::string> argv{"systemctl"};
  if (user) argv.emplace_back("--user");
  argv.emplace_back("--no-pager");
  argv.insert(argv.end(), words.begin(), words.end());
  ToolOptions options;
  options.timeout = timeout;
  options.extra = {{"LC_ALL", "C.UTF-8"}, {"SYSTEMD_COLORS", "0"}, {"SYSTEMD_PAGER", ""}};
  if (const std::string runtime = user ? user_runtime_directory() : ""; !runtime.empty())
    options.extra.emplace_back("XDG_RUNTIME_DIR", runtime);
  return run_tool(argv, options);
}

int systemd_version() {
  const auto said = run_tool({"systemctl", "--version"});
  if (!said) return 0;
  const auto words = split(said->standard_output, ' ');
  return words.size() > 1 ? std::atoi(words[1].c_str()) : 0;
}

}  // namespace hostclaw::service_linux
