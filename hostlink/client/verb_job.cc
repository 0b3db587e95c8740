// SPDX-License-Identifier: Apache-2.0
// job list|status|tail|wait|cancel. Following and waiting ask again and again: the protocol has no other way.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>

#include "base/text.h"
#include "base/utf8.h"
#include "hostlink/client/local_files.h"
#include "hostlink/client/session.h"
#include "hostlink/proto/members.h"

namespace hostclaw::hostlink {
namespace {

using JobClock = std::chrono::steady_clock;

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

Request job_request(JobAction action, const std::string& id = {}) {
  Request request;
  request.type = RequestType::kJob;
  request.action = action;
  request.job_id = id;
  return request;
}

Outcome outcome_of_job(const JobRecord& job) {
  if (job.state == "timeout") return {Ending::kTimeout, 0};
  if (job.state != "exited") return {Ending::kRefused, 0};  // it has no status of its own
  ReplyHead ended;
  return outcome_of(ended, job.exit_code);
}

std::string job_line(const JobRecord& job) {
  std::string line = job.job_id + "  " + job.state;
  if (job.done) line += " exit=" + std::to_string(job.exit_code);
  line += "  " + std::to_string(job.duration_ms) + "ms  " + show_unseen(to_valid_utf8(job.command));
  return line + "\n";
}

std::string job_text(const JobRecord& job) {
  std::string text = "job:       " + job.job_id + "\nstate:     " + job.state +
                     "\ncommand:   " + show_unseen(to_valid_utf8(job.command)) + "\n";
  if (!job.workdir.empty()) text += "workdir:   " + show_unseen(to_valid_utf8(job.workdir)) + "\n";
  if (job.done) text += "exit code: " + std::to_string(job.exit_code) + "\n";
  text += "duration:  " + std::to_string(job.duration_ms) +
          " ms\nstdout:    " + std::to_string(job.stdout_bytes) + " bytes" +
          (job.stdout_truncated ? " (truncated)" : "") + "\nstderr:    " + std::to_string(job.stderr_bytes) +
          " bytes" + (job.stderr_truncated ? " (truncated)" : "") + "\n";
  if (!job.error_msg.empty()) text += "error:     " + show_unseen(to_valid_utf8(job.error_msg)) + "\n";
  return text;
}

Outcome list_jobs(Session& session) {
  const auto answer = ask(session, job_request(JobAction::kList));
  if (!answer) return report(session, answer.error());
  if (session.options.json || answer->reply.head.status != ReplyStatus::kOk) return report(session, *answer);
  std::string lines;
  const auto jobs = answer->reply.object.find("jobs");
  if (jobs != answer->reply.object.end() && jobs->is_array()) {
    for (const Json& job : *jobs)
      if (job.is_object()) lines += job_line(job_record_from(job));
  }
  return print(lines);
}

// The answer of a job that is there; everything else has been reported.
struct JobAnswer {
  std::optional<Answer> answer;
  Outcome outcome;
};

JobAnswer ask_job(Session& session, const Request& request) {
  auto answer = ask(session, request);
  if (!answer) return {std::nullopt, report(session, answer.error())};
  if (answer->reply.head.status != ReplyStatus::kOk) return {std::nullopt, report(session, *answer)};
  return {std::move(*answer), {}};
}

Outcome show_job(Session& session, const std::string& id) {
  const JobAnswer job = ask_job(session, job_request(JobAction::kStatus, id));
  if (!job.answer) return job.outcome;
  return print(session.options.json ? one_line(*job.answer)
                                    : job_text(job_record_from(job.answer->reply.object)));
}

void pause_between_looks(const Session& session, std::int64_t most) {
  ::poll(nullptr, 0, static_cast<int>(std::min(session.options.interval_ms, most)));
}

// What there is of a stream from `offset` on, to `fd`. With `follow` until the job ends.
Outcome copy_output(Session& session, const std::string& id, bool is_stderr, bool follow, int fd) {
  Request request = job_request(JobAction::kTail, id);
  request.tail_stderr = is_stderr;
  request.max_bytes = kMaxTailBytes;
  for (;;) {
    const JobAnswer job = ask_job(session, request);
    if (!job.answer) return job.outcome;
    const TailReply tail = tail_reply_from(job.answer->reply);
    if (session.options.json) {
      if (const Outcome printed = print(one_line(*job.answer)); printed.ending != Ending::kOk) return printed;
    } else if (const auto written = write_fully(fd, tail.data, "the output"); !written) {
      return report(session, written.error());
    }
    const bool more = tail.next_offset > request.offset;
    request.offset = std::max(request.offset, tail.next_offset);
    if (more) continue;
    if (!follow || tail.record.done) return {};
    pause_between_looks(session, session.options.interval_ms);
  }
}

Outcome tail_job(Session& session, const std::string& id) {
  const bool is_stderr = session.options.job_stderr;
  if (session.options.json && !session.options.follow) {
    Request request = job_request(JobAction::kTail, id);
    request.tail_stderr = is_stderr;
    const JobAnswer job = ask_job(session, request);
    return job.answer ? print(one_line(*job.answer)) : job.outcome;
  }
  return copy_output(session, id, is_stderr, session.options.follow, STDOUT_FILENO);
}

Outcome wait_for_job(Session& session, const std::string& id) {
  const auto begun = JobClock::now();
  for (;;) {
    const JobAnswer job = ask_job(session, job_request(JobAction::kStatus, id));
    if (!job.answer) return job.outcome;
    const JobRecord record = job_record_from(job.answer->reply.object);
    if (record.done) {
      if (session.options.json) return print(one_line(*job.answer), outcome_of_job(record));
      if (session.options.job_output) {
        for (const bool is_stderr : {false, true}) {
          const Outcome copied =
              copy_output(session, id, is_stderr, false, is_stderr ? STDERR_FILENO : STDOUT_FILENO);
          if (copied.ending != Ending::kOk) return copied;
        }
      }
      print_message(session, "job " + id + " " + record.state + " exit=" + std::to_string(record.exit_code) +
                                 " time=" + std::to_string(record.duration_ms) + "ms");
      return outcome_of_job(record);
    }
    const auto waited =
        std::chrono::duration_cast<std::chrono::milliseconds>(JobClock::now() - begun).count();
    const std::int64_t left = session.options.wait_timeout_ms.value_or(kNoLimit) - waited;
    if (left <= 0)
      return report(session, make_error("WAIT_TIMED_OUT", "job " + id + " is still " + record.state,
                                        "hostlink job wait " + id));
    pause_between_looks(session, left);
  }
}

Outcome cancel_job(Session& session, const std::string& id) {
  Request request = job_request(JobAction::kCancel, id);
  request.kill = session.options.kill;
  const JobAnswer job = ask_job(session, request);
  if (!job.answer) return job.outcome;
  const bool signalled = true_member(job.answer->reply.object, "signalled");
  const Outcome outcome{signalled ? Ending::kOk : Ending::kRefused, 0};
  if (session.options.json) return print(one_line(*job.answer), outcome);
  if (!signalled) {
    explain(session, job.answer->reply.head);
    return outcome;
  }
  return print("job " + id + " got " + (session.options.kill ? "KILL" : "TERM") + "\n");
}

}  // namespace

Outcome run_job(Session& session) {
  const Error usage = make_error("USAGE", "job needs a word of list, status ID, tail ID, wait ID, cancel ID",
                                 "hostlink job list");
  if (session.words.empty()) return report(session, usage);
  const std::string action = session.words[0];
  if (action == "list" && session.words.size() == 1) return list_jobs(session);
  if (session.words.size() != 2) return report(session, usage);
  const std::string& id = session.words[1];
  if (!is_job_id(id))
    return report(session,
                  make_error("USAGE", "a job's id has 12 digits of 0-9 and a-f", "hostlink job list"));
  if (action == "status") return show_job(session, id);
  if (action == "tail") return tail_job(session, id);
  if (action == "wait") return wait_for_job(session, id);
  if (action == "cancel") return cancel_job(session, id);
  return report(session, usage);
}

}  // namespace hostclaw::hostlink
