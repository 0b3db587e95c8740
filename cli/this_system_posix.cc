// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "base/profile.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/this_system.h"
#include "node-host/system/host/system_error.h"
#include "service-linux/systemd_service.h"
#include "service-linux/systemd_unit.h"

namespace hostclaw::cli {

std::vector<std::string> command_line_arguments(int argc, char** argv) { return {argv, argv + argc}; }

unsigned int console_page_at_start() { return 0; }

std::size_t output_width() {
  winsize size{};
  if (isatty(STDOUT_FILENO) != 1) return 0;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool output_is_terminal() { return isatty(STDOUT_FILENO) == 1; }

bool errors_go_to_terminal() { return isatty(STDERR_FILENO) == 1; }

bool output_understands_colours() {
  const char* term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

Result<void> detach_from_terminal() {
  // As daemons do, but for the umask: what commands create is not everybody's.
  const pid_t child = ::fork();
  if (child < 0) return node_host::system_error(errno);
  if (child > 0) ::_exit(0);
  if (::setsid() < 0) return node_host::system_error(errno);
  if (::chdir("/") != 0) return node_host::system_error(errno);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return node_host::system_error(errno);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO}) ::dup2(null, standard);
  if (::isatty(STDERR_FILENO) == 1) ::dup2(null, STDERR_FILENO);
  ::close(null);
  return {};
}

Result<void> write_pid_file(const std::string& path) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  if (const auto text = read_input(path, 64)) {
    const std::string pid(trim(*text));
    const bool number = !pid.empty() && pid.find_first_not_of("0123456789") == std::string::npos;
    const auto name = number ? read_input("/proc/" + pid + "/comm", 64) : Result<std::string>(std::string());
    if (name && is_one_of(trim(*name), {"hostclaw", "hostlinkd"}) && pid != std::to_string(::getpid()))
      return make_error("ALREADY_RUNNING", "process " + pid + " serves already (" + path + ")",
                        "kill " + pid);
  }
  const std::string text = std::to_string(::getpid()) + "\n";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  const bool written =
      file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (file >= 0) ::close(file);
  if (!written) return make_error("FILE_UNWRITABLE", path + " cannot be written");
  return {};
}

bool everybody_may_read(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 0004U) != 0;
}

std::vector<std::string> gateway_carrier(const std::string& text) { return {"/bin/sh", "-lc", text}; }

std::string example_program() { return "/usr/bin/uname"; }

Json system_release() {
  Json json = Json::object();
  if (const auto release = read_input("/proc/sys/kernel/osrelease", 1000))
    json["kernel"] = std::string(trim(*release));
  if (const auto text = read_input("/etc/os-release", 100'000)) {
    for (const std::string& line : split(*text, '\n')) {
      constexpr std::string_view kName = "PRETTY_NAME=";
      if (line.starts_with(kName)) json["system"] = line.substr(kName.size());
    }
  }
  return json;
}

std::vector<std::string> credential_folders() {
  const std::string settings = with_profile("/etc/hostclaw");
  return {settings + "/credentials", settings + "/clawlink"};
}

std::optional<std::string> official_service_definition(const std::string& home) {
  return home + "/.config/systemd/user/openclaw-node.service";
}

// What `sudo hostclaw node install` writes when nothing is said, for a program in /usr/bin.
std::optional<std::string> packaged_service_definition() {
  service_linux::UnitPlan plan;
  plan.program_arguments = {"/usr/bin/hostclaw", "node", "run", "--stop-grace",
                            std::to_string(service_linux::kStopGraceSeconds)};
  plan.account = "hostclaw";
  plan.own_account = true;
  plan.state_directory = "/var/lib/hostclaw";
  plan.standard_state = true;
  plan.environment = {{"PATH", service_linux::kServicePath}};
  return service_linux::render_unit(plan);
}

}  // namespace hostclaw::cli
