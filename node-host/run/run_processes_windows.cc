// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/windows/object_handle.hpp>

#include "node-host/run/run_processes.h"
#include "node-host/system/files/windows_handle.h"
#include "node-host/system/host/system_error_windows.h"
#include "node-host/system/process/run_console_windows.h"
#include "node-host/system/process/run_roster.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

constexpr auto kLookAgain = std::chrono::milliseconds(5);
// A process that the system cannot end (a driver holds it) must not hold the run.
constexpr auto kGiveUp = std::chrono::seconds(10);
// A program that is told to end may need longer here than the grace that a signal gets elsewhere: Ctrl-C is
// handled in a thread of its own, and `docker compose` stops its containers one after the other.
constexpr auto kConsoleGrace = std::chrono::seconds(3);
// A helper that hangs (the console of a program that is being debugged) must not hold the run.
constexpr auto kHelperBound = std::chrono::seconds(2);
// What TerminateJobObject gives its members, and what a program ends with that does not handle Ctrl-C.
constexpr UINT kEndedByHost = 0xC000013AU;
// Where a status names a signal: SIGINT, SIGKILL.
constexpr int kInterrupted = 2;
constexpr int kKilled = 9;

}  // namespace

// The job object: every process that a program of the run starts is in it, and none can leave.
struct RunProcesses::Native {
  Native(const asio::any_io_executor& executor, const std::string& marker)
      : timer(executor), name(exact_wide(run_job_name(marker)).value_or(L"")) {}

  Result<void> open() {
    if (job) return {};
    // By its name a program of the run can tell which run it is part of (run_ancestry.h).
    job = owned(::CreateJobObjectW(nullptr, name.empty() ? nullptr : name.c_str()));
    if (!job) return last_windows_error();
    return limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION);
  }

  Result<void> limit(DWORD flags) {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
    limits.BasicLimitInformation.LimitFlags = flags;
    if (::SetInformationJobObject(as_handle(job.get()), JobObjectExtendedLimitInformation, &limits,
                                  sizeof limits) == 0)
      return last_windows_error();
    return {};
  }

  DWORD members() const {
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION numbers{};
    if (!job || ::QueryInformationJobObject(as_handle(job.get()), JobObjectBasicAccountingInformation,
                                            &numbers, sizeof numbers, nullptr) == 0)
      return 0;
    return numbers.ActiveProcesses;
  }

  void terminate() {
    if (!job) return;
    terminated = true;
    ::TerminateJobObject(as_handle(job.get()), kEndedByHost);
  }

  std::vector<std::uint32_t> member_ids() const {
    struct {
      JOBOBJECT_BASIC_PROCESS_ID_LIST list;
      ULONG_PTR more[kMaxConsoleProcesses];
    } ids{};
    // Of more than fit the first are told, which the run's own programs are among.
    if (::QueryInformationJobObject(as_handle(job.get()), JobObjectBasicProcessIdList, &ids, sizeof ids,
                                    nullptr) == 0 &&
        ::GetLastError() != ERROR_MORE_DATA)
      return {};
    std::vector<std::uint32_t> out;
    for (DWORD i = 0; i < ids.list.NumberOfProcessIdsInList; ++i)
      out.push_back(static_cast<std::uint32_t>(ids.list.ProcessIdList[i]));
    return out;
  }

  // True when `done()` held before `give_up`.
  template <class Predicate>
  asio::awaitable<bool> look_until(Predicate done, steady_clock::time_point give_up) {
    while (!done()) {
      if (steady_clock::now() >= give_up) co_return false;
      timer.expires_after(kLookAgain);
      co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    co_return true;
  }

  // Members of a terminated job end a moment later.
  asio::awaitable<void> wait_until_empty(const RunProcesses& run) {
    auto empty = [this, &run] { return members() == 0 && run.all_ended(); };
    co_await look_until(empty, steady_clock::now() + kGiveUp);
  }

  // Presses Ctrl-C in the consoles of the run and gives its programs `grace` to end. Answers what the
  // consoles showed before. Nobody waits for programs that no console reaches.
  asio::awaitable<std::string> interrupt(const RunProcesses& run, std::chrono::milliseconds grace) {
    const auto ids = job ? member_ids() : std::vector<std::uint32_t>();
    if (ids.empty()) co_return std::string();
    auto helper = ConsoleHelper::start(ids);
    if (!helper) co_return std::string();
    interrupted = true;
    auto done = [&helper] { return helper->ended(); };
    const bool in_time = co_await look_until(done, steady_clock::now() + kHelperBound);
    if (!in_time) {
      helper->abandon();
      co_return std::string();
    }
    std::string text = helper->take_text();
    auto empty = [this, &run] { return members() == 0 && run.all_ended(); };
    const auto until = steady_clock::now() + std::max<std::chrono::milliseconds>(grace, kConsoleGrace);
    if (helper->reached() > 0) co_await look_until(empty, until);
    co_return text;
  }

  UniqueFd job;
  bool interrupted = false;
  bool terminated = false;
  asio::steady_timer timer;
  std::wstring name;
};

struct RunProcesses::Program {
  Program(const asio::any_io_executor& executor, std::int64_t process) : pid(process), exit_event(executor) {}
  std::int64_t pid;
  asio::windows::object_handle exit_event;  // the process
  std::optional<ExitStatus> status;
};

RunProcesses::RunProcesses(const asio::any_io_executor& executor, Wakeup& wakeup, std::string marker, bool,
                           std::chrono::milliseconds give_up, std::shared_ptr<ControlGroups>)
    : executor_(executor),
      wakeup_(&wakeup),
      native_(std::make_unique<Native>(executor, marker)),
      give_up_(give_up) {}

RunProcesses::~RunProcesses() { abandon(); }

Result<std::size_t> RunProcesses::start(SpawnRequest request) {
  if (auto opened = native_->open(); !opened) return opened.error();
  request.tree = native_->job.get();
  auto child = spawn(request);
  if (!child) return child.error();
  auto program = std::make_shared<Program>(executor_, child->pid);
  boost::system::error_code error;
  program->exit_event.assign(as_handle(child->exit_descriptor.get()), error);
  if (error) {
    native_->terminate();
    return windows_error(static_cast<unsigned long>(error.value()));
  }
  child->exit_descriptor.release();
  programs_.push_back(program);
  watch(program);
  return programs_.size() - 1;
}

void RunProcesses::watch(const std::shared_ptr<Program>& program) {
  program->exit_event.async_wait(
      [self = shared_from_this(), program](const boost::system::error_code& error) {
        if (error || program->status) return;
        if (!self->look(*program)) self->watch(program);
      });
}

bool RunProcesses::look(Program& program) {
  DWORD code = 0;
  const HANDLE process = program.exit_event.native_handle();
  if (::WaitForSingleObject(process, 0) != WAIT_OBJECT_0) return false;
  program.status.emplace();
  if (::GetExitCodeProcess(process, &code) != 0) {
    if ((native_->terminated || native_->interrupted) && code == kEndedByHost) {
      program.status->signal = native_->terminated ? kKilled : kInterrupted;
    } else {
      program.status->code = static_cast<int>(code);
    }
  }
  boost::system::error_code ignored;
  program.exit_event.close(ignored);
  if (wakeup_ != nullptr) wakeup_->notify();
  return true;
}

const ExitStatus* RunProcesses::status(std::size_t index) const {
  const auto& status = programs_[index]->status;
  return status ? &*status : nullptr;
}

std::int64_t RunProcesses::pid(std::size_t index) const { return programs_[index]->pid; }

std::int64_t RunProcesses::first_pid() const { return programs_.empty() ? 0 : programs_.front()->pid; }

bool RunProcesses::all_ended() const {
  return std::all_of(programs_.begin(), programs_.end(),
                     [](const auto& program) { return program->status.has_value(); });
}

void RunProcesses::signal_groups(int) {}

asio::awaitable<void> RunProcesses::end_tree(std::chrono::milliseconds grace, bool) {
  console_text_ = co_await native_->interrupt(*this, grace);
  native_->terminate();
  co_await native_->wait_until_empty(*this);
}

asio::awaitable<void> RunProcesses::end_groups(std::chrono::milliseconds) {
  if (native_->members() == 0) co_return;
  native_->terminate();
  co_await native_->wait_until_empty(*this);
}

ResourceUse RunProcesses::use() const {
  ResourceUse used;
  JOBOBJECT_BASIC_ACCOUNTING_INFORMATION numbers{};
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION memory{};
  const auto ask = [this](JOBOBJECTINFOCLASS what, void* answer, DWORD size) {
    return native_->job &&
           ::QueryInformationJobObject(as_handle(native_->job.get()), what, answer, size, nullptr) != 0;
  };
  if (!ask(JobObjectBasicAccountingInformation, &numbers, sizeof numbers)) return used;
  used.of = ResourceUse::Of::kGroup;
  // In units of 100 ns.
  used.cpu =
      std::chrono::microseconds((numbers.TotalUserTime.QuadPart + numbers.TotalKernelTime.QuadPart) / 10);
  if (ask(JobObjectExtendedLimitInformation, &memory, sizeof memory) && memory.PeakJobMemoryUsed > 0)
    used.peak_memory_bytes = memory.PeakJobMemoryUsed;
  return used;
}

void RunProcesses::reap() {
  // What still runs was left in the background on purpose: it stays when the handle of its job is closed.
  if (native_->job && all_ended()) {
    (void)native_->limit(0);
    native_->job.reset();
  }
}

void RunProcesses::abandon() {
  wakeup_ = nullptr;
  native_->timer.cancel();
  if (!all_ended()) native_->terminate();
  native_->job.reset();
  for (const auto& program : programs_) {
    boost::system::error_code ignored;
    program->exit_event.close(ignored);
  }
}

}  // namespace hostclaw::node_host
