// SPDX-License-Identifier: Apache-2.0
// Replays recorded cases and says where this program differs: those of the project, or with --additional the
// collections beside it. Fails on anything looser than the recording, and when too little is the same; with
// --elsewhere, on a system that has not the files of the recorded one, only looser counts.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "tests/conformance/replay.h"

namespace {

constexpr int kSkipped = 77;

std::string additional_cases() {
  if (const char* given = std::getenv("HOSTCLAW_CASES")) return given;
  return std::string(HOSTCLAW_SOURCE_DIR) + "/../shared/contract/cases";
}

bool must_be_there() {
  const char* required = std::getenv("HOSTCLAW_REQUIRE_CASES");
  return required != nullptr && std::string_view(required) == "1";
}

int replay_own(const hostclaw::conformance::Options& options, bool elsewhere) {
  using namespace hostclaw::conformance;
  // What `official` is for: to be the same where that is right.
  const bool official = options.strictness == hostclaw::policy::Strictness::kOfficial;
  int failures =
      report("decisions-observed", replay_decisions(options), options, official && !elsewhere ? 0.97 : 0.0);
  failures += report("bypass-corpus", replay_bypass(options), options);
  return failures;
}

int replay_additional(const hostclaw::conformance::Options& options, bool elsewhere) {
  using namespace hostclaw::conformance;
  int failures = report("upstream vectors", replay_upstream(options), options, elsewhere ? 0.0 : 0.95);
  failures += report("other vectors", replay_others(options), options, elsewhere ? 0.0 : 0.9);
  return failures;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace hostclaw;
  conformance::Options options;
  bool elsewhere = false;
  bool additional = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--list") options.list = true;
    if (word == "--elsewhere") elsewhere = true;
    if (word == "--additional") additional = true;
    if (word == "--strictness" && i + 1 < argc) {
      options.strictness = policy::strictness_from(argv[++i]).value_or(policy::Strictness::kHardened);
    } else if (word == "--only" && i + 1 < argc) {
      options.only = argv[++i];
    }
  }
  options.cases = additional ? additional_cases() : std::string(HOSTCLAW_SOURCE_DIR) + "/tests/cases";
  const char* first = additional ? "/upstream" : "/decisions-observed.jsonl";
  if (!std::filesystem::exists(options.cases + first)) {
    std::printf("%s: the recorded cases are not at %s\n", additional ? "skipped" : "failed",
                options.cases.c_str());
    return additional && !must_be_there() ? kSkipped : 1;
  }
  return (additional ? replay_additional(options, elsewhere) : replay_own(options, elsewhere)) == 0 ? 0 : 1;
}
