// SPDX-License-Identifier: Apache-2.0
// Runs an ExecutionPlan: pipelines of programs without a shell, in a process tree that this host owns.
//
// - the executable and the working directory are spawned from the descriptors that were judged
// - each program leads a session and process group of its own; stdin at end-of-file; no descriptor but 0-2
//   reaches a child (a script may get one more, see system/spawn.h)
// - deadlines on a steady clock; on timeout and cancel the whole tree ends, children that called setsid too
//   (SIGTERM, 300 ms, SIGKILL), and the result comes only after the tree is gone
// - an exit status of zero leaves background children alone, as upstream does; non-zero ends the group
// - with an exit status of zero and a stream still open: without a timeout reading ends 100 ms after the last
//   output, at the latest after 1 s; with one it goes on until the streams close or the time is up (124)
// - output is captured as bytes, both streams together up to a cap, head kept; the rest is counted and
// dropped
// - several programs behave as in a POSIX shell (pipefail off): one that cannot be launched gives 127 or 126
// and a
//   line on stderr, one that a signal ended counts 128 + signal; a plan of one program reports both as they
//   are
// - with control groups (Settings::control_groups) a clean-up ends all that is in the run's group, after a
//   failure too; what a run with an exit status of zero leaves stays as without them
// - children carry HOSTCLAW_RUN=<random> in their environment: a mark to find them by, not a secret
// - at most `max_concurrent` runs at once, the rest wait in order; waiting does not eat the run time
//
// On Windows a job object is the tree: all of it ends at once and without a grace, for programs without a
// window there is no gentler way; what a failed program left ends too. A program that this ended counts as
// killed (signal 9). An exit code of 32 bits is shown as a signed number. After an exit code of zero the
// limit that ties the tree to this process is lifted, so that background children stay. Files are held
// against writing until the last program has started, scripts until the run is over. Output that is not UTF-8
// is read as UTF-16 or in the console's code page.
//
// Source: exec contract section 13.1. Thread rule: the executor's io_context thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "node-host/run/run_control.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/process/control_group.h"
#include "node-host/system/process/resource_use.h"
#include "policy/model/execution_plan.h"

namespace hostclaw::node_host {

struct OutputLimits {
  std::uint64_t max_bytes = 200'000;  // stdout and stderr together
  // What a door's peers expect instead: so much of each stream for itself, kept as the bytes they are.
  struct Raw {
    std::uint64_t standard_output = 0;
    std::uint64_t standard_error = 0;
  };
  std::optional<Raw> raw;
};

struct StreamOutput {
  std::string text;  // valid UTF-8; ill-formed bytes shown as U+FFFD
  std::uint64_t total_bytes = 0;
  std::uint64_t kept_bytes = 0;
  std::uint64_t dropped_bytes = 0;
  std::uint64_t replaced = 0;  // ill-formed sequences shown as U+FFFD
  std::string bytes;  // with OutputLimits::raw: what was kept, as it came; `text` is then its end alone
};

struct RunOutcome {
  std::optional<int> exit_code;  // absent: killed by a signal or never started
  std::optional<int> signal;     // the signal that ended the last program
  bool timed_out = false;
  bool cancelled = false;
  std::string launch_error;  // empty, or OpenClaw's launch error text (exec contract 3.4)
  std::string cancelled_by;  // a person of this machine who ended it; then launch_error says so
  StreamOutput standard_output;
  StreamOutput standard_error;
  bool truncated = false;
  std::int64_t leader_pid = 0;   // of the first program started, 0 when none
  std::size_t left_alive = 0;    // processes that did not end although they were killed
  bool goes_on = false;          // it is kept, and this process waits no longer: nothing else is known
  std::int64_t ended_at_ms = 0;  // of a kept run that ended while nobody looked; 0: just now
  ResourceUse used;              // until its end; what it left in the background uses more
  std::chrono::nanoseconds duration{0};
  bool success() const { return exit_code == 0 && !timed_out && !cancelled && launch_error.empty(); }
};

// Cancels one run. Copyable; cancel() may be called at any time, also before the run starts or after it
// ended. Thread rule: the executor's thread.
class RunCancellation {
 public:
  RunCancellation();
  void cancel();
  bool cancelled() const;
  // `notify` is called once by cancel(), never when it was called before. One listener: the last one set.
  void on_cancel(std::function<void()> notify);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Has `notify` called by the cancellation for as long as it lives, so that a late cancel() touches nothing.
class CancelListener {
 public:
  CancelListener(RunCancellation cancellation, std::function<void()> notify)
      : cancellation_(std::move(cancellation)) {
    cancellation_.on_cancel(std::move(notify));
  }
  ~CancelListener() { cancellation_.on_cancel(nullptr); }
  CancelListener(const CancelListener&) = delete;
  CancelListener& operator=(const CancelListener&) = delete;

 private:
  RunCancellation cancellation_;
};

// A run that outlives this process (kept_runs.h): its output goes to files, which are made with mode 0600.
struct KeptOutput {
  std::string run_id;
  std::string standard_output;  // paths
  std::string standard_error;
  std::uint64_t max_bytes = 0;  // so much of each is written; the rest is counted
  // Once there is a file of this name nothing more is written; it is looked for now and then. Empty: none.
  std::string stop_file;
  // Nor once the files `stdout` and `stderr` of all directories below that one hold so many bytes together.
  // Empty: that is not looked at.
  std::string all;
  std::uint64_t max_bytes_of_all = 0;
};

// One that an earlier process of this program left.
struct KeptRun {
  std::string run_id;
  std::int64_t row = 0;
  std::string marker;
};

struct RunOptions {
  // Starts with before_spawn's answer, not while the run is queued; clamped to 1 ms .. 100 years.
  std::optional<std::chrono::milliseconds> timeout;
  OutputLimits limits;
  RunCancellation cancellation;
  // The mark of the run's processes begins with it (orphans.h); the rest is random. May be empty.
  std::string mark;
  // Awaited once, when the run has left the queue and everything is opened, immediately before the first
  // spawn; an error refuses the run (nothing is spawned, the error's message becomes launch_error). Not
  // awaited when the run ends before: cancelled, or with nothing to start.
  std::function<boost::asio::awaitable<std::optional<Error>>()> before_spawn;
  // The run's row in the table of runs, asked for after before_spawn has answered; 0: it has none. For
  // Settings::roster and Settings::live_output.
  std::function<std::int64_t()> row;
  // Every byte as it comes, also what is dropped by the limits, on the executor's thread.
  std::function<void(Stream, std::string_view)> on_output;
  // Standard input of the first program; none: at its end. Shared, because a plan may start again with it.
  std::shared_ptr<const UniqueFd> input;
  // Holds output back, sends signals; null: nobody does.
  std::shared_ptr<RunControl> control;
  // The programs have a terminal of this size: it is their standard input, output and error, and all of it
  // counts as output. `on_terminal` is given our end of it, to be written to, before they start.
  std::optional<TerminalSize> terminal;
  std::function<void(UniqueFd)> on_terminal;
  // Between SIGTERM and SIGKILL; absent: Settings::kill_grace.
  std::optional<std::chrono::milliseconds> kill_grace;
  // The run is over when its programs are, with a timeout too: background children that hold a stream are not
  // waited for.
  bool leaves_background = false;
  // It is to outlive this process, where runs_can_be_kept(); then `on_output`, `input`, `control` and
  // `terminal` mean nothing. Absent: it ends with this process.
  std::optional<KeptOutput> kept;
  // Behind `mark`, instead of random bytes. For keepers.
  std::string rest_of_mark = {};
};

// Runs what was judged; what the corridor knows of an executor.
class Runner {
 public:
  virtual ~Runner() = default;
  // Runs the plan to its end. `files` holds the descriptors that were judged. Never throws.
  virtual boost::asio::awaitable<RunOutcome> run(policy::ExecutionPlan plan,
                                                 std::shared_ptr<OpenedFiles> files, RunOptions options) = 0;
  // Waits for the end of a run that an earlier process left.
  virtual boost::asio::awaitable<RunOutcome> rejoin(KeptRun run, RunCancellation cancellation) = 0;
  // The end of a kept run is on record and told; until then the next process would find it.
  virtual void forget_kept(const std::string& run_id) = 0;
};

class RunExecutor final : public Runner {
 public:
  struct Settings {
    std::size_t max_concurrent = 64;
    std::chrono::milliseconds kill_grace{300};
    // After the grace, how long processes are killed that do not end (uninterruptible sleep).
    std::chrono::milliseconds give_up{10'000};
    // Told when a clean-up is given up, with the run's outcome so far.
    std::function<void(const RunOutcome&)> on_left_alive;
    // Watch ends through pidfds. False: look every few milliseconds (what kernels before 5.3 fall back to).
    bool use_pidfd = true;
    // Where it is kept which process belongs to which run (system/run_roster.h); empty: nowhere.
    std::string roster = {};
    // Where the output of a run that takes longer than a moment can be read meanwhile (live_output.h); empty:
    // nowhere. What a node that died left there goes.
    std::string live_output = {};
    // A control group for each run (control_group.h); null: the tree is found by other means.
    std::shared_ptr<ControlGroups> control_groups = nullptr;
    // Where the directories of kept runs are (kept_runs.h); empty: none is kept.
    std::string kept = {};
    // Somebody else uses `live_output` too: what lies there stays.
    bool shares_live_output = false;
  };

  // Requires: `executor` is the only thread that calls this object. Makes this process the reaper of orphaned
  // descendants (PR_SET_CHILD_SUBREAPER): ended children that lead or belong to another session and were not
  // started by node-host/system/process/spawn.h are reaped here.
  RunExecutor(boost::asio::any_io_executor executor, Settings settings);
  ~RunExecutor() override;

  // A command whose file is no longer the judged one is refused with launch_error "executable changed between
  // decision and spawn".
  boost::asio::awaitable<RunOutcome> run(policy::ExecutionPlan plan, std::shared_ptr<OpenedFiles> files,
                                         RunOptions options) override;
  boost::asio::awaitable<RunOutcome> rejoin(KeptRun run, RunCancellation cancellation) override;
  void forget_kept(const std::string& run_id) override;
  // The kept runs that an earlier process left.
  std::vector<KeptRun> kept_runs();

  std::size_t running() const;
  std::size_t queued() const;

  // Ends every run (as cancel) and waits until each tree is gone; kept ones go on. Runs that come later are
  // cancelled at once.
  boost::asio::awaitable<void> shutdown();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // also held by the runs in progress
};

}  // namespace hostclaw::node_host
