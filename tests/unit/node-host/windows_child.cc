// SPDX-License-Identifier: Apache-2.0
// A program for tests to start on Windows: the first argument says what it does.
#include <windows.h>
// Order matters.
#include <fcntl.h>
#include <io.h>
#include <shellapi.h>

#include <cstdio>
#include <cwchar>
#include <string>
#include <vector>

#include "node-host/system/process/run_console_windows.h"

namespace {

std::string narrow(const std::wstring& text) {
  if (text.empty()) return {};
  const int units = static_cast<int>(text.size());
  const int size = ::WideCharToMultiByte(CP_UTF8, 0, text.data(), units, nullptr, 0, nullptr, nullptr);
  std::string result(static_cast<std::size_t>(size), '\0');
  ::WideCharToMultiByte(CP_UTF8, 0, text.data(), units, result.data(), size, nullptr, nullptr);
  return result;
}

void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void set_event(const wchar_t* name) {
  const HANDLE event = ::OpenEventW(EVENT_MODIFY_STATE, FALSE, name);
  if (event == nullptr || ::SetEvent(event) == 0) ::ExitProcess(90);
  ::CloseHandle(event);
}

// Each argument as <length>:<bytes> on a line of its own, argv[0] first; 70 when the two parsers differ.
int print_arguments(int argc, wchar_t** argv) {
  int count = 0;
  wchar_t** const parsed = ::CommandLineToArgvW(::GetCommandLineW(), &count);
  if (parsed == nullptr || count != argc) return 70;
  for (int i = 0; i < argc; ++i) {
    if (std::wcscmp(parsed[i], argv[i]) != 0) return 70;
    if (i == 1) continue;
    const std::string text = narrow(argv[i]);
    say(std::to_string(text.size()) + ":" + text + "\n");
  }
  return 0;
}

int print_environment() {
  wchar_t* block = ::GetEnvironmentStringsW();
  for (const wchar_t* item = block; *item != L'\0'; item += std::wcslen(item) + 1) say(narrow(item) + "\n");
  return 0;
}

int write_bytes(long count) {
  const std::string block(4096, 'x');
  for (long left = count; left > 0; left -= 4096) {
    DWORD written = 0;
    if (::WriteFile(::GetStdHandle(STD_OUTPUT_HANDLE), block.data(), left < 4096 ? left : 4096, &written,
                    nullptr) == 0)
      return 1;
  }
  return 0;
}

int write_hex(const std::wstring& digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::wcstol(digits.substr(i, 2).c_str(), nullptr, 16));
  say(bytes);
  return 0;
}

int read_input() {
  char byte;
  DWORD count = 0;
  const BOOL ok = ::ReadFile(::GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &count, nullptr);
  say(ok != 0 && count == 0 ? "end\n" : "no end\n");
  return 0;
}

// What the number is in this process: the test's own event, or nothing.
int use_handle(const wchar_t* number) {
  const auto handle = reinterpret_cast<HANDLE>(static_cast<INT_PTR>(std::wcstoll(number, nullptr, 10)));
  say(::SetEvent(handle) != 0 ? "set\n" : "no such handle\n");
  return 0;
}

std::wstring tidied;
BOOL WINAPI on_ctrl_c(DWORD event) {
  if (event != CTRL_C_EVENT) return FALSE;
  // What an interrupted git does with its lock.
  ::DeleteFileW(tidied.c_str());
  ::ExitProcess(3);
}

// Leaves a file that Ctrl-C takes away.
int tidy_up(const wchar_t* file, const wchar_t* event) {
  tidied = file;
  ::SetConsoleCtrlHandler(&on_ctrl_c, TRUE);
  if (std::FILE* out = ::_wfopen(file, L"wb")) std::fclose(out);
  set_event(event);
  ::Sleep(INFINITE);
  return 0;
}

// As ssh does: not on its streams but in its console, and waits for an answer.
int ask(const wchar_t* question, const wchar_t* event) {
  const HANDLE screen = ::CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE,
                                      FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0, nullptr);
  const HANDLE keys = ::CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0, nullptr);
  DWORD count = 0;
  if (screen == INVALID_HANDLE_VALUE || keys == INVALID_HANDLE_VALUE ||
      ::WriteConsoleW(screen, question, static_cast<DWORD>(std::wcslen(question)), &count, nullptr) == 0)
    return 93;
  set_event(event);
  wchar_t answer[16];
  ::ReadConsoleW(keys, answer, 16, &count, nullptr);
  ::Sleep(INFINITE);
  return 0;
}

// Starts itself again, in a group of its own and without a console, until `depth` is used up; the last one
// sets the event. Each leaves its process id in a file.
int tree(int depth, const std::wstring& directory, const std::wstring& event, int leave_with) {
  const std::wstring file = directory + L"\\" + std::to_wstring(depth);
  if (std::FILE* out = ::_wfopen(file.c_str(), L"wb")) {
    std::fprintf(out, "%lu", ::GetCurrentProcessId());
    std::fclose(out);
  }
  if (depth == 0) {
    set_event(event.c_str());
    ::Sleep(INFINITE);
  }
  wchar_t self[MAX_PATH];
  ::GetModuleFileNameW(nullptr, self, MAX_PATH);
  std::wstring line = L"child tree " + std::to_wstring(depth - 1) + L" \"" + directory + L"\" " + event;
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  PROCESS_INFORMATION information{};
  if (::CreateProcessW(self, line.data(), nullptr, nullptr, FALSE,
                       DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP, nullptr, nullptr, &startup,
                       &information) == 0)
    return 91;
  if (leave_with >= 0) {
    const HANDLE all_there = ::OpenEventW(SYNCHRONIZE, FALSE, event.c_str());
    return ::WaitForSingleObject(all_there, 20'000) == WAIT_OBJECT_0 ? leave_with : 92;
  }
  ::Sleep(INFINITE);
  return 0;
}

}  // namespace

int wmain(int argc, wchar_t** argv) {
  ::_setmode(1, _O_BINARY);
  ::_setmode(2, _O_BINARY);
  const std::wstring mode = argc > 1 ? argv[1] : L"";
  if (mode == L"arguments") return print_arguments(argc, argv);
  if (mode == L"environment") return print_environment();
  if (mode == L"write") return write_bytes(std::wcstol(argv[2], nullptr, 10));
  if (mode == L"hex") return write_hex(argv[2]);
  if (mode == L"input") return read_input();
  if (mode == L"handle") return use_handle(argv[2]);
  if (mode == L"exit") return static_cast<int>(std::wcstoul(argv[2], nullptr, 10));
  if (mode == L"streams") {
    say("out\n");
    std::fputs("err\n", stderr);
    return 7;
  }
  if (mode == L"directory") {
    wchar_t path[MAX_PATH];
    ::GetCurrentDirectoryW(MAX_PATH, path);
    say(narrow(path) + "\n");
    return 0;
  }
  if (mode == L"console") {
    std::vector<std::string> pids;
    for (int i = 2; i < argc; ++i) pids.push_back(narrow(argv[i]));
    return hostclaw::node_host::serve_as_console_helper(pids);
  }
  if (mode == L"tidy-up") return tidy_up(argv[2], argv[3]);
  if (mode == L"ignore-ctrl-c") {
    ::SetConsoleCtrlHandler(nullptr, TRUE);
    set_event(argv[2]);
    ::Sleep(INFINITE);
  }
  if (mode == L"ask") return ask(argv[2], argv[3]);
  if (mode == L"say-and-sleep") {
    say(narrow(argv[2]));
    set_event(argv[3]);
    ::Sleep(INFINITE);
  }
  const int depth = argc > 2 ? static_cast<int>(std::wcstol(argv[2], nullptr, 10)) : 0;
  if (mode == L"tree") return tree(depth, argv[3], argv[4], -1);
  if (mode == L"leave-tree") return tree(depth, argv[3], argv[4], 0);
  if (mode == L"fail-and-leave-tree") return tree(depth, argv[3], argv[4], 5);
  return 64;
}
