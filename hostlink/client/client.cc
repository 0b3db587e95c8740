// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/client.h"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <utility>

#include "base/text.h"
#include "hostlink/client/session.h"
#include "hostlink/client/shim.h"

#ifndef HOSTCLAW_VERSION
#error "the build says which version this is"
#endif

namespace hostclaw::hostlink {
namespace {

std::optional<std::string> from_process(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

constexpr std::string_view kHelp =
    "hostlink runs commands on the host of this container and moves files there and back.\n"
    "\n"
    "Usage: hostlink [OPTIONS] COMMAND …\n"
    "\n"
    "  exec COMMAND…            a command of the host's shell; its words are joined by spaces\n"
    "  run [--] PROGRAM WORD…   a program with exactly these words, stdin and its status passed on\n"
    "  ping                     whether the daemon answers\n"
    "  targets [-P]             the targets of targets.conf\n"
    "  put LOCAL REMOTE         a file or folder to the host (put-stream: in pieces)\n"
    "  get REMOTE [LOCAL|-]     a file or folder from the host (get-stream: in pieces)\n"
    "  df [PATH]                free space on the host\n"
    "  job list|status ID|tail ID|wait ID|cancel ID\n"
    "  shim install NAME…|list|remove NAME…   programs of the host under their own names\n"
    "\n"
    "Options, in front of the command:\n";

constexpr std::string_view kHelpEnd =
    "\n"
    "Environment: HOSTLINK_SOCKET, HOSTLINK_TARGET, HOSTLINK_TARGETS, HOSTLINK_TOKEN, HOSTLINK_TOKEN_FILE,\n"
    "HOSTLINK_EXIT_CODES (classic or remote), HOSTLINK_SHIM_DIR, HOSTLINK_WORKDIR (of shims).\n"
    "\n"
    "Exit status (classic): 0 done, 1 the command failed, 2 not connected, 3 wrong token, 4 refused, 5 "
    "timeout,\n"
    "6 no answer, 7 usage. With --exit-codes=remote, as `hostlink-cli` and for run: the command's own "
    "status,\n"
    "124 timeout, 125 everything that is HostLink's.\n";

ExitCodes exit_codes_for(std::string_view name, const CommandLine& line) {
  if (line.options.exit_codes) return *line.options.exit_codes;
  const auto chosen = from_process("HOSTLINK_EXIT_CODES");
  if (chosen == "classic") return ExitCodes::kClassic;
  if (chosen == "remote") return ExitCodes::kRemote;
  const bool passes_on = name == "hostlink-cli" || line.verb == "run" || line.options.argv;
  return passes_on ? ExitCodes::kRemote : ExitCodes::kClassic;
}

Outcome with_daemon(Session& session) {
  Result<Target> target = resolve_target(session.options, from_process);
  if (!target) return report(session, target.error());
  session.target = std::move(*target);
  return {};
}

Outcome run_verb(Session& session, const std::string& verb) {
  if (verb == "targets") return run_targets(session);
  if (verb == "shim") return run_shim_command(session);
  struct Verb {
    std::string_view name;
    Outcome (*run)(Session&);
  };
  static constexpr Verb kVerbs[] = {
      {"exec", run_exec},
      {"run", [](Session& one) { return run_argv(one, one.words, false); }},
      {"ping", run_ping},
      {"put", [](Session& one) { return run_put(one, false); }},
      {"put-stream", [](Session& one) { return run_put(one, true); }},
      {"get", [](Session& one) { return run_get(one, false); }},
      {"get-stream", [](Session& one) { return run_get(one, true); }},
      {"df", run_df},
      {"job", run_job},
  };
  for (const Verb& known : kVerbs) {
    if (known.name != verb) continue;
    const Outcome resolved = with_daemon(session);
    return resolved.ending == Ending::kOk ? known.run(session) : resolved;
  }
  return report(session, make_error("USAGE", verb.empty() ? "a command is needed" : "unknown command " + verb,
                                    "hostlink --help"));
}

int run_command_line(std::string_view name, const std::vector<std::string>& arguments) {
  Session session;
  session.program = name;
  Result<CommandLine> line = parse_command_line(arguments);
  if (!line) {
    CommandLine unread;
    session.options.json = is_one_of("-j", std::vector<std::string_view>(arguments.begin(), arguments.end()));
    return exit_status(report(session, line.error()), exit_codes_for(name, unread));
  }
  if (line->options.help)
    return exit_status(print(std::string(kHelp) + option_help() + std::string(kHelpEnd)),
                       ExitCodes::kClassic);
  if (line->options.version)
    return exit_status(print("hostlink (hostclaw) " HOSTCLAW_VERSION "\n"), ExitCodes::kClassic);
  const ExitCodes codes = exit_codes_for(name, *line);
  session.options = std::move(line->options);
  session.words = std::move(line->words);
  return exit_status(run_verb(session, line->verb), codes);
}

int run_shim(const std::string& name, const std::vector<std::string>& arguments) {
  Session session;
  session.program = name;
  const Outcome resolved = with_daemon(session);
  return exit_status(resolved.ending == Ending::kOk ? run_as_shim(session, name, arguments) : resolved,
                     ExitCodes::kRemote);
}

void overwrite(char* text) { std::memset(text, 'x', std::strlen(text)); }

}  // namespace

int client_main(std::string_view name, std::vector<std::string> arguments) {
  // A reader that has gone is an error of a write, and is told as one.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return is_client_name(name) ? run_command_line(name, arguments) : run_shim(std::string(name), arguments);
  } catch (const std::exception& error) {
    Session session;
    session.program = name;
    print_message(session, std::string("INTERNAL: ") + error.what());
    return exit_status({Ending::kProtocol, 0}, ExitCodes::kRemote);
  }
}

void hide_token(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if ((word == "-k" || word == "--token") && i + 1 < argc) {
      overwrite(argv[i + 1]);
    } else if (word.starts_with("--token=")) {
      overwrite(argv[i] + std::strlen("--token="));
    } else if (word.starts_with("-k") && word.size() > 2) {
      overwrite(argv[i] + 2);
    }
  }
}

}  // namespace hostclaw::hostlink
