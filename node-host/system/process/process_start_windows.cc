// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/process_start.h"

#include <windows.h>

#include <csignal>

#include "base/file_names.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {

namespace {

BOOL WINAPI on_console_event(DWORD event) {
  if (event != CTRL_CLOSE_EVENT && event != CTRL_LOGOFF_EVENT && event != CTRL_SHUTDOWN_EVENT) return FALSE;
  std::raise(SIGBREAK);
  // This is a thread of its own; it ends with the process.
  ::Sleep(INFINITE);
  return TRUE;
}

}  // namespace

// Ctrl-C may have been switched off by whoever started this: then the programs of runs could not be told to
// end.
void settle_inherited_state() {
  ::SetConsoleCtrlHandler(nullptr, FALSE);
  // What this program loads from now on is the system's own, whatever lies beside it, in PATH or in its
  // directory.
  ::SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
  ::SetDllDirectoryW(L"");
}

// Asked before those that are there already, the C runtime's among them, which would let the process end.
void hold_console_close() { ::SetConsoleCtrlHandler(&on_console_event, TRUE); }

void ignore_broken_pipes() {}

std::uint64_t raise_descriptor_limit(std::uint64_t wanted) { return wanted; }

std::string take_environment_secret(const char* name) {
  std::string secret = environment_variable(name).value_or("");
  if (const auto wide = exact_wide(name)) ::SetEnvironmentVariableW(wide->c_str(), nullptr);
  return secret;
}

void keep_memory_private() {}

}  // namespace hostclaw::node_host
