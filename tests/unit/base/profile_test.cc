// SPDX-License-Identifier: Apache-2.0
#include "base/profile.h"

#include <catch2/catch.hpp>
#include <string>

namespace hostclaw {
namespace {

struct Named {
  explicit Named(const std::string& name) { use_profile(name); }
  ~Named() { use_profile(""); }
};

}  // namespace

TEST_CASE("names of profiles are those that OpenClaw takes") {
  for (const char* name : {"work", "Work-2", "0", "a_b"}) CHECK(is_profile_name(name));
  for (const char* name :
       {"", "-work", "_a", ".", "..", "../work", "a/b", "a b", "a.b", "w\xC3\xB6rk", "a\n"})
    CHECK_FALSE(is_profile_name(name));
  CHECK(is_profile_name(std::string(64, 'a')));
  CHECK_FALSE(is_profile_name(std::string(65, 'a')));
}

TEST_CASE("without a profile nothing is named otherwise") {
  CHECK(with_profile("hostclaw") == "hostclaw");
  CHECK(own_command() == "hostclaw");
  CHECK(naming_profile("hostclaw status, or: hostclaw runs") == "hostclaw status, or: hostclaw runs");
  CHECK_FALSE(profile_is_of_environment());
}

TEST_CASE("what belongs to a profile carries its name, and so do commands to type") {
  const Named named("work");
  CHECK(with_profile("/var/lib/hostclaw") == "/var/lib/hostclaw-work");
  CHECK(own_command() == "hostclaw --profile work");
  CHECK(naming_profile("hostclaw status, or: hostclaw runs (hostclaw runs ID)") ==
        "hostclaw --profile work status, or: hostclaw --profile work runs (hostclaw --profile work runs ID)");
  CHECK(naming_profile("sudo hostclaw --profile work node start") ==
        "sudo hostclaw --profile work node start");
  CHECK(naming_profile("install -m 755 x /usr/local/bin/hostclaw && ls") ==
        "install -m 755 x /usr/local/bin/hostclaw && ls");
}

}  // namespace hostclaw
