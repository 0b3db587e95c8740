// SPDX-License-Identifier: Apache-2.0
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "base/profile.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/this_system.h"
#include "service-linux/systemd_service.h"
#include "service-linux/systemd_unit.h"

namespace hostclaw::cli {

std::vector<std::string> command_line_arguments(int argc, char** argv) { return {argv, argv + argc}; }

std::size_t output_width() {
  winsize size{};
  if (isatty(STDOUT_FILENO) != 1) return 0;
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool errors_go_to_terminal() { return isatty(STDERR_FILENO) == 1; }

bool output_understands_colours() {
  const char* term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
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

std::vector<std::string> credential_folders() { return {with_profile("/etc/hostclaw") + "/credentials"}; }

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
