// SPDX-License-Identifier: Apache-2.0
#include "service-win/scm_service.h"

#include <windows.h>

// After windows.h.
#include <cstdio>

#include <thread>

#include "base/file_names.h"
#include "base/text.h"
#include "base/wide_text.h"
#include "service-win/accounts.h"
#include "service-win/event_log.h"
#include "service-win/service_once.h"
#include "service-win/state_folder.h"
#include "service-win/windows_calls.h"
#include "service-win/windows_words.h"

namespace hostclaw::service_win {
namespace {

using node_host::ServiceChange;
using node_host::ServiceScope;
using node_host::ServiceSpec;
using node_host::ServiceState;
using Verdict = node_host::ServiceFinding::Verdict;

constexpr std::chrono::seconds kStartWait{75};
constexpr std::chrono::seconds kStopWait = kStopBound + std::chrono::seconds(15);
constexpr std::chrono::seconds kGoneWait{10};
std::string service_key() { return "SYSTEM\\CurrentControlSet\\Services\\" + service_name(); }
constexpr const char* kElevated = "open PowerShell with \"Run as administrator\", then: hostclaw node ";

UniqueService open_manager(DWORD access) { return UniqueService(OpenSCManagerW(nullptr, nullptr, access)); }
UniqueService open_service(const UniqueService& manager, DWORD access) {
  return UniqueService(OpenServiceW(manager.get(), to_wide(service_name()).c_str(), access));
}

std::string display(const Error& error) {
  return error.message + (error.next.empty() ? "" : " -- next: " + error.next);
}

// The part of a definition that the manager keeps.
struct Configuration {
  std::string image_path;
  std::string account;
  std::string description;
  DWORD start_type = 0;
  bool delayed = false;
};

std::vector<char> configuration_bytes(SC_HANDLE service) {
  DWORD size = 0;
  QueryServiceConfigW(service, nullptr, 0, &size);
  std::vector<char> bytes(size);
  if (size == 0 ||
      QueryServiceConfigW(service, reinterpret_cast<QUERY_SERVICE_CONFIGW*>(bytes.data()), size, &size) == 0)
    return {};
  return bytes;
}

std::vector<char> more_bytes(SC_HANDLE service, DWORD level) {
  DWORD size = 0;
  QueryServiceConfig2W(service, level, nullptr, 0, &size);
  std::vector<char> bytes(size);
  if (size == 0 ||
      QueryServiceConfig2W(service, level, reinterpret_cast<BYTE*>(bytes.data()), size, &size) == 0)
    return {};
  return bytes;
}

std::optional<Configuration> configuration_of(SC_HANDLE service) {
  const std::vector<char> bytes = configuration_bytes(service);
  if (bytes.empty()) return std::nullopt;
  const auto* raw = reinterpret_cast<const QUERY_SERVICE_CONFIGW*>(bytes.data());
  Configuration out;
  out.image_path = from_wide(raw->lpBinaryPathName != nullptr ? raw->lpBinaryPathName : L"");
  out.account = from_wide(raw->lpServiceStartName != nullptr ? raw->lpServiceStartName : L"");
  out.start_type = raw->dwStartType;
  if (const auto more = more_bytes(service, SERVICE_CONFIG_DESCRIPTION); !more.empty()) {
    const auto* text = reinterpret_cast<const SERVICE_DESCRIPTIONW*>(more.data())->lpDescription;
    if (text != nullptr) out.description = from_wide(text);
  }
  if (const auto more = more_bytes(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO); !more.empty())
    out.delayed =
        reinterpret_cast<const SERVICE_DELAYED_AUTO_START_INFO*>(more.data())->fDelayedAutostart != FALSE;
  return out;
}

bool is_ours(const Configuration& configuration) {
  return configuration.description.find(kMarker) != std::string::npos &&
         to_lower_ascii(file_name_of(split_command_line(configuration.image_path).empty()
                                         ? std::string()
                                         : split_command_line(configuration.image_path).front())) ==
             "hostclaw.exe";
}

std::optional<SERVICE_STATUS_PROCESS> status_of(SC_HANDLE service) {
  SERVICE_STATUS_PROCESS status{};
  DWORD size = 0;
  if (QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, reinterpret_cast<BYTE*>(&status), sizeof status,
                           &size) == 0)
    return std::nullopt;
  return status;
}

// The manager says RUNNING of a process that is gone: not on Windows, but in Wine.
bool process_is_gone(const SERVICE_STATUS_PROCESS& status) {
  return status.dwProcessId != 0 && status.dwCurrentState != SERVICE_STOPPED &&
         !process_lives(static_cast<std::int64_t>(status.dwProcessId));
}

bool is_stopped(const SERVICE_STATUS_PROCESS& status) {
  return status.dwCurrentState == SERVICE_STOPPED || process_is_gone(status);
}

// Waits until `there` or until nothing moves for longer than the service itself hinted.
template <class Condition>
Result<void> wait_until(SC_HANDLE service, std::chrono::seconds at_most, const char* what, Condition there) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + at_most;
  DWORD checkpoint = 0;
  auto moved = Clock::now();
  for (;;) {
    const auto status = status_of(service);
    if (!status)
      return service_error(GetLastError(), "the Service Control Manager does not say how the service is");
    if (there(*status)) return {};
    if (status->dwCheckPoint != checkpoint) {
      checkpoint = status->dwCheckPoint;
      moved = Clock::now();
    }
    const auto patience =
        std::max(std::chrono::milliseconds(status->dwWaitHint) * 2, std::chrono::milliseconds(5000));
    const bool ended = status->dwCurrentState == SERVICE_STOPPED || process_is_gone(*status);
    if (ended || Clock::now() > until || Clock::now() - moved > patience) {
      const auto exit = last_exit_status(status->dwWin32ExitCode, status->dwServiceSpecificExitCode);
      return make_error("SERVICE_FAILED",
                        std::string("the service did not ") + what + ": it is " +
                            state_word(status->dwCurrentState) +
                            (ended && exit ? ", exit status " + std::to_string(*exit) : ""),
                        "hostclaw logs -n 50");
    }
    std::this_thread::sleep_for(poll_pause(status->dwWaitHint));
  }
}

Result<void> start_and_wait(SC_HANDLE service) {
  if (StartServiceW(service, 0, nullptr) == 0) {
    const DWORD problem = GetLastError();
    if (problem == ERROR_SERVICE_ALREADY_RUNNING) return {};
    std::string next = "hostclaw logs -n 50";
    if (problem == ERROR_SERVICE_LOGON_FAILED)
      next =
          "hostclaw node install --force --run-as ...    (the password, or the right to log on as a service)";
    return service_error(problem, "the service cannot be started", next);
  }
  return wait_until(service, kStartWait, "start", [](const SERVICE_STATUS_PROCESS& status) {
    return status.dwCurrentState == SERVICE_RUNNING;
  });
}

Result<void> stop_and_wait(SC_HANDLE service) {
  auto status = status_of(service);
  if (status && is_stopped(*status)) return {};
  if (status && status->dwCurrentState == SERVICE_START_PENDING) {
    // It takes no stop before it runs; a node is ready, or honestly waits, within seconds.
    (void)wait_until(service, kStartWait, "start",
                     [](const SERVICE_STATUS_PROCESS& now) { return now.dwCurrentState == SERVICE_RUNNING; });
  }
  SERVICE_STATUS ignored{};
  if (ControlService(service, SERVICE_CONTROL_STOP, &ignored) == 0) {
    const DWORD problem = GetLastError();
    if (problem == ERROR_SERVICE_NOT_ACTIVE) return {};
    status = status_of(service);
    const bool stopping = status && (is_stopped(*status) || status->dwCurrentState == SERVICE_STOP_PENDING);
    if (!stopping) return service_error(problem, "the service cannot be stopped", "sc.exe queryex hostclaw");
  }
  return wait_until(service, kStopWait, "stop", is_stopped);
}

// Some of these are missing in Wine, and none of them is worth failing for.
void set_more(SC_HANDLE service, DWORD level, void* value, const char* what, ServiceChange& change) {
  SetLastError(ERROR_SUCCESS);
  if (ChangeServiceConfig2W(service, level, value) != 0) return;
  change.notes.push_back(std::string("not set: ") + what + " (" + text_of_problem(GetLastError()) + ")");
}

// Answers whether the process of the service will carry the service's own identity.
bool set_options(SC_HANDLE service, ServiceChange& change) {
  std::wstring description = to_wide(kDescription);
  SERVICE_DESCRIPTIONW text{description.data()};
  set_more(service, SERVICE_CONFIG_DESCRIPTION, &text, "the description", change);
  SC_ACTION actions[std::size(kRestartDelays)];
  for (std::size_t i = 0; i < std::size(kRestartDelays); ++i) {
    actions[i] = {
        SC_ACTION_RESTART,
        static_cast<DWORD>(std::chrono::duration_cast<std::chrono::milliseconds>(kRestartDelays[i]).count())};
  }
  SERVICE_FAILURE_ACTIONSW failure{};
  failure.dwResetPeriod = static_cast<DWORD>(kGoodRun.count());
  failure.cActions = static_cast<DWORD>(std::size(actions));
  failure.lpsaActions = actions;
  set_more(service, SERVICE_CONFIG_FAILURE_ACTIONS, &failure, "the restart after a failure", change);
  // Off: a service that says STOPPED with an error, as it does when its configuration must change, stays
  // stopped. What calls for a restart ends without saying so.
  SERVICE_FAILURE_ACTIONS_FLAG crashes_alone{FALSE};
  set_more(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &crashes_alone, "the restart after crashes alone",
           change);
  SERVICE_DELAYED_AUTO_START_INFO delayed{TRUE};
  set_more(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed, "the delayed start", change);
  SERVICE_PRESHUTDOWN_INFO before_shutdown{
      static_cast<DWORD>(std::chrono::duration_cast<std::chrono::milliseconds>(kManagerStopBound).count())};
  set_more(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &before_shutdown, "the time to end before a shutdown",
           change);
  SERVICE_SID_INFO own_identity{SERVICE_SID_TYPE_UNRESTRICTED};
  const std::size_t notes = change.notes.size();
  set_more(service, SERVICE_CONFIG_SERVICE_SID_INFO, &own_identity, "the identity of the service", change);
  return change.notes.size() == notes;
}

// Which accounts the state must be open to. The service's own identity is enough where its process carries
// it: an account that other services share learns nothing.
std::vector<std::string> state_sids(const ServiceAccount& account, bool has_identity) {
  std::vector<std::string> sids{service_sid(service_name())};
  const bool carries = account.kind == AccountKind::kOwn || has_identity;
  if (!carries && account.kind != AccountKind::kLocalSystem) sids.push_back(sid_of_account(account));
  return sids;
}

Definition definition_from(const ServiceSpec& spec, const std::string& state_directory) {
  Definition out;
  out.starter = Starter::kServiceManager;
  out.executable = with_backslashes(spec.executable);
  out.state_directory = state_directory;
  out.environment = spec.environment;
  out.run_arguments = spec.run_arguments;
  out.run_arguments.insert(out.run_arguments.end(), {"--stop-grace", std::to_string(kStopGraceSeconds)});
  return out;
}

std::string state_directory_of(const ServiceSpec& spec) {
  return spec.state_directory.empty() ? machine_state_directory() : with_backslashes(spec.state_directory);
}

Result<ServiceAccount> account_of(const ServiceSpec& spec) {
  auto account = account_named(spec.run_as);
  if (!account) return account;
  if (account->kind == AccountKind::kLocalSystem && !spec.force) {
    return make_error(
        "SERVICE_ACCOUNT",
        "as LocalSystem every allowed command could do everything to this machine, and more than an "
        "administrator",
        "hostclaw node install    (as " + own_service_account() + "), or with --force");
  }
  if (sid_of_account(*account).empty())
    return make_error("SERVICE_ACCOUNT", "there is no account " + account->name, "net user");
  return account;
}

Result<void> require_elevation(const char* verb) {
  if (is_elevated()) return {};
  return make_error(
      "SERVICE_PERMISSIONS", "the machine's service can be changed by an administrator alone",
      kElevated + std::string(verb) + ", or for this account alone: hostclaw node " + verb + " --user");
}

Result<UniqueService> existing_service(DWORD access, const char* verb) {
  const UniqueService manager = open_manager(SC_MANAGER_CONNECT);
  if (!manager) {
    return make_error("SERVICE_MANAGER_MISSING",
                      "the Service Control Manager does not answer: " + text_of_problem(GetLastError()),
                      "hostclaw node run");
  }
  UniqueService service = open_service(manager, access | SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG);
  if (service) return service;
  const DWORD problem = GetLastError();
  if (problem == ERROR_SERVICE_DOES_NOT_EXIST) return not_installed(ServiceScope::kSystem);
  return service_error(problem, "the service cannot be opened", kElevated + std::string(verb));
}

}  // namespace

Error not_installed(ServiceScope scope) {
  return make_error("SERVICE_NOT_INSTALLED", "Node service disabled.",
                    scope == ServiceScope::kUser ? "hostclaw node install --user" : "hostclaw node install");
}

std::optional<Definition> registered_definition() {
  return definition_of(split_command_line(registry_text(HKEY_LOCAL_MACHINE, service_key(), "ImagePath")));
}

Result<void> check_spec(const ServiceSpec& spec, ServiceScope scope) {
  if (!spec.groups.empty()) {
    return make_error("CONFIG_INVALID", "--group is for Linux; on Windows an account is put into a group",
                      "net localgroup " + spec.groups.front() + " \"" + own_service_account() + "\" /add");
  }
  if (scope == ServiceScope::kUser && !spec.run_as.empty()) {
    return make_error("CONFIG_INVALID", "a logon task runs as the account that installs it",
                      "hostclaw node install --system --run-as " + spec.run_as);
  }
  if (!spec.state_directory.empty() && !is_absolute_path(spec.state_directory))
    return make_error("CONFIG_INVALID", "--state-dir needs an absolute path");
  if (!is_absolute_path(spec.executable) || !path_exists(spec.executable))
    return make_error("SERVICE_EXECUTABLE", "it is not known where this program is: " + spec.executable);
  if (spec.executable.starts_with("\\\\") || spec.executable.starts_with("//")) {
    return make_error("SERVICE_EXECUTABLE",
                      spec.executable + " is on another machine; a service needs its program here",
                      "copy hostclaw.exe to a local folder, and run that one");
  }
  return {};
}

void add_findings(node_host::ServiceManager& manager, ServiceChange& change) {
  for (const node_host::ServiceFinding& finding : manager.examine()) {
    if (finding.verdict != Verdict::kWarning && finding.verdict != Verdict::kNote) continue;
    std::string line = finding.message + (finding.next.empty() ? "" : " -- next: " + finding.next);
    (finding.verdict == Verdict::kWarning ? change.warnings : change.notes).push_back(std::move(line));
  }
}

Result<int> run_program(const ServiceSpec& spec, const std::string& state_directory,
                        const std::vector<std::string>& arguments, const std::string& input) {
  std::vector<std::string> words{with_backslashes(spec.executable)};
  words.insert(words.end(), arguments.begin(), arguments.end());
  SECURITY_ATTRIBUTES inheritable{sizeof(SECURITY_ATTRIBUTES), nullptr, TRUE};
  HANDLE reading = nullptr;
  HANDLE writing = nullptr;
  if (CreatePipe(&reading, &writing, &inheritable, static_cast<DWORD>(input.size() + 1)) == 0)
    return service_error(GetLastError(), "cannot make a pipe");
  const UniqueHandle child_end(reading);
  UniqueHandle our_end(writing);
  SetHandleInformation(our_end.get(), HANDLE_FLAG_INHERIT, 0);
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  startup.dwFlags = STARTF_USESTDHANDLES;
  startup.hStdInput = child_end.get();
  startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  SetEnvironmentVariableW(L"HOSTCLAW_STATE_DIR", to_wide(state_directory).c_str());
  PROCESS_INFORMATION made{};
  std::wstring line = to_wide(command_line_of(words));
  std::fflush(nullptr);
  if (CreateProcessW(nullptr, line.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr, &startup, &made) == 0)
    return service_error(GetLastError(), "cannot run " + spec.executable);
  const UniqueHandle process(made.hProcess);
  CloseHandle(made.hThread);
  DWORD written = 0;
  WriteFile(our_end.get(), input.data(), static_cast<DWORD>(input.size()), &written, nullptr);
  our_end.reset();
  constexpr DWORD kPatienceMs = 15 * 60 * 1000;  // a person may have to approve meanwhile
  if (WaitForSingleObject(process.get(), kPatienceMs) != WAIT_OBJECT_0) {
    TerminateProcess(process.get(), ERROR_TIMEOUT);
    return make_error("SERVICE_FAILED", "nobody approved within 15 minutes");
  }
  DWORD status = 0;
  GetExitCodeProcess(process.get(), &status);
  return static_cast<int>(status);
}

ServiceState ScmService::query() {
  ServiceState state;
  state.manager = "Service Control Manager";
  state.scope = ServiceScope::kSystem;
  state.name = service_name();
  state.status = "stopped";
  const UniqueService manager = open_manager(SC_MANAGER_CONNECT);
  if (!manager) {
    state.unavailable = "the Service Control Manager does not answer: " + text_of_problem(GetLastError());
    return state;
  }
  state.manager_available = true;
  const UniqueService service = open_service(manager, SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG);
  if (!service) {
    if (GetLastError() != ERROR_SERVICE_DOES_NOT_EXIST) {
      state.installed = true;
      state.status = "unknown";
    }
    return state;
  }
  state.installed = true;
  state.definition_path = "HKLM\\" + service_key();
  if (const auto configuration = configuration_of(service.get())) {
    state.enabled = configuration->start_type == SERVICE_AUTO_START;
    state.account = configuration->account;
    state.program_arguments = split_command_line(configuration->image_path);
    if (const auto definition = definition_of(state.program_arguments)) {
      state.state_directory = definition->state_directory;
      state.environment = definition->environment;
      state.log_file = log_path(definition->state_directory);
    }
  }
  const auto status = status_of(service.get());
  if (!status) {
    state.status = "unknown";
    return state;
  }
  state.status = status_word(status->dwCurrentState, status->dwWin32ExitCode);
  state.state = state_word(status->dwCurrentState);
  if (process_is_gone(*status)) {
    state.status = "failed";
    state.sub_state = "process-gone";
    return state;
  }
  if (status->dwCurrentState != SERVICE_STOPPED) {
    state.pid = static_cast<std::int64_t>(status->dwProcessId);
    state.since_ms = process_start_ms(state.pid);
    const ToldStatus told = told_status(state.state_directory);
    if (told.pid == state.pid) state.text = told.text;
  } else {
    state.last_exit_status = last_exit_status(status->dwWin32ExitCode, status->dwServiceSpecificExitCode);
    state.last_exit_reason = last_exit_reason(status->dwWin32ExitCode, status->dwServiceSpecificExitCode);
  }
  return state;
}

Result<std::string> ScmService::prepare(const ServiceSpec& spec) {
  if (auto ok = check_spec(spec, ServiceScope::kSystem); !ok) return ok.error();
  if (auto ok = require_elevation("install"); !ok) return ok.error();
  auto account = account_of(spec);
  if (!account) return account.error();
  const std::string directory = state_directory_of(spec);
  if (auto made = make_state_folder(directory, state_sids(*account, false)); !made) return made.error();
  return directory;
}

Result<int> ScmService::run_once(const ServiceSpec& spec, const std::vector<std::string>& arguments,
                                 const std::string& input) {
  const bool existed = query().installed;
  ServiceSpec quiet = spec;
  quiet.start = false;
  quiet.force = true;
  if (auto installed = install(quiet); !installed) return installed.error();
  const std::string directory = state_directory_of(spec);
  if (auto left = leave_once_task(directory, {arguments, input}); !left) return left.error();
  auto service = existing_service(SERVICE_START | SERVICE_STOP, "install");
  if (!service) return service.error();
  const wchar_t* words[] = {kOnceWord};
  if (StartServiceW(service->get(), 1, words) == 0) {
    const DWORD problem = GetLastError();
    forget_secret(directory, "once");
    return service_error(problem, "the service cannot be started");
  }
  constexpr std::chrono::minutes kPatience{15};  // a person may have to approve meanwhile
  const auto until = std::chrono::steady_clock::now() + kPatience;
  std::size_t at = 0;
  const auto show = [&] {
    const std::string text = once_output(directory, at);
    std::fwrite(text.data(), 1, text.size(), stderr);
  };
  for (;;) {
    const auto status = status_of(service->get());
    show();
    if (!status || is_stopped(*status)) break;
    if (std::chrono::steady_clock::now() > until) {
      (void)stop_and_wait(service->get());
      (void)take_once_status(directory);
      return make_error("SERVICE_FAILED", "nobody approved within 15 minutes");
    }
    std::this_thread::sleep_for(poll_pause(1000));
  }
  auto ended = take_once_status(directory);
  // What was made for this alone does not stay when it came to nothing.
  if (!existed && (!ended || *ended != 0)) (void)uninstall(false);
  return ended;
}

Result<ServiceChange> ScmService::install(const ServiceSpec& spec) {
  if (auto ok = check_spec(spec, ServiceScope::kSystem); !ok) return ok.error();
  if (auto ok = require_elevation("install"); !ok) return ok.error();
  const UniqueService manager = open_manager(SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE);
  if (!manager)
    return service_error(GetLastError(), "the Service Control Manager refuses",
                         kElevated + std::string("install"));
  auto account = account_of(spec);
  if (!account) return account.error();
  const std::string directory = state_directory_of(spec);
  const std::string image_path = command_line_of(words_of(definition_from(spec, directory)));

  ServiceChange change;
  UniqueService service = open_service(manager, SERVICE_ALL_ACCESS);
  const bool existed = service != nullptr;
  bool same = false;
  if (!existed && GetLastError() != ERROR_SERVICE_DOES_NOT_EXIST)
    return service_error(GetLastError(), "the service cannot be opened", kElevated + std::string("install"));
  if (existed) {
    const auto old = configuration_of(service.get());
    if (!spec.force && (!old || !is_ours(*old))) {
      return make_error("SERVICE_FOREIGN",
                        "a service of the name hostclaw exists that is not from this program",
                        "sc.exe qc hostclaw, then: hostclaw node install --force    replaces it");
    }
    same = old && old->image_path == image_path && old->start_type == SERVICE_AUTO_START &&
           to_lower_ascii(old->account) == to_lower_ascii(account->name);
    if (!spec.force) {
      const bool running = query().status == "running";
      if (!same) {
        change.warnings.push_back(
            "the service is installed with other settings, which were kept; to replace them: hostclaw node "
            "install "
            "--force ...");
      }
      if (!same || ((running || !spec.start) && spec.secrets.empty())) {
        change.result = "already-installed";
        return change;
      }
    }
  }

  std::string password;
  if (account->kind == AccountKind::kUser && !same) {
    auto typed = ask_password(account->name);
    if (!typed) return typed.error();
    password = std::move(*typed);
  }
  if (account->kind == AccountKind::kUser || account->kind == AccountKind::kManaged) {
    const std::string sid = sid_of_account(*account);
    if (may_log_on_as_service(sid).value_or(false)) {
      // It has the right already.
    } else if (auto granted = grant_service_logon(sid); granted) {
      change.notes.push_back(account->name + " was given the right to log on as a service");
    } else {
      change.warnings.push_back(display(granted.error()));
    }
  }
  if (existed) {
    if (auto stopped = stop_and_wait(service.get()); !stopped) return stopped.error();
  }
  std::wstring wide_password = to_wide(password);
  // Windows wants none for accounts whose password it keeps itself, and an empty one for those that have
  // none.
  const bool kept_by_windows = account->kind == AccountKind::kOwn || account->kind == AccountKind::kManaged;
  const wchar_t* secret = kept_by_windows ? nullptr : wide_password.c_str();
  const std::wstring wide_path = to_wide(image_path);
  const std::wstring wide_account = to_wide(account->name);
  DWORD problem = ERROR_SUCCESS;
  if (existed && !same) {
    if (ChangeServiceConfigW(service.get(), SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START,
                             SERVICE_ERROR_NORMAL, wide_path.c_str(), nullptr, nullptr, nullptr,
                             wide_account.c_str(), secret, to_wide(display_name()).c_str()) == 0) {
      problem = GetLastError();
    }
  } else if (!existed) {
    service.reset(CreateServiceW(manager.get(), to_wide(service_name()).c_str(),
                                 to_wide(display_name()).c_str(), SERVICE_ALL_ACCESS,
                                 SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL,
                                 wide_path.c_str(), nullptr, nullptr, nullptr, wide_account.c_str(), secret));
    if (!service) problem = GetLastError();
  }
  SecureZeroMemory(wide_password.data(), wide_password.size() * sizeof(wchar_t));
  SecureZeroMemory(password.data(), password.size());
  if (problem != ERROR_SUCCESS) {
    const bool marked = problem == ERROR_SERVICE_MARKED_FOR_DELETE;
    return service_error(
        problem, "the service cannot be installed",
        marked ? "close the windows that show services (services.msc, Task Manager), then try again"
               : std::string());
  }
  const bool has_identity = set_options(service.get(), change);
  // From here on the account exists for Windows, also the service's own.
  if (auto made = make_state_folder(directory, state_sids(*account, has_identity)); !made)
    return made.error();
  for (const auto& [name, value] : spec.secrets) {
    if (auto kept = keep_secret(directory, ServiceScope::kSystem, name, value); !kept) return kept.error();
  }
  if (auto registered = register_event_source(with_backslashes(spec.executable)); !registered)
    change.notes.push_back(registered.error().message);
  if (spec.start) {
    if (auto started = start_and_wait(service.get()); !started) return started.error();
  }
  change.result = "installed";
  change.notes.push_back("service hostclaw, state " + directory + ", account " + account->name + ", log " +
                         log_path(directory));
  add_findings(*this, change);
  return change;
}

Result<ServiceChange> ScmService::uninstall(bool purge) {
  ServiceChange change;
  std::string directory;
  {
    auto service = existing_service(DELETE | SERVICE_STOP, "uninstall");
    if (!service) {
      if (service.error().code != "SERVICE_NOT_INSTALLED") return service.error();
      change.result = "not-loaded";
      directory = machine_state_directory();
    } else {
      if (auto ok = require_elevation("uninstall"); !ok) return ok.error();
      const auto configuration = configuration_of(service->get());
      if (!configuration || !is_ours(*configuration)) {
        return make_error("SERVICE_FOREIGN",
                          "the service hostclaw is not from this program; it is left alone",
                          "sc.exe qc hostclaw, then: sc.exe delete hostclaw");
      }
      if (const auto definition = definition_of(split_command_line(configuration->image_path)))
        directory = definition->state_directory;
      if (auto stopped = stop_and_wait(service->get()); !stopped) return stopped.error();
      if (DeleteService(service->get()) == 0 && GetLastError() != ERROR_SERVICE_MARKED_FOR_DELETE)
        return service_error(GetLastError(), "the service cannot be removed");
      change.result = "uninstalled";
    }
  }
  if (change.result == "uninstalled") {
    // It goes when the last program that looks at it lets go.
    const auto until = std::chrono::steady_clock::now() + kGoneWait;
    bool gone = false;
    while (!gone && std::chrono::steady_clock::now() < until) {
      const UniqueService manager = open_manager(SC_MANAGER_CONNECT);
      gone = !open_service(manager, SERVICE_QUERY_STATUS) && GetLastError() == ERROR_SERVICE_DOES_NOT_EXIST;
      if (!gone) std::this_thread::sleep_for(poll_pause(0));
    }
    if (!gone) {
      change.warnings.push_back(
          "the service goes away when the last window that shows it is closed (services.msc, Task Manager)");
    }
    remove_event_source();
    change.notes.push_back("removed the service hostclaw");
  }
  if (directory.empty() || !path_exists(directory)) return change;
  forget_secrets(directory);
  if (!purge) {
    if (path_exists(directory)) {
      change.notes.push_back(
          "kept " + directory +
          " (identity, policy, record); to remove that too: hostclaw node uninstall --purge");
    }
    return change;
  }
  if (auto ok = require_elevation("uninstall --purge"); !ok) return ok.error();
  // A folder of the user's choice may hold other things.
  if (same_path(directory, machine_state_directory())) {
    remove_tree(directory);
  } else {
    remove_own_files(directory);
  }
  if (path_exists(directory)) {
    change.warnings.push_back("something in " + directory + " could not be removed, or is not ours");
  } else {
    change.notes.push_back("removed the state in " + directory);
  }
  return change;
}

Result<ServiceChange> ScmService::start() {
  auto service = existing_service(SERVICE_START, "start");
  if (!service) return service.error();
  ServiceChange change;
  const auto status = status_of(service->get());
  if (status && status->dwCurrentState == SERVICE_RUNNING && !process_is_gone(*status)) {
    change.result = "already-running";
    return change;
  }
  if (auto started = start_and_wait(service->get()); !started) return started.error();
  change.result = "started";
  return change;
}

Result<ServiceChange> ScmService::stop() {
  ServiceChange change;
  auto service = existing_service(SERVICE_STOP, "stop");
  if (!service) {
    if (service.error().code != "SERVICE_NOT_INSTALLED" && service.error().code != "SERVICE_MANAGER_MISSING")
      return service.error();
    change.result = "not-loaded";
    return change;
  }
  if (auto stopped = stop_and_wait(service->get()); !stopped) return stopped.error();
  change.result = "stopped";
  return change;
}

Result<ServiceChange> ScmService::restart() {
  auto service = existing_service(SERVICE_START | SERVICE_STOP, "restart");
  if (!service) return service.error();
  if (auto stopped = stop_and_wait(service->get()); !stopped) return stopped.error();
  if (auto started = start_and_wait(service->get()); !started) return started.error();
  ServiceChange change;
  change.result = "restarted";
  return change;
}

}  // namespace hostclaw::service_win
