// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/content_binding.h"

#include <cerrno>

#include "node-host/system/files/windows_handle.h"
#include "node-host/system/host/system_error.h"
#include "node-host/system/host/system_error_windows.h"

namespace hostclaw::node_host {

// Who holds the file was refused at facts() when somebody had it open for writing.
WriteLease::WriteLease(NativeHandle fd) : state_(fd >= 0 ? State::kHeld : State::kUnavailable) {}

Result<SealedCopy> sealed_copy(NativeHandle) { return system_error(ENOTSUP); }

bool opened_files_are_bound() { return true; }

Result<BoundOperand> bind_operand(NativeHandle file, const std::string& real_path) {
  auto digest = sha256_of_file(file);
  if (!digest) return last_windows_error();
  // The path of the held file itself: no link on the way is asked.
  return BoundOperand{UniqueFd(), real_path, std::move(*digest)};
}

}  // namespace hostclaw::node_host
