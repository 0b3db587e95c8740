// SPDX-License-Identifier: Apache-2.0
// hostclaw selftest: does this machine do what runs need?
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "approvals/platform/private_files.h"
#include "approvals/shown/secret_masking.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/selftest.h"
#include "cli/this_system.h"
#include "node-host/system/files/instance_lock.h"
#include "node-host/system/host/host_facts.h"

namespace hostclaw::cli {
namespace {

using std::chrono::steady_clock;

// A row takes ten seconds at most and no more than a few runs; whoever waits is told a minute.
constexpr auto kLastRowBegins = std::chrono::seconds(35);

struct SelftestFlags {
  std::string report;
  bool json = false;
};

struct TriedRow {
  selftest::Row row;
  selftest::Answer answer;
  std::int64_t elapsed_ms = 0;
};

// Names of this machine and its people out of a text that is meant to be passed on.
class Names {
 public:
  explicit Names(const std::string& folder) {
    hide(folder, "(folder)");
    hide(node_host::home_directory(), "(home)");
    hide(node_host::host_name(), "(machine)");
    const std::string user = node_host::current_user();
    const std::size_t open = user.find('(');
    if (open != std::string::npos) hide(user.substr(open + 1, user.size() - open - 2), "(user)");
  }
  std::string without(std::string text) const {
    for (const auto& [name, stand_in] : hidden_)
      for (std::size_t at = text.find(name); at != std::string::npos;
           at = text.find(name, at + stand_in.size()))
        text.replace(at, name.size(), stand_in);
    return approvals::mask_secrets_in_text(text);
  }

 private:
  void hide(const std::string& name, const std::string& stand_in) {
    // `/` and one letter are in every text.
    if (name.size() > 2) hidden_.emplace_back(name, stand_in);
  }
  std::vector<std::pair<std::string, std::string>> hidden_;
};

std::vector<TriedRow> look_at_all(selftest::Scene& scene, const Names& names) {
  std::vector<TriedRow> looked;
  const auto begun = steady_clock::now();
  for (const selftest::Row& row : selftest::all_rows()) {
    const auto row_begun = steady_clock::now();
    selftest::Answer answer = row_begun - begun > kLastRowBegins
                                  ? selftest::impossible("no time was left for it; this machine is very busy")
                                  : row.look(scene);
    answer.detail = names.without(std::move(answer.detail));
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - row_begun);
    looked.push_back({row, std::move(answer), elapsed.count()});
  }
  return looked;
}

Json report_of(const std::vector<TriedRow>& looked) {
  Json rows = Json::array();
  Json counts = {{"pass", 0}, {"fail", 0}, {"not-possible", 0}};
  std::int64_t elapsed = 0;
  for (const TriedRow& one : looked) {
    const std::string verdict(selftest::to_string(one.answer.verdict));
    rows.push_back(Json{{"row", one.row.name},
                        {"about", one.row.about},
                        {"verdict", verdict},
                        {"detail", one.answer.detail},
                        {"elapsedMs", one.elapsed_ms}});
    counts[verdict] = counts[verdict].get<int>() + 1;
    elapsed += one.elapsed_ms;
  }
  Json machine{{"platform", node_host::host_platform()}, {"asRoot", node_host::running_as_root()}};
  machine.update(system_release());
  machine.update(selftest::system_facts());
  return Json{{"format", "hostclaw-selftest-1"},
              {"version", version()},
              {"createdAtMs", unix_ms_now()},
              {"machine", std::move(machine)},
              {"rows", std::move(rows)},
              {"counts", std::move(counts)},
              {"ok", true},
              {"elapsedMs", elapsed}};
}

void print_rows(const std::vector<TriedRow>& looked) {
  for (const TriedRow& one : looked) {
    std::string line(selftest::to_string(one.answer.verdict));
    line.append(line.size() < 13 ? 13 - line.size() : 1, ' ');
    line += one.row.name;
    line.append(line.size() < 32 ? 32 - line.size() : 1, ' ');
    print_line(line + for_terminal(one.answer.detail));
  }
}

Result<void> write_report(std::FILE* file, const std::string& path, const Json& report) {
  const std::string text = report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) return make_error("FILE_UNWRITABLE", "cannot write " + path);
  return {};
}

int selftest_verb(const SelftestFlags& flags) {
  std::FILE* file = nullptr;
  if (!flags.report.empty()) {
    // Before anything is tried: a place that cannot be written is told at once.
    auto opened = approvals::open_new_private_file(flags.report);
    if (!opened) {
      const std::string code = opened.error().code == "FILE_EXISTS" ? "FILE_EXISTS" : "FILE_UNWRITABLE";
      return fail(make_error(code, opened.error().message, "hostclaw selftest --report FILE"), flags.json);
    }
    file = *opened;
  }
  auto folder = approvals::make_private_temporary_directory();
  if (!folder) {
    if (file != nullptr) std::fclose(file);
    return fail(folder.error(), flags.json);
  }
  std::vector<TriedRow> looked;
  {
    selftest::Scene scene(*folder);
    looked = look_at_all(scene, Names(*folder));
  }
  approvals::remove_directory_tree(*folder);
  Json report = report_of(looked);
  const bool well = report["counts"]["fail"] == 0;
  report["ok"] = well;
  if (file != nullptr) {
    if (const auto written = write_report(file, flags.report, report); !written)
      return fail(written.error(), flags.json);
  }
  if (flags.json) {
    print_json(report);
  } else {
    print_rows(looked);
    note(std::to_string(report["counts"]["pass"].get<int>()) + " pass, " +
         std::to_string(report["counts"]["fail"].get<int>()) + " fail, " +
         std::to_string(report["counts"]["not-possible"].get<int>()) + " not possible here");
    if (file != nullptr)
      note("The report names no machine and nobody; please read it before you send it: " + flags.report);
  }
  return well ? kDone : kFailed;
}

}  // namespace

void add_selftest(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<SelftestFlags>();
  CLI::App* verb = parent.add_subcommand("selftest",
                                         "Try, in a temporary folder, what runs need of this machine: rows "
                                         "that pass, fail or are not possible here");
  verb->add_option("--report", flags->report, "Also write the rows as JSON into this new file, to pass on")
      ->type_name("FILE");
  verb->add_flag("--json", flags->json, "Print the rows as JSON");
  verb->callback([&action, flags] { action = [flags] { return selftest_verb(*flags); }; });
}

}  // namespace hostclaw::cli
