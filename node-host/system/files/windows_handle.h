// SPDX-License-Identifier: Apache-2.0
// A HANDLE is kept as a number, so that headers need not know windows.h.
#pragma once

#include <windows.h>

#include <optional>
#include <string>

#include "node-host/system/files/file_handles.h"

namespace hostclaw::node_host {

inline HANDLE as_handle(NativeHandle number) { return reinterpret_cast<HANDLE>(number); }
inline NativeHandle as_number(HANDLE handle) { return reinterpret_cast<NativeHandle>(handle); }

// Of functions that answer nullptr or INVALID_HANDLE_VALUE when they fail.
inline UniqueFd owned(HANDLE handle) {
  return handle == nullptr || handle == INVALID_HANDLE_VALUE ? UniqueFd() : UniqueFd(as_number(handle));
}

// What the handle's path is, `C:\...` or `\\server\share\...`; empty when it has none.
std::wstring final_path(HANDLE handle);

// Lower-case hex; nullopt when it cannot be read to its end.
std::optional<std::string> sha256_of_file(NativeHandle file);

}  // namespace hostclaw::node_host
