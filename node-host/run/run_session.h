// SPDX-License-Identifier: Apache-2.0
// One run, from its turn in the queue to the result.
// Thread rule: the executor's thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node-host/run/live_output.h"
#include "node-host/run/run_executor.h"
#include "node-host/run/run_output.h"
#include "node-host/run/run_output_pipe.h"
#include "node-host/run/run_processes.h"
#include "node-host/run/run_wakeup.h"
#include "node-host/run/run_working_directory.h"
#include "node-host/system/files/content_binding.h"
#include "node-host/system/process/run_roster.h"

namespace hostclaw::node_host {

// OpenClaw's launch error texts, exec contract 3.4.
std::string launch_error_text(const std::string& error_code);

// Launch errors of files that are not the judged ones any more.
inline constexpr const char* kExecutableChanged = "executable changed between decision and spawn";
inline constexpr const char* kDirectoryChanged = "working directory changed between decision and spawn";

// What makes the mark of a run's processes one that nobody else has.
std::string random_mark();

class RunSession {
 public:
  struct Context {
    boost::asio::any_io_executor executor;
    RunExecutor::Settings settings;
    NativeHandle null_input = -1;  // at its end
    bool alone = false;            // this process has no child and no other run
    RunRoster* roster = nullptr;   // never null
  };

  RunSession(const Context& context, policy::ExecutionPlan plan, std::shared_ptr<OpenedFiles> files,
             RunOptions options);
  ~RunSession();
  RunSession(const RunSession&) = delete;
  RunSession& operator=(const RunSession&) = delete;

  boost::asio::awaitable<RunOutcome> run();
  void cancel();
  void joined_by_another() { alone_ = false; }

 private:
  // What became of one command of a pipeline.
  struct Stage {
    std::optional<std::size_t> program;  // index in processes_
    int status = 0;                      // of a builtin or a failed launch
  };
  struct Streams {
    NativeHandle input;
    NativeHandle output;
    NativeHandle error;
  };

  std::string working_directory() const;
  void open_executables();
  // Each fills outcome_.launch_error and returns false when the run must not go on.
  bool check_arguments();
  bool open_working_directory();
  bool open_streams();
  bool open_terminal();
  void attach_control();
  void follow_control();
  bool output_is_held() const;
  bool still_as_judged();

  boost::asio::awaitable<bool> permitted();
  boost::asio::awaitable<void> run_pipelines();
  boost::asio::awaitable<void> run_pipeline(const policy::PlannedPipeline& pipeline, bool last);
  boost::asio::awaitable<void> settle();
  bool start_stages(const policy::PlannedPipeline& pipeline, std::vector<Stage>& stages);
  // False when the run must not go on.
  bool start_stage(const policy::PlannedCommand& command, const Streams& streams, bool alone, Stage& stage);
  bool still_judged(const policy::PlannedCommand& command);
  // What is handed to spawn in the place of files that could change meanwhile.
  struct Binding {
    LaunchForm form = LaunchForm::kProgram;
    UniqueFd executable;  // a sealed copy, or none
    std::optional<BoundOperand> operand;
    std::optional<Error> problem;
  };
  // False when something is no longer what was judged.
  bool bind(const policy::PlannedCommand& command, const WriteLease& lease, Binding& binding);
  bool bind_script(const policy::PlannedCommand& command, Binding& binding);
  bool refuse_changed();
  bool launch_failed(const policy::PlannedCommand& command, const Error& error, const Streams& streams,
                     Stage& stage);
  int run_builtin(const policy::PlannedCommand& command, const Streams& streams, bool alone);
  void write_text(NativeHandle target, const std::string& text);
  void take_status(const policy::PlannedPipeline& pipeline, const std::vector<Stage>& stages);

  bool interrupted();  // cancelled or out of time; notes which
  boost::asio::awaitable<bool> wait_until_ended();
  void take(Stream stream, std::string_view bytes);
  NativeHandle first_input() const;
  std::chrono::milliseconds kill_grace() const;
  void show_output();  // from now on
  void list(std::size_t program);
  void leave_roster();
  void watch_streams();
  void report_status();
  void close_streams();

  Context context_;
  policy::ExecutionPlan plan_;
  std::shared_ptr<OpenedFiles> files_;
  RunOptions options_;
  RunOutcome outcome_;
  OutputCapture capture_;
  std::optional<LiveOutput> live_;
  std::shared_ptr<Wakeup> wakeup_;
  std::shared_ptr<RunProcesses> processes_;
  std::shared_ptr<OutputPipe> output_;
  std::shared_ptr<OutputPipe> error_;
  UniqueFd terminal_;    // our end, for another size
  UniqueFd output_end_;  // writing ends that children get
  UniqueFd error_end_;
  RunEnvironment environment_;
  WorkingDirectory directory_;
  std::string marker_;
  std::vector<std::size_t> listed_;      // places in the roster
  std::vector<std::string> read_later_;  // scripts that started programs may still be reading
  std::optional<SteadyTime> deadline_;
  SteadyTime last_output_;
  bool single_ = false;   // one program: launch failures and signals are reported as they are
  bool stopped_ = false;  // refused or failed to launch: nothing more is started
  bool cancelled_ = false;
  bool alone_ = false;                   // an unknown orphan can only be ours
  int last_status_ = 0;                  // as a shell counts
  std::optional<ExitStatus> last_exit_;  // of the last program, when its pipeline was not negated
};

}  // namespace hostclaw::node_host
