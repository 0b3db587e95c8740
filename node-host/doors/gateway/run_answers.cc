// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/run_answers.h"

#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "node-host/corridor/judge.h"
#include "node-host/doors/gateway/denial_words.h"

namespace hostclaw::node_host {
namespace {

using gateway_proto::InvokeResult;

// OpenClaw's bound for `output` in exec.finished, in UTF-16 units.
constexpr std::size_t kEventOutputUnits = 20'000;

std::string event_output(const RunOutcome& outcome) {
  std::string joined;
  std::string_view text;
  for (const std::string* part :
       {&outcome.standard_output.text, &outcome.standard_error.text, &outcome.launch_error}) {
    if (part->empty()) continue;
    if (text.empty()) {
      text = *part;  // mostly the only one, and it may be long
      continue;
    }
    joined = std::string(text) + '\n' + *part;
    text = joined;
  }
  const std::string_view trimmed = trim(text);
  const std::string_view kept = utf16_suffix(trimmed, kEventOutputUnits);
  return kept.size() == trimmed.size() ? std::string(kept) : "... (truncated) " + std::string(kept);
}

JsonObjectText stream_counts(const StreamOutput& stream) {
  JsonObjectText counts(JsonPlace::kInString);
  counts.add("totalBytes", static_cast<std::int64_t>(stream.total_bytes));
  counts.add("keptBytes", static_cast<std::int64_t>(stream.kept_bytes));
  counts.add("droppedBytes", static_cast<std::int64_t>(stream.dropped_bytes));
  counts.add("replacedSequences", static_cast<std::int64_t>(stream.replaced));
  return counts;
}

// What system.run answers, as a JSON string.
std::string run_payload(const RunOutcome& outcome) {
  JsonObjectText payload(JsonPlace::kInString);
  if (outcome.exit_code) payload.add("exitCode", std::int64_t{*outcome.exit_code});
  payload.add("timedOut", outcome.timed_out).add("success", outcome.success());
  payload.add("stdout", outcome.standard_output.text).add("stderr", outcome.standard_error.text);
  if (outcome.launch_error.empty()) {
    payload.add_json("error", "null");
  } else {
    payload.add("error", outcome.launch_error);
  }
  // Members of ours; OpenClaw ignores what it does not know.
  if (outcome.signal) payload.add("signal", std::int64_t{*outcome.signal});
  JsonObjectText output(JsonPlace::kInString);
  output.add("truncated", outcome.truncated);
  output.add("stdout", stream_counts(outcome.standard_output));
  output.add("stderr", stream_counts(outcome.standard_error));
  payload.add("output", std::move(output));
  return payload.take_string();
}

// What both events tell of a request.
JsonObjectText event_payload(const policy::RunEvaluation& evaluation) {
  JsonObjectText payload(JsonPlace::kInString);
  payload.add("sessionKey", evaluation.session_key).add("runId", evaluation.run_id).add("host", "node");
  payload.add("command", evaluation.command_text);
  payload.add("suppressNotifyOnExit", evaluation.suppress_notify_on_exit);
  return payload;
}

InvokeResult denial_answer(const Denied& denied) {
  DenialWords words = denial_words(denied.decision);
  if (denied.nobody_asked) {
    const Error& failure = *denied.nobody_asked;
    words.message += "\nNobody could be asked: " + failure.message +
                     ". Next, on the node: " + (failure.next.empty() ? "hostclaw status" : failure.next);
  }
  if (!denied.open_question.empty())
    words.message +=
        "\nNobody has answered yet. Do not retry now; tell the operator. The question stays open on the "
        "node: "
        "hostclaw approvals resolve " +
        denied.open_question +
        " allow-once|allow-always|deny. Once it is allowed, the same command runs when it is sent again.";
  return InvokeResult::failure(std::move(words.code), std::move(words.message));
}

}  // namespace

InvokeResult run_answer(const ExecOutcome& outcome) {
  if (const Denied* denied = outcome.denied()) return denial_answer(*denied);
  return InvokeResult::success(run_payload(outcome.finished()->run));
}

std::optional<RunEvent> run_event(const ExecOutcome& outcome) {
  if (!outcome.judged) return std::nullopt;
  JsonObjectText payload = event_payload(std::get<JudgedRun>(outcome.judged->what).decided.evaluation);
  if (const Denied* denied = outcome.denied()) {
    const std::string reason = denial_words(denied->decision).event_reason;
    if (reason.empty()) return std::nullopt;
    payload.add("reason", reason);
    return RunEvent{"exec.denied", payload.take_string()};
  }
  const RunOutcome& run = outcome.finished()->run;
  if (run.exit_code) payload.add("exitCode", std::int64_t{*run.exit_code});
  payload.add("timedOut", run.timed_out).add("success", run.success()).add("output", event_output(run));
  return RunEvent{"exec.finished", payload.take_string()};
}

}  // namespace hostclaw::node_host
