// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/door_core.h"

namespace hostclaw::hostlink {
namespace {

// Text that no answer on this machine would have allowed differently under security=full.
bool would_run_if_open(const policy::Decision& decision) {
  const policy::DecisionLayer layer = layer_of(decision.code);
  return layer == policy::DecisionLayer::kDocument || layer == policy::DecisionLayer::kAnalysis ||
         decision.verdict == policy::Verdict::kAsk;
}

struct BusyWords {
  std::string_view text;
  std::string_view next;
};

BusyWords words_of(Busy with) {
  switch (with) {
    case Busy::kCommands:
      return {kBusyCommands,
              "send the same request again when a command has ended; for more at once: max_concurrent in the "
              "daemon's configuration"};
    case Busy::kTransfers:
      return {kBusyTransfers,
              "send the same request again when a transfer has ended; for more at once: max_concurrent_io in "
              "the daemon's configuration"};
    case Busy::kJobs:
      return {kBusyCommands, "hostlink job list, then hostlink job wait ID or hostlink job cancel ID"};
    case Busy::kTokenChecks:
      return {kBusyTokenChecks,
              "send the same request again in a moment; a token of `hostclaw hostlink token add` never waits "
              "for that"};
    case Busy::kStreams:
      return {kBusyStreams, "send the same request again when another one of this connection has ended"};
    case Busy::kConnections:
      return {kBusyConnections, "end connections of this token, then send the same request again"};
    case Busy::kRequests:
      return {kBusyRequests, "send the same request again in a moment, or use put-stream"};
  }
  return {};
}

}  // namespace

void tell_busy(Busy with, ReplyHead& head) {
  const BusyWords words = words_of(with);
  head.status = ReplyStatus::kError;
  head.error_msg = std::string(words.text);
  head.code = std::string(kBusyCode);
  head.next = std::string(words.next);
}

std::string busy_reply(Busy with, ReplyHead head) {
  tell_busy(with, head);
  return build_failure(head);
}

void tell_denial(DoorCore& core, const Caller& caller, const node_host::Denied& denied, ReplyHead& head) {
  const policy::Decision& decision = denied.decision;
  head.status =
      decision.verdict == policy::Verdict::kInvalid ? ReplyStatus::kBadRequest : ReplyStatus::kError;
  head.code = to_string(decision.code);
  head.layer = decision.layer;
  head.explanation = decision.explanation;
  head.next = decision.next;
  std::string text = "denied by the policy of this host (" + head.code + ", " + head.layer + ")";
  if (!decision.explanation.empty()) text += ": " + decision.explanation;
  if (!denied.open_question.empty()) {
    text +=
        " A person can still allow it; send the same request again when they have. For them, on the host: "
        "hostclaw approvals resolve " +
        denied.open_question + " allow-once";
    head.next = "hostclaw approvals resolve " + denied.open_question + " allow-once";
  } else {
    if (denied.nobody_asked) text += " Nobody could be asked: " + denied.nobody_asked->message + ".";
    text += " Do not retry it unchanged.";
    if (!decision.next.empty()) text += " For the operator, on the host: " + decision.next;
  }
  if (would_run_if_open(decision) && core.told_of_policy.insert(caller.token.name).second) {
    text += " (Said once: `hostclaw hostlink token set " + caller.token.name +
            " --security full` on the host lets this token run everything, as hostlinkd did.)";
  }
  head.error_msg = std::move(text);
}

}  // namespace hostclaw::hostlink
