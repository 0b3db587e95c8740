// SPDX-License-Identifier: Apache-2.0
// hostclaw doctor: what is wrong, and what to type next.
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "base/profile.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/command_words.h"
#include "cli/doctor_checks.h"
#include "cli/this_system.h"

namespace hostclaw::cli {
namespace {

struct DoctorFlags {
  CheckChoice choice;
  std::vector<std::string> only;
  bool list = false;
  bool json = false;
};

std::string padded(std::string text, std::size_t width) {
  text.append(text.size() < width ? width - text.size() : 0, ' ');
  return text + " ";
}

int list_checks(bool json) {
  Json body = Json::array();
  for (const CheckInfo& check : known_checks()) {
    if (json) {
      body.push_back(Json{{"check", check.name}, {"codes", split(check.codes, ' ')}});
    } else {
      print_line(padded(std::string(check.name), 14) + std::string(check.codes));
    }
  }
  if (json) print_json(body);
  return kDone;
}

void print_result(const CheckResult& result) {
  const std::string head =
      padded(std::string(to_string(result.verdict)), 7) + padded(result.check, 14) + result.code;
  const bool quiet = result.verdict == CheckVerdict::kOk || result.verdict == CheckVerdict::kSkipped;
  // Beside its code where that leaves room to read.
  constexpr std::size_t kMessageAt = 47;
  const bool beside = quiet && (output_width() == 0 || output_width() > 2 * kMessageAt);
  if (beside) {
    print_wrapped(padded(head, kMessageAt - 1) + for_terminal(result.message), kMessageAt);
  } else {
    print_line(head);
    print_wrapped("        " + for_terminal(result.message), 8);
  }
  if (!result.next.empty() && result.verdict != CheckVerdict::kOk)
    print_line("        next: " + for_terminal(naming_profile(result.next)));
}

Error no_such_check(const std::string& word) {
  std::vector<std::string> names;
  std::vector<std::string> all;
  for (const CheckInfo& check : known_checks()) {
    names.emplace_back(check.name);
    for (const std::string& code : split(check.codes, ' ')) all.push_back(code);
  }
  all.insert(all.end(), names.begin(), names.end());
  const std::string nearest = nearest_word(word, all);
  return make_error(
      "CONFIG_INVALID",
      "there is no check and no code " + word +
          (nearest.empty() ? "; the checks: " + join(names, ", ") : "; did you mean " + nearest + "?"),
      "hostclaw doctor --list");
}

int doctor(DoctorFlags flags) {
  if (flags.list) return list_checks(flags.json);
  for (const std::string& words : flags.only) {
    for (const std::string& word : split(words, ',')) {
      std::string name = check_named(trim(word));
      if (name.empty()) {
        fail(no_such_check(std::string(trim(word))), flags.json);
        return kUsage;
      }
      flags.choice.only.push_back(std::move(name));
    }
  }
  bool left_behind = false;
  const std::vector<CheckResult> results = run_checks(flags.choice, left_behind);
  const Json body = check_json(results);
  if (flags.json) {
    print_json(body);
  } else {
    for (const CheckResult& result : results) print_result(result);
    const auto count = [&body](const char* verdict) {
      return std::to_string(body["summary"][verdict].get<int>()) + " " + verdict;
    };
    print_line(count("ok") + ", " + count("warning") + ", " + count("failure") + ", " + count("skipped"));
  }
  const int status = all_well(results) ? kDone : kFailed;
  if (left_behind) {
    std::cout.flush();
    std::fflush(stdout);
    std::_Exit(status);
  }
  return status;
}

}  // namespace

void add_doctor(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<DoctorFlags>();
  CLI::App* verb = parent.add_subcommand(
      "doctor",
      "Look for faults of link, pairing, service, files and policy; exit status 1 when there are any");
  verb->add_option("--only", flags->only,
                   "Only these checks: a name or a code (comma-separated, repeatable)");
  verb->add_flag("--offline", flags->choice.offline, "Do not ask the gateway");
  verb->add_flag("--list", flags->list, "The checks and the codes they answer");
  add_scope_flags(*verb, flags->choice.scope);
  verb->add_flag("--json", flags->json, "Print JSON");
  verb->callback([&action, flags] { action = [flags] { return doctor(*flags); }; });
}

}  // namespace hostclaw::cli
