// SPDX-License-Identifier: Apache-2.0
#include "service-win/service_process.h"

#include <windows.h>

// After windows.h.
#include <csignal>
#include <cstdio>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/wide_text.h"
#include "service-win/accounts.h"
#include "service-win/event_log.h"
#include "service-win/service_once.h"
#include "service-win/service_plan.h"
#include "service-win/state_folder.h"
#include "service-win/windows_calls.h"
#include "service-win/windows_words.h"

namespace hostclaw::service_win {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTick{1};
constexpr DWORD kWaitHintMs = 10'000;  // far above a tick: a busy machine is not a dead service
// Above what the node takes to be ready; then the manager may draw its own conclusions.
constexpr std::chrono::seconds kStartBound{75};
constexpr std::chrono::seconds kWatchdog{120};
// A machine that slept is not a node that hung: a tick counts as at most this much.
constexpr std::chrono::seconds kLongestTick{5};

// A stop request on its way to the node. Whoever asks first is remembered until the node listens.
class StopRequest {
 public:
  // The contract of Supervisor::on_stop_request: returns only when nobody is inside the old function.
  void listen(std::function<void()> stop) {
    const std::lock_guard<std::mutex> hold(mutex_);
    stop_ = std::move(stop);
    if (asked_ && stop_) stop_();
  }
  void ask() {
    const std::lock_guard<std::mutex> hold(mutex_);
    asked_ = true;
    if (stop_) stop_();
  }
  bool asked() const {
    const std::lock_guard<std::mutex> hold(mutex_);
    return asked_;
  }

 private:
  mutable std::mutex mutex_;
  std::function<void()> stop_;
  bool asked_ = false;
};

// One service process: everything the manager is told goes through here.
class ServiceSession {
 public:
  explicit ServiceSession(ServiceProcess process) : process_(std::move(process)) {}

  // `once`: something else than the node is to be run, as this account.
  void serve(bool once) {
    handle_ =
        RegisterServiceCtrlHandlerExW(to_wide(service_name()).c_str(), &ServiceSession::on_control, this);
    if (handle_ == nullptr) return;
    change(SERVICE_START_PENDING);
    if (once) return serve_once();
    std::thread ticker([this] { tick(); });
    const int status = process_.run(make_supervisor());
    {
      const std::lock_guard<std::mutex> hold(mutex_);
      ended_ = true;
    }
    wake_.notify_all();
    ticker.join();
    exit_status_ = status;
    finish(status);
  }

  int exit_status() const { return exit_status_; }

  void ready() {
    {
      const std::lock_guard<std::mutex> hold(mutex_);
      if (state_ != SERVICE_START_PENDING) return;
    }
    change(SERVICE_RUNNING);
    report_event(ServiceEvent::kReady, text_.empty() ? "ready" : text_);
  }
  void status(std::string_view text) {
    text_ = text;
    tell_status(process_.state_directory,
                {GetCurrentProcessId(), text_, process_start_ms(GetCurrentProcessId())});
  }
  void stopping() {
    {
      const std::lock_guard<std::mutex> hold(mutex_);
      if (state_ == SERVICE_STOP_PENDING) return;
    }
    change(SERVICE_STOP_PENDING);
  }
  void alive() {
    const std::lock_guard<std::mutex> hold(mutex_);
    silent_ = Clock::duration::zero();
  }
  StopRequest& stop_request() { return stop_; }
  std::string secret(std::string_view name) const {
    return kept_secret(process_.state_directory, std::string(name));
  }

 private:
  std::unique_ptr<node_host::Supervisor> make_supervisor();

  void serve_once() {
    const UniqueHandle stop(CreateEventW(nullptr, TRUE, FALSE, nullptr));
    stop_.listen([&stop] { SetEvent(stop.get()); });
    change(SERVICE_RUNNING);
    run_once_task(process_.state_directory, stop.get());
    stop_.listen({});
    const std::lock_guard<std::mutex> hold(mutex_);
    state_ = SERVICE_STOPPED;
    report();
  }

  static DWORD WINAPI on_control(DWORD control, DWORD, void*, void* context) {
    auto* session = static_cast<ServiceSession*>(context);
    switch (control) {
      case SERVICE_CONTROL_STOP:
      case SERVICE_CONTROL_SHUTDOWN:
      case SERVICE_CONTROL_PRESHUTDOWN:
        session->stopping();
        session->stop_.ask();
        return NO_ERROR;
      case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
      default:
        return ERROR_CALL_NOT_IMPLEMENTED;
    }
  }

  void change(DWORD state) {
    const std::lock_guard<std::mutex> hold(mutex_);
    // A service that stops does not run any more, whatever the node finds out meanwhile.
    if (state_ == SERVICE_STOP_PENDING && state == SERVICE_RUNNING) return;
    state_ = state;
    since_ = Clock::now();
    checkpoint_ = 0;
    silent_ = Clock::duration::zero();
    report();
  }

  // Requires: mutex_ is held.
  void report(const ServiceEnd& end = {}) {
    const bool pending = state_ == SERVICE_START_PENDING || state_ == SERVICE_STOP_PENDING;
    SERVICE_STATUS status{};
    status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    status.dwCurrentState = state_;
    // Nothing is accepted while it starts: the node could not end gently yet.
    if (state_ == SERVICE_RUNNING)
      status.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_PRESHUTDOWN;
    status.dwWin32ExitCode = end.win32_exit_code;
    status.dwServiceSpecificExitCode = end.specific_exit_code;
    status.dwCheckPoint = pending ? ++checkpoint_ : 0;
    status.dwWaitHint = pending ? kWaitHintMs : 0;
    SetServiceStatus(handle_, &status);
  }

  void tick() {
    std::unique_lock<std::mutex> hold(mutex_);
    auto last = Clock::now();
    while (!ended_) {
      wake_.wait_for(hold, kTick);
      const auto now = Clock::now();
      silent_ += std::min<Clock::duration>(now - last, kLongestTick);
      last = now;
      if (ended_) return;
      if (state_ == SERVICE_START_PENDING && now - since_ < kStartBound) report();
      if (state_ == SERVICE_RUNNING && silent_ > kWatchdog) {
        end_process(ServiceEvent::kFailed, "it has made no progress for two minutes");
      }
      if (state_ != SERVICE_STOP_PENDING) continue;
      if (now - since_ > kStopBound) {
        // Told as stopped: what was asked to stop is not to be started again.
        state_ = SERVICE_STOPPED;
        report({true, ERROR_TIMEOUT, 0});
        end_process(ServiceEvent::kStopTooLong, "commands that still ran are recorded as interrupted");
      }
      report();
    }
  }

  // Commands end with it: their job objects close.
  [[noreturn]] void end_process(ServiceEvent event, const std::string& why) {
    report_event(event, why);
    TerminateProcess(GetCurrentProcess(), ERROR_PROCESS_ABORTED);
    std::abort();
  }

  void finish(int status) {
    const ServiceEnd end = end_of_run(status, stop_.asked());
    tell_status(process_.state_directory, {});
    if (!end.report_stopped) {
      std::fflush(nullptr);
      const std::string why = "exit status " + std::to_string(status) + (text_.empty() ? "" : ", " + text_);
      report_event(ServiceEvent::kFailed, why);
      // Without SERVICE_STOPPED: that is what the manager's failure actions are for.
      TerminateProcess(GetCurrentProcess(), static_cast<UINT>(status));
    }
    if (end.win32_exit_code == kNoError) {
      report_event(ServiceEvent::kStopped, "exit status " + std::to_string(status));
    } else {
      report_event(ServiceEvent::kConfiguration, log_path(process_.state_directory));
    }
    const std::lock_guard<std::mutex> hold(mutex_);
    state_ = SERVICE_STOPPED;
    report(end);
  }

  ServiceProcess process_;
  SERVICE_STATUS_HANDLE handle_ = nullptr;
  StopRequest stop_;
  std::mutex mutex_;
  std::condition_variable wake_;
  DWORD state_ = SERVICE_START_PENDING;
  DWORD checkpoint_ = 0;
  Clock::time_point since_ = Clock::now();
  Clock::duration silent_{};
  bool ended_ = false;
  int exit_status_ = 0;
  std::string text_;  // of the node's thread
};

// The manager's callback has no context of its own.
ServiceSession* the_session = nullptr;

void WINAPI service_main(DWORD count, wchar_t** words) {
  the_session->serve(count > 1 && std::wstring_view(words[1]) == kOnceWord);
}

class ServiceSupervisor final : public node_host::Supervisor {
 public:
  explicit ServiceSupervisor(ServiceSession& session) : session_(session) {
    // For a node that knows no stop request.
    session_.stop_request().listen([] { std::raise(SIGTERM); });
  }
  ~ServiceSupervisor() override { session_.stop_request().listen({}); }
  void ready() override { session_.ready(); }
  void status(std::string_view text) override { session_.status(text); }
  void stopping() override { session_.stopping(); }
  std::optional<std::chrono::milliseconds> watchdog_interval() const override { return kWatchdog; }
  void alive() override { session_.alive(); }
  void on_stop_request(std::function<void()> stop) override {
    session_.stop_request().listen(std::move(stop));
  }
  std::string secret(std::string_view name) const override { return session_.secret(name); }

 private:
  ServiceSession& session_;
};

std::unique_ptr<node_host::Supervisor> ServiceSession::make_supervisor() {
  return std::make_unique<ServiceSupervisor>(*this);
}

// ---- The logon task

// Of this account, in every session it has: a remote shell may ask as well.
std::wstring stop_event_name() {
  return to_wide("Global\\" + with_profile("hostclaw") + "-logon-stop-" + current_sid());
}
std::wstring node_stop_event_name() {
  return to_wide("Global\\" + with_profile("hostclaw") + "-node-stop-" + current_sid());
}

// nullptr when somebody else made an event of that name: what it says is not to be followed.
UniqueHandle own_event(const std::wstring& name) {
  UniqueHandle event(CreateEventW(nullptr, TRUE, FALSE, name.c_str()));
  if (GetLastError() == ERROR_ALREADY_EXISTS) event.reset();
  return event;
}

class LogonSupervisor final : public node_host::Supervisor {
 public:
  explicit LogonSupervisor(std::string state_directory)
      : state_directory_(std::move(state_directory)),
        event_(OpenEventW(SYNCHRONIZE, FALSE, node_stop_event_name().c_str())),
        ended_(CreateEventW(nullptr, TRUE, FALSE, nullptr)) {
    stop_.listen([] { std::raise(SIGTERM); });
    listener_ = std::thread([this] {
      const HANDLE both[] = {ended_.get(), event_.get()};
      if (WaitForMultipleObjects(event_ ? 2 : 1, both, FALSE, INFINITE) == WAIT_OBJECT_0 + 1) stop_.ask();
    });
  }
  ~LogonSupervisor() override {
    SetEvent(ended_.get());
    listener_.join();
    tell_status(state_directory_, {});
  }
  void ready() override {}
  void status(std::string_view text) override {
    tell_status(state_directory_,
                {GetCurrentProcessId(), std::string(text), process_start_ms(GetCurrentProcessId())});
  }
  void stopping() override {}
  std::optional<std::chrono::milliseconds> watchdog_interval() const override { return std::nullopt; }
  void alive() override {}
  void on_stop_request(std::function<void()> stop) override { stop_.listen(std::move(stop)); }
  std::string secret(std::string_view name) const override {
    return kept_secret(state_directory_, std::string(name));
  }

 private:
  const std::string state_directory_;
  const UniqueHandle event_;
  const UniqueHandle ended_;
  StopRequest stop_;
  std::thread listener_;
};

// The node ends with this process, and with it the jobs of its runs. What a command left behind on purpose
// does not: children of the node are in no job of ours, as they are in none under the Service Control
// Manager.
UniqueHandle job_that_ends_with_us() {
  UniqueHandle job(CreateJobObjectW(nullptr, nullptr));
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags =
      JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK;
  SetInformationJobObject(job.get(), JobObjectExtendedLimitInformation, &limits, sizeof limits);
  return job;
}

// Our own command line, one word apart.
std::string node_command_line() {
  std::vector<std::string> words = split_command_line(from_wide(GetCommandLineW()));
  std::wstring program(32'768, L'\0');
  program.resize(GetModuleFileNameW(nullptr, program.data(), static_cast<DWORD>(program.size())));
  words[0] = from_wide(program);
  words[2] = "logon-node";
  return command_line_of(words);
}

Result<UniqueHandle> start_node(const std::string& command_line, HANDLE job) {
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  PROCESS_INFORMATION made{};
  std::wstring line = to_wide(command_line);
  // A console without a window, so that commands of the node need none either.
  if (CreateProcessW(nullptr, line.data(), nullptr, nullptr, FALSE, CREATE_NO_WINDOW | CREATE_SUSPENDED,
                     nullptr, nullptr, &startup, &made) == 0) {
    return service_error(GetLastError(), "cannot start the node");
  }
  UniqueHandle process(made.hProcess);
  const UniqueHandle thread(made.hThread);
  AssignProcessToJobObject(job, process.get());
  ResumeThread(thread.get());
  return process;
}

}  // namespace

Result<int> run_as_service(ServiceProcess process) {
  ServiceSession session(std::move(process));
  the_session = &session;
  std::wstring name = to_wide(service_name());
  SERVICE_TABLE_ENTRYW table[] = {{name.data(), &service_main}, {nullptr, nullptr}};
  if (StartServiceCtrlDispatcherW(table) == 0) {
    const DWORD problem = GetLastError();
    if (problem == ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
      return make_error(
          "SERVICE_NOT_SUPERVISED",
          "`hostclaw service run` is what the Service Control Manager starts; it did not start this",
          "hostclaw node run, or: hostclaw node start");
    }
    return service_error(problem, "the Service Control Manager does not answer");
  }
  return session.exit_status();
}

Result<int> watch_over_logon_node(const std::string& state_directory) {
  FreeConsole();
  const std::string command_line = node_command_line();
  const UniqueHandle stop = own_event(stop_event_name());
  const UniqueHandle node_stop = own_event(node_stop_event_name());
  if (!stop || !node_stop) {
    return make_error("SERVICE_FAILED", "the logon task of this account runs already",
                      "hostclaw node status --user");
  }
  const UniqueHandle job = job_that_ends_with_us();
  int failures = 0;
  for (;;) {
    const auto started = Clock::now();
    auto node = start_node(command_line, job.get());
    if (!node) return node.error();
    const HANDLE either[] = {node->get(), stop.get()};
    bool asked = WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0 + 1;
    if (asked) {
      SetEvent(node_stop.get());
      const auto bound = std::chrono::duration_cast<std::chrono::milliseconds>(kStopBound).count();
      if (WaitForSingleObject(node->get(), static_cast<DWORD>(bound)) != WAIT_OBJECT_0)
        TerminateProcess(node->get(), ERROR_TIMEOUT);
      WaitForSingleObject(node->get(), INFINITE);
    }
    DWORD status = 0;
    GetExitCodeProcess(node->get(), &status);
    tell_status(state_directory, {});
    if (asked) return 0;
    if (!is_to_be_restarted(static_cast<int>(status), asked)) return static_cast<int>(status);
    failures = Clock::now() - started > kGoodRun ? 1 : failures + 1;
    const auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(restart_delay(failures)).count();
    if (WaitForSingleObject(stop.get(), static_cast<DWORD>(pause)) == WAIT_OBJECT_0) return 0;
  }
}

std::unique_ptr<node_host::Supervisor> logon_node_supervisor(const std::string& state_directory) {
  return std::make_unique<LogonSupervisor>(state_directory);
}

bool ask_logon_node_to_stop() {
  const UniqueHandle event(OpenEventW(EVENT_MODIFY_STATE, FALSE, stop_event_name().c_str()));
  return event && SetEvent(event.get()) != 0;
}

}  // namespace hostclaw::service_win
