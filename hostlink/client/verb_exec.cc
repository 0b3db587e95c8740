// SPDX-License-Identifier: Apache-2.0
// exec and run. By protocol 2 where the daemon speaks it: output comes as it is written, signals go through,
// and the command ends with this client. What asks for one reply (-j, -D, -O, -m) is a request of protocol 1.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/text.h"
#include "hostlink/client/local_files.h"
#include "hostlink/client/session.h"
#include "hostlink/client/terminal.h"
#include "hostlink/client/v2_link.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::int64_t kDefaultTimeout = 30'000;
constexpr int kSignalBase = 128;

bool wants_one_reply(const Options& options) {
  return options.json || options.detach || options.output_to_file || options.max_stdout ||
         options.max_stderr || options.protocol == 1;
}

Request exec_request(const Session& session, const std::string& command) {
  const Options& options = session.options;
  Request request;
  request.type = RequestType::kExec;
  request.command = command;
  request.timeout_ms = session.target.timeout_ms.value_or(kDefaultTimeout);
  request.max_stdout_bytes = options.max_stdout;
  request.max_stderr_bytes = options.max_stderr;
  request.output_to_file = options.output_to_file;
  if (!options.workdir.empty()) request.workdir = options.workdir;
  for (const auto& [name, value] : options.env) request.env[name] = value;
  request.detach = options.detach;
  if (options.detach) request.job_timeout_ms = session.target.timeout_ms;
  return request;
}

void print_line(const std::string& node, const std::string& text) {
  static_cast<void>(write_fully(STDERR_FILENO, "[" + node + "] " + text + "\n", "stderr"));
}

void note_stream(const std::string& node, const std::string& name, const OutputOfStream& output) {
  if (!output.file.empty()) print_line(node, name + " is in " + output.file);
  if (output.truncated)
    print_line(node, name + " truncated: " + std::to_string(output.bytes.size()) + " of " +
                         std::to_string(output.original_bytes) + " bytes");
}

void print_end(const std::string& node, std::int64_t status, std::int64_t duration_ms, bool timed_out) {
  print_line(node, "exit=" + std::to_string(status) + " time=" + std::to_string(duration_ms) + "ms" +
                       (timed_out ? " (timeout)" : ""));
}

Outcome report_exec(Session& session, const Answer& answer) {
  const ExecReply reply = exec_reply_from(answer.reply);
  const bool ran = reply.head.status == ReplyStatus::kOk || reply.head.status == ReplyStatus::kTimeout;
  const bool timed_out = reply.head.status == ReplyStatus::kTimeout;
  if (session.options.json || !ran) return report(session, answer, timed_out ? 0 : reply.exit_code);
  const Outcome printed = print(reply.out.bytes);
  static_cast<void>(write_fully(STDERR_FILENO, reply.err.bytes, "stderr"));
  note_stream(reply.head.node, "stdout", reply.out);
  note_stream(reply.head.node, "stderr", reply.err);
  if (reply.timeout_requested_ms && reply.timeout_effective_ms)
    print_line(reply.head.node, "the daemon allows " + std::to_string(*reply.timeout_effective_ms) +
                                    " of the " + std::to_string(*reply.timeout_requested_ms) +
                                    " ms asked for");
  print_end(reply.head.node, reply.exit_code, reply.duration_ms, timed_out);
  const Outcome outcome = outcome_of(reply.head, reply.exit_code);
  return outcome.ending == Ending::kOk ? printed : outcome;
}

Outcome report_detached(Session& session, const Answer& answer) {
  const bool refused = answer.reply.head.status != ReplyStatus::kOk;
  if (session.options.json || refused) return report(session, answer);
  const auto id = answer.reply.object.find("job_id");
  if (id != answer.reply.object.end() && id->is_string()) return print(id->get<std::string>() + "\n");
  // Daemons before 1.6 start it and give no id.
  print_message(session, "launched, no id: the daemon is too old to tell about jobs");
  return {};
}

Outcome exec_by_request(Session& session, const std::string& command) {
  const auto answer = ask(session, exec_request(session, command));
  if (!answer) return report(session, answer.error());
  return session.options.detach ? report_detached(session, *answer) : report_exec(session, *answer);
}

struct LiveWishes {
  bool input = false;
  bool tty = false;
  bool quiet = false;  // no line about its end
};

v2::OpenRun open_of(const Session& session, const LiveWishes& wishes) {
  const Options& options = session.options;
  v2::OpenRun open;
  open.id = new_request_id();
  for (const auto& [name, value] : options.env) open.env[name] = value;
  open.workdir = options.workdir;
  open.timeout_ms = session.target.timeout_ms;
  open.has_stdin = wishes.input;
  open.keep = options.keep;
  if (wishes.tty) {
    const char* term = std::getenv("TERM");
    open.terminal = v2::OpenTerminal{term == nullptr ? "" : term, window_size_of(STDIN_FILENO)};
  }
  return open;
}

Outcome report_live(Session& session, const v2::Exit& exit, const LiveWishes& wishes) {
  const bool timed_out = exit.head.status == ReplyStatus::kTimeout;
  if (exit.head.status != ReplyStatus::kOk && !timed_out) {
    explain(session, exit.head);
    return outcome_of(exit.head);
  }
  const std::int64_t status =
      timed_out ? kExitTimeout
                : exit.exit_code.value_or(kSignalBase + std::max<std::int64_t>(exit.signal_number, 1));
  if (!wishes.quiet) print_end(exit.head.node, status, exit.duration_ms, timed_out);
  // A quiet run has no other place to say why its status is 124.
  if (wishes.quiet && timed_out) explain(session, exit.head);
  return outcome_of(exit.head, status);
}

Outcome go_live(Session& session, V2Link link, LiveRun live, const LiveWishes& wishes) {
  live.input = wishes.input ? STDIN_FILENO : -1;
  Result<v2::Exit> exit = [&] {
    std::unique_ptr<RawTerminal> raw;
    if (wishes.tty && is_terminal(STDIN_FILENO)) raw = std::make_unique<RawTerminal>(STDIN_FILENO);
    return run_live(std::move(link), live);
  }();
  return exit ? report_live(session, *exit, wishes) : report(session, exit.error());
}

Error protocol_2_needed(const std::string& for_what) {
  return make_error("PROTOCOL_2_NEEDED", for_what + " needs protocol 2, which this daemon does not speak",
                    "replace the daemon by `hostclaw hostlink serve`");
}

}  // namespace

Outcome run_exec(Session& session) {
  if (session.options.argv) return run_argv(session, session.words, false);
  const std::string command = join(session.words, " ");
  if (command.empty())
    return report(session, make_error("USAGE", "exec needs a command", "hostlink exec 'echo hello'"));
  if (wants_one_reply(session.options)) return exec_by_request(session, command);
  const LiveWishes wishes{session.options.interactive || session.options.tty, session.options.tty, false};
  auto link = open_v2(session);
  if (!link) return report(session, link.error());
  if (!*link) {
    if (wishes.input) return report(session, protocol_2_needed("stdin"));
    if (session.options.protocol == 2) return report(session, protocol_2_needed("--protocol 2"));
    return exec_by_request(session, command);
  }
  LiveRun live;
  live.open = open_of(session, wishes);
  live.open.command = command;
  // Whoever looks at it or types into it says how long it may take; everybody else expects the usual 30 s.
  if (!wishes.input && !live.open.timeout_ms) live.open.timeout_ms = kDefaultTimeout;
  return go_live(session, std::move(**link), std::move(live), wishes);
}

Outcome run_argv(Session& session, std::vector<std::string> argv, bool quiet) {
  if (argv.empty() || argv[0].empty())
    return report(session, make_error("USAGE", "run needs a program", "hostlink run -- docker ps"));
  if (session.options.json || session.options.detach || session.options.output_to_file ||
      session.options.max_stdout || session.options.max_stderr)
    return report(session, make_error("USAGE", "-j, -D, -O and -m are options of exec, not of run"));
  // A terminal is read when somebody asks for it; under the name of the program itself that goes without
  // saying.
  const bool at_terminal = is_terminal(STDIN_FILENO);
  LiveWishes wishes;
  wishes.quiet = quiet;
  wishes.tty = session.options.tty ||
               (quiet && at_terminal && is_terminal(STDOUT_FILENO) && is_terminal(STDERR_FILENO));
  wishes.input = quiet || wishes.tty || session.options.interactive || !at_terminal;
  auto link = open_v2(session);
  if (!link) return report(session, link.error());
  if (!*link) return report(session, protocol_2_needed("words without a shell"));
  LiveRun live;
  live.open = open_of(session, wishes);
  live.open.argv = std::move(argv);
  return go_live(session, std::move(**link), std::move(live), wishes);
}

}  // namespace hostclaw::hostlink
