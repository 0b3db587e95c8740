// SPDX-License-Identifier: Apache-2.0
#include "cli/this_system.h"

#include <windows.h>

// After windows.h.
#include <fcntl.h>
#include <io.h>
#include <shellapi.h>

#include <cstdio>
#include <cstdlib>

#include "base/wide_text.h"

namespace hostclaw::cli {
namespace {

UINT g_usual_code_page = 0;

void put_code_page_back() { SetConsoleOutputCP(g_usual_code_page); }

std::string registry_text(const wchar_t* name) {
  wchar_t text[256] = {};
  DWORD size = sizeof text;
  const LSTATUS status = RegGetValueW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion",
                                      name, RRF_RT_REG_SZ, nullptr, text, &size);
  return status == ERROR_SUCCESS ? from_wide(text) : std::string();
}

}  // namespace

std::vector<std::string> command_line_arguments(int, char**) {
  // The console shows bytes in a code page of its own, which outlives the program.
  g_usual_code_page = GetConsoleOutputCP();
  if (g_usual_code_page != 0 && g_usual_code_page != CP_UTF8 && SetConsoleOutputCP(CP_UTF8) != 0)
    std::atexit(put_code_page_back);
  for (std::FILE* stream : {stdin, stdout, stderr}) {
    const int descriptor = _fileno(stream);
    if (descriptor >= 0) _setmode(descriptor, _O_BINARY);
  }
  int count = 0;
  wchar_t** const words = CommandLineToArgvW(GetCommandLineW(), &count);
  std::vector<std::string> out;
  for (int i = 0; words != nullptr && i < count; ++i) out.push_back(from_wide(words[i]));
  LocalFree(words);
  return out;
}

unsigned int console_page_at_start() { return g_usual_code_page; }

std::size_t output_width() {
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &info) == 0) return 0;
  const int columns = info.srWindow.Right - info.srWindow.Left + 1;
  return columns > 0 ? static_cast<std::size_t>(columns) : 0;
}

bool output_is_terminal() {
  DWORD mode = 0;
  return GetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), &mode) != 0;
}

bool errors_go_to_terminal() {
  DWORD mode = 0;
  return GetConsoleMode(GetStdHandle(STD_ERROR_HANDLE), &mode) != 0;
}

bool output_understands_colours() {
  const HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
  DWORD mode = 0;
  if (GetConsoleMode(output, &mode) == 0) return false;
  return (mode & ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0 ||
         SetConsoleMode(output, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0;
}

Result<void> detach_from_terminal() {
  return make_error("UNSUPPORTED", "on Windows this program does not go into the background by itself",
                    "hostlinkd --foreground");
}

Result<void> write_pid_file(const std::string&) {
  return make_error("UNSUPPORTED", "there are no files of process ids on Windows");
}

bool everybody_may_read(const std::string&) { return false; }

std::vector<std::string> gateway_carrier(const std::string& text) {
  return {"cmd.exe", "/d", "/s", "/c", text};
}

std::string example_program() { return "C:\\Windows\\System32\\whoami.exe"; }

Json system_release() {
  Json json = Json::object();
  const std::string build = registry_text(L"CurrentBuildNumber");
  const std::string product = registry_text(L"ProductName");
  if (!build.empty()) json["kernel"] = "build " + build;
  if (!product.empty()) json["system"] = product;
  return json;
}

// The secrets of a service lie in its state directory.
std::vector<std::string> credential_folders() { return {}; }

std::optional<std::string> official_service_definition(const std::string&) { return std::nullopt; }

std::optional<std::string> packaged_service_definition() { return std::nullopt; }

}  // namespace hostclaw::cli
