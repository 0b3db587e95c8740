// SPDX-License-Identifier: Apache-2.0
// What children are told so that nothing asks a person who is not there.
#include "node-host/run/unattended.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace hostclaw::node_host {
namespace {

using policy::Platform;

std::size_t count_of(const RunEnvironment& environment, std::string_view beginning) {
  return static_cast<std::size_t>(
      std::count_if(environment.entries().begin(), environment.entries().end(),
                    [&](const std::string& entry) { return entry.starts_with(beginning); }));
}

TEST_CASE("git, its credential manager and ssh are told that nobody can be asked") {
  RunEnvironment environment;
  set_unattended_defaults(environment, "/usr/bin/hostclaw", Platform::kPosix);
  CHECK(environment.get("GIT_TERMINAL_PROMPT") == "0");
  CHECK(environment.get("GCM_INTERACTIVE") == "never");
  CHECK(environment.get("SSH_ASKPASS") == "/usr/bin/hostclaw");
  CHECK(environment.get("SSH_ASKPASS_REQUIRE") == "force");
}

TEST_CASE("what a run has already stays, an empty value too") {
  RunEnvironment environment;
  environment.add("GIT_TERMINAL_PROMPT", "1");
  environment.add("GCM_INTERACTIVE", "");
  environment.add("SSH_ASKPASS_REQUIRE", "prefer");
  set_unattended_defaults(environment, "/usr/bin/hostclaw", Platform::kPosix);
  CHECK(environment.get("GIT_TERMINAL_PROMPT") == "1");
  CHECK(environment.get("SSH_ASKPASS_REQUIRE") == "prefer");
  CHECK(count_of(environment, "GIT_TERMINAL_PROMPT=") == 1);
  CHECK(count_of(environment, "GCM_INTERACTIVE=") == 1);
  CHECK(environment.get("GCM_INTERACTIVE").empty());
}

TEST_CASE("names are the same in any case on Windows, and only there") {
  RunEnvironment windows;
  windows.add("Git_Terminal_Prompt", "1");
  set_unattended_defaults(windows, "C:/hostclaw.exe", Platform::kWindows);
  CHECK(count_of(windows, "GIT_TERMINAL_PROMPT=") == 0);
  RunEnvironment linux_like;
  linux_like.add("Git_Terminal_Prompt", "1");
  set_unattended_defaults(linux_like, "/usr/bin/hostclaw", Platform::kPosix);
  CHECK(count_of(linux_like, "GIT_TERMINAL_PROMPT=") == 1);
}

TEST_CASE("the owner's choices in git's configuration are not overridden") {
  RunEnvironment environment;
  set_unattended_defaults(environment, "/usr/bin/hostclaw", Platform::kPosix);
  for (const char* name : {"GIT_SSH=", "GIT_SSH_COMMAND=", "GIT_ASKPASS=", "GIT_EDITOR=", "GIT_CONFIG"})
    CHECK(count_of(environment, name) == 0);
}

TEST_CASE("programs by bare names are not searched in the working directory on Windows") {
  RunEnvironment windows;
  windows.add("nodefaultcurrentdirectoryinexepath", "");
  set_search_rules(windows, Platform::kWindows);
  CHECK(windows.entries().back() == "NoDefaultCurrentDirectoryInExePath=1");
  RunEnvironment posix;
  set_search_rules(posix, Platform::kPosix);
  CHECK(posix.entries().empty());
}

TEST_CASE("without a program to ask, ssh is told to ask nobody") {
  RunEnvironment environment;
  set_unattended_defaults(environment, "", Platform::kPosix);
  CHECK(environment.get("SSH_ASKPASS_REQUIRE") == "never");
  CHECK(count_of(environment, "SSH_ASKPASS=") == 0);
}

}  // namespace
}  // namespace hostclaw::node_host
