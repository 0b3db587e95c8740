// SPDX-License-Identifier: Apache-2.0
#include <aclapi.h>
#include <fcntl.h>
#include <io.h>
#include <sddl.h>
#include <windows.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "approvals/platform/private_files.h"
#include "approvals/platform/random_id.h"
#include "base/file_names.h"
#include "base/text.h"
#include "base/wide_text.h"

namespace hostclaw::approvals {
namespace {

class Handle {
 public:
  explicit Handle(HANDLE handle) : handle_(handle) {}
  ~Handle() {
    if (*this) CloseHandle(handle_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  HANDLE get() const { return handle_; }
  explicit operator bool() const { return handle_ != INVALID_HANDLE_VALUE && handle_ != nullptr; }
  HANDLE release() { return std::exchange(handle_, INVALID_HANDLE_VALUE); }

 private:
  HANDLE handle_;
};

struct FreeLocal {
  void operator()(void* memory) const { LocalFree(memory); }
};
template <class T>
using Local = std::unique_ptr<T, FreeLocal>;

// ERROR_DISK_QUOTA_EXCEEDED, which MinGW's headers do not name.
constexpr DWORD kDiskQuotaExceeded = 1295;

bool is_out_of_space_number(DWORD problem) {
  return problem == ERROR_DISK_FULL || problem == ERROR_HANDLE_DISK_FULL || problem == kDiskQuotaExceeded ||
         problem == ERROR_FILE_TOO_LARGE;
}

std::string text_of(DWORD problem) {
  wchar_t* text = nullptr;
  const DWORD size = FormatMessageW(
      FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr,
      problem, 0, reinterpret_cast<wchar_t*>(&text), 0, nullptr);
  const Local<wchar_t> owned(text);
  const std::string said = size == 0 ? std::string() : std::string(trim(from_wide({text, size})));
  return said.empty() ? "error " + std::to_string(problem) : said + " (" + std::to_string(problem) + ")";
}

// `what` starts the sentence: "cannot create C:/x".
Error windows_error(DWORD problem, const std::string& what) {
  const std::string message = what + ": " + text_of(problem);
  if (is_out_of_space_number(problem)) return make_error("STORE_FULL", message, "fsutil volume diskfree C:");
  if (problem == ERROR_WRITE_PROTECT) return make_error("STORE_READ_ONLY", message);
  if (problem == ERROR_ACCESS_DENIED || problem == ERROR_PRIVILEGE_NOT_HELD)
    return make_error("STORE_PERMISSIONS", message);
  return make_error("STORE_IO", message);
}

std::string sid_text(PSID sid) {
  wchar_t* text = nullptr;
  if (ConvertSidToStringSidW(sid, &text) == 0) return "an unknown account";
  const Local<wchar_t> owned(text);
  return from_wide(text);
}

std::string account_name(PSID sid) {
  std::array<wchar_t, 256> name{};
  std::array<wchar_t, 256> domain{};
  auto name_size = static_cast<DWORD>(name.size());
  auto domain_size = static_cast<DWORD>(domain.size());
  SID_NAME_USE use{};
  if (LookupAccountSidW(nullptr, sid, name.data(), &name_size, domain.data(), &domain_size, &use) == 0)
    return sid_text(sid);
  const std::string place = from_wide(domain.data());
  return (place.empty() ? "" : place + "\\") + from_wide(name.data());
}

// The account this process runs as; empty when the system does not say.
std::vector<char> own_account() {
  HANDLE token = nullptr;
  if (OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token) == 0 &&
      OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token) == 0)
    return {};
  const Handle owned(token);
  DWORD size = 0;
  GetTokenInformation(token, TokenUser, nullptr, 0, &size);
  std::vector<char> user(size);
  if (size == 0 || GetTokenInformation(token, TokenUser, user.data(), size, &size) == 0) return {};
  return user;
}

PSID sid_of(std::vector<char>& user) {
  return user.empty() ? nullptr : reinterpret_cast<TOKEN_USER*>(user.data())->User.Sid;
}

// The account of one service, as in "NT SERVICE\hostclaw": no person logs on with it.
bool is_service_account(PSID sid) {
  constexpr DWORD kServiceAccounts = 80;
  constexpr UCHAR kPartsOfOneService = 6;
  const SID_IDENTIFIER_AUTHORITY nt = SECURITY_NT_AUTHORITY;
  const SID_IDENTIFIER_AUTHORITY* authority = GetSidIdentifierAuthority(sid);
  return std::equal(std::begin(nt.Value), std::end(nt.Value), std::begin(authority->Value)) &&
         *GetSidSubAuthorityCount(sid) == kPartsOfOneService &&
         *GetSidSubAuthority(sid, 0) == kServiceAccounts;
}

bool runs_as_administrator() {
  std::array<BYTE, SECURITY_MAX_SID_SIZE> group{};
  auto size = static_cast<DWORD>(group.size());
  BOOL member = FALSE;
  return CreateWellKnownSid(WinBuiltinAdministratorsSid, nullptr, group.data(), &size) != 0 &&
         CheckTokenMembership(nullptr, group.data(), &member) != 0 && member != FALSE;
}

// One person or program, not a group.
bool is_single_account(PSID sid) {
  if (IsWellKnownSid(sid, WinLocalServiceSid) != 0 || IsWellKnownSid(sid, WinNetworkServiceSid) != 0)
    return true;
  std::array<wchar_t, 256> name{};
  std::array<wchar_t, 256> domain{};
  auto name_size = static_cast<DWORD>(name.size());
  auto domain_size = static_cast<DWORD>(domain.size());
  SID_NAME_USE use{};
  return LookupAccountSidW(nullptr, sid, name.data(), &name_size, domain.data(), &domain_size, &use) != 0 &&
         use == SidTypeUser;
}

// Who may see what is private: the account itself and those who can take everything anyway.
bool is_trusted(PSID sid, PSID user) {
  if (user != nullptr && EqualSid(sid, user) != 0) return true;
  for (const WELL_KNOWN_SID_TYPE type :
       {WinLocalSystemSid, WinBuiltinAdministratorsSid, WinCreatorOwnerSid, WinCreatorOwnerRightsSid}) {
    if (IsWellKnownSid(sid, type) != 0) return true;
  }
  return is_service_account(sid);
}

// Owner: this account; full access for it, SYSTEM and Administrators, also to what is made inside; nothing
// inherited.
class PrivateAccess {
 public:
  // `others`: entries for more accounts, as text.
  explicit PrivateAccess(const std::string& others = {}) {
    std::vector<char> user = own_account();
    if (sid_of(user) == nullptr) return;
    const std::string account = sid_text(sid_of(user));
    const std::string text =
        "O:" + account + "D:P(A;OICI;FA;;;" + account + ")(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)" + others;
    PSECURITY_DESCRIPTOR made = nullptr;
    if (ConvertStringSecurityDescriptorToSecurityDescriptorW(to_wide(text).c_str(), SDDL_REVISION_1, &made,
                                                             nullptr) != 0) {
      descriptor_.reset(made);
    }
    attributes_.nLength = sizeof attributes_;
    attributes_.lpSecurityDescriptor = descriptor_.get();
  }

  // Without it a file would be open to whoever may see its folder: nothing is created then.
  explicit operator bool() const { return descriptor_ != nullptr; }
  SECURITY_ATTRIBUTES* get() { return &attributes_; }
  PACL list() const {
    BOOL present = FALSE;
    BOOL defaulted = FALSE;
    PACL acl = nullptr;
    GetSecurityDescriptorDacl(descriptor_.get(), &present, &acl, &defaulted);
    return acl;
  }

 private:
  Local<void> descriptor_;
  SECURITY_ATTRIBUTES attributes_{};
};

Error no_account() {
  return make_error("STORE_PERMISSIONS", "the system does not say which account this process runs as");
}

constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

// The thing itself, never what a link leads to.
HANDLE open_itself(const std::string& path, DWORD access) {
  return CreateFileW(to_wide_path(path).c_str(), access, kShareAll, nullptr, OPEN_EXISTING,
                     FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, nullptr);
}

bool is_missing(DWORD problem) { return problem == ERROR_FILE_NOT_FOUND || problem == ERROR_PATH_NOT_FOUND; }

std::string commands_to_close(const std::string& path, bool directory) {
  const std::string rights = directory ? ":(OI)(CI)F" : ":F";
  return "icacls " + shell_word(path) + " /inheritance:r /grant:r \"%USERNAME%" + rights + "\" \"*S-1-5-18" +
         rights + "\" \"*S-1-5-32-544" + rights + "\"";
}

// What lets somebody read, change or take over.
constexpr DWORD kOpeningRights = FILE_READ_DATA | FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_DELETE_CHILD |
                                 DELETE | WRITE_DAC | WRITE_OWNER | GENERIC_READ | GENERIC_WRITE |
                                 GENERIC_ALL;

Result<void> check_owner_and_access(HANDLE file, const std::string& path, bool directory) {
  const std::string kind = directory ? "directory " : "file ";
  PSID owner = nullptr;
  PACL list = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  const DWORD problem =
      GetSecurityInfo(file, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &owner,
                      nullptr, &list, nullptr, &descriptor);
  if (problem != ERROR_SUCCESS) return windows_error(problem, "cannot look at the access rights of " + path);
  const Local<void> owned(descriptor);
  std::vector<char> user = own_account();
  if (sid_of(user) == nullptr) return no_account();
  // An administrator acts for the one account that a service runs as.
  const bool administrator = runs_as_administrator();
  PSID acted_for = nullptr;
  const auto may_see = [&](PSID sid) {
    if (is_trusted(sid, sid_of(user))) return true;
    if (!administrator || !is_single_account(sid)) return false;
    if (acted_for == nullptr) acted_for = sid;
    return EqualSid(acted_for, sid) != 0;
  };
  if (owner == nullptr || !may_see(owner)) {
    return make_error("STORE_PERMISSIONS",
                      kind + path + " belongs to " + (owner == nullptr ? "nobody" : account_name(owner)) +
                          ", this process runs as " + account_name(sid_of(user)),
                      "takeown /f " + shell_word(path));
  }
  if (list == nullptr) {
    return make_error("STORE_PERMISSIONS", kind + path + " holds secrets and is open to everybody",
                      commands_to_close(path, directory));
  }
  for (DWORD i = 0; i < list->AceCount; ++i) {
    void* entry = nullptr;
    if (GetAce(list, i, &entry) == 0)
      return windows_error(GetLastError(), "cannot read the access list of " + path);
    const auto* header = static_cast<const ACE_HEADER*>(entry);
    if (header->AceType == ACCESS_DENIED_ACE_TYPE) continue;
    // Kinds of entries that this program does not know could open the file to anybody.
    auto* allowed = static_cast<ACCESS_ALLOWED_ACE*>(entry);
    PSID sid = &allowed->SidStart;
    const bool known = header->AceType == ACCESS_ALLOWED_ACE_TYPE;
    if (known && ((allowed->Mask & kOpeningRights) == 0 || may_see(sid))) continue;
    return make_error("STORE_PERMISSIONS",
                      kind + path + " holds secrets and is open to " + (known ? account_name(sid) : "others"),
                      commands_to_close(path, directory));
  }
  return {};
}

Result<void> check_private(const std::string& path, bool directory) {
  const Handle file(open_itself(path, READ_CONTROL | FILE_READ_ATTRIBUTES));
  if (!file) {
    const DWORD problem = GetLastError();
    if (is_missing(problem)) return {};
    return windows_error(problem, "cannot look at " + path);
  }
  BY_HANDLE_FILE_INFORMATION facts{};
  if (GetFileInformationByHandle(file.get(), &facts) == 0)
    return windows_error(GetLastError(), "cannot look at " + path);
  if ((facts.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
    return make_error("STORE_PERMISSIONS", path + " is a link, which could be led elsewhere");
  const bool is_directory = (facts.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  if (is_directory != directory)
    return make_error("STORE_IO", path + (directory ? " is not a directory" : " is not a regular file"));
  return check_owner_and_access(file.get(), path, directory);
}

std::string parent_directory_of(const std::string& path) {
  const std::size_t last = path.find_last_not_of("/\\");
  const std::size_t slash = last == std::string::npos ? last : path.find_last_of("/\\", last);
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

// For a new file in a private directory: the accounts that the directory is for. What an administrator makes
// in the state of a service is the service's to use.
std::string entries_of_directory(const std::string& directory) {
  const Handle folder(open_itself(directory, READ_CONTROL | FILE_READ_ATTRIBUTES));
  if (!folder || !check_private(directory, true)) return {};
  PACL list = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  if (GetSecurityInfo(folder.get(), SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, nullptr, nullptr, &list,
                      nullptr, &descriptor) != ERROR_SUCCESS)
    return {};
  const Local<void> owned(descriptor);
  std::string entries;
  for (DWORD i = 0; list != nullptr && i < list->AceCount; ++i) {
    void* entry = nullptr;
    if (GetAce(list, i, &entry) == 0) return {};
    auto* allowed = static_cast<ACCESS_ALLOWED_ACE*>(entry);
    PSID sid = &allowed->SidStart;
    if (allowed->Header.AceType != ACCESS_ALLOWED_ACE_TYPE || (allowed->Mask & FILE_WRITE_DATA) == 0 ||
        !(is_service_account(sid) || is_single_account(sid)))
      continue;
    entries += "(A;;FA;;;" + sid_text(sid) + ")";
  }
  return entries;
}

bool is_drive_or_root(const std::string& path) { return path.empty() || path.ends_with(':'); }

Result<void> make_private_directories(const std::string& directory, PrivateAccess& access) {
  if (file_exists(directory)) return {};
  const std::string parent = parent_directory_of(directory);
  if (!is_drive_or_root(parent)) {
    if (Result<void> made = make_private_directories(parent, access); !made) return made;
  }
  if (CreateDirectoryW(to_wide_path(directory).c_str(), access.get()) != 0) return {};
  const DWORD problem = GetLastError();
  if (problem == ERROR_ALREADY_EXISTS) return {};
  return windows_error(problem, "cannot create directory " + directory);
}

// An empty directory of ours can be closed without taking anything from anybody.
Result<void> close_empty_directory(const std::string& directory, PrivateAccess& access) {
  std::error_code failed;
  if (!std::filesystem::is_empty(to_path(directory), failed) || failed) return {};
  const Handle file(open_itself(directory, READ_CONTROL | WRITE_DAC));
  if (!file) return {};
  const DWORD problem = SetSecurityInfo(file.get(), SE_FILE_OBJECT,
                                        DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
                                        nullptr, nullptr, access.list(), nullptr);
  if (problem != ERROR_SUCCESS) return windows_error(problem, "cannot close directory " + directory);
  return {};
}

Result<void> write_to(HANDLE file, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const auto part = static_cast<DWORD>(std::min<std::size_t>(content.size(), 1U << 20));
    DWORD written = 0;
    if (WriteFile(file, content.data(), part, &written, nullptr) == 0)
      return windows_error(GetLastError(), "cannot write " + path);
    content.remove_prefix(written);
  }
  return {};
}

HANDLE create_file(const std::string& path, DWORD disposition, PrivateAccess& access) {
  return CreateFileW(to_wide_path(path).c_str(), GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE,
                     access.get(), disposition, FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT,
                     nullptr);
}

}  // namespace

bool is_out_of_space(int error_number) { return is_out_of_space_number(static_cast<DWORD>(error_number)); }

bool is_access_denied(int error_number) {
  const auto problem = static_cast<DWORD>(error_number);
  return problem == ERROR_ACCESS_DENIED || problem == ERROR_WRITE_PROTECT ||
         problem == ERROR_PRIVILEGE_NOT_HELD;
}

std::string shell_word(std::string_view text) {
  std::string word(text);
  for (char& c : word) {
    if (c == '/') c = '\\';
  }
  const bool plain = !word.empty() && word.find_first_of(" \t&|<>^()%!,;='\"`$@{}[]~") == std::string::npos;
  return plain ? word : "\"" + word + "\"";
}

std::string command_for_free_space(const std::string& path) {
  const bool drive = path.size() >= 2 && path[1] == ':';
  return "fsutil volume diskfree " + (drive ? path.substr(0, 2) : "C:");
}

std::string command_for_access_rights(const std::string& path) { return "icacls " + shell_word(path); }

std::string command_for_users_of(const std::string&) { return "tasklist /fi \"imagename eq hostclaw.exe\""; }

std::string command_for_names_of(const std::string& path) {
  return "fsutil hardlink list " + shell_word(path);
}

std::string command_to_rename(const std::string& from, const std::string& to) {
  return "move " + shell_word(from) + " " + shell_word(to);
}

bool file_exists(const std::string& path) {
  return GetFileAttributesW(to_wide_path(path).c_str()) != INVALID_FILE_ATTRIBUTES;
}

std::uint64_t file_size_or_zero(const std::string& path) {
  WIN32_FILE_ATTRIBUTE_DATA facts{};
  if (GetFileAttributesExW(to_wide_path(path).c_str(), GetFileExInfoStandard, &facts) == 0) return 0;
  return static_cast<std::uint64_t>(facts.nFileSizeHigh) << 32 | facts.nFileSizeLow;
}

std::uint64_t file_names(const std::string& path) {
  const Handle file(open_itself(path, FILE_READ_ATTRIBUTES));
  BY_HANDLE_FILE_INFORMATION facts{};
  return file && GetFileInformationByHandle(file.get(), &facts) != 0 ? facts.nNumberOfLinks : 0;
}

std::string file_identity(const std::string& path) { return file_exists(path) ? "present" : "absent"; }

std::string file_fingerprint(const std::string& path) {
  const Handle file(open_itself(path, FILE_READ_ATTRIBUTES));
  BY_HANDLE_FILE_INFORMATION facts{};
  if (!file || GetFileInformationByHandle(file.get(), &facts) == 0) return "absent";
  const auto pair = [](DWORD high, DWORD low) {
    return std::to_string(static_cast<std::uint64_t>(high) << 32 | low);
  };
  return std::to_string(facts.dwVolumeSerialNumber) + ":" + pair(facts.nFileIndexHigh, facts.nFileIndexLow) +
         ":" + pair(facts.nFileSizeHigh, facts.nFileSizeLow) + ":" +
         pair(facts.ftLastWriteTime.dwHighDateTime, facts.ftLastWriteTime.dwLowDateTime);
}

Result<void> check_private_directory(const std::string& directory) { return check_private(directory, true); }

Result<void> check_private_file(const std::string& path) { return check_private(path, false); }

Result<void> ensure_private_directory(const std::string& directory) {
  PrivateAccess access;
  if (!access) return no_account();
  if (Result<void> made = make_private_directories(directory, access); !made) return made;
  Result<void> checked = check_private_directory(directory);
  if (checked || checked.error().code != "STORE_PERMISSIONS") return checked;
  if (Result<void> closed = close_empty_directory(directory, access); !closed) return closed;
  return check_private_directory(directory);
}

Result<void> create_private_file(const std::string& path, std::string_view content) {
  PrivateAccess access(entries_of_directory(parent_directory_of(path)));
  if (!access) return no_account();
  const std::string temporary = path + "." + new_uuid().substr(0, 8);
  Handle file(create_file(temporary, CREATE_NEW, access));
  if (!file) return windows_error(GetLastError(), "cannot create " + path);
  Result<void> outcome = write_to(file.get(), content, path);
  if (outcome && FlushFileBuffers(file.get()) == 0)
    outcome = windows_error(GetLastError(), "cannot write " + path);
  CloseHandle(file.release());
  const std::wstring from = to_wide_path(temporary);
  // Without MOVEFILE_REPLACE_EXISTING: a file that is there stays.
  if (outcome && MoveFileExW(from.c_str(), to_wide_path(path).c_str(), MOVEFILE_WRITE_THROUGH) != 0)
    return outcome;
  const DWORD problem = GetLastError();
  DeleteFileW(from.c_str());
  if (!outcome || problem == ERROR_ALREADY_EXISTS || problem == ERROR_FILE_EXISTS) return outcome;
  return windows_error(problem, "cannot create " + path);
}

Result<std::FILE*> open_new_private_file(const std::string& path) {
  PrivateAccess access(entries_of_directory(parent_directory_of(path)));
  if (!access) return no_account();
  Handle file(create_file(path, CREATE_NEW, access));
  if (!file) {
    const DWORD problem = GetLastError();
    if (problem == ERROR_FILE_EXISTS || problem == ERROR_ALREADY_EXISTS)
      return make_error("FILE_EXISTS", path + " exists already");
    return windows_error(problem, "cannot create " + path);
  }
  const int fd =
      _open_osfhandle(reinterpret_cast<std::intptr_t>(file.get()), _O_WRONLY | _O_BINARY | _O_NOINHERIT);
  if (fd < 0) return make_error("STORE_IO", "cannot open " + path);
  (void)file.release();  // the descriptor owns it now
  std::FILE* stream = _fdopen(fd, "wb");
  if (stream != nullptr) return stream;
  _close(fd);
  return make_error("STORE_IO", "cannot open " + path);
}

Result<void> copy_private_file(const std::string& from, const std::string& to) {
  PrivateAccess access;
  if (!access) return no_account();
  const Handle source(CreateFileW(to_wide_path(from).c_str(), GENERIC_READ, kShareAll, nullptr, OPEN_EXISTING,
                                  FILE_ATTRIBUTE_NORMAL, nullptr));
  if (!source) return windows_error(GetLastError(), "cannot read " + from);
  const Handle target(create_file(to, CREATE_ALWAYS, access));
  if (!target) return windows_error(GetLastError(), "cannot create " + to);
  std::string buffer(1 << 16, '\0');
  for (;;) {
    DWORD count = 0;
    if (ReadFile(source.get(), buffer.data(), static_cast<DWORD>(buffer.size()), &count, nullptr) == 0)
      return windows_error(GetLastError(), "cannot read " + from);
    if (count == 0) return {};
    if (Result<void> written = write_to(target.get(), {buffer.data(), count}, to); !written) return written;
  }
}

Result<std::string> make_private_temporary_directory() {
  PrivateAccess access;
  if (!access) return no_account();
  std::array<wchar_t, MAX_PATH + 1> base{};
  if (GetTempPathW(static_cast<DWORD>(base.size()), base.data()) == 0)
    return windows_error(GetLastError(), "cannot create a temporary directory");
  const std::string name =
      to_text(std::filesystem::path(base.data())) + "hostclaw." + new_uuid().substr(0, 13);
  if (CreateDirectoryW(to_wide_path(name).c_str(), access.get()) == 0)
    return windows_error(GetLastError(), "cannot create a temporary directory");
  return name;
}

}  // namespace hostclaw::approvals
