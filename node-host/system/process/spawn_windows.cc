// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/spawn.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <span>

#include "node-host/system/files/windows_handle.h"
#include "node-host/system/host/system_error.h"
#include "node-host/system/host/system_error_windows.h"
#include "node-host/system/process/command_line_windows.h"
#include "node-host/system/process/program_imports.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

// CreateProcessW takes longer names of programs only in verbatim form, and of directories not at all.
constexpr std::size_t kMaxPlainPath = 247;

struct IgnoringCase {
  bool operator()(const std::wstring& left, const std::wstring& right) const {
    return ::CompareStringOrdinal(left.data(), static_cast<int>(left.size()), right.data(),
                                  static_cast<int>(right.size()), TRUE) == CSTR_LESS_THAN;
  }
};

// Sorted by name without regard to case, as Windows searches it; of two values of a name the last counts.
Result<std::wstring> environment_block(const std::vector<std::string>& entries) {
  std::map<std::wstring, std::wstring, IgnoringCase> sorted;
  for (const std::string& entry : entries) {
    const auto wide = exact_wide(entry);
    if (!wide) return system_error(EILSEQ);
    // `=C:=C:\dir`: what cmd.exe remembers begins with an equals sign that belongs to the name.
    const std::size_t equals = wide->find(L'=', 1);
    if (equals == std::wstring::npos) continue;
    sorted[wide->substr(0, equals)] = *wide;
  }
  std::wstring block;
  for (const auto& [name, entry] : sorted) block.append(entry).push_back(L'\0');
  if (block.empty()) block.push_back(L'\0');
  block.push_back(L'\0');
  return block;
}

std::wstring system_command_interpreter() {
  std::wstring path(MAX_PATH, L'\0');
  path.resize(::GetSystemDirectoryW(path.data(), static_cast<UINT>(path.size())));
  return path + L"\\cmd.exe";
}

// The three handles in a form that the child inherits, and nobody else later.
class Inherited {
 public:
  Result<void> take(const std::array<NativeHandle, 3>& stdio) {
    for (std::size_t i = 0; i < stdio.size(); ++i) {
      HANDLE copy = nullptr;
      if (::DuplicateHandle(::GetCurrentProcess(), as_handle(stdio[i]), ::GetCurrentProcess(), &copy, 0, TRUE,
                            DUPLICATE_SAME_ACCESS) == 0)
        return last_windows_error();
      owned_[i] = owned(copy);
      raw_[i] = copy;
    }
    return {};
  }
  HANDLE operator[](std::size_t i) const { return raw_[i]; }
  HANDLE* list() { return raw_.data(); }
  std::size_t bytes() const { return raw_.size() * sizeof(HANDLE); }

 private:
  std::array<UniqueFd, 3> owned_;
  std::array<HANDLE, 3> raw_{};
};

class AttributeList {
 public:
  AttributeList() {
    SIZE_T size = 0;
    ::InitializeProcThreadAttributeList(nullptr, 1, 0, &size);
    memory_.resize(size);
    ready_ = ::InitializeProcThreadAttributeList(get(), 1, 0, &size) != 0;
  }
  ~AttributeList() {
    if (ready_) ::DeleteProcThreadAttributeList(get());
  }
  AttributeList(const AttributeList&) = delete;
  AttributeList& operator=(const AttributeList&) = delete;

  LPPROC_THREAD_ATTRIBUTE_LIST get() {
    return reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory_.data());
  }
  bool inherit_only(HANDLE* handles, std::size_t bytes) {
    return ready_ && ::UpdateProcThreadAttribute(get(), 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles, bytes,
                                                 nullptr, nullptr) != 0;
  }

 private:
  std::vector<std::uint8_t> memory_;
  bool ready_ = false;
};

// A program that lacks a library or crashes ends, as on a server it should, instead of asking in a window
// that nobody sees. Children inherit this.
void show_no_error_windows() {
  static const UINT before =
      ::SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
  static_cast<void>(before);
}

LineReader reader_of_line(NativeHandle executable) {
  // Whoever may be started may be read in all but odd cases; then the usual rules are the best guess.
  HANDLE reading = ::ReOpenFile(as_handle(executable), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, 0);
  const UniqueFd file = owned(reading);
  const auto read = [&file](std::uint64_t offset, std::span<char> buffer) -> std::size_t {
    OVERLAPPED position{};
    position.Offset = static_cast<DWORD>(offset);
    position.OffsetHigh = static_cast<DWORD>(offset >> 32);
    DWORD count = 0;
    const bool done = ::ReadFile(as_handle(file.get()), buffer.data(), static_cast<DWORD>(buffer.size()),
                                 &count, &position) != 0;
    return done ? count : 0;
  };
  return file && loads_a_library_of(read, {"msys-2.0.dll", "cygwin1.dll"}) ? LineReader::kMsys
                                                                           : LineReader::kUsual;
}

// What is started, and the line it is given.
struct Start {
  std::wstring program;
  std::wstring line;
};

Result<Start> start_of(const SpawnRequest& request, std::wstring program) {
  const bool batch = is_batch_file(program);
  if (batch != (request.form == LaunchForm::kScriptByPath)) return system_error(EINVAL);
  Start start;
  if (batch) {
    start.program = system_command_interpreter();
    auto line = batch_command_line(start.program, program, request.argv);
    if (!line) return line.error();
    start.line = std::move(*line);
    return start;
  }
  auto line = command_line(request.argv, reader_of_line(request.executable));
  if (!line) return line.error();
  start.line = std::move(*line);
  start.program = program.size() <= kMaxPlainPath ? std::move(program)
                  : program.starts_with(L"\\\\")  ? L"\\\\?\\UNC" + program.substr(1)
                                                  : L"\\\\?\\" + program;
  return start;
}

}  // namespace

LaunchForm launch_form(NativeHandle executable, const std::string&, NativeHandle) {
  return is_batch_file(final_path(as_handle(executable))) ? LaunchForm::kScriptByPath : LaunchForm::kProgram;
}

Result<SpawnedChild> spawn(const SpawnRequest& request) {
  std::wstring program = final_path(as_handle(request.executable));
  std::wstring directory = final_path(as_handle(request.directory));
  if (program.empty() || directory.empty()) return system_error(ENOENT);
  if (directory.size() > kMaxPlainPath) return system_error(ENAMETOOLONG);
  // cmd.exe would start in another directory than the judged one.
  if (request.form == LaunchForm::kScriptByPath && directory.starts_with(L"\\\\"))
    return system_error(EINVAL);
  if (std::any_of(request.argv.begin(), request.argv.end(),
                  [](const std::string& word) { return word.find('\0') != std::string::npos; }))
    return system_error(EINVAL);
  auto start = start_of(request, std::move(program));
  if (!start) return start.error();
  auto environment = environment_block(request.environment);
  if (!environment) return environment.error();
  Inherited stdio;
  if (auto taken = stdio.take(request.stdio); !taken) return taken.error();
  AttributeList attributes;
  if (!attributes.inherit_only(stdio.list(), stdio.bytes())) return last_windows_error();

  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES | STARTF_USESHOWWINDOW;
  startup.StartupInfo.wShowWindow = SW_HIDE;
  startup.StartupInfo.hStdInput = stdio[0];
  startup.StartupInfo.hStdOutput = stdio[1];
  startup.StartupInfo.hStdError = stdio[2];
  startup.lpAttributeList = attributes.get();
  PROCESS_INFORMATION information{};
  constexpr DWORD kFlags =
      CREATE_NO_WINDOW | CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
  show_no_error_windows();
  if (::CreateProcessW(start->program.c_str(), start->line.data(), nullptr, nullptr, TRUE, kFlags,
                       environment->data(), directory.c_str(), &startup.StartupInfo, &information) == 0)
    return last_windows_error();
  SpawnedChild child{static_cast<std::int64_t>(information.dwProcessId), owned(information.hProcess)};
  const UniqueFd thread = owned(information.hThread);
  const bool placed =
      request.tree < 0 || ::AssignProcessToJobObject(as_handle(request.tree), information.hProcess) != 0;
  // Not one instruction of it has run: nothing is lost by ending it.
  if (!placed || ::ResumeThread(information.hThread) == static_cast<DWORD>(-1)) {
    Error error = last_windows_error();
    ::TerminateProcess(information.hProcess, 1);
    return error;
  }
  return child;
}

}  // namespace hostclaw::node_host
