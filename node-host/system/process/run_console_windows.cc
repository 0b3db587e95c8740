// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/run_console_windows.h"

#include <windows.h>

#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "base/utf8.h"
#include "node-host/system/files/windows_handle.h"
#include "node-host/system/host/host_facts.h"
#include "node-host/system/host/system_error_windows.h"
#include "node-host/system/process/command_line_windows.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

constexpr DWORD kPipeBytes = 16'384;
constexpr std::size_t kMaxText = 4096;
constexpr SHORT kRows = 20;
constexpr SHORT kMaxColumns = 500;

std::vector<std::string>& helper_command() {
  static std::vector<std::string> command;
  return command;
}

// The rows up to the cursor, blank ones left out.
std::string screen_text() {
  const UniqueFd screen =
      owned(::CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                          nullptr, OPEN_EXISTING, 0, nullptr));
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (!screen || ::GetConsoleScreenBufferInfo(as_handle(screen.get()), &info) == 0) return {};
  const SHORT columns = std::clamp<SHORT>(info.dwSize.X, 1, kMaxColumns);
  const SHORT last = info.dwCursorPosition.Y;
  std::string text;
  for (SHORT row = static_cast<SHORT>(std::max(0, last - kRows + 1)); row <= last; ++row) {
    std::wstring units(static_cast<std::size_t>(columns), L'\0');
    DWORD count = 0;
    if (::ReadConsoleOutputCharacterW(as_handle(screen.get()), units.data(), static_cast<DWORD>(columns),
                                      {0, row}, &count) == 0)
      continue;
    units.resize(count);
    const std::string line = from_wide(units);
    const std::size_t end = line.find_last_not_of(" \t\r\n");
    if (end != std::string::npos) text += line.substr(0, end + 1) + "\n";
  }
  return text;
}

std::vector<DWORD> processes_of_this_console() {
  std::vector<DWORD> pids(kMaxConsoleProcesses);
  const DWORD count = ::GetConsoleProcessList(pids.data(), static_cast<DWORD>(pids.size()));
  pids.resize(std::min<std::size_t>(count, pids.size()));
  return pids;
}

}  // namespace

Result<ConsoleHelper> ConsoleHelper::start(std::span<const std::uint32_t> pids) {
  std::vector<std::string> argv = helper_command();
  if (argv.empty()) argv = {executable_path(), "service", "console"};
  const auto program = exact_wide(argv.front());
  for (const std::uint32_t pid : pids.subspan(0, std::min(pids.size(), kMaxConsoleProcesses)))
    argv.push_back(std::to_string(pid));
  auto line = command_line(argv);
  if (!line) return line.error();

  SECURITY_ATTRIBUTES inherited{sizeof(SECURITY_ATTRIBUTES), nullptr, TRUE};
  HANDLE reading = nullptr;
  HANDLE writing = nullptr;
  if (::CreatePipe(&reading, &writing, nullptr, kPipeBytes) == 0) return last_windows_error();
  ConsoleHelper helper;
  helper.reading_ = owned(reading);
  const UniqueFd given = owned(writing);
  const UniqueFd null =
      owned(::CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                          &inherited, OPEN_EXISTING, 0, nullptr));
  if (!null || ::SetHandleInformation(writing, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) == 0)
    return last_windows_error();

  // Exactly these two, whatever else this process has open to be inherited at this moment.
  HANDLE handles[] = {as_handle(null.get()), writing};
  SIZE_T size = 0;
  ::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
  std::vector<std::uint8_t> memory(size);
  const auto attributes = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory.data());
  if (::InitializeProcThreadAttributeList(attributes, 1, 0, &size) == 0 ||
      ::UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, sizeof handles,
                                  nullptr, nullptr) == 0)
    return last_windows_error();
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = as_handle(null.get());
  startup.StartupInfo.hStdOutput = writing;
  startup.StartupInfo.hStdError = as_handle(null.get());
  startup.lpAttributeList = attributes;
  PROCESS_INFORMATION information{};
  const BOOL made = ::CreateProcessW(program ? program->c_str() : nullptr, line->data(), nullptr, nullptr,
                                     TRUE, DETACHED_PROCESS | EXTENDED_STARTUPINFO_PRESENT, nullptr, nullptr,
                                     &startup.StartupInfo, &information);
  Error error = made == 0 ? last_windows_error() : Error{};
  ::DeleteProcThreadAttributeList(attributes);
  if (made == 0) return error;
  const UniqueFd thread = owned(information.hThread);
  helper.process_ = owned(information.hProcess);
  return helper;
}

bool ConsoleHelper::ended() const {
  return ::WaitForSingleObject(as_handle(process_.get()), 0) == WAIT_OBJECT_0;
}

int ConsoleHelper::reached() const {
  DWORD code = 0;
  const bool read = ::GetExitCodeProcess(as_handle(process_.get()), &code) != 0;
  return read && code <= kMaxConsoleProcesses ? static_cast<int>(code) : 0;
}

std::string ConsoleHelper::take_text() {
  std::string text;
  DWORD there = 0;
  // Nobody writes any more: what is there is all.
  while (text.size() < kMaxText &&
         ::PeekNamedPipe(as_handle(reading_.get()), nullptr, 0, nullptr, &there, nullptr) != 0 && there > 0) {
    char bytes[1024];
    DWORD count = 0;
    if (::ReadFile(as_handle(reading_.get()), bytes, sizeof bytes, &count, nullptr) == 0 || count == 0) break;
    text.append(bytes, count);
  }
  reading_.reset();
  text.resize(std::min(text.size(), kMaxText));
  return to_valid_utf8(text);
}

void ConsoleHelper::abandon() {
  if (process_ && !ended()) ::TerminateProcess(as_handle(process_.get()), 0);
}

void set_console_helper(std::vector<std::string> command) { helper_command() = std::move(command); }

int serve_as_console_helper(std::span<const std::string> pids) {
  // Of a process that was started without a console there is none to leave; then this fails and does no harm.
  ::FreeConsole();
  std::vector<DWORD> done;
  int reached = 0;
  for (const std::string& word : pids) {
    const auto pid = static_cast<DWORD>(std::strtoul(word.c_str(), nullptr, 10));
    if (pid == 0 || std::find(done.begin(), done.end(), pid) != done.end()) continue;
    if (::AttachConsole(pid) == 0) continue;
    // Ours to press, not ours to obey.
    ::SetConsoleCtrlHandler(nullptr, TRUE);
    const std::vector<DWORD> here = processes_of_this_console();
    done.insert(done.end(), here.begin(), here.end());
    const std::string text = screen_text();
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (::GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0) != 0) ++reached;
    ::FreeConsole();
  }
  std::fflush(stdout);
  return reached;
}

}  // namespace hostclaw::node_host
