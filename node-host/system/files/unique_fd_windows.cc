// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/windows_handle.h"

namespace hostclaw::node_host {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) reset(other.release());
  return *this;
}

void UniqueFd::reset(NativeHandle fd) {
  if (fd_ >= 0 && fd_ != fd) ::CloseHandle(as_handle(fd_));
  fd_ = fd;
}

UniqueFd open_null_input() {
  return owned(::CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING,
                             0, nullptr));
}

std::size_t write_once(NativeHandle file, std::string_view bytes) {
  DWORD written = 0;
  const auto size = static_cast<DWORD>(bytes.size());
  return ::WriteFile(as_handle(file), bytes.data(), size, &written, nullptr) != 0 ? written : 0;
}

}  // namespace hostclaw::node_host
