// SPDX-License-Identifier: Apache-2.0
// What the replayed collections share: rows, comparison, the table.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "policy/decide/engine.h"
#include "tests/support/corpus_file_probe.h"

namespace hostclaw::conformance {

enum class Outcome {
  kSame,
  kOtherText,  // refused both times, with another first line
  kStricter,   // recorded as allowed, not allowed here
  kIntended,   // prepare answers with a plan of ours (docs/differences.md)
  kDifferent,  // anything else
  kLooser,     // recorded as refused, allowed here
  kSkipped,
};

struct Comparison {
  std::string group;
  std::string id;
  Outcome outcome = Outcome::kSame;
  std::string code;      // ours
  std::string expected;  // in words
  std::string got;
  std::string what;  // the command, for the list
};

struct Options {
  policy::Strictness strictness = policy::Strictness::kHardened;
  std::string cases;  // directory
  std::string only;   // prefix of ids to print in full
  bool list = false;  // print every row that is not the same
};

using Comparisons = std::vector<Comparison>;

Comparisons replay_decisions(const Options& options);
Comparisons replay_bypass(const Options& options);
Comparisons replay_upstream(const Options& options);
// Prints which vectors are left out, and why.
Comparisons replay_others(const Options& options);

std::vector<OrderedJson> read_rows(const std::string& path);
Json to_plain(const OrderedJson& value);
std::string first_line(const std::string& text);
// What the gateway is told of it; empty when it allows.
std::string told(const policy::Decision& decision);
// The same of a prepare that gives no plan.
std::string told_at_prepare(const policy::PrepareEvaluation& prepared);
policy::IdSource counting_ids();
std::vector<std::string> command_of(const Json& params);

// A table per group; returns how many rows count as a failure. One more when fewer rows than `least_same`
// (a share of those that can be judged) are answered with the same verdict.
int report(const std::string& title, const Comparisons& rows, const Options& options, double least_same = 0);

}  // namespace hostclaw::conformance
