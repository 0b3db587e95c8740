// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/host/system_error_windows.h"

#include <windows.h>

#include <array>
#include <cerrno>
#include <string>

#include "node-host/system/host/system_error.h"

namespace hostclaw::node_host {
namespace {

// As winerror.h names them; the headers of MinGW lack them.
constexpr unsigned long kVirusInfected = 225;
constexpr unsigned long kVirusDeleted = 226;
constexpr unsigned long kElevationRequired = 740;

struct Name {
  int number;
  const char* name;
  const char* text;  // as the C library of Linux says it: people look these words up
};

constexpr std::array<Name, 26> kNames = {{
    {EPERM, "EPERM", "Operation not permitted"},
    {ENOENT, "ENOENT", "No such file or directory"},
    {EIO, "EIO", "Input/output error"},
    {E2BIG, "E2BIG", "Argument list too long"},
    {ENOEXEC, "ENOEXEC", "Exec format error"},
    {EBADF, "EBADF", "Bad file descriptor"},
    {EAGAIN, "EAGAIN", "Resource temporarily unavailable"},
    {ENOMEM, "ENOMEM", "Cannot allocate memory"},
    {EACCES, "EACCES", "Permission denied"},
    {EBUSY, "EBUSY", "Device or resource busy"},
    {EEXIST, "EEXIST", "File exists"},
    {EXDEV, "EXDEV", "Invalid cross-device link"},
    {ENOTDIR, "ENOTDIR", "Not a directory"},
    {EISDIR, "EISDIR", "Is a directory"},
    {EINVAL, "EINVAL", "Invalid argument"},
    {EMFILE, "EMFILE", "Too many open files"},
    {ETXTBSY, "ETXTBSY", "Text file busy"},
    {EFBIG, "EFBIG", "File too large"},
    {ENOSPC, "ENOSPC", "No space left on device"},
    {EROFS, "EROFS", "Read-only file system"},
    {EPIPE, "EPIPE", "Broken pipe"},
    {EILSEQ, "EILSEQ", "Invalid or incomplete multibyte or wide character"},
    {ENAMETOOLONG, "ENAMETOOLONG", "File name too long"},
    {ELOOP, "ELOOP", "Too many levels of symbolic links"},
    {ENOTSUP, "ENOTSUP", "Operation not supported"},
    {ETIMEDOUT, "ETIMEDOUT", "Connection timed out"},
}};

const Name* known_error(int number) {
  for (const Name& known : kNames)
    if (known.number == number) return &known;
  return nullptr;
}

}  // namespace

std::string error_name(int error_number) {
  const Name* known = known_error(error_number);
  return known != nullptr ? std::string(known->name) : "E" + std::to_string(error_number);
}

std::string error_text(int error_number) {
  const Name* known = known_error(error_number);
  return known != nullptr ? std::string(known->text) : "error " + std::to_string(error_number);
}

Error system_error(int error_number) {
  return make_error(error_name(error_number), error_text(error_number));
}

int errno_from(unsigned long code) {
  switch (code) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_DRIVE:
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
    case ERROR_DELETE_PENDING:
      return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
    case ERROR_ACCESS_DISABLED_BY_POLICY:
    case kVirusInfected:
    case kVirusDeleted:
    case kElevationRequired:
    case ERROR_CANT_ACCESS_FILE:
      return EACCES;
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
    case ERROR_USER_MAPPED_FILE:
      return ETXTBSY;
    case ERROR_DIRECTORY:
      return ENOTDIR;
    case ERROR_BAD_EXE_FORMAT:
    case ERROR_EXE_MACHINE_TYPE_MISMATCH:
    case ERROR_INVALID_EXE_SIGNATURE:
    case ERROR_EXE_MARKED_INVALID:
      return ENOEXEC;
    case ERROR_FILENAME_EXCED_RANGE:
      return ENAMETOOLONG;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT:
      return ENOMEM;
    case ERROR_TOO_MANY_OPEN_FILES:
      return EMFILE;
    case ERROR_NO_SYSTEM_RESOURCES:
      return EAGAIN;
    case ERROR_INVALID_PARAMETER:
      return EINVAL;
    case ERROR_INVALID_HANDLE:
      return EBADF;
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
      return EEXIST;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
      return ENOSPC;
    case ERROR_WRITE_PROTECT:
      return EROFS;
    case ERROR_BROKEN_PIPE:
    case ERROR_NO_DATA:
      return EPIPE;
    case ERROR_CANT_RESOLVE_FILENAME:
      return ELOOP;
    case ERROR_NOT_SUPPORTED:
      return ENOTSUP;
    case ERROR_NO_UNICODE_TRANSLATION:
      return EILSEQ;
    default:
      return EIO;
  }
}

Error windows_error(unsigned long code) {
  const int number = errno_from(code);
  std::string text = error_text(number);
  if (number == EIO || number == EACCES) text += " (Windows error " + std::to_string(code) + ")";
  return make_error(error_name(number), text);
}

Error last_windows_error() { return windows_error(::GetLastError()); }

}  // namespace hostclaw::node_host
