// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/commands.h"

#include <algorithm>

#include "base/text.h"
#include "hostlink/door/output_files.h"
#include "policy/decide/run_request.h"

namespace hostclaw::hostlink {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds kGrace{2000};
// Of the shell of the original's own stub; no command of ours needs it.
constexpr std::string_view kReservedVariable = "HOSTLINK_COMMAND";
constexpr std::string_view kDirectoryMissing = "node exec working directory ";

std::uint64_t output_limit(const DoorCore& core, const std::optional<std::int64_t>& asked) {
  std::int64_t limit = asked && *asked > 0 ? *asked : core.config.default_max_output_bytes;
  if (core.config.max_output_bytes > 0) limit = std::min(limit, core.config.max_output_bytes);
  return static_cast<std::uint64_t>(std::max<std::int64_t>(limit, 0));
}

OutputOfStream output_of(node_host::StreamOutput& from) {
  OutputOfStream output;
  output.truncated = from.dropped_bytes > 0;
  output.original_bytes = from.total_bytes;
  output.bytes = std::move(from.bytes);
  return output;
}

void tell_end(DoorCore& core, const Request& request, node_host::RunOutcome& run, ExecReply& reply) {
  reply.duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(run.duration).count();
  reply.out = output_of(run.standard_output);
  reply.err = output_of(run.standard_error);
  if (run.timed_out) {
    reply.head.status = ReplyStatus::kTimeout;
    reply.head.error_msg = "command timed out";
    reply.exit_code = kExitTimeout;
  } else if (!run.launch_error.empty()) {
    reply.head.status = ReplyStatus::kError;
    reply.head.error_msg = launch_failure(run.launch_error, request.workdir.value_or(""));
    reply.exit_code = kExitNotStarted;
  } else {
    reply.exit_code = run.exit_code ? *run.exit_code : kFirstSignalStatus + run.signal.value_or(0);
  }
  if (!request.output_to_file) return;
  if (auto kept = keep_output_files(core.config.output_tmpdir, request.id, reply.out, reply.err); !kept) {
    reply.head.status = ReplyStatus::kError;
    reply.head.error_msg = kept.error().message;
  }
}

}  // namespace

std::string launch_failure(const std::string& error, const std::string& workdir) {
  return error.starts_with(kDirectoryMissing) ? std::string(kWorkdirNotAccessible) + workdir : error;
}

policy::RunCommand run_command_of(const DoorCore& core, const Request& request) {
  policy::RunCommand command;
  command.argv = {core.config.shell, "-c", request.command};
  command.cwd = std::string(trim(request.workdir.value_or("")));
  command.shells_get_environment = true;
  for (const auto& [name, value] : request.env)
    if (name != kReservedVariable) command.environment.emplace_back(name, value);
  const auto& others = request.other_members;
  for (const std::string_view name : policy::authority_members())
    if (std::find(others.begin(), others.end(), name) != others.end()) command.claims.emplace_back(name);
  return command;
}

node_host::ExecRequest exec_request_of(const DoorCore& core, const Caller& caller, const Request& request) {
  node_host::ExecRequest asked;
  asked.origin = caller.origin;
  asked.id = request.id.substr(0, kRecordedId);
  asked.unasked = true;  // nobody stands behind this door
  asked.form.kill_grace = kGrace;
  asked.form.leaves_background = true;
  node_host::OutputLimits limits;
  limits.raw = node_host::OutputLimits::Raw{};
  limits.raw->standard_output = output_limit(core, request.max_stdout_bytes);
  limits.raw->standard_error = output_limit(core, request.max_stderr_bytes);
  asked.form.output = limits;
  asked.what = node_host::RunAsked{run_command_of(core, request), nullptr, false};
  return asked;
}

asio::awaitable<std::optional<std::string>> serve_exec(DoorCore& core, const Caller& caller, Request request,
                                                       std::shared_ptr<PeerStream> stream,
                                                       std::int64_t& row_id) {
  ExecReply reply;
  reply.head = core.head(request.id);
  auto place = DoorPlace::take(core, &DoorCore::commands, core.config.max_concurrent, caller.token.name);
  if (!place) {
    co_return busy_reply(Busy::kCommands, reply.head);
  }
  const std::int64_t wanted =
      request.timeout_ms && *request.timeout_ms > 0 ? *request.timeout_ms : core.config.default_timeout_ms;
  const std::int64_t timeout = std::min(wanted, core.config.max_timeout_ms);
  if (request.timeout_ms && timeout < wanted) {
    reply.timeout_requested_ms = wanted;
    reply.timeout_effective_ms = timeout;
  }
  node_host::ExecRequest asked = exec_request_of(core, caller, request);
  std::get<node_host::RunAsked>(asked.what).command.timeout_ms = timeout;
  node_host::RunCancellation cancellation = asked.cancellation;
  const PeerWatch watch(stream, [cancellation]() mutable { cancellation.cancel(); });
  asked.sinks.asks = [&place] { place->leave(); };
  asked.sinks.resumes = [&place] { place->take_again(); };
  asked.sinks.caller_left = [&watch] { return watch.gone(); };
  node_host::ExecOutcome outcome = co_await core.context.corridor.walk(std::move(asked));
  place->leave();
  if (watch.gone() || outcome.cancelled()) co_return std::nullopt;
  row_id = outcome.row_id;
  reply.run_id = outcome.run_id;
  if (const node_host::Denied* denied = outcome.denied()) {
    reply.exit_code = kExitNotStarted;
    tell_denial(core, caller, *denied, reply.head);
  } else {
    tell_end(core, request, std::get<node_host::Finished>(outcome.end).run, reply);
  }
  outcome = {};
  co_return build_exec_reply(reply);
}

}  // namespace hostclaw::hostlink
