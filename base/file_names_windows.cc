// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file_names.h"
#include "base/wide_text.h"

namespace hostclaw {
namespace {

// The way of opening that std::fopen's mode asks for.
struct OpenWish {
  DWORD access;
  DWORD disposition;
  int flags;
};

OpenWish wish_of(const char* mode) {
  const bool both = std::strchr(mode, '+') != nullptr;
  const int text = std::strchr(mode, 'b') != nullptr ? _O_BINARY : _O_TEXT;
  switch (mode[0]) {
    case 'w':
      return {both ? GENERIC_READ | GENERIC_WRITE : GENERIC_WRITE, CREATE_ALWAYS,
              text | (both ? _O_RDWR : _O_WRONLY)};
    case 'a':
      // Without FILE_WRITE_DATA the system itself puts every write at the end.
      return {FILE_APPEND_DATA | SYNCHRONIZE | FILE_READ_ATTRIBUTES, OPEN_ALWAYS,
              text | _O_WRONLY | _O_APPEND};
    default:
      return {both ? GENERIC_READ | GENERIC_WRITE : GENERIC_READ, OPEN_EXISTING,
              text | (both ? _O_RDWR : _O_RDONLY)};
  }
}

int errno_of(DWORD problem) {
  switch (problem) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
      return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
      return EACCES;
    case ERROR_DISK_FULL:
      return ENOSPC;
    default:
      return EIO;
  }
}

}  // namespace

std::wstring to_wide(std::string_view text) {
  if (text.empty()) return {};
  const int size = static_cast<int>(text.size());
  std::wstring out(static_cast<std::size_t>(MultiByteToWideChar(CP_UTF8, 0, text.data(), size, nullptr, 0)),
                   L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), size, out.data(), static_cast<int>(out.size()));
  return out;
}

std::string from_wide(std::wstring_view text) {
  if (text.empty()) return {};
  const int size = static_cast<int>(text.size());
  const int bytes = WideCharToMultiByte(CP_UTF8, 0, text.data(), size, nullptr, 0, nullptr, nullptr);
  std::string out(static_cast<std::size_t>(bytes), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text.data(), size, out.data(), bytes, nullptr, nullptr);
  return out;
}

std::wstring to_wide_path(std::string_view path) {
  std::wstring wide = to_wide(path);
  std::replace(wide.begin(), wide.end(), L'/', L'\\');
  // Room for the names that are made from it.
  constexpr std::size_t kLongPath = MAX_PATH - 30;
  if (wide.size() < kLongPath || wide.starts_with(L"\\\\?\\")) return wide;
  // The form without a limit is taken literally, so that `..` and doubled separators have to go first.
  const DWORD size = GetFullPathNameW(wide.c_str(), 0, nullptr, nullptr);
  std::wstring full(size, L'\0');
  full.resize(GetFullPathNameW(wide.c_str(), size, full.data(), nullptr));
  return full.starts_with(L"\\\\") ? L"\\\\?\\UNC\\" + full.substr(2) : L"\\\\?\\" + full;
}

std::filesystem::path to_path(std::string_view text) { return std::filesystem::path(to_wide_path(text)); }

std::string to_text(const std::filesystem::path& path) {
  std::string text = from_wide(path.native());
  std::replace(text.begin(), text.end(), '\\', '/');
  return text;
}

std::optional<std::string> environment_variable(const char* name) {
  const std::wstring wide = to_wide(name);
  std::wstring value(256, L'\0');
  for (;;) {
    SetLastError(ERROR_SUCCESS);
    const DWORD size = GetEnvironmentVariableW(wide.c_str(), value.data(), static_cast<DWORD>(value.size()));
    if (size == 0 && GetLastError() != ERROR_SUCCESS) return std::nullopt;
    const bool fits = size < value.size();
    value.resize(size);
    if (fits) return from_wide(value);
  }
}

std::FILE* open_file(const std::string& path, const char* mode) {
  const OpenWish wish = wish_of(mode);
  const HANDLE handle = CreateFileW(to_wide_path(path).c_str(), wish.access,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                    wish.disposition, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (handle == INVALID_HANDLE_VALUE) {
    errno = errno_of(GetLastError());
    return nullptr;
  }
  const int fd = _open_osfhandle(reinterpret_cast<std::intptr_t>(handle), wish.flags | _O_NOINHERIT);
  if (fd < 0) {
    CloseHandle(handle);
    return nullptr;
  }
  std::FILE* file = _fdopen(fd, mode);
  if (file == nullptr) _close(fd);
  return file;
}

}  // namespace hostclaw
