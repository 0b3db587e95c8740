// SPDX-License-Identifier: Apache-2.0
// hostclaw status: one screen, from the store alone.
#include "cli/command_line.h"
#include "cli/status_report.h"

namespace hostclaw::cli {
namespace {

int status(bool json) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), json);
  auto report = read_status(**store);
  if (!report) return fail(report.error(), json);
  if (!json) {
    print_status(*report);
    return kDone;
  }
  Json body;
  add_to_json(*report, body);
  print_json(body);
  return kDone;
}

}  // namespace

void add_status(CLI::App& parent, Action& action) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* verb = parent.add_subcommand("status", "Link, pairing, policy and last decisions on one screen");
  verb->add_flag("--json", *json, "Print JSON");
  verb->callback([&action, json] { action = [json] { return status(*json); }; });
}

}  // namespace hostclaw::cli
