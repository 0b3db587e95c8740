// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/path_ownership.h"

#include <aclapi.h>
#include <sddl.h>
#include <windows.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "node-host/system/files/file_writers.h"
#include "node-host/system/files/windows_handle.h"
#include "node-host/system/files/windows_path.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

constexpr ACCESS_MASK kTakeOver = WRITE_DAC | WRITE_OWNER;
// To change what reading a file gives; to put something else in the place of a directory's entry; to add one.
constexpr ACCESS_MASK kWriteFile = FILE_WRITE_DATA | FILE_APPEND_DATA | DELETE | kTakeOver;
constexpr ACCESS_MASK kRepoint = FILE_DELETE_CHILD | kTakeOver;
constexpr ACCESS_MASK kAddFile = FILE_ADD_FILE;

using Sid = std::vector<std::uint8_t>;

Sid copy_of(PSID sid) {
  const auto* bytes = static_cast<const std::uint8_t*>(sid);
  return {bytes, bytes + ::GetLengthSid(sid)};
}

Sid well_known(WELL_KNOWN_SID_TYPE type) {
  Sid sid(SECURITY_MAX_SID_SIZE);
  DWORD size = static_cast<DWORD>(sid.size());
  if (::CreateWellKnownSid(type, nullptr, sid.data(), &size) == 0) return {};
  sid.resize(size);
  return sid;
}

Sid user_of_this_process() {
  HANDLE token = nullptr;
  if (::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY, &token) == 0) return {};
  const UniqueFd owner = owned(token);
  std::vector<std::uint8_t> buffer(256);
  DWORD size = 0;
  if (::GetTokenInformation(token, TokenUser, buffer.data(), static_cast<DWORD>(buffer.size()), &size) == 0)
    return {};
  return copy_of(reinterpret_cast<const TOKEN_USER*>(buffer.data())->User.Sid);
}

// Who owns the machine, or is this program.
const std::vector<Sid>& trusted_accounts() {
  static const std::vector<Sid> accounts = [] {
    std::vector<Sid> all{well_known(WinLocalSystemSid), well_known(WinBuiltinAdministratorsSid),
                         user_of_this_process()};
    PSID installer = nullptr;
    if (::ConvertStringSidToSidW(L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
                                 &installer) != 0) {
      all.push_back(copy_of(installer));
      ::LocalFree(installer);
    }
    return all;
  }();
  return accounts;
}

bool is_trusted(PSID sid) {
  for (const Sid& account : trusted_accounts())
    if (!account.empty() && ::EqualSid(sid, const_cast<std::uint8_t*>(account.data())) != 0) return true;
  return false;
}

struct Security {
  std::unique_ptr<void, HLOCAL (*)(HLOCAL)> memory{nullptr, ::LocalFree};
  PSID owner = nullptr;
  PACL list = nullptr;
};

// nullopt when it cannot be read.
std::optional<Security> security_of(const std::wstring& path) {
  const UniqueFd file =
      owned(::CreateFileW(path.c_str(), READ_CONTROL, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                          nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  if (!file) return std::nullopt;
  Security security;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  if (::GetSecurityInfo(as_handle(file.get()), SE_FILE_OBJECT,
                        OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                        &security.owner, nullptr, &security.list, nullptr, &descriptor) != ERROR_SUCCESS)
    return std::nullopt;
  security.memory.reset(descriptor);
  return security;
}

ACCESS_MASK specific(ACCESS_MASK mask) {
  GENERIC_MAPPING mapping{FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS};
  DWORD mapped = mask;
  ::MapGenericMask(&mapped, &mapping);
  return mapped;
}

// Calls `visit` with each account that has one of these rights, until it answers true; nullptr stands for
// everyone. Entries that deny are not counted in anyone's favour.
template <class Visit>
bool any_account_with(const Security& security, ACCESS_MASK rights, Visit visit) {
  if (security.list == nullptr) return visit(nullptr);  // no list: everyone may do everything
  for (DWORD i = 0; i < security.list->AceCount; ++i) {
    void* entry = nullptr;
    if (::GetAce(security.list, i, &entry) == 0) return visit(nullptr);
    const auto* header = static_cast<const ACE_HEADER*>(entry);
    if ((header->AceFlags & INHERIT_ONLY_ACE) != 0) continue;
    if (header->AceType == ACCESS_DENIED_ACE_TYPE || header->AceType == ACCESS_DENIED_OBJECT_ACE_TYPE ||
        header->AceType == ACCESS_DENIED_CALLBACK_ACE_TYPE)
      continue;
    if (header->AceType != ACCESS_ALLOWED_ACE_TYPE && header->AceType != ACCESS_ALLOWED_CALLBACK_ACE_TYPE)
      return visit(nullptr);  // not understood
    auto* allowed = static_cast<ACCESS_ALLOWED_ACE*>(entry);
    if ((specific(allowed->Mask) & rights) == 0) continue;
    if (visit(static_cast<PSID>(&allowed->SidStart))) return true;
  }
  return false;
}

// Some of these rights belong to somebody else than the owner and the trusted.
bool others_have(const Security& security, ACCESS_MASK rights) {
  return any_account_with(security, rights, [&](PSID sid) {
    return sid == nullptr ||
           !(is_trusted(sid) || (security.owner != nullptr && ::EqualSid(sid, security.owner) != 0));
  });
}

// "S-1-5-21-..."; the accounts that every machine has by their names.
std::string account_text(PSID sid) {
  if (sid == nullptr || ::IsWellKnownSid(sid, WinWorldSid) != 0) return "everyone";
  if (::IsWellKnownSid(sid, WinLocalSystemSid) != 0) return "SYSTEM";
  if (::IsWellKnownSid(sid, WinBuiltinAdministratorsSid) != 0) return "Administrators";
  if (::IsWellKnownSid(sid, WinBuiltinUsersSid) != 0) return "Users";
  if (::IsWellKnownSid(sid, WinAuthenticatedUserSid) != 0) return "Authenticated Users";
  wchar_t* text = nullptr;
  if (::ConvertSidToStringSidW(sid, &text) == 0) return "an unknown account";
  const std::unique_ptr<void, HLOCAL (*)(HLOCAL)> memory(text, ::LocalFree);
  return from_wide(text);
}

// This process has one of these rights.
bool we_have(const std::wstring& path, ACCESS_MASK rights) {
  const UniqueFd file =
      owned(::CreateFileW(path.c_str(), READ_CONTROL, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                          nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  HANDLE token = nullptr;
  if (!file || ::OpenProcessToken(::GetCurrentProcess(), TOKEN_QUERY | TOKEN_DUPLICATE, &token) == 0)
    return true;
  const UniqueFd process_token = owned(token);
  HANDLE impersonation = nullptr;
  if (::DuplicateToken(token, SecurityImpersonation, &impersonation) == 0) return true;
  const UniqueFd thread_token = owned(impersonation);
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  if (::GetSecurityInfo(as_handle(file.get()), SE_FILE_OBJECT,
                        OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                        nullptr, nullptr, nullptr, nullptr, &descriptor) != ERROR_SUCCESS)
    return true;
  const std::unique_ptr<void, HLOCAL (*)(HLOCAL)> memory(descriptor, ::LocalFree);
  GENERIC_MAPPING mapping{FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS};
  PRIVILEGE_SET privileges{};
  DWORD size = sizeof privileges;
  DWORD granted = 0;
  BOOL allowed = FALSE;
  if (::AccessCheck(descriptor, impersonation, MAXIMUM_ALLOWED, &mapping, &privileges, &size, &granted,
                    &allowed) == 0)
    return true;
  return allowed != 0 && (granted & rights) != 0;
}

std::wstring parent_of(const std::wstring& path) {
  const std::size_t slash = path.rfind(L'\\');
  if (slash == std::wstring::npos) return {};
  // `\\?\C:\` keeps its separator; above it there is nothing.
  return path.substr(0, path[slash - 1] == L':' ? slash + 1 : slash);
}

// The opened file's path with every link resolved, in verbatim form.
std::optional<std::wstring> real_path_of(const std::wstring& path) {
  const UniqueFd file = owned(::CreateFileW(path.c_str(), FILE_READ_ATTRIBUTES,
                                            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                            OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  if (!file) return std::nullopt;
  return verbatim_path(from_wide(final_path(as_handle(file.get()))));
}

std::wstring folded(std::wstring text) {
  ::CharUpperBuffW(text.data(), static_cast<DWORD>(text.size()));
  return text;
}

bool is_drive_or_share(const std::wstring& path) {
  constexpr std::wstring_view kNetwork = L"\\\\?\\UNC\\";
  if (!path.starts_with(kNetwork)) return path.ends_with(L":\\");
  const std::size_t share = path.find(L'\\', kNetwork.size());
  return share == std::wstring::npos || path.find(L'\\', share + 1) == std::wstring::npos;
}

// Nobody but the owner and the trusted can put another directory or file in the place of one on the way.
bool way_is_safe(std::wstring path) {
  while (!is_drive_or_share(path)) {
    path = parent_of(path);
    if (path.empty()) return false;
    const auto security = security_of(path);
    if (!security || security->owner == nullptr || !is_trusted(security->owner)) return false;
    // DELETE on a directory that is not the top one moves it away.
    const ACCESS_MASK rights = is_drive_or_share(path) ? kRepoint : kRepoint | DELETE;
    if (others_have(*security, rights)) return false;
  }
  return true;
}

}  // namespace

PathExposure path_exposure(const std::string& absolute_path) {
  const auto asked = verbatim_path(absolute_path);
  if (!asked) return {true, true};
  const auto real = real_path_of(*asked);
  if (!real) return {true, true};
  const std::wstring directory = is_drive_or_share(*real) ? *real : parent_of(*real);
  const auto file = security_of(*real);
  const auto parent = security_of(directory);
  if (!file || !parent) return {true, true};
  PathExposure exposure;
  exposure.mutable_by_us = we_have(*real, kWriteFile) || we_have(directory, kAddFile | kRepoint);
  // A link on the way, or a short name: whoever writes to its directory re-points it.
  if (!exposure.mutable_by_us && folded(*real) != folded(*asked) && !is_drive_or_share(*asked))
    exposure.mutable_by_us = we_have(parent_of(*asked), kAddFile | kRepoint);
  exposure.writable_by_others = others_have(*file, kWriteFile) || others_have(*parent, kAddFile | kRepoint);
  return exposure;
}

bool path_as_safe_as_content(const std::string& absolute_path) {
  const auto asked = verbatim_path(absolute_path);
  if (!asked) return false;
  const auto real = real_path_of(*asked);
  if (!real) return false;
  // With a link on the way, the directories that hold the link count too.
  return way_is_safe(*real) && (folded(*real) == folded(*asked) || way_is_safe(*asked));
}

bool changeable_by_others(const std::string& absolute_path) {
  const auto asked = verbatim_path(absolute_path);
  if (!asked) return true;
  const auto real = real_path_of(*asked);
  if (!real) return true;
  const auto file = security_of(*real);
  if (!file || file->owner == nullptr || !is_trusted(file->owner)) return true;
  return others_have(*file, kWriteFile) || !path_as_safe_as_content(absolute_path);
}

bool is_one_of_many_names(const std::string&) { return false; }

FileWriters file_writers(const std::string& absolute_path, NativeHandle) {
  FileWriters found;
  const auto asked = verbatim_path(absolute_path);
  const auto real = asked ? real_path_of(*asked) : std::nullopt;
  const auto file = real ? security_of(*real) : std::nullopt;
  if (!file || file->owner == nullptr) return found;
  found.known = true;
  found.owner = account_text(file->owner);
  const auto add = [&](PSID sid) {
    const bool machine = sid != nullptr && (::IsWellKnownSid(sid, WinLocalSystemSid) != 0 ||
                                            ::IsWellKnownSid(sid, WinBuiltinAdministratorsSid) != 0);
    const std::string who = account_text(sid);
    if (!machine && std::find(found.writers.begin(), found.writers.end(), who) == found.writers.end())
      found.writers.push_back(who);
    return false;
  };
  any_account_with(*file, kWriteFile, add);
  if (const auto directory = security_of(parent_of(*real)))
    any_account_with(*directory, kAddFile | kRepoint, add);
  found.others_can_change = changeable_by_others(absolute_path);
  return found;
}

}  // namespace hostclaw::node_host
