// SPDX-License-Identifier: Apache-2.0
#include "service-win/state_folder.h"

#include <windows.h>

// After windows.h.
#include <aclapi.h>
#include <dpapi.h>
#include <knownfolders.h>
#include <sddl.h>
#include <shlobj.h>

#include <algorithm>

#include "base/file_names.h"
#include "base/text.h"
#include "base/wide_text.h"
#include "service-win/accounts.h"
#include "service-win/windows_calls.h"
#include "service-win/windows_words.h"

namespace hostclaw::service_win {
namespace {

using node_host::ServiceScope;

// Bound into the protection: what another program of this machine protected is not taken for ours.
constexpr std::string_view kPurpose = "hostclaw service secret v1";
constexpr const char* kSecretNames[] = {"gateway-token", "gateway-password", "once"};
constexpr std::size_t kMostBytes = 64'000'000;

std::string known_folder(const GUID& id) {
  wchar_t* text = nullptr;
  const HRESULT found = SHGetKnownFolderPath(id, 0, nullptr, &text);
  std::string path = SUCCEEDED(found) ? from_wide(text) : std::string();
  CoTaskMemFree(text);
  return path;
}

std::string secrets_folder(const std::string& state_directory) { return state_directory + "\\credentials"; }
std::string secret_path(const std::string& state_directory, const std::string& name) {
  return secrets_folder(state_directory) + "\\" + name;
}
std::string status_path(const std::string& state_directory) { return state_directory + "\\service.status"; }

DATA_BLOB blob_of(std::string_view bytes) {
  // The interface takes what it only reads as changeable.
  return {static_cast<DWORD>(bytes.size()), reinterpret_cast<BYTE*>(const_cast<char*>(bytes.data()))};
}

// The folder itself, never what a link leads to.
UniqueHandle open_folder(const std::string& path, DWORD access) {
  return UniqueHandle(CreateFileW(
      to_wide_path(path).c_str(), access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
      OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
}

Result<void> make_parents(const std::string& directory) {
  const std::size_t at = directory.find_last_of("\\/");
  if (at == std::string::npos || at < 3) return {};
  const std::string parent = directory.substr(0, at);
  if (path_exists(parent)) return {};
  if (auto made = make_parents(parent); !made) return made;
  if (CreateDirectoryW(to_wide_path(parent).c_str(), nullptr) == 0 && GetLastError() != ERROR_ALREADY_EXISTS)
    return service_error(GetLastError(), "cannot make " + parent);
  return {};
}

Result<void> check_owner(HANDLE folder, const std::string& directory) {
  PSID owner = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD problem = GetSecurityInfo(folder, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, nullptr,
                                        nullptr, nullptr, &descriptor);
  if (problem != ERROR_SUCCESS) return service_error(problem, "cannot see who owns " + directory);
  const LocalMemory<void> owned(descriptor);
  wchar_t* text = nullptr;
  if (owner == nullptr || ConvertSidToStringSidW(owner, &text) == 0)
    return make_error("SERVICE_PERMISSIONS", directory + " belongs to nobody");
  const LocalMemory<wchar_t> owned_text(text);
  const std::string sid = from_wide(text);
  if (is_one_of(sid, {"S-1-5-18", "S-1-5-32-544"}) || sid == current_sid() ||
      sid == service_sid(service_name()))
    return {};
  return make_error("SERVICE_PERMISSIONS",
                    directory + " belongs to " + name_of_sid(sid) + ", who could have prepared what is in it",
                    "look into it, then: takeown /a /r /f \"" + directory + "\"");
}

LocalMemory<void> closed_descriptor(const std::vector<std::string>& sids) {
  PSECURITY_DESCRIPTOR made = nullptr;
  if (ConvertStringSecurityDescriptorToSecurityDescriptorW(to_wide(state_folder_sddl(sids)).c_str(),
                                                           SDDL_REVISION_1, &made, nullptr) == 0) {
    return nullptr;
  }
  return LocalMemory<void>(made);
}

// Closed from the first moment on. False: it is there already.
Result<bool> make_closed_folder(const std::string& directory, void* descriptor) {
  SECURITY_ATTRIBUTES attributes{sizeof(SECURITY_ATTRIBUTES), descriptor, FALSE};
  if (CreateDirectoryW(to_wide_path(directory).c_str(), &attributes) != 0) return true;
  if (GetLastError() == ERROR_ALREADY_EXISTS) return false;
  return service_error(GetLastError(), "cannot make " + directory);
}

Result<void> close_folder(HANDLE folder, const std::string& directory, void* descriptor) {
  BOOL present = FALSE;
  BOOL defaulted = FALSE;
  PACL list = nullptr;
  GetSecurityDescriptorDacl(descriptor, &present, &list, &defaulted);
  constexpr SECURITY_INFORMATION kWhat = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
  // What is in the folder follows.
  if (const DWORD problem = SetSecurityInfo(folder, SE_FILE_OBJECT, kWhat, nullptr, nullptr, list, nullptr);
      problem != ERROR_SUCCESS) {
    return service_error(problem, "cannot close " + directory);
  }
  // Wine's function above adds what the parent folder has; this one takes the list as it is.
  if (SetKernelObjectSecurity(folder, kWhat, descriptor) == 0)
    return service_error(GetLastError(), "cannot close " + directory);
  return {};
}

Result<void> make_folder(const std::string& path) {
  if (CreateDirectoryW(to_wide_path(path).c_str(), nullptr) == 0 && GetLastError() != ERROR_ALREADY_EXISTS)
    return service_error(GetLastError(), "cannot make " + path);
  return {};
}

}  // namespace

std::string machine_state_directory() {
  return known_folder(FOLDERID_ProgramData) + "\\" + with_profile("hostclaw");
}
std::string program_files_directory() { return known_folder(FOLDERID_ProgramFiles); }
std::string user_profile_directory() { return known_folder(FOLDERID_Profile); }
std::string log_path(const std::string& state_directory) { return state_directory + "\\logs\\hostclaw.log"; }
std::string home_path(const std::string& state_directory) { return state_directory + "\\home"; }

bool path_exists(const std::string& path) {
  return GetFileAttributesW(to_wide_path(path).c_str()) != INVALID_FILE_ATTRIBUTES;
}

Result<void> make_state_folder(const std::string& directory, const std::vector<std::string>& sids) {
  if (auto made = make_parents(directory); !made) return made;
  const auto descriptor = closed_descriptor(sids);
  if (!descriptor) return service_error(GetLastError(), "cannot make the access list of " + directory);
  const auto is_new = make_closed_folder(directory, descriptor.get());
  if (!is_new) return is_new.error();
  if (!*is_new) {
    const UniqueHandle folder = open_folder(directory, READ_CONTROL | WRITE_DAC | FILE_READ_ATTRIBUTES);
    BY_HANDLE_FILE_INFORMATION facts{};
    if (!is_valid(folder) || GetFileInformationByHandle(folder.get(), &facts) == 0)
      return service_error(GetLastError(), "cannot open " + directory);
    if ((facts.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
      return make_error("SERVICE_PERMISSIONS", directory + " is a link, which could be led elsewhere");
    if (auto ours = check_owner(folder.get(), directory); !ours) return ours;
    if (auto closed = close_folder(folder.get(), directory, descriptor.get()); !closed) return closed;
  }
  if (auto made = make_folder(home_path(directory)); !made) return made;
  return make_folder(directory + "\\logs");
}

Result<void> make_own_state_folder(const std::string& directory) {
  if (auto made = make_parents(directory); !made) return made;
  const auto descriptor = closed_descriptor({current_sid()});
  if (!descriptor) return service_error(GetLastError(), "cannot make the access list of " + directory);
  if (const auto made = make_closed_folder(directory, descriptor.get()); !made) return made.error();
  return make_folder(directory + "\\logs");
}

Result<void> keep_secret(const std::string& state_directory, ServiceScope scope, const std::string& name,
                         const std::string& value) {
  if (auto made = make_folder(secrets_folder(state_directory)); !made) return made;
  DATA_BLOB plain = blob_of(value);
  DATA_BLOB purpose = blob_of(kPurpose);
  DATA_BLOB closed{};
  const DWORD whose = scope == ServiceScope::kSystem ? CRYPTPROTECT_LOCAL_MACHINE : 0;
  if (CryptProtectData(&plain, nullptr, &purpose, nullptr, nullptr, whose | CRYPTPROTECT_UI_FORBIDDEN,
                       &closed) == 0)
    return service_error(GetLastError(), "Windows cannot protect the " + name);
  const LocalMemory<BYTE> owned(closed.pbData);
  return write_whole_file(secret_path(state_directory, name),
                          std::string(reinterpret_cast<const char*>(closed.pbData), closed.cbData));
}

std::string kept_secret(const std::string& state_directory, const std::string& name) {
  const std::string bytes = read_whole_file(secret_path(state_directory, name));
  if (bytes.empty()) return {};
  DATA_BLOB closed = blob_of(bytes);
  DATA_BLOB purpose = blob_of(kPurpose);
  DATA_BLOB plain{};
  if (CryptUnprotectData(&closed, nullptr, &purpose, nullptr, nullptr, CRYPTPROTECT_UI_FORBIDDEN, &plain) ==
      0)
    return {};
  std::string value(reinterpret_cast<const char*>(plain.pbData), plain.cbData);
  SecureZeroMemory(plain.pbData, plain.cbData);
  LocalFree(plain.pbData);
  return value;
}

void forget_secret(const std::string& state_directory, const std::string& name) {
  DeleteFileW(to_wide_path(secret_path(state_directory, name)).c_str());
}

void forget_secrets(const std::string& state_directory) {
  for (const char* name : kSecretNames) forget_secret(state_directory, name);
  RemoveDirectoryW(to_wide_path(secrets_folder(state_directory)).c_str());
}

bool secrets_are_open(const std::string& state_directory) {
  for (const char* name : kSecretNames) {
    const std::string path = secret_path(state_directory, name);
    if (!path_exists(path)) continue;
    if (is_granted({"S-1-1-0", "S-1-5-11", "S-1-5-32-545"}, path, FILE_READ_DATA)) return true;
  }
  return false;
}

Result<void> write_whole_file(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  {
    const UniqueHandle file(CreateFileW(to_wide_path(temporary).c_str(), GENERIC_WRITE, 0, nullptr,
                                        CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT,
                                        nullptr));
    if (!is_valid(file)) return service_error(GetLastError(), "cannot write " + path);
    DWORD written = 0;
    if (WriteFile(file.get(), text.data(), static_cast<DWORD>(text.size()), &written, nullptr) == 0 ||
        written != text.size()) {
      return service_error(GetLastError(), "cannot write " + path);
    }
  }
  if (MoveFileExW(to_wide_path(temporary).c_str(), to_wide_path(path).c_str(),
                  MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) == 0) {
    return service_error(GetLastError(), "cannot write " + path);
  }
  return {};
}

std::string read_whole_file(const std::string& path) {
  const UniqueHandle file(CreateFileW(
      to_wide_path(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
      nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, nullptr));
  if (!is_valid(file)) return {};
  std::string text;
  std::string block(65'536, '\0');
  for (DWORD size = 0;
       ReadFile(file.get(), block.data(), static_cast<DWORD>(block.size()), &size, nullptr) != 0 &&
       size > 0;) {
    text.append(block, 0, size);
    if (text.size() > kMostBytes) break;
  }
  return text;
}

void tell_status(const std::string& state_directory, const ToldStatus& status) {
  // What cannot be told must not disturb the work.
  (void)write_whole_file(status_path(state_directory), told_status_text(status));
}

bool process_lives(std::int64_t pid) {
  if (pid <= 0) return false;
  const UniqueHandle process(OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(pid)));
  // A process that we may not open is there.
  if (!process) return GetLastError() == ERROR_ACCESS_DENIED;
  return WaitForSingleObject(process.get(), 0) == WAIT_TIMEOUT;
}

std::int64_t process_start_ms(std::int64_t pid) {
  const UniqueHandle process(OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(pid)));
  FILETIME start{};
  FILETIME ignored{};
  if (!process || GetProcessTimes(process.get(), &start, &ignored, &ignored, &ignored) == 0) return 0;
  const auto ticks =
      static_cast<std::int64_t>(static_cast<std::uint64_t>(start.dwHighDateTime) << 32 | start.dwLowDateTime);
  constexpr std::int64_t kUnixEpochMs = 11'644'473'600'000;
  return ticks / 10'000 - kUnixEpochMs;
}

ToldStatus told_status(const std::string& state_directory) {
  ToldStatus told = read_told_status(read_whole_file(status_path(state_directory)));
  return process_lives(told.pid) && is_who_told(told, process_start_ms(told.pid)) ? told : ToldStatus{};
}

std::string log_text(const std::string& state_directory, const node_host::LogWish& wish) {
  const std::string path = log_path(state_directory);
  return newest_log_lines(read_whole_file(path + ".1"), read_whole_file(path), wish.lines, wish.since_ms);
}

void remove_tree(const std::string& directory) {
  WIN32_FIND_DATAW found{};
  const std::wstring wide = to_wide_path(directory);
  const DWORD attributes = GetFileAttributesW(wide.c_str());
  if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
    RemoveDirectoryW(wide.c_str());
    return;
  }
  const HANDLE search = FindFirstFileW((wide + L"\\*").c_str(), &found);
  if (search != INVALID_HANDLE_VALUE) {
    do {
      const std::wstring name = found.cFileName;
      if (name == L"." || name == L"..") continue;
      const std::string path = directory + "\\" + from_wide(name);
      const bool folder = (found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
      const bool link = (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
      if (folder && !link) {
        remove_tree(path);
      } else if (folder) {
        RemoveDirectoryW(to_wide_path(path).c_str());
      } else {
        DeleteFileW(to_wide_path(path).c_str());
      }
    } while (FindNextFileW(search, &found) != 0);
    FindClose(search);
  }
  RemoveDirectoryW(wide.c_str());
}

void remove_own_files(const std::string& state_directory) {
  for (const char* name :
       {"hostclaw.sqlite", "hostclaw.sqlite-wal", "hostclaw.sqlite-shm", "node.lock", "node.runs", "node.log",
        "node.log.1", "service.status", "logs\\hostclaw.log", "logs\\hostclaw.log.1"}) {
    DeleteFileW(to_wide_path(state_directory + "\\" + name).c_str());
  }
  remove_tree(state_directory + "\\node.output");
  RemoveDirectoryW(to_wide_path(state_directory + "\\logs").c_str());
  RemoveDirectoryW(to_wide_path(home_path(state_directory)).c_str());
  RemoveDirectoryW(to_wide_path(state_directory).c_str());
}

}  // namespace hostclaw::service_win
