// SPDX-License-Identifier: Apache-2.0
#include "service-win/task_service.h"

#include <windows.h>

// After windows.h.
#include <oleauto.h>
#include <taskschd.h>

#include <thread>

#include "base/text.h"
#include "base/wide_text.h"
#include "service-win/accounts.h"
#include "service-win/logon_task.h"
#include "service-win/scm_service.h"
#include "service-win/service_plan.h"
#include "service-win/service_process.h"
#include "service-win/state_folder.h"
#include "service-win/windows_calls.h"
#include "service-win/windows_words.h"

namespace hostclaw::service_win {
namespace {

using node_host::ServiceChange;
using node_host::ServiceScope;
using node_host::ServiceSpec;
using node_host::ServiceState;

constexpr const char* kOwnKey = "Software\\hostclaw";
constexpr const char* kStateValue = "TaskStateDirectory";
constexpr std::chrono::seconds kRunWait{30};
constexpr std::chrono::seconds kEndWait = kStopBound + std::chrono::seconds(15);

template <class T>
class Com {
 public:
  Com() = default;
  ~Com() {
    if (object_ != nullptr) object_->Release();
  }
  Com(Com&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Com& operator=(Com&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  T** out() { return &object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

class Text {
 public:
  Text() = default;
  explicit Text(const std::string& text) : text_(SysAllocString(to_wide(text).c_str())) {}
  ~Text() { SysFreeString(text_); }
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  BSTR get() const { return text_; }
  BSTR* out() { return &text_; }
  std::string value() const {
    return text_ == nullptr ? std::string() : from_wide({text_, SysStringLen(text_)});
  }

 private:
  BSTR text_ = nullptr;
};

VARIANT nothing() {
  VARIANT value;
  VariantInit(&value);
  return value;
}

Error scheduler_error(HRESULT problem, const std::string& what) {
  const auto number = static_cast<DWORD>(problem);
  const bool windows = HRESULT_FACILITY(number) == FACILITY_WIN32;
  if (windows) return service_error(HRESULT_CODE(number), what);
  char text[32];
  std::snprintf(text, sizeof text, "0x%08lx", static_cast<unsigned long>(number));
  return make_error("SERVICE_FAILED", what + ": the Task Scheduler says " + text);
}

// One conversation with the scheduler.
class Scheduler {
 public:
  Scheduler() {
    initialized_ = SUCCEEDED(CoInitializeEx(nullptr, COINIT_MULTITHREADED));
    problem_ = CoCreateInstance(CLSID_TaskScheduler, nullptr, CLSCTX_INPROC_SERVER, IID_ITaskService,
                                reinterpret_cast<void**>(service_.out()));
    if (SUCCEEDED(problem_)) problem_ = service_->Connect(nothing(), nothing(), nothing(), nothing());
    if (SUCCEEDED(problem_)) problem_ = service_->GetFolder(Text("\\").get(), root_.out());
  }
  ~Scheduler() {
    root_ = {};
    service_ = {};
    if (initialized_) CoUninitialize();
  }
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  HRESULT problem() const { return problem_; }
  ITaskFolder* root() const { return root_.operator->(); }

  Com<IRegisteredTask> task() {
    Com<IRegisteredTask> task;
    if (FAILED(problem_) || FAILED(root_->GetTask(Text(task_name()).get(), task.out()))) return {};
    return task;
  }

 private:
  bool initialized_ = false;
  HRESULT problem_ = E_FAIL;
  Com<::ITaskService> service_;
  Com<ITaskFolder> root_;
};

std::string xml_of(const Com<IRegisteredTask>& task) {
  Text xml;
  return SUCCEEDED(task->get_Xml(xml.out())) ? xml.value() : std::string();
}

std::string state_directory_for(const ServiceSpec& spec) { return with_backslashes(spec.state_directory); }

LogonTask task_from(const ServiceSpec& spec) {
  Definition definition;
  definition.starter = Starter::kLogonTask;
  definition.executable = with_backslashes(spec.executable);
  definition.state_directory = state_directory_for(spec);
  definition.environment = spec.environment;
  definition.run_arguments = spec.run_arguments;
  definition.run_arguments.insert(definition.run_arguments.end(),
                                  {"--stop-grace", std::to_string(kStopGraceSeconds)});
  LogonTask task;
  task.words = words_of(definition);
  task.user = current_account();
  task.working_directory = user_profile_directory();
  return task;
}

void remember_state(const std::string& directory) {
  HKEY opened = nullptr;
  if (RegCreateKeyExW(HKEY_CURRENT_USER, to_wide(kOwnKey).c_str(), 0, nullptr, 0, KEY_SET_VALUE, nullptr,
                      &opened, nullptr) != ERROR_SUCCESS) {
    return;
  }
  const UniqueKey key(opened);
  const std::wstring value = to_wide(directory);
  RegSetValueExW(key.get(), to_wide(kStateValue).c_str(), 0, REG_SZ,
                 reinterpret_cast<const BYTE*>(value.c_str()),
                 static_cast<DWORD>((value.size() + 1) * sizeof(wchar_t)));
}

void forget_state() { RegDeleteKeyW(HKEY_CURRENT_USER, to_wide(kOwnKey).c_str()); }

template <class Condition>
bool within(std::chrono::seconds at_most, Condition there) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!there()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(poll_pause(1000));
  }
  return true;
}

Result<void> run_task(const Com<IRegisteredTask>& task, const std::string& state_directory) {
  Com<IRunningTask> running;
  const HRESULT problem = task->Run(nothing(), running.out());
  if (FAILED(problem)) return scheduler_error(problem, "the task cannot be started");
  if (within(kRunWait, [&] { return told_status(state_directory).pid != 0; })) return {};
  return make_error("SERVICE_FAILED", "the task was started, and the node has not told anything within 30 s",
                    "hostclaw logs -n 50");
}

// Gently, and hard when that does not help.
Result<void> end_task(const Com<IRegisteredTask>& task, const std::string& state_directory) {
  const bool asked = ask_logon_node_to_stop();
  if (asked && within(kEndWait, [&] { return told_status(state_directory).pid == 0; })) return {};
  TASK_STATE now = TASK_STATE_UNKNOWN;
  if (FAILED(task->get_State(&now)) || now != TASK_STATE_RUNNING) return {};
  if (const HRESULT problem = task->Stop(0); FAILED(problem))
    return scheduler_error(problem, "the task cannot be stopped");
  return {};
}

}  // namespace

std::optional<std::string> registered_task_state() {
  std::string directory = registry_text(HKEY_CURRENT_USER, kOwnKey, kStateValue);
  if (directory.empty()) return std::nullopt;
  return directory;
}

ServiceState TaskService::query() {
  ServiceState state;
  state.manager = "Task Scheduler";
  state.scope = ServiceScope::kUser;
  state.name = task_name();
  state.status = "stopped";
  Scheduler scheduler;
  state.manager_available = SUCCEEDED(scheduler.problem());
  if (!state.manager_available) {
    state.unavailable = scheduler_error(scheduler.problem(), "the Task Scheduler does not answer").message;
    return state;
  }
  const auto task = scheduler.task();
  if (!task) return state;
  state.installed = true;
  state.definition_path = std::string("task \\") + task_name();
  VARIANT_BOOL enabled = VARIANT_FALSE;
  state.enabled = SUCCEEDED(task->get_Enabled(&enabled)) && enabled != VARIANT_FALSE;
  const TaskFacts facts = read_task(xml_of(task));
  state.program_arguments = facts.words;
  state.account = facts.user;
  state.working_directory = facts.working_directory;
  if (const auto definition = definition_of(facts.words)) {
    state.state_directory = definition->state_directory;
    state.environment = definition->environment;
  } else {
    state.state_directory = registered_task_state().value_or("");
  }
  if (!state.state_directory.empty()) state.log_file = log_path(state.state_directory);
  TASK_STATE now = TASK_STATE_UNKNOWN;
  const bool known = SUCCEEDED(task->get_State(&now));
  if (known && now == TASK_STATE_RUNNING) state.state = "Running";
  if (known && now == TASK_STATE_READY) state.state = "Ready";
  if (known && now == TASK_STATE_DISABLED) state.state = "Disabled";
  // What the node itself tells is more than what the scheduler knows of the process that watches over it.
  const ToldStatus told = told_status(state.state_directory);
  if (told.pid != 0) {
    state.status = "running";
    state.pid = told.pid;
    state.since_ms = process_start_ms(told.pid);
    state.text = told.text;
    return state;
  }
  if (known && now == TASK_STATE_RUNNING) {
    state.status = "starting";
    return state;
  }
  LONG last = 0;
  constexpr LONG kHasNotRun = 0x00041303;
  if (SUCCEEDED(task->get_LastTaskResult(&last)) && last != kHasNotRun && last >= 0 && last < 0x00041300) {
    state.last_exit_status = static_cast<int>(last);
    if (last != 0) state.status = "failed";
    if (last == 78) state.last_exit_reason = "configuration";
  }
  return state;
}

Result<std::string> TaskService::prepare(const ServiceSpec& spec) {
  if (auto ok = check_spec(spec, ServiceScope::kUser); !ok) return ok.error();
  const std::string directory = state_directory_for(spec);
  if (directory.empty())
    return make_error("CONFIG_INVALID", "a state directory is needed", "--state-dir C:\\...");
  if (auto made = make_own_state_folder(directory); !made) return made.error();
  return directory;
}

Result<int> TaskService::run_once(const ServiceSpec& spec, const std::vector<std::string>& arguments,
                                  const std::string& input) {
  return run_program(spec, state_directory_for(spec), arguments, input);
}

Result<ServiceChange> TaskService::install(const ServiceSpec& spec) {
  auto directory = prepare(spec);
  if (!directory) return directory.error();
  Scheduler scheduler;
  if (FAILED(scheduler.problem())) {
    return make_error("SERVICE_MANAGER_MISSING",
                      scheduler_error(scheduler.problem(), "the Task Scheduler does not answer").message,
                      "hostclaw node run");
  }
  const LogonTask plan = task_from(spec);
  ServiceChange change;
  if (const auto old = scheduler.task()) {
    const TaskFacts facts = read_task(xml_of(old));
    if (!facts.ours && !spec.force) {
      return make_error(
          "SERVICE_FOREIGN", "a task of the name hostclaw exists that is not from this program",
          "schtasks /query /tn hostclaw /xml, then: hostclaw node install --user --force    replaces it");
    }
    const bool same = facts.words == plan.words;
    const bool running = told_status(*directory).pid != 0;
    if (!spec.force) {
      if (!same) {
        change.warnings.push_back(
            "the task is installed with other settings, which were kept; to replace them: hostclaw node "
            "install "
            "--user --force ...");
      }
      if (!same || ((running || !spec.start) && spec.secrets.empty())) {
        change.result = "already-installed";
        return change;
      }
    }
    if (auto ended = end_task(old, *directory); !ended) return ended.error();
  }
  for (const auto& [name, value] : spec.secrets) {
    if (auto kept = keep_secret(*directory, ServiceScope::kUser, name, value); !kept) return kept.error();
  }
  Com<IRegisteredTask> task;
  const HRESULT registered = scheduler.root()->RegisterTask(
      Text(task_name()).get(), Text(render_task(plan)).get(), TASK_CREATE_OR_UPDATE, nothing(), nothing(),
      TASK_LOGON_INTERACTIVE_TOKEN, nothing(), task.out());
  if (FAILED(registered)) {
    Error error = scheduler_error(registered, "the task cannot be registered");
    error.next =
        "the same command in PowerShell that was opened with \"Run as administrator\", or: hostclaw node run";
    return error;
  }
  remember_state(*directory);
  if (spec.start) {
    if (auto started = run_task(task, *directory); !started) {
      // It starts at the next logon anyway.
      change.warnings.push_back(started.error().message +
                                (started.error().next.empty() ? "" : " -- next: " + started.error().next));
    }
  }
  change.result = "installed";
  change.notes.push_back("task \\" + task_name() + ", state " + *directory + ", account " + plan.user +
                         ", log " + log_path(*directory));
  add_findings(*this, change);
  return change;
}

Result<ServiceChange> TaskService::uninstall(bool purge) {
  ServiceChange change;
  change.result = "not-loaded";
  std::string directory = registered_task_state().value_or("");
  Scheduler scheduler;
  if (const auto task = scheduler.task()) {
    const TaskFacts facts = read_task(xml_of(task));
    if (!facts.ours) {
      return make_error("SERVICE_FOREIGN", "the task hostclaw is not from this program; it is left alone",
                        "schtasks /delete /tn hostclaw");
    }
    if (const auto definition = definition_of(facts.words)) directory = definition->state_directory;
    if (auto ended = end_task(task, directory); !ended) return ended.error();
    if (const HRESULT problem = scheduler.root()->DeleteTask(Text(task_name()).get(), 0); FAILED(problem))
      return scheduler_error(problem, "the task cannot be removed");
    change.result = "uninstalled";
    change.notes.push_back(std::string("removed the task \\") + task_name());
  }
  forget_state();
  if (directory.empty() || !path_exists(directory)) return change;
  forget_secrets(directory);
  if (!purge) {
    change.notes.push_back(
        "kept " + directory +
        " (identity, policy, record); to remove that too: hostclaw node uninstall --user --purge");
    return change;
  }
  // A folder of the user's choice may hold other things.
  remove_own_files(directory);
  if (path_exists(directory)) {
    change.warnings.push_back("something in " + directory + " could not be removed, or is not ours");
  } else {
    change.notes.push_back("removed the state in " + directory);
  }
  return change;
}

Result<ServiceChange> TaskService::start() {
  const ServiceState before = query();
  if (!before.installed) return not_installed(ServiceScope::kUser);
  ServiceChange change;
  if (before.status == "running") {
    change.result = "already-running";
    return change;
  }
  Scheduler scheduler;
  const auto task = scheduler.task();
  if (!task) return not_installed(ServiceScope::kUser);
  if (auto started = run_task(task, before.state_directory); !started) return started.error();
  change.result = "started";
  return change;
}

Result<ServiceChange> TaskService::stop() {
  ServiceChange change;
  const ServiceState before = query();
  Scheduler scheduler;
  const auto task = scheduler.task();
  if (!before.installed || !task) {
    change.result = "not-loaded";
    return change;
  }
  if (auto ended = end_task(task, before.state_directory); !ended) return ended.error();
  change.result = "stopped";
  return change;
}

Result<ServiceChange> TaskService::restart() {
  auto stopped = stop();
  if (!stopped) return stopped.error();
  if (stopped->result == "not-loaded") return not_installed(ServiceScope::kUser);
  auto change = start();
  if (change) change->result = "restarted";
  return change;
}

}  // namespace hostclaw::service_win
