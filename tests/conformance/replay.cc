// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/replay.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>

#include "node-host/doors/gateway/denial_words.h"

namespace hostclaw::conformance {

std::vector<OrderedJson> read_rows(const std::string& path) {
  std::vector<OrderedJson> out;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    // Rows hold lone surrogates here and there; those lines cannot be rows of ours.
    if (Result<OrderedJson> row = parse_ordered_json(line)) out.push_back(std::move(*row));
  }
  return out;
}

Json to_plain(const OrderedJson& value) {
  Result<Json> plain = parse_json(dump_json(value));
  return plain ? std::move(*plain) : Json();
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string told(const policy::Decision& decision) {
  if (decision.verdict == policy::Verdict::kAllow) return {};
  return node_host::denial_words(decision).message;
}

std::string told_at_prepare(const policy::PrepareEvaluation& prepared) {
  return prepared.ok ? std::string() : node_host::prepare_words(prepared.refusal).message;
}

policy::IdSource counting_ids() {
  auto next = std::make_shared<int>(0);
  return [next] { return "id-" + std::to_string(++*next); };
}

std::vector<std::string> command_of(const Json& params) {
  std::vector<std::string> out;
  if (!params.is_object() || !params.contains("command") || !params["command"].is_array()) return out;
  for (const Json& word : params["command"])
    out.push_back(word.is_string() ? word.get<std::string>() : word.dump());
  return out;
}

int report(const std::string& title, const Comparisons& rows, const Options& options, double least_same) {
  struct Counts {
    int same = 0, other_text = 0, stricter = 0, intended = 0, different = 0, looser = 0, skipped = 0;
  };
  std::map<std::string, Counts> groups;
  Counts total;
  std::map<std::string, int> codes;
  for (const Comparison& row : rows) {
    for (Counts* counts : {&groups[row.group], &total}) {
      switch (row.outcome) {
        case Outcome::kSame:
          ++counts->same;
          break;
        case Outcome::kOtherText:
          ++counts->other_text;
          break;
        case Outcome::kStricter:
          ++counts->stricter;
          break;
        case Outcome::kIntended:
          ++counts->intended;
          break;
        case Outcome::kDifferent:
          ++counts->different;
          break;
        case Outcome::kLooser:
          ++counts->looser;
          break;
        case Outcome::kSkipped:
          ++counts->skipped;
          break;
      }
    }
    if (row.outcome == Outcome::kStricter) ++codes[row.code.substr(0, row.code.find(' '))];
  }
  std::printf("\n%s (%s)\n%-24s %6s %10s %9s %9s %10s %7s %8s\n", title.c_str(),
              std::string(policy::to_string(options.strictness)).c_str(), "group", "same", "other text",
              "stricter", "intended", "different", "looser", "skipped");
  const auto line = [](const std::string& name, const Counts& c) {
    std::printf("%-24s %6d %10d %9d %9d %10d %7d %8d\n", name.c_str(), c.same, c.other_text, c.stricter,
                c.intended, c.different, c.looser, c.skipped);
  };
  for (const auto& [name, counts] : groups) line(name, counts);
  line("total", total);
  const int same = total.same + total.other_text;
  const int judged = same + total.stricter + total.intended + total.different + total.looser;
  if (judged > 0)
    std::printf("same verdict: %.1f %%, also in words: %.1f %%\n", 100.0 * same / judged,
                100.0 * total.same / judged);
  std::printf("stricter by:");
  for (const auto& [code, count] : codes) std::printf(" %s=%d", code.c_str(), count);
  std::printf("\n");
  for (const Comparison& row : rows) {
    const bool wanted = !options.only.empty() && row.id.starts_with(options.only);
    const bool odd = row.outcome != Outcome::kSame && row.outcome != Outcome::kSkipped;
    if (!(wanted || (odd && (options.list || row.outcome == Outcome::kLooser)))) continue;
    const char* names[] = {"same", "text", "stricter", "intended", "different", "LOOSER", "skipped"};
    const char* name = names[static_cast<int>(row.outcome)];
    std::printf("  %-9s %-18s expected %s; got %s %s | %s\n", name, row.id.c_str(), row.expected.c_str(),
                row.got.c_str(), row.code.c_str(), row.what.c_str());
  }
  const bool too_few = judged == 0 || same < least_same * judged;
  if (too_few) std::printf("FAILED: at least %.1f %% have to be the same\n", 100.0 * least_same);
  return total.looser + total.different + (too_few ? 1 : 0);
}

}  // namespace hostclaw::conformance
