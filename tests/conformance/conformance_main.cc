// SPDX-License-Identifier: Apache-2.0
// Replays recorded cases and says where this program differs. Fails on anything looser than the recording,
// and when too little is the same; with --elsewhere, on a system that has not the files of the recorded one,
// only looser counts.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "tests/conformance/replay.h"

namespace {

std::string cases_directory() {
  if (const char* given = std::getenv("HOSTCLAW_CASES")) return given;
  return std::string(HOSTCLAW_SOURCE_DIR) + "/../shared/contract/cases";
}

}  // namespace

int main(int argc, char** argv) {
  using namespace hostclaw;
  conformance::Options options;
  options.cases = cases_directory();
  bool elsewhere = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--list") options.list = true;
    if (word == "--elsewhere") elsewhere = true;
    if (word == "--strictness" && i + 1 < argc) {
      options.strictness = policy::strictness_from(argv[++i]).value_or(policy::Strictness::kHardened);
    } else if (word == "--only" && i + 1 < argc) {
      options.only = argv[++i];
    }
  }
  if (!std::filesystem::exists(options.cases + "/decisions-observed.jsonl")) {
    std::printf("skipped: the recorded cases are not at %s (set HOSTCLAW_CASES)\n", options.cases.c_str());
    return 77;
  }
  // What `official` is for: to be the same where that is right.
  const bool official = options.strictness == policy::Strictness::kOfficial;
  const auto at_least = [elsewhere](double share) { return elsewhere ? 0.0 : share; };
  int failures = conformance::report("decisions-observed", conformance::replay_decisions(options), options,
                                     at_least(official ? 0.97 : 0));
  failures += conformance::report("bypass-corpus", conformance::replay_bypass(options), options);
  failures +=
      conformance::report("upstream vectors", conformance::replay_upstream(options), options, at_least(0.95));
  failures +=
      conformance::report("other vectors", conformance::replay_others(options), options, at_least(0.9));
  return failures == 0 ? 0 : 1;
}
