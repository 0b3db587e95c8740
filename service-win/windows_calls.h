// SPDX-License-Identifier: Apache-2.0
// Handles of Windows that close themselves, and its error numbers as our errors.
#pragma once

#include <windows.h>

#include <memory>
#include <string>
#include <utility>

#include "base/result.h"

namespace hostclaw::service_win {

struct CloseNormalHandle {
  using pointer = HANDLE;
  void operator()(HANDLE handle) const {
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
  }
};
using UniqueHandle = std::unique_ptr<void, CloseNormalHandle>;
inline bool is_valid(const UniqueHandle& handle) { return handle && handle.get() != INVALID_HANDLE_VALUE; }

struct CloseServiceDoor {
  using pointer = SC_HANDLE;
  void operator()(SC_HANDLE handle) const { CloseServiceHandle(handle); }
};
using UniqueService = std::unique_ptr<SC_HANDLE__, CloseServiceDoor>;

struct CloseRegistryKey {
  using pointer = HKEY;
  void operator()(HKEY key) const { RegCloseKey(key); }
};
using UniqueKey = std::unique_ptr<HKEY__, CloseRegistryKey>;

struct FreeLocalMemory {
  void operator()(void* memory) const { LocalFree(memory); }
};
template <class T>
using LocalMemory = std::unique_ptr<T, FreeLocalMemory>;

// "Access is denied. (5)"
std::string text_of_problem(DWORD problem);

// SERVICE_PERMISSIONS when access was denied, else SERVICE_FAILED: "what: text".
Error service_error(DWORD problem, const std::string& what, const std::string& next = {});

// A text value, or empty.
std::string registry_text(HKEY root, const std::string& key, const std::string& name);

}  // namespace hostclaw::service_win
