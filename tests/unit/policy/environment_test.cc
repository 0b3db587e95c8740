// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "policy/decide/engine.h"
#include "policy/request/environment.h"

namespace hostclaw::policy {
namespace {

const std::string* value(const Environment& environment, const char* name) {
  return find_variable(environment, name, Platform::kPosix);
}

TEST_CASE("environment: a request cannot set what steers programs") {
  for (const char* name :
       {"PATH", "path", "LD_PRELOAD", "ld_library_path", "NODE_OPTIONS", "GIT_CONFIG_COUNT", "TF_VAR_x",
        "npm_config_registry", "CARGO_TARGET_X_LINKER", "HOME", "IFS", "BASH_FUNC_x()"}) {
    const OverrideCheck check = check_overrides({{name, "x"}}, Platform::kPosix);
    CHECK(check.blocked.size() == 1);
    CHECK(check.accepted.empty());
  }
}

TEST_CASE("environment: rejected names are listed upper-case, unique and sorted") {
  const OverrideCheck check = check_overrides(
      {{"ld_x", "1"}, {"LD_X", "2"}, {"ENV", "3"}, {"A B", "4"}, {"", "5"}}, Platform::kPosix);
  CHECK(check.blocked == std::vector<std::string>{"ENV", "LD_X"});
  CHECK(check.invalid == std::vector<std::string>{"", "A B"});
}

TEST_CASE("environment: values that are no strings are skipped, and no pager may always be asked for") {
  CHECK(check_overrides({{"LD_PRELOAD", 5}}, Platform::kPosix).accepted.empty());
  CHECK_FALSE(check_overrides({{"LD_PRELOAD", 5}}, Platform::kPosix).rejected());
  const OverrideCheck pager =
      check_overrides({{"PAGER", "cat"}, {"ProgramFiles(x86)", "1"}}, Platform::kPosix);
  REQUIRE(pager.accepted.size() == 2);
  CHECK(value(pager.accepted, "PAGER")->empty());
  CHECK(check_overrides({{"PAGER", "less"}}, Platform::kPosix).rejected());
}

TEST_CASE("environment: with a shell only the harmless few are kept") {
  const Environment kept = shell_wrapper_overrides(
      {{"TERM", "x"}, {"lang", "C"}, {"LC_TIME", "C"}, {"FOO", "1"}, {"PAGER", ""}, {"LC_A(", "x"}});
  CHECK(kept.size() == 4);
  CHECK(value(kept, "FOO") == nullptr);
}

TEST_CASE("environment: under a hardened allowlist unknown names are left out and steering ones are named") {
  const PermittedOverrides result = permitted_overrides({{"TERM", "x"},
                                                         {"FOO", "1"},
                                                         {"TMPDIR", "/tmp"},
                                                         {"TAR_OPTIONS", "x"},
                                                         {"LANG", "/tmp/evil"},
                                                         {"TZ", "UTC"}});
  CHECK(result.kept.size() == 2);
  CHECK(result.dropped == std::vector<std::string>{"FOO"});
  CHECK(result.steering == std::vector<std::string>{"TMPDIR", "TAR_OPTIONS", "LANG"});
}

TEST_CASE("environment: children inherit neither blocked names nor the host's own secrets") {
  const Environment child = sanitized_environment({{"PATH", "/usr/bin"},
                                                   {"SHELL", "/bin/bash"},
                                                   {"HOME", "/h"},
                                                   {"LD_PRELOAD", "x"},
                                                   {"OPENCLAW_GATEWAY_TOKEN", "s"},
                                                   {"OPENCLAW_GATEWAY_PASSWORD", "s"},
                                                   {"HOSTCLAW_STATE_DIR", "/s"},
                                                   {"CF_ACCESS_CLIENT_SECRET", "s"},
                                                   {"GITHUB_TOKEN", "s"},
                                                   {"OPENCLAW_CLI", "0"},
                                                   {"GIT_ALLOW_PROTOCOL", "https::ext:ssh"},
                                                   {"GIT_PROTOCOL_FROM_USER", "1"}},
                                                  Platform::kPosix);
  CHECK(*value(child, "PATH") == "/usr/bin");
  CHECK(*value(child, "HOME") == "/h");
  CHECK(*value(child, "OPENCLAW_CLI") == "1");
  CHECK(*value(child, "GIT_ALLOW_PROTOCOL") == "https:ssh");
  CHECK(*value(child, "GIT_PROTOCOL_FROM_USER") == "0");
  for (const char* name : {"SHELL", "LD_PRELOAD", "OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD",
                           "HOSTCLAW_STATE_DIR", "CF_ACCESS_CLIENT_SECRET", "GITHUB_TOKEN"}) {
    CHECK(value(child, name) == nullptr);
  }
}

TEST_CASE("environment: Windows compares names without case and guards program lookup") {
  CHECK(check_overrides({{"ComSpec", "x"}}, Platform::kWindows).rejected());
  CHECK(check_overrides({{"PATHEXT", ".X"}}, Platform::kWindows).rejected());
  CHECK(with_overrides({{"Path", "a"}}, {{"PATH", "b"}}, Platform::kWindows).size() == 1);
}

}  // namespace
}  // namespace hostclaw::policy
