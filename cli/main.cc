// Glue: parse the command line, run the verb.
#include <cstdio>
#include <exception>

#include "cli/command_line.h"

int main(int argc, char** argv) {
  using namespace hostclaw::cli;
  CLI::App app{
      "hostclaw makes this machine an OpenClaw node host: it pairs with a gateway, decides about every\n"
      "command with an allowlist of its own, runs what is allowed, and keeps a record.",
      "hostclaw"};
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
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? kDone : kUsage;
  }
  try {
    const int status = action ? action() : kUsage;
    return std::fflush(stdout) == 0 ? status : kFailed;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: INTERNAL: %s\n", error.what());
    return kFailed;
  }
}
