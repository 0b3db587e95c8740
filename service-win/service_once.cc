// SPDX-License-Identifier: Apache-2.0
#include "service-win/service_once.h"

#include "base/json.h"
#include "base/text.h"
#include "base/wide_text.h"
#include "service-win/state_folder.h"
#include "service-win/windows_calls.h"
#include "service-win/windows_words.h"

namespace hostclaw::service_win {
namespace {

constexpr const char* kOnceSecret = "once";

std::string output_path(const std::string& state_directory) { return state_directory + "\\logs\\once.log"; }
std::string exit_status_path(const std::string& state_directory) {
  return state_directory + "\\logs\\once.status";
}

void remove_file(const std::string& path) { DeleteFileW(to_wide_path(path).c_str()); }

std::string own_program() {
  std::wstring program(32'768, L'\0');
  program.resize(GetModuleFileNameW(nullptr, program.data(), static_cast<DWORD>(program.size())));
  return from_wide(program);
}

// Answers 1 when it cannot be started; the reason is in the output then.
int run_to_end(const OnceTask& task, const std::string& state_directory, HANDLE stop) {
  SECURITY_ATTRIBUTES inheritable{sizeof(SECURITY_ATTRIBUTES), nullptr, TRUE};
  const UniqueHandle output(CreateFileW(to_wide_path(output_path(state_directory)).c_str(),
                                        FILE_APPEND_DATA | SYNCHRONIZE,
                                        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, &inheritable,
                                        CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr));
  HANDLE reading = nullptr;
  HANDLE writing = nullptr;
  if (!is_valid(output) ||
      CreatePipe(&reading, &writing, &inheritable, static_cast<DWORD>(task.input.size() + 1)) == 0) {
    return 1;
  }
  const UniqueHandle child_end(reading);
  UniqueHandle our_end(writing);
  SetHandleInformation(our_end.get(), HANDLE_FLAG_INHERIT, 0);
  std::vector<std::string> words{own_program()};
  words.insert(words.end(), task.arguments.begin(), task.arguments.end());
  std::wstring line = to_wide(command_line_of(words));
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  startup.dwFlags = STARTF_USESTDHANDLES;
  startup.hStdInput = child_end.get();
  startup.hStdOutput = output.get();
  startup.hStdError = output.get();
  PROCESS_INFORMATION made{};
  if (CreateProcessW(nullptr, line.data(), nullptr, nullptr, TRUE, CREATE_NO_WINDOW, nullptr, nullptr,
                     &startup, &made) == 0) {
    const std::string why = "error: SERVICE_FAILED: " + text_of_problem(GetLastError()) + "\r\n";
    DWORD written = 0;
    WriteFile(output.get(), why.data(), static_cast<DWORD>(why.size()), &written, nullptr);
    return 1;
  }
  const UniqueHandle process(made.hProcess);
  CloseHandle(made.hThread);
  DWORD written = 0;
  WriteFile(our_end.get(), task.input.data(), static_cast<DWORD>(task.input.size()), &written, nullptr);
  our_end.reset();
  const HANDLE either[] = {process.get(), stop};
  if (WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0) TerminateProcess(process.get(), 1);
  WaitForSingleObject(process.get(), INFINITE);
  DWORD status = 1;
  GetExitCodeProcess(process.get(), &status);
  return static_cast<int>(status);
}

}  // namespace

Result<void> leave_once_task(const std::string& state_directory, const OnceTask& task) {
  remove_file(output_path(state_directory));
  remove_file(exit_status_path(state_directory));
  return keep_secret(state_directory, node_host::ServiceScope::kSystem, kOnceSecret,
                     dump_json(Json{{"arguments", task.arguments}, {"input", task.input}}));
}

std::string once_output(const std::string& state_directory, std::size_t& at) {
  std::string text = read_whole_file(output_path(state_directory));
  if (text.size() <= at) return {};
  text.erase(0, at);
  at += text.size();
  return text;
}

Result<int> take_once_status(const std::string& state_directory) {
  const std::string text(trim(read_whole_file(exit_status_path(state_directory))));
  remove_file(exit_status_path(state_directory));
  remove_file(output_path(state_directory));
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos)
    return make_error("SERVICE_FAILED", "the service's account could not run the program",
                      "hostclaw logs -n 50");
  return std::stoi(text);
}

void run_once_task(const std::string& state_directory, HANDLE stop) {
  const std::string text = kept_secret(state_directory, kOnceSecret);
  forget_secret(state_directory, kOnceSecret);
  const auto json = parse_json(text);
  int status = 1;
  if (json && json->is_object() && json->contains("arguments") && json->contains("input")) {
    OnceTask task;
    for (const Json& word : json->at("arguments")) task.arguments.push_back(word.get<std::string>());
    task.input = json->at("input").get<std::string>();
    status = run_to_end(task, state_directory, stop);
  }
  (void)write_whole_file(exit_status_path(state_directory), std::to_string(status) + "\n");
}

}  // namespace hostclaw::service_win
