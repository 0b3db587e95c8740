// Glue: parse the command line, run the verb.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/run_guard.h"
#include "cli/this_system.h"
#include "node-host/system/process_start.h"

int main(int argc, char** argv) {
  using namespace hostclaw::cli;
  hostclaw::node_host::settle_inherited_state();
  const std::vector<std::string> arguments = command_line_arguments(argc, argv);
  CLI::App app{
      "hostclaw makes this machine an OpenClaw node host: it pairs with a gateway, decides about every\n"
      "command with an allowlist of its own, runs what is allowed, and keeps a record.",
      "hostclaw"};
  app.allow_windows_style_options(false);  // the same command line everywhere: `/x` is a path
  app.set_version_flag("--version", "hostclaw " + version());
  app.require_subcommand(1);
  app.footer(
      "Start here:  hostclaw node run --host <gateway>     the state is in $HOSTCLAW_STATE_DIR\n"
      "             hostclaw policy check -- git status    what would be decided, without running it");
  Action action;
  add_node(app, action);
  add_connect(app, action);
  add_status(app, action);
  add_doctor(app, action);
  add_logs(app, action);
  add_bugreport(app, action);
  add_runs(app, action);
  add_approvals(app, action);
  add_audit(app, action);
  add_exec_policy(app, action);
  add_policy(app, action);
  add_import(app, action);
  add_completion(app, action);
  add_service(app, action);
  try {
    std::vector<const char*> words;
    for (const std::string& argument : arguments) words.push_back(argument.c_str());
    app.parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? kDone : kUsage;
  }
  try {
    if (const auto refused = refuse_to_runs(app, {arguments.begin() + 1, arguments.end()})) return *refused;
    const int status = action ? action() : kUsage;
    return std::fflush(stdout) == 0 ? status : kFailed;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: INTERNAL: %s\n", error.what());
    return kFailed;
  }
}
