// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/jobs.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <filesystem>

#include "approvals/platform/private_files.h"
#include "base/file_names.h"
#include "base/text.h"
#include "base/utf8.h"
#include "hostlink/door/commands.h"
#include "node-host/loop/background.h"
#include "node-host/loop/log.h"
#include "node-host/run/kept_runs.h"
#include "node-host/system/host/random_bytes.h"

namespace hostclaw::hostlink {

namespace asio = boost::asio;
using node_host::Stream;

namespace {

constexpr std::size_t kMostListed = 256;
constexpr std::size_t kMostRunning = 64;
constexpr std::size_t kMostOfToken = kMostRunning / 2;
// So many old ones go with one request.
constexpr std::size_t kForgottenAtOnce = 64;
// What is kept of all jobs together; the oldest that have ended make room.
constexpr std::size_t kMostKept = 4096;
constexpr std::uint64_t kMostSpooled = 1'073'741'824;
constexpr std::uint64_t kMostSpooledOfToken = kMostSpooled / 2;
constexpr std::size_t kIdBytes = 6;
constexpr const char* kRecordName = "job.json";
constexpr const char* kStopName = "/full";
constexpr std::chrono::seconds kLookAtSpools{1};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

struct Spool {
  File file;
  std::uint64_t written = 0;
  std::uint64_t came = 0;

  // Writes up to `most` in all, and what there is room for.
  void take(std::string_view bytes, std::uint64_t most, std::uint64_t room) {
    came += bytes.size();
    const auto fits = static_cast<std::size_t>(
        std::min<std::uint64_t>({bytes.size(), most - std::min(most, written), room}));
    if (fits == 0 || !file) return;
    const std::size_t done = std::fwrite(bytes.data(), 1, fits, file.get());
    std::fflush(file.get());
    written += done;
  }
};

Json record_json(const JobRecord& record, const std::string& token, const std::string& run_id) {
  return {{"job_id", record.job_id},
          {"state", record.state},
          {"command", record.command},
          {"created_at", record.created_at},
          {"ended_at", record.ended_at},
          {"exit_code", record.exit_code},
          {"duration_ms", record.duration_ms},
          {"stdout_bytes", record.stdout_bytes},
          {"stderr_bytes", record.stderr_bytes},
          {"stdout_original_bytes", record.stdout_original_bytes},
          {"stderr_original_bytes", record.stderr_original_bytes},
          {"timeout_ms", record.timeout_ms},
          {"pid", record.pid},
          {"workdir", record.workdir},
          {"error_msg", record.error_msg},
          {"token", token},
          {"run", run_id}};
}

std::string read_file(const std::string& path, std::uint64_t offset, std::size_t most) {
  const File file(open_file(path, "rb"));
  if (!file || std::fseek(file.get(), static_cast<long>(offset), SEEK_SET) != 0) return {};
  std::string bytes(most, '\0');
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file.get()));
  return bytes;
}

}  // namespace

struct Jobs::Job {
  explicit Job(const asio::any_io_executor& executor) : changed(executor) {
    changed.expires_at(asio::steady_timer::time_point::max());
  }
  JobRecord record;
  std::string directory;
  std::string token;
  std::string run_id;
  std::uint64_t order = 0;
  std::uint64_t counted = 0;  // of the output that is kept
  bool full = false;          // nothing more of it is kept
  bool kept = false;          // it outlives this process, and its keeper writes its output
  Spool out;
  Spool err;
  bool begun = false;
  bool over = false;
  std::string refusal;  // the answer to who wanted it, when it did not begin
  std::int64_t row_id = 0;
  node_host::RunCancellation cancellation;
  bool cancelled = false;
  asio::steady_timer changed;  // a condition: cancelled when it has begun, and when it is over

  void write(bool first) {
    const std::string path = directory + "/" + kRecordName;
    const std::string text = dump_json(record_json(record, token, run_id));
    const std::string target = first ? path : path + ".new";
    std::error_code error;
    std::filesystem::remove(to_path(target), error);  // what a daemon that was killed left
    auto file = approvals::open_new_private_file(target);
    if (!file) return node_host::log_warn("a job could not be written down: " + file.error().message);
    const File owned(*file);
    if (std::fwrite(text.data(), 1, text.size(), owned.get()) != text.size() || std::fflush(owned.get()) != 0)
      return node_host::log_warn("a job could not be written down: " + path);
    if (!first) std::filesystem::rename(to_path(target), to_path(path), error);
    if (!first && error) node_host::log_warn("a job could not be written down: " + path);
  }

  // What the keeper of a run has written.
  void look() {
    for (auto [name, spool] : {std::pair("/stdout", &out), std::pair("/stderr", &err)}) {
      spool->written = approvals::file_size_or_zero(directory + name);
      spool->came = std::max(spool->came, spool->written);
    }
  }

  void count() {
    if (kept && !over) look();
    record.stdout_bytes = out.written;
    record.stderr_bytes = err.written;
    record.stdout_original_bytes = out.came;
    record.stderr_original_bytes = err.came;
    record.stdout_truncated = out.came > out.written;
    record.stderr_truncated = err.came > err.written;
  }
};

Jobs::Jobs(DoorCore& core) : core_(core), spool_timer_(core.context.executor) {}
Jobs::~Jobs() = default;

Result<void> Jobs::open() {
  const std::string directory = core_.config.output_tmpdir + "/jobs";
  if (auto made = approvals::ensure_private_directory(core_.config.output_tmpdir); !made) return made;
  if (auto made = approvals::ensure_private_directory(directory); !made) return made;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(to_path(directory), error)) {
    const std::string id = to_text(entry.path().filename());
    if (!is_job_id(id)) continue;
    const auto json = parse_json(read_file(to_text(entry.path()) + "/" + kRecordName, 0, 1'048'576));
    if (!json || !json->is_object()) continue;
    auto job = std::make_shared<Job>(core_.context.executor);
    job->record = job_record_from(*json);
    job->record.job_id = id;
    job->directory = to_text(entry.path());
    if (const auto token = json->find("token"); token != json->end() && token->is_string())
      job->token = token->get<std::string>();
    if (const auto run = json->find("run"); run != json->end() && run->is_string())
      job->run_id = run->get<std::string>();
    job->begun = job->over = true;
    job->out.written = approvals::file_size_or_zero(job->directory + "/stdout");
    job->err.written = approvals::file_size_or_zero(job->directory + "/stderr");
    job->out.came = std::max(job->record.stdout_original_bytes, job->out.written);
    job->err.came = std::max(job->record.stderr_original_bytes, job->err.written);
    job->count();
    if (is_one_of(job->record.state, {"starting", "running"})) {
      if (auto run = core_.context.corridor.taken_up(job->run_id)) {
        take_up(job, std::move(run));
      } else {
        job->record.state = "lost";
        job->record.error_msg = "it ended with the daemon, and nobody knows how";
        job->record.ended_at = core_.context.clock.unix_ms() / 1000;
        job->write(false);
      }
    }
    count_spool(*job);
    job->record.done = job->over;
    jobs_[id] = job;
  }
  std::vector<std::shared_ptr<Job>> by_age;
  for (const auto& [id, job] : jobs_) by_age.push_back(job);
  std::sort(by_age.begin(), by_age.end(), [](const auto& left, const auto& right) {
    return left->record.created_at < right->record.created_at;
  });
  for (const auto& job : by_age) job->order = next_++;
  watch();
  return {};
}

// One that went on while no daemon was there.
void Jobs::take_up(const std::shared_ptr<Job>& job, std::shared_ptr<node_host::TakenUp> run) {
  job->kept = true;
  job->over = false;
  job->row_id = run->row_id;
  job->cancellation = run->cancellation;
  node_host::start_background(core_.context.executor, "a job of HostLink that went on",
                              [this, job, run]() -> asio::awaitable<void> {
                                while (!run->over)
                                  (void)co_await run->changed.async_wait(asio::as_tuple(asio::use_awaitable));
                                if (run->outcome.goes_on) {
                                  ++go_on_;
                                } else {
                                  end(*job, &run->outcome);
                                  if (run->recorded) core_.context.corridor.forget_kept(job->run_id);
                                  co_await core_.context.corridor.delivered(job->row_id);
                                }
                                job->over = true;
                                job->changed.cancel();
                              });
}

// How it ended; null: it did not begin, or was cancelled before.
void Jobs::end(Job& job, const node_host::RunOutcome* run) {
  job.record.ended_at = core_.context.clock.unix_ms() / 1000;
  job.record.state = "exited";
  const bool ended_by_caller = run != nullptr && run->cancelled && run->cancelled_by.empty();
  if (run == nullptr || ended_by_caller) {
    // A daemon before this one, or somebody else, may have ended a run that is kept.
    const bool cancelled = job.cancelled || (ended_by_caller && job.kept);
    job.record.state = cancelled ? "exited" : "error";
    job.record.exit_code = cancelled ? kFirstSignalStatus + 15 : kExitNotStarted;
  } else {
    if (run->ended_at_ms > 0) job.record.ended_at = run->ended_at_ms / 1000;
    job.record.pid = run->leader_pid;
    job.record.duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(run->duration).count();
    job.record.exit_code = run->exit_code ? *run->exit_code : kFirstSignalStatus + run->signal.value_or(0);
    if (run->timed_out) {
      job.record.state = "timeout";
      job.record.exit_code = kExitTimeout;
    } else if (!run->launch_error.empty()) {
      job.record.state = "error";
      job.record.exit_code = kExitNotStarted;
      job.record.error_msg = run->launch_error;
    }
  }
  job.record.done = true;
  if (job.kept) job.look();
  if (job.kept && run != nullptr) {
    job.out.came = std::max(job.out.written, run->standard_output.total_bytes);
    job.err.came = std::max(job.err.written, run->standard_error.total_bytes);
  }
  job.over = true;
  count_spool(job);
  job.count();
  job.out.file.reset();
  job.err.file.reset();
  if (job.begun) job.write(false);
}

std::size_t Jobs::running() const {
  return starting_.size() +
         static_cast<std::size_t>(std::count_if(jobs_.begin(), jobs_.end(),
                                                [](const auto& entry) { return !entry.second->over; }));
}

// What it keeps of its output counts for its token and for all.
void Jobs::count_spool(Job& job) {
  const std::uint64_t now = job.out.written + job.err.written;
  std::uint64_t& of_token = spooled_of_[job.token];
  spooled_ += now - std::min(now, job.counted);
  of_token += now - std::min(now, job.counted);
  job.counted = std::max(now, job.counted);
}

std::uint64_t Jobs::room_for(const std::string& token) {
  const std::uint64_t of_token = spooled_of_[token];
  return std::min(kMostSpooled - std::min(kMostSpooled, spooled_),
                  kMostSpooledOfToken - std::min(kMostSpooledOfToken, of_token));
}

// Keepers write by themselves: while there are any it is looked whether there is still room for what they do.
asio::awaitable<void> Jobs::watch_spools() {
  const auto is_kept = [](const auto& entry) { return entry.second->kept && !entry.second->over; };
  while (std::any_of(jobs_.begin(), jobs_.end(), is_kept)) {
    for (const auto& [id, job] : jobs_) {
      if (!job->kept || job->over) continue;
      job->look();
      count_spool(*job);
      if (room_for(job->token) == 0 && !job->full) {
        job->full = true;
        if (auto file = approvals::open_new_private_file(job->directory + kStopName)) std::fclose(*file);
      }
    }
    spool_timer_.expires_after(kLookAtSpools);
    if (const auto [stopped] = co_await spool_timer_.async_wait(asio::as_tuple(asio::use_awaitable)); stopped)
      break;
  }
  watching_ = false;
}

void Jobs::watch() {
  if (std::exchange(watching_, true)) return;
  node_host::start_background(core_.context.executor, "the room for output of jobs",
                              [this]() { return watch_spools(); });
}

void Jobs::forget(std::map<std::string, std::shared_ptr<Job>>::iterator job) {
  const std::uint64_t bytes = job->second->counted;
  spooled_ -= std::min(spooled_, bytes);
  std::uint64_t& of_token = spooled_of_[job->second->token];
  of_token -= std::min(of_token, bytes);
  approvals::remove_directory_tree(job->second->directory);
  jobs_.erase(job);
}

void Jobs::forget_old() {
  const std::int64_t now_s = core_.context.clock.unix_ms() / 1000;
  std::size_t forgotten = 0;
  for (auto it = jobs_.begin(); it != jobs_.end() && forgotten < kForgottenAtOnce;) {
    const auto job = it++;
    if (!job->second->over || job->second->record.ended_at + core_.config.job_retention_s >= now_s) continue;
    forget(job);
    ++forgotten;
  }
  for (; forgotten < kForgottenAtOnce; ++forgotten) {
    const bool too_many = jobs_.size() > kMostKept;
    if (!too_many && spooled_ <= kMostSpooled / 4 * 3) return;
    auto oldest = jobs_.end();
    for (auto it = jobs_.begin(); it != jobs_.end(); ++it) {
      const Job& job = *it->second;
      const bool frees = too_many || job.out.written + job.err.written > 0;
      if (job.over && frees && (oldest == jobs_.end() || job.order < oldest->second->order)) oldest = it;
    }
    if (oldest == jobs_.end()) return;
    forget(oldest);
  }
}

std::size_t Jobs::running_of(const std::string& token) const {
  const auto is_own = [&token](const std::shared_ptr<Job>& job) { return !job->over && job->token == token; };
  return static_cast<std::size_t>(
      std::count_if(starting_.begin(), starting_.end(), is_own) +
      std::count_if(jobs_.begin(), jobs_.end(), [&](const auto& entry) { return is_own(entry.second); }));
}

asio::awaitable<std::string> Jobs::detach(Caller caller, Request request, std::int64_t& row_id) {
  forget_old();
  ReplyHead head = core_.head(request.id);
  const auto refuse = [&head](std::string text) {
    head.status = ReplyStatus::kError;
    head.error_msg = std::move(text);
    return build_failure(head);
  };
  if (!caller.token.rights.jobs) caller.origin.may_run = false;
  if (core_.closing) co_return refuse(std::string(kStopping));
  if (running() >= kMostRunning || running_of(caller.token.name) >= kMostOfToken) {
    co_return busy_reply(Busy::kJobs, head);
  }
  auto job = std::make_shared<Job>(core_.context.executor);
  job->record.job_id = to_hex(node_host::random_bytes(kIdBytes));
  job->record.state = "starting";
  job->record.command = request.command;
  job->record.workdir = request.workdir.value_or("");
  job->record.created_at = core_.context.clock.unix_ms() / 1000;
  const std::int64_t wanted = request.job_timeout_ms && *request.job_timeout_ms > 0
                                  ? *request.job_timeout_ms
                                  : core_.config.job_default_timeout_ms;
  job->record.timeout_ms = std::min(wanted, core_.config.job_max_timeout_ms);
  job->token = caller.token.name;
  job->order = next_++;
  job->directory = core_.config.output_tmpdir + "/jobs/" + job->record.job_id;

  node_host::ExecRequest asked = exec_request_of(core_, caller, request);
  std::get<node_host::RunAsked>(asked.what).command.timeout_ms = job->record.timeout_ms;
  asked.cancellation = job->cancellation;
  asked.form.output->raw =
      node_host::OutputLimits::Raw{65'536, 65'536};  // of the record; the rest is spooled
  job->kept = node_host::runs_can_be_kept();
  if (job->kept) {
    node_host::KeptOutput kept;
    kept.standard_output = job->directory + "/stdout";
    kept.standard_error = job->directory + "/stderr";
    kept.stop_file = job->directory + kStopName;
    kept.all = core_.config.output_tmpdir + "/jobs";
    kept.max_bytes_of_all = kMostSpooled;
    kept.max_bytes =
        std::min(static_cast<std::uint64_t>(core_.config.job_max_spool_bytes), room_for(job->token));
    asked.form.kept = std::move(kept);
  }
  asked.sinks.begins = [this, job](const std::string& run_id) {
    job->run_id = run_id;
    job->record.state = "running";
    if (auto made = approvals::ensure_private_directory(job->directory); made) {
      for (auto [name, spool] : {std::pair("/stdout", &job->out), std::pair("/stderr", &job->err)}) {
        if (job->kept) break;
        if (auto file = approvals::open_new_private_file(job->directory + name)) spool->file.reset(*file);
      }
      job->write(true);
    }
    starting_.erase(job);
    jobs_[job->record.job_id] = job;
    job->begun = true;
    job->changed.cancel();
    if (job->kept) watch();
  };
  asked.sinks.output = [this, job](Stream stream, std::string_view bytes) {
    Spool& spool = stream == Stream::kStandardOutput ? job->out : job->err;
    spool.take(bytes, static_cast<std::uint64_t>(core_.config.job_max_spool_bytes), room_for(job->token));
    count_spool(*job);
  };
  starting_.insert(job);
  const auto shared_request = std::make_shared<node_host::ExecRequest>(std::move(asked));
  const auto shared_caller = std::make_shared<Caller>(caller);
  node_host::start_background(
      core_.context.executor, "a job of HostLink",
      [this, job, shared_request, shared_caller, id = request.id]() -> asio::awaitable<void> {
        node_host::ExecRequest walking = std::move(*shared_request);
        node_host::ExecOutcome outcome = co_await core_.context.corridor.walk(std::move(walking));
        starting_.erase(job);
        job->row_id = outcome.row_id;
        if (const auto* denied = outcome.denied()) {
          ReplyHead told = core_.head(id);
          tell_denial(core_, *shared_caller, *denied, told);
          job->refusal = build_failure(told);
        }
        const node_host::Finished* finished = outcome.finished();
        if (finished != nullptr && finished->run.goes_on) {
          // The next daemon hears of its end.
          ++go_on_;
          job->over = true;
          job->changed.cancel();
          co_return;
        }
        end(*job, finished != nullptr ? &finished->run : nullptr);
        if (job->kept && outcome.end_recorded) core_.context.corridor.forget_kept(job->run_id);
        job->over = true;
        job->changed.cancel();
        co_await core_.context.corridor.delivered(job->row_id);
      });
  while (!job->begun && !job->over)
    (void)co_await job->changed.async_wait(asio::as_tuple(asio::use_awaitable));
  row_id = job->row_id;
  if (job->begun) co_return build_detached_reply(head, job->record.job_id);
  if (!job->refusal.empty()) co_return job->refusal;
  co_return refuse("the job did not begin");
}

std::shared_ptr<Jobs::Job> Jobs::find(const Caller& caller, const std::string& id) const {
  const auto it = jobs_.find(id);
  return it == jobs_.end() || it->second->token != caller.token.name ? nullptr : it->second;
}

asio::awaitable<std::string> Jobs::serve(const Caller& caller, const Request& request) {
  forget_old();
  ReplyHead head = core_.head(request.id);
  if (!caller.token.rights.jobs) {
    head.status = ReplyStatus::kError;
    head.error_msg = "denied: the token `" + caller.token.name + "` may have no jobs";
    head.code = "ORIGIN_NOT_GRANTED";
    co_return build_failure(head);
  }
  const std::int64_t now_s = core_.context.clock.unix_ms() / 1000;
  const auto fresh = [now_s](Job& job) -> const JobRecord& {
    job.count();
    if (!job.over) job.record.duration_ms = (now_s - job.record.created_at) * 1000;
    return job.record;
  };
  if (request.action == JobAction::kList) {
    std::vector<std::shared_ptr<Job>> own;
    for (const auto& [id, job] : jobs_)
      if (job->token == caller.token.name) own.push_back(job);
    std::sort(own.begin(), own.end(),
              [](const auto& left, const auto& right) { return left->order > right->order; });
    std::vector<JobRecord> records;
    for (const auto& job : own)
      if (records.size() < kMostListed) records.push_back(fresh(*job));
    co_return build_job_list(head, records);
  }
  const std::shared_ptr<Job> job = find(caller, request.job_id);
  if (!job) {
    head.status = ReplyStatus::kNotFound;
    head.error_msg = "no such job: " + request.job_id;
    co_return build_failure(head);
  }
  switch (request.action) {
    case JobAction::kTail: {
      TailReply reply;
      reply.head = head;
      reply.record = fresh(*job);
      reply.is_stderr = request.tail_stderr;
      reply.offset = request.offset;
      const std::string path = job->directory + (request.tail_stderr ? "/stderr" : "/stdout");
      const auto most = static_cast<std::size_t>(std::min(request.max_bytes, kMaxTailBytes));
      std::string bytes = read_file(path, request.offset, most);
      // While more can come, a character is not cut in two.
      const std::size_t begun = incomplete_utf8_tail(bytes);
      const bool more_can_come = !job->over || bytes.size() == most;
      if (more_can_come && begun < bytes.size()) bytes.resize(bytes.size() - begun);
      reply.next_offset = request.offset + bytes.size();
      reply.data = std::move(bytes);
      co_return build_tail_reply(reply);
    }
    case JobAction::kCancel: {
      const bool lives = !job->over;
      if (lives) {
        job->cancelled = true;
        job->cancellation.cancel();
      } else {
        head.error_msg = "the job has ended already";
      }
      co_return build_cancel_reply(head, fresh(*job), lives);
    }
    default:
      co_return build_job_reply(head, fresh(*job));
  }
}

asio::awaitable<void> Jobs::finish() {
  std::vector<std::shared_ptr<Job>> living(starting_.begin(), starting_.end());
  for (const auto& [id, job] : jobs_)
    if (!job->over) living.push_back(job);
  spool_timer_.cancel();
  for (const auto& job : living) {
    if (job->kept && job->begun) continue;
    job->record.error_msg = "the daemon was stopped";
    job->cancellation.cancel();
  }
  for (const auto& job : living)
    while (!job->over) (void)co_await job->changed.async_wait(asio::as_tuple(asio::use_awaitable));
  if (go_on_ > 0)
    node_host::log_info("hostlink: " + std::to_string(go_on_) +
                        (go_on_ == 1 ? " job goes on" : " jobs go on") + " without this daemon");
}

}  // namespace hostclaw::hostlink
