// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_session.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

#include "base/text.h"
#include "node-host/run/run_input.h"
#include "node-host/run/unattended.h"
#include "node-host/system/files/path_ownership.h"
#include "node-host/system/host/host_facts.h"
#include "node-host/system/host/random_bytes.h"
#include "node-host/system/host/system_error.h"
#include "node-host/system/process/orphans.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

constexpr auto kMoment = std::chrono::milliseconds(1);
// Until then nobody can have asked to see it, and most are over.
constexpr auto kUnseen = std::chrono::milliseconds(200);
constexpr auto kQuietAfterExit = std::chrono::milliseconds(100);
constexpr auto kLongestAfterExit = std::chrono::seconds(1);
constexpr std::chrono::milliseconds kLongestTimeout = std::chrono::hours(24 * 365 * 100);
constexpr int kTimedOutCode = 124;
constexpr int kNotFoundStatus = 127;
constexpr int kNotExecutableStatus = 126;
constexpr int kFirstSignalStatus = 128;

std::string directory_error_text(const std::string& path, const std::string& code) {
  const char* what = code == "ENOTDIR" ? "is not a directory" : "does not exist";
  return std::string("node exec working directory ") + what + " on the node host: " + path +
         " (os reported: " + launch_error_text(code) + ")";
}

// Where a program asked what nobody could answer, its caller reads here what it was.
std::string shown_on_console(const std::string& text) {
  if (text.empty()) return {};
  return "\nhostclaw: out of time; a console of this run, which nobody sees, last showed:\n" + text;
}

bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

bool same_directory(const policy::FileIdentity& left, const policy::FileIdentity& right) {
  return left.device == right.device && left.inode == right.inode;
}

}  // namespace

std::string launch_error_text(const std::string& error_code) {
  const std::string_view missing = exhausted_what(error_code);
  return "Command failed during launch or output capture (" + error_code + ")" +
         (missing.empty() ? "" : ": this host has run out of " + std::string(missing));
}

std::string random_mark() {
  constexpr std::size_t kMarkerBytes = 16;
  return to_hex(random_bytes(kMarkerBytes));
}

RunSession::RunSession(const Context& context, policy::ExecutionPlan plan, std::shared_ptr<OpenedFiles> files,
                       RunOptions options)
    : context_(context),
      plan_(std::move(plan)),
      files_(files ? std::move(files) : std::make_shared<OpenedFiles>()),
      options_(std::move(options)),
      capture_(options_.limits),
      wakeup_(std::make_shared<Wakeup>(context_.executor)),
      last_output_(steady_clock::now()),
      alone_(context_.alone) {
  single_ = plan_.pipelines.size() == 1 && plan_.pipelines.front().commands.size() == 1;
}

RunSession::~RunSession() {
  if (options_.control) options_.control->detach();
  close_streams();
  leave_roster();
  if (processes_) processes_->abandon();
}

void RunSession::cancel() {
  cancelled_ = true;
  wakeup_->notify();
}

asio::awaitable<RunOutcome> RunSession::run() {
  const auto started = steady_clock::now();
  marker_ = options_.mark + (options_.rest_of_mark.empty() ? random_mark() : options_.rest_of_mark);
  processes_ =
      std::make_shared<RunProcesses>(context_.executor, *wakeup_, marker_, context_.settings.use_pidfd,
                                     context_.settings.give_up, context_.settings.control_groups);
  for (const auto& [name, value] : plan_.environment) environment_.add(name, value);
  environment_.set(kRunMarkerVariable, marker_);
  set_unattended_defaults(environment_, executable_path(), host_policy_platform());
  set_search_rules(environment_, host_policy_platform());

  if (check_arguments() && open_working_directory() && open_streams()) {
    attach_control();
    open_executables();
    const bool may = co_await permitted();
    if (may && still_as_judged()) {
      co_await run_pipelines();
      co_await settle();
    }
  }
  if (options_.control) options_.control->detach();
  close_streams();
  live_.reset();
  // Before the numbers of its processes can become others'.
  leave_roster();
  outcome_.used = processes_->use();
  processes_->reap();
  report_status();
  capture_.finish(outcome_);
  if (outcome_.timed_out) outcome_.standard_error.text += shown_on_console(processes_->console_text());
  outcome_.leader_pid = processes_->first_pid();
  outcome_.duration = steady_clock::now() - started;
  outcome_.left_alive = processes_->left_alive();
  if (outcome_.left_alive > 0 && context_.settings.on_left_alive) context_.settings.on_left_alive(outcome_);
  co_return std::move(outcome_);
}

asio::awaitable<bool> RunSession::permitted() {
  if (options_.before_spawn) {
    const auto refusal = co_await options_.before_spawn();
    if (refusal) {
      outcome_.launch_error = refusal->message;
      co_return false;
    }
  }
  if (options_.timeout) {
    const auto timeout = std::clamp(*options_.timeout, std::chrono::milliseconds(1), kLongestTimeout);
    deadline_ = steady_clock::now() + timeout;
  }
  co_return !cancelled_;
}

bool RunSession::check_arguments() {
  const auto refuse = [&](std::string text) {
    outcome_.launch_error = std::move(text);
    return false;
  };
  for (const auto& pipeline : plan_.pipelines) {
    for (const auto& command : pipeline.commands) {
      if (command.argv.empty() || command.argv.front().empty() || has_nul(command.argv.front()))
        return refuse(launch_error_text("ERR_INVALID_ARG_VALUE"));
      for (const auto& argument : command.argv)
        if (has_nul(argument)) return refuse("Arguments cannot contain null bytes (\"\\0\"): " + argument);
    }
  }
  for (const auto& entry : environment_.entries())
    if (has_nul(entry)) return refuse(launch_error_text("ERR_INVALID_ARG_VALUE"));
  return true;
}

std::string RunSession::working_directory() const {
  return plan_.cwd.empty() ? current_directory_link() : plan_.cwd;
}

bool RunSession::open_working_directory() {
  const std::string path = working_directory();
  const policy::FileFacts facts = files_->facts(path);
  std::string code;
  if (facts.kind == policy::FileKind::kMissing) code = error_name(facts.error);
  if (facts.kind == policy::FileKind::kRegular || facts.kind == policy::FileKind::kOther) code = "ENOTDIR";
  if (!code.empty()) {
    outcome_.launch_error =
        exhausted_what(code).empty() ? directory_error_text(path, code) : launch_error_text(code);
    return false;
  }
  if (facts.kind == policy::FileKind::kUnreadable) {
    outcome_.launch_error = launch_error_text(error_name(facts.error));
    return false;
  }
  if (plan_.cwd_identity.known && !same_directory(plan_.cwd_identity, facts.identity)) {
    outcome_.launch_error = kDirectoryChanged;
    return false;
  }
  directory_ = WorkingDirectory(files_->descriptor(path), environment_);
  return true;
}

void RunSession::open_executables() {
  for (const auto& pipeline : plan_.pipelines)
    for (const auto& command : pipeline.commands)
      if (!command.executable.empty()) (void)files_->identity(command.executable);
}

bool RunSession::still_as_judged() {
  if (!files_->unchanged(working_directory())) {
    outcome_.launch_error = kDirectoryChanged;
    return false;
  }
  if (single_) return true;  // bind() asks in a moment
  for (const auto& pipeline : plan_.pipelines)
    for (const auto& command : pipeline.commands)
      if (command.builtin == policy::Builtin::kNone && !command.executable.empty() && !still_judged(command))
        return false;
  return true;
}

bool RunSession::still_judged(const policy::PlannedCommand& command) {
  const bool same_as_decided =
      !command.identity.known || command.identity == files_->identity(command.executable);
  if (same_as_decided && files_->unchanged(command.executable)) return true;
  return refuse_changed();
}

bool RunSession::refuse_changed() {
  outcome_.launch_error = kExecutableChanged;
  stopped_ = true;
  return false;
}

bool RunSession::bind(const policy::PlannedCommand& command, const WriteLease& lease, Binding& binding) {
  const NativeHandle executable = files_->descriptor(command.executable);
  binding.form = launch_form(executable, command.executable, lease.readable());
  const bool program = binding.form == LaunchForm::kProgram;
  const auto& wanted = command.content_sha256;
  // A program is read by the kernel, which the lease covers; a script by its interpreter, some time later.
  const bool copy =
      program
          ? wanted && lease.state() != WriteLease::State::kHeld && changeable_by_others(command.executable)
          : !opened_files_are_bound() && (wanted || binding.form == LaunchForm::kScriptByDescriptor);
  if (copy) {
    auto sealed = sealed_copy(executable);
    if (!sealed) {
      binding.problem = sealed.error();
      return true;
    }
    if (wanted && sealed->sha256 != *wanted) return refuse_changed();
    if (!program) binding.form = LaunchForm::kScriptByDescriptor;
    binding.executable = std::move(sealed->fd);
  } else if (wanted && !files_->has_content(command.executable, *wanted)) {
    return refuse_changed();
  }
  if (command.script && !bind_script(command, binding)) return false;
  // Once more, now that the copies are made: they are of what was judged.
  return still_judged(command);
}

bool RunSession::bind_script(const policy::PlannedCommand& command, Binding& binding) {
  const policy::ScriptOperand& script = *command.script;
  if (script.index >= command.argv.size()) return refuse_changed();
  const policy::FileFacts facts = files_->facts(script.path);
  const bool same = !script.identity.known || script.identity == facts.identity;
  if (!same || facts.kind != policy::FileKind::kRegular || !files_->unchanged(script.path))
    return refuse_changed();
  const NativeHandle descriptor = files_->descriptor(script.path);
  if (script.index == 0) {
    return !script.sha256 || files_->has_content(script.path, *script.sha256) || refuse_changed();
  }
  if (changeable_by_others(script.path)) {
    auto bound = bind_operand(descriptor, facts.real_path);
    if (!bound) {
      binding.problem = bound.error();
      return true;
    }
    if (script.sha256 && bound->sha256 != *script.sha256) return refuse_changed();
    binding.operand = std::move(*bound);
  } else {
    if (script.sha256 && !files_->has_content(script.path, *script.sha256)) return refuse_changed();
    // The program opens the word as it stands there, from its own directory.
    if (!leads_to(directory_.descriptor(), command.argv[script.index], descriptor)) return refuse_changed();
  }
  return files_->unchanged(script.path) || refuse_changed();
}

// One end for everything; what is printed comes as output.
bool RunSession::open_terminal() {
  auto terminal = make_terminal(*options_.terminal);
  if (!terminal) {
    outcome_.launch_error = launch_error_text(terminal.error().code);
    return false;
  }
  auto reading = duplicate(terminal->own.get());
  auto error_end = duplicate(terminal->program.get());
  auto input_end = duplicate(terminal->program.get());
  if (!reading || !error_end || !input_end) {
    outcome_.launch_error = launch_error_text("EMFILE");
    return false;
  }
  OutputPipe::Handlers handlers{[this](std::string_view bytes) { take(Stream::kStandardOutput, bytes); },
                                [wakeup = wakeup_] { wakeup->notify(); }};
  output_ = std::make_shared<OutputPipe>(context_.executor, std::move(handlers));
  if (auto started = output_->start_terminal(std::move(*reading)); !started) {
    outcome_.launch_error = launch_error_text(started.error().code);
    return false;
  }
  // Ended from the beginning.
  error_ = std::make_shared<OutputPipe>(context_.executor, OutputPipe::Handlers{});
  output_end_ = std::move(terminal->program);
  error_end_ = std::move(*error_end);
  options_.input = std::make_shared<const UniqueFd>(std::move(*input_end));
  if (options_.control) {
    terminal_ = std::move(terminal->own);
    auto ours = duplicate(terminal_.get());
    if (ours && options_.on_terminal) options_.on_terminal(std::move(*ours));
  }
  return true;
}

// What a door may do from outside, for as long as this object lives.
void RunSession::attach_control() {
  if (!options_.control) return;
  RunControl& control = *options_.control;
  control.attach({[this] { follow_control(); }, [this](int number) { processes_->signal_groups(number); },
                  [this](TerminalSize size) {
                    if (terminal_) resize_terminal(terminal_.get(), size);
                  }});
  follow_control();
}

void RunSession::follow_control() {
  if (!options_.control) return;
  output_->hold(options_.control->held(Stream::kStandardOutput));
  error_->hold(options_.control->held(Stream::kStandardError));
  wakeup_->notify();
}

bool RunSession::output_is_held() const {
  return (output_->held() && !output_->ended()) || (error_->held() && !error_->ended());
}

bool RunSession::open_streams() {
  if (options_.terminal) return open_terminal();
  const auto open = [&](Stream stream, std::shared_ptr<OutputPipe>& reader, UniqueFd& writing) {
    auto pipe = make_output_pipe();
    if (!pipe) {
      outcome_.launch_error = launch_error_text(pipe.error().code);
      return false;
    }
    // The handlers die with the pipe, which close_streams() closes before this object goes.
    OutputPipe::Handlers handlers{[this, stream](std::string_view bytes) { take(stream, bytes); },
                                  [wakeup = wakeup_] { wakeup->notify(); }};
    reader = std::make_shared<OutputPipe>(context_.executor, std::move(handlers));
    reader->start(std::move(pipe->reading));
    writing = std::move(pipe->writing);
    return true;
  };
  return open(Stream::kStandardOutput, output_, output_end_) &&
         open(Stream::kStandardError, error_, error_end_);
}

asio::awaitable<void> RunSession::run_pipelines() {
  for (std::size_t i = 0; i < plan_.pipelines.size() && !stopped_; ++i) {
    const auto& pipeline = plan_.pipelines[i];
    if (pipeline.connector == policy::Connector::kAnd && last_status_ != 0) continue;
    if (pipeline.connector == policy::Connector::kOr && last_status_ == 0) continue;
    if (interrupted()) break;
    co_await run_pipeline(pipeline, i + 1 == plan_.pipelines.size());
  }
  output_end_.reset();
  error_end_.reset();
}

asio::awaitable<void> RunSession::run_pipeline(const policy::PlannedPipeline& pipeline, bool last) {
  std::vector<Stage> stages;
  const bool started = start_stages(pipeline, stages);
  if (!started) stopped_ = true;
  if (last || stopped_) {
    // From now on the streams end when the programs close them.
    output_end_.reset();
    error_end_.reset();
    files_->let_go_except(read_later_);
  }
  const bool ended = co_await wait_until_ended();
  if (!ended) stopped_ = true;
  if (started) take_status(pipeline, stages);
}

asio::awaitable<bool> RunSession::wait_until_ended() {
  // A named object: GCC 12 destroys temporaries of a co_await expression twice in some cases.
  auto done = [this] { return cancelled_ || processes_->all_ended(); };
  watch_streams();
  if (!live_ && !context_.settings.live_output.empty()) {
    const SteadyTime soon = steady_clock::now() + kUnseen;
    co_await wakeup_->wait(done, deadline_ ? std::min(*deadline_, soon) : soon);
    if (!done()) show_output();
  }
  const bool in_time = co_await wakeup_->wait(done, deadline_);
  if (in_time && !cancelled_) co_return true;
  interrupted();
  co_await processes_->end_tree(kill_grace(), alone_);
  co_return false;
}

void RunSession::take(Stream stream, std::string_view bytes) {
  capture_.append(stream, bytes);
  if (live_) live_->append(bytes);
  if (options_.on_output) {
    options_.on_output(stream, bytes);
    if (options_.control && options_.control->held(stream)) follow_control();
  }
  last_output_ = steady_clock::now();
}

NativeHandle RunSession::first_input() const {
  return options_.input ? options_.input->get() : context_.null_input;
}

std::chrono::milliseconds RunSession::kill_grace() const {
  return options_.kill_grace.value_or(context_.settings.kill_grace);
}

void RunSession::show_output() {
  const std::int64_t row = options_.row ? options_.row() : 0;
  if (row <= 0) return;
  live_.emplace(context_.settings.live_output, row);
  for (const Stream stream : {Stream::kStandardOutput, Stream::kStandardError})
    live_->append(capture_.kept(stream));
}

void RunSession::watch_streams() {
  for (const auto& stream : {output_, error_}) {
    const auto watched = stream->watch();
    // Without it a full pipe would hold its program for ever.
    if (!watched) throw std::runtime_error(watched.error().code);
  }
}

bool RunSession::start_stages(const policy::PlannedPipeline& pipeline, std::vector<Stage>& stages) {
  const bool alone = pipeline.commands.size() == 1;
  UniqueFd input;
  for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
    Pipe pipe;
    const bool last = i + 1 == pipeline.commands.size();
    if (!last) {
      auto made = make_pipe();
      if (!made) {
        outcome_.launch_error = launch_error_text(made.error().code);
        return false;
      }
      pipe = std::move(*made);
    }
    const bool joined = !last && i < pipeline.stderr_to_pipe.size() && pipeline.stderr_to_pipe[i];
    const Streams streams{input ? input.get() : first_input(), last ? output_end_.get() : pipe.writing.get(),
                          joined ? pipe.writing.get() : error_end_.get()};
    Stage stage;
    if (!start_stage(pipeline.commands[i], streams, alone, stage)) return false;
    stages.push_back(stage);
    input = std::move(pipe.reading);
  }
  return true;
}

bool RunSession::start_stage(const policy::PlannedCommand& command, const Streams& streams, bool alone,
                             Stage& stage) {
  if (command.builtin != policy::Builtin::kNone) {
    stage.status = run_builtin(command, streams, alone);
    return true;
  }
  if (command.executable.empty()) return launch_failed(command, system_error(ENOENT), streams, stage);
  const NativeHandle executable = files_->descriptor(command.executable);
  if (executable < 0) {
    if (!still_judged(command)) return false;  // nothing was there, and now there is
    const int reason = files_->facts(command.executable).error;
    return launch_failed(command, system_error(reason != 0 ? reason : ENOENT), streams, stage);
  }
  // From here until the kernel has the program nobody can write to it; then nobody can either.
  const WriteLease lease(executable);
  if (lease.state() == WriteLease::State::kOpenForWriting)
    return launch_failed(command, system_error(ETXTBSY), streams, stage);
  Binding binding;
  if (!bind(command, lease, binding)) return false;
  if (binding.problem) return launch_failed(command, *binding.problem, streams, stage);
  std::vector<std::string> replaced;
  if (binding.operand) {
    replaced = command.argv;
    replaced[command.script->index] = binding.operand->word;
  }
  SpawnRequest request{.executable = binding.executable ? binding.executable.get() : executable,
                       .form = binding.form,
                       .path = command.executable,
                       .argv = binding.operand ? replaced : command.argv,
                       .environment = environment_.entries(),
                       .directory = directory_.descriptor(),
                       .stdio = {streams.input, streams.output, streams.error},
                       .terminal = options_.terminal.has_value(),
                       .operand = binding.operand ? binding.operand->handle.get() : -1};
  const auto program = processes_->start(std::move(request));
  if (!program) return launch_failed(command, program.error(), streams, stage);
  stage.program = *program;
  list(*program);
  if (binding.form != LaunchForm::kProgram) read_later_.push_back(command.executable);
  if (command.script) read_later_.push_back(command.script->path);
  return true;
}

void RunSession::list(std::size_t program) {
  const std::int64_t row = options_.row ? options_.row() : 0;
  if (row > 0) listed_.push_back(context_.roster->enter({processes_->pid(program), row, marker_}));
}

void RunSession::leave_roster() {
  for (const std::size_t place : listed_) context_.roster->leave(place);
  listed_.clear();
}

bool RunSession::launch_failed(const policy::PlannedCommand& command, const Error& error,
                               const Streams& streams, Stage& stage) {
  if (single_) {
    outcome_.launch_error = launch_error_text(error.code);
    return false;
  }
  const bool missing = error.code == "ENOENT" || error.code == "ENOTDIR" || error.code == "ELOOP" ||
                       error.code == "ENAMETOOLONG";
  stage.status = missing ? kNotFoundStatus : kNotExecutableStatus;
  write_text(streams.error, command.argv.front() + ": " + error.message + "\n");
  return true;
}

int RunSession::run_builtin(const policy::PlannedCommand& command, const Streams& streams, bool alone) {
  BuiltinResult result;
  switch (command.builtin) {
    case policy::Builtin::kFalse:
      return 1;
    case policy::Builtin::kCd:
      if (alone) {
        result = directory_.change(command.argv, environment_);
      } else {
        // Part of a pipeline: a shell runs it in a process of its own, so it changes nothing here.
        RunEnvironment environment = environment_;
        WorkingDirectory directory(directory_.descriptor(), environment_);
        result = directory.change(command.argv, environment);
      }
      break;
    case policy::Builtin::kPwd:
      result = directory_.print(command.argv);
      break;
    case policy::Builtin::kNone:
    case policy::Builtin::kTrue:
    case policy::Builtin::kColon:
      return 0;
  }
  write_text(streams.output, result.output);
  write_text(streams.error, result.message);
  return result.status;
}

void RunSession::write_text(NativeHandle target, const std::string& text) {
  if (text.empty()) return;
  const auto append = [&](Stream stream, OutputPipe& pipe) {
    // Programs before this one may have left bytes in the pipe: theirs come first.
    pipe.drain();
    take(stream, text);
  };
  if (target == output_end_.get()) return append(Stream::kStandardOutput, *output_);
  if (target == error_end_.get()) return append(Stream::kStandardError, *error_);
  // A pipe to the next command: new, empty, and larger than any of these texts; its reader starts after us.
  write_once(target, std::string_view(text).substr(0, 32768));
}

void RunSession::take_status(const policy::PlannedPipeline& pipeline, const std::vector<Stage>& stages) {
  if (stages.empty()) return;
  const Stage& final_stage = stages.back();
  last_exit_.reset();
  if (!final_stage.program) {
    last_status_ = final_stage.status;
  } else if (const ExitStatus* status = processes_->status(*final_stage.program)) {
    last_status_ = status->shell_status();
    last_exit_ = *status;
  }
  if (pipeline.negate) {
    last_status_ = last_status_ == 0 ? 1 : 0;
    last_exit_.reset();
  }
}

// After the last program: what is left of its group, and output that background children still write.
asio::awaitable<void> RunSession::settle() {
  if (outcome_.timed_out || cancelled_) {
    output_->drain();
    error_->drain();
    co_return;
  }
  const bool failed = last_status_ != 0 || stopped_;
  if (failed) co_await processes_->end_groups(kill_grace());
  auto exited = steady_clock::now();
  output_->drain();
  error_->drain();
  if (output_->ended() && error_->ended()) co_return;
  watch_streams();
  auto done = [this] { return cancelled_ || (output_->ended() && error_->ended()); };
  const bool soon = !deadline_ || failed || options_.leaves_background;
  for (;;) {
    std::optional<SteadyTime> until = deadline_;
    // Nobody who holds output back wants to lose it.
    if (output_is_held()) {
      auto released = [this, &done] { return done() || !output_is_held(); };
      const bool in_time = co_await wakeup_->wait(released, deadline_);
      if (in_time && !done()) {
        last_output_ = steady_clock::now();
        exited = last_output_;
        continue;
      }
    } else if (soon) {
      const auto quiet = std::max(exited, last_output_) + kQuietAfterExit;
      until = std::min<SteadyTime>(quiet, exited + kLongestAfterExit);
    }
    const bool in_time = co_await wakeup_->wait(done, until);
    if (in_time && !cancelled_) co_return;
    const auto now = steady_clock::now();
    if (!cancelled_ && soon) {
      if (now >= exited + kLongestAfterExit || now >= last_output_ + kQuietAfterExit) co_return;
      continue;  // there was output meanwhile
    }
    interrupted();
    co_await processes_->end_tree(kill_grace(), alone_);
    output_->drain();
    error_->drain();
    co_return;
  }
}

bool RunSession::interrupted() {
  if (cancelled_) return true;
  if (!deadline_ || steady_clock::now() < *deadline_) return false;
  outcome_.timed_out = true;
  return true;
}

void RunSession::report_status() {
  outcome_.cancelled = cancelled_;
  if (!outcome_.launch_error.empty()) return;
  if (last_exit_) outcome_.signal = last_exit_->signal;
  // A shell would report the last program's death by signal as a number; alone, it has no exit code.
  const bool coded = !last_exit_ || last_exit_->code || !single_;
  if (outcome_.timed_out) {
    const bool own_code = coded && last_status_ != 0 && last_status_ < kFirstSignalStatus;
    outcome_.exit_code = own_code ? last_status_ : kTimedOutCode;
  } else if (coded && !(cancelled_ && last_status_ == 0)) {
    outcome_.exit_code = last_status_;
  }
}

void RunSession::close_streams() {
  output_end_.reset();
  error_end_.reset();
  if (output_) output_->close();
  if (error_) error_->close();
}

}  // namespace hostclaw::node_host
