// SPDX-License-Identifier: Apache-2.0
// Glue: parse the command line, run the verb.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "base/file_names.h"
#include "base/profile.h"
#include "cli/askpass.h"
#include "cli/called_as.h"
#include "cli/command_line.h"
#include "cli/command_words.h"
#include "cli/run_guard.h"
#include "cli/selftest.h"
#include "cli/this_system.h"
#include "cli/verb_clawlink.h"
#include "node-host/run/kept_runs.h"
#include "node-host/system/process/process_start.h"

namespace {

// The name by which the program was called, without `.exe`.
std::string called_name(const std::vector<std::string>& arguments) {
  return arguments.empty() ? std::string() : hostclaw::to_text(hostclaw::to_path(arguments.front()).stem());
}

}  // namespace

int main(int argc, char** argv) {
  using namespace hostclaw::cli;
  if (const auto status = run_as_called(argc, argv)) return *status;
  hostclaw::node_host::settle_inherited_state();
  std::vector<std::string> arguments = command_line_arguments(argc, argv);
  // Not a verb: no person has a use for it.
  if (arguments.size() == 2 && arguments.back() == hostclaw::node_host::kKeepRunWord)
    return hostclaw::node_host::keep_run();
  // Links by which users of HostLink and ClawLink know it.
  const std::string called = called_name(arguments);
  if (called == "hostlinkd") return hostlinkd_main({arguments.begin() + 1, arguments.end()});
  if (called == "clawlink") arguments.insert(arguments.begin() + 1, called);
  if (const auto status = refuse_to_answer(arguments)) return *status;
  if (const auto status = selftest::run_child(arguments)) return *status;
  CLI::App app{
      "hostclaw makes this machine an OpenClaw node host: it pairs with a gateway, decides about every\n"
      "command with an allowlist of its own, runs what is allowed, and keeps a record.",
      "hostclaw"};
  app.allow_windows_style_options(false);  // the same command line everywhere: `/x` is a path
  app.set_version_flag("--version", "hostclaw " + version());
  app.require_subcommand(1);
  Action action;
  add_node(app, action);
  add_connect(app, action);
  add_status(app, action);
  add_doctor(app, action);
  add_logs(app, action);
  add_bugreport(app, action);
  add_selftest(app, action);
  add_runs(app, action);
  add_approvals(app, action);
  add_audit(app, action);
  add_exec_policy(app, action);
  add_policy(app, action);
  add_hostlink(app, action);
  add_import(app, action);
  add_clawlink(app, action);
  add_completion(app, action);
  add_help(app, action);
  add_service(app, action);
  // After the verbs, which would all have it.
  app.footer(
      "Start here:  hostclaw node run --host GATEWAY    pair and serve\n"
      "             hostclaw policy check git status    what would be decided, without running it");
  // Given anywhere in front of the command of `policy check`; the program's own, so of every verb.
  std::string when = "auto";
  app.add_flag_callback(
      "--utc", [] { show_times_in_utc(); }, "Show times in UTC, not in local time with its offset");
  app.add_option("--color", when, "Colours for allow, ask and deny")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  app.add_option("--profile", "Another node of this machine, with a state and a service of its own")
      ->type_name("NAME")
      ->check([](const std::string& name) {
        return hostclaw::is_profile_name(name)
                   ? std::string()
                   : "`" + name + "` is no name of a profile: letters, digits, - and _, at most 64";
      })
      ->each([](const std::string& name) { hostclaw::use_profile(name); });
  const std::vector<std::string> given =
      options_first(with_separator(app, {arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end()}));
  if (given.empty()) {
    print_short_help();
    return std::fflush(stdout) == 0 ? kDone : kFailed;
  }
  try {
    // CLI11 takes the words from the last to the first.
    app.parse(std::vector<std::string>(given.rbegin(), given.rend()));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0)
      return explain_usage(app, error, std::find(given.begin(), given.end(), "--json") != given.end());
    const bool whole = error.get_name() == "CallForHelp" && app.get_subcommands().empty();
    if (whole) print_whole_help(app);
    return whole || app.exit(error) == 0 ? kDone : kUsage;
  }
  if (const std::string name = hostclaw::profile(); !name.empty() && !hostclaw::is_profile_name(name)) {
    fail(hostclaw::make_error(
        "CONFIG_INVALID", "HOSTCLAW_PROFILE is no name of a profile: letters, digits, - and _, at most 64"));
    return kUsage;
  }
  const bool json = std::find(given.begin(), given.end(), "--json") != given.end();
  if (const auto refused = refuse_empty_words(app, json)) return *refused;
  try {
    if (const auto refused = refuse_to_runs(app, given)) return *refused;
    set_colours(when);
    const int status = action ? action() : kUsage;
    return std::fflush(stdout) == 0 ? status : kFailed;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: INTERNAL: %s\n", error.what());
    return kFailed;
  }
}
