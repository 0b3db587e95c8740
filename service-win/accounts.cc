// SPDX-License-Identifier: Apache-2.0
#include "service-win/accounts.h"

#include <windows.h>

// After windows.h.
#include <aclapi.h>
#include <ntsecapi.h>
#include <sddl.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "base/text.h"
#include "base/wide_text.h"
#include "service-win/windows_calls.h"

namespace hostclaw::service_win {
namespace {

LocalMemory<void> parse_sid(const std::string& text) {
  PSID sid = nullptr;
  if (text.empty() || ConvertStringSidToSidW(to_wide(text).c_str(), &sid) == 0) return nullptr;
  return LocalMemory<void>(sid);
}

std::string text_of_sid(PSID sid) {
  wchar_t* text = nullptr;
  if (ConvertSidToStringSidW(sid, &text) == 0) return {};
  const LocalMemory<wchar_t> owned(text);
  return from_wide(text);
}

class Policy {
 public:
  explicit Policy(ACCESS_MASK access) {
    LSA_OBJECT_ATTRIBUTES attributes{};
    status_ = LsaOpenPolicy(nullptr, &attributes, access, &handle_);
  }
  ~Policy() {
    if (status_ == 0) LsaClose(handle_);
  }
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;
  LSA_HANDLE get() const { return handle_; }
  NTSTATUS status() const { return status_; }

 private:
  LSA_HANDLE handle_ = nullptr;
  NTSTATUS status_ = 0;
};

constexpr const wchar_t* kServiceLogon = L"SeServiceLogonRight";
constexpr const char* kEveryone = "S-1-1-0";
constexpr const char* kAuthenticated = "S-1-5-11";
constexpr const char* kServices = "S-1-5-6";
constexpr const char* kUsers = "S-1-5-32-545";

// Who may what with a file, a folder or a pipe.
class AccessList {
 public:
  explicit AccessList(const std::string& path) {
    const bool pipe = path.starts_with("\\\\.\\pipe\\");
    const UniqueHandle file(CreateFileW(to_wide_path(path).c_str(), READ_CONTROL,
                                        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                        OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, nullptr));
    if (!is_valid(file)) return;
    PSECURITY_DESCRIPTOR descriptor = nullptr;
    known_ = GetSecurityInfo(file.get(), pipe ? SE_KERNEL_OBJECT : SE_FILE_OBJECT, DACL_SECURITY_INFORMATION,
                             nullptr, nullptr, &list_, nullptr, &descriptor) == ERROR_SUCCESS;
    descriptor_.reset(descriptor);
  }

  bool known() const { return known_; }
  PACL list() const { return list_; }

  // The entries in their order, as the system reads them.
  bool grants(const std::vector<std::string>& sids, ACCESS_MASK wanted) const {
    if (list_ == nullptr) return true;  // no list: everybody may everything
    for (DWORD i = 0; i < list_->AceCount; ++i) {
      void* entry = nullptr;
      if (GetAce(list_, i, &entry) == 0) return false;
      const auto* header = static_cast<const ACE_HEADER*>(entry);
      const bool allowed = header->AceType == ACCESS_ALLOWED_ACE_TYPE;
      if ((header->AceFlags & INHERIT_ONLY_ACE) != 0 ||
          (!allowed && header->AceType != ACCESS_DENIED_ACE_TYPE))
        continue;
      auto* ace = static_cast<ACCESS_ALLOWED_ACE*>(entry);  // both kinds look alike
      const std::string whose = text_of_sid(&ace->SidStart);
      if (std::find(sids.begin(), sids.end(), whose) == sids.end()) continue;
      GENERIC_MAPPING mapping{FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS};
      ACCESS_MASK mask = ace->Mask;
      MapGenericMask(&mask, &mapping);
      if (!allowed && (mask & wanted) != 0) return false;
      if (allowed) wanted &= ~mask;
      if (wanted == 0) return true;
    }
    return false;
  }

 private:
  LocalMemory<void> descriptor_;
  PACL list_ = nullptr;
  bool known_ = false;
};

}  // namespace

bool is_elevated() {
  SID_IDENTIFIER_AUTHORITY nt = SECURITY_NT_AUTHORITY;
  PSID administrators = nullptr;
  if (AllocateAndInitializeSid(&nt, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS, 0, 0, 0, 0, 0, 0,
                               &administrators) == 0) {
    return false;
  }
  BOOL member = FALSE;
  if (CheckTokenMembership(nullptr, administrators, &member) == 0) member = FALSE;
  FreeSid(administrators);
  return member != FALSE;
}

std::string current_sid() {
  HANDLE token = nullptr;
  if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token) == 0) return {};
  const UniqueHandle owned(token);
  DWORD size = 0;
  GetTokenInformation(token, TokenUser, nullptr, 0, &size);
  std::vector<char> user(size);
  if (size == 0 || GetTokenInformation(token, TokenUser, user.data(), size, &size) == 0) return {};
  return text_of_sid(reinterpret_cast<TOKEN_USER*>(user.data())->User.Sid);
}

std::string name_of_sid(const std::string& sid) {
  const auto parsed = parse_sid(sid);
  if (!parsed) return sid;
  std::array<wchar_t, 256> name{};
  std::array<wchar_t, 256> domain{};
  auto name_size = static_cast<DWORD>(name.size());
  auto domain_size = static_cast<DWORD>(domain.size());
  SID_NAME_USE use{};
  if (LookupAccountSidW(nullptr, parsed.get(), name.data(), &name_size, domain.data(), &domain_size, &use) ==
      0)
    return sid;
  const std::string place = from_wide(domain.data());
  return (place.empty() ? "" : place + "\\") + from_wide(name.data());
}

std::string current_account() { return name_of_sid(current_sid()); }

std::string sid_of_account(const ServiceAccount& account) {
  switch (account.kind) {
    case AccountKind::kOwn:
      return service_sid(service_name());
    case AccountKind::kLocalSystem:
      return "S-1-5-18";
    case AccountKind::kLocalService:
      return "S-1-5-19";
    case AccountKind::kNetworkService:
      return "S-1-5-20";
    case AccountKind::kManaged:
    case AccountKind::kUser:
      break;
  }
  std::string name = account.name;
  if (name.starts_with(".\\")) name = name.substr(2);
  std::array<char, SECURITY_MAX_SID_SIZE> sid{};
  std::array<wchar_t, 256> domain{};
  auto sid_size = static_cast<DWORD>(sid.size());
  auto domain_size = static_cast<DWORD>(domain.size());
  SID_NAME_USE use{};
  if (LookupAccountNameW(nullptr, to_wide(name).c_str(), sid.data(), &sid_size, domain.data(), &domain_size,
                         &use) == 0)
    return {};
  // A group of that name cannot log on.
  if (use != SidTypeUser && use != SidTypeComputer) return {};
  return text_of_sid(sid.data());
}

Result<void> grant_service_logon(const std::string& sid) {
  const auto account = parse_sid(sid);
  const Policy policy(POLICY_CREATE_ACCOUNT | POLICY_LOOKUP_NAMES);
  NTSTATUS status = policy.status();
  if (account && status == 0) {
    std::wstring name = kServiceLogon;
    LSA_UNICODE_STRING right{static_cast<USHORT>(name.size() * sizeof(wchar_t)),
                             static_cast<USHORT>((name.size() + 1) * sizeof(wchar_t)), name.data()};
    status = LsaAddAccountRights(policy.get(), account.get(), &right, 1);
    if (status == 0) return {};
  }
  return make_error("SERVICE_ACCOUNT",
                    "the right to log on as a service could not be given to " + name_of_sid(sid) + ": " +
                        text_of_problem(LsaNtStatusToWinError(status)),
                    "secpol.msc    (Local Policies, User Rights Assignment, Log on as a service)");
}

std::optional<bool> may_log_on_as_service(const std::string& sid) {
  const auto account = parse_sid(sid);
  const Policy policy(POLICY_LOOKUP_NAMES);
  if (!account || policy.status() != 0) return std::nullopt;
  LSA_UNICODE_STRING* rights = nullptr;
  ULONG count = 0;
  const NTSTATUS status = LsaEnumerateAccountRights(policy.get(), account.get(), &rights, &count);
  // It may still have it through a group.
  if (status != 0) return std::nullopt;
  bool found = false;
  for (ULONG i = 0; i < count; ++i) {
    found = found || std::wstring_view(rights[i].Buffer, rights[i].Length / sizeof(wchar_t)) == kServiceLogon;
  }
  LsaFreeMemory(rights);
  return found ? std::optional(true) : std::nullopt;
}

Result<std::string> ask_password(const std::string& account) {
  const HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
  DWORD mode = 0;
  std::string password;
  if (GetConsoleMode(input, &mode) != 0) {
    std::cerr << "Password of " << account << ": " << std::flush;
    SetConsoleMode(
        input, (mode | ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT) & ~static_cast<DWORD>(ENABLE_ECHO_INPUT));
    std::array<wchar_t, 512> typed{};
    DWORD count = 0;
    const BOOL read = ReadConsoleW(input, typed.data(), static_cast<DWORD>(typed.size()), &count, nullptr);
    SetConsoleMode(input, mode);
    std::cerr << std::endl;
    if (read != 0) password = from_wide({typed.data(), count});
    SecureZeroMemory(typed.data(), sizeof typed);
  } else {
    std::getline(std::cin, password);
  }
  while (!password.empty() && (password.back() == '\n' || password.back() == '\r')) password.pop_back();
  if (password.empty()) {
    return make_error("CONFIG_INVALID",
                      "Windows needs the password of " + account + " to start a service as it",
                      "type it when asked, or give it as the first line of standard input");
  }
  return password;
}

std::optional<bool> account_may(const std::string& sid, const std::string& path, unsigned long wanted) {
  const auto account = parse_sid(sid);
  const AccessList access(path);
  if (!account || !access.known()) return std::nullopt;
  // Every account that a service can have is in these.
  if (access.grants({sid, kEveryone, kAuthenticated, kUsers, kServices}, wanted)) return true;
  TRUSTEE_W trustee{};
  BuildTrusteeWithSidW(&trustee, account.get());
  ACCESS_MASK rights = 0;
  if (GetEffectiveRightsFromAclW(access.list(), &trustee, &rights) != ERROR_SUCCESS) return std::nullopt;
  if ((rights & wanted) == wanted) return true;
  // Of a service's own account Windows does not tell which groups it is in.
  return sid.starts_with("S-1-5-80-") ? std::nullopt : std::optional(false);
}

bool is_granted(const std::vector<std::string>& sids, const std::string& path, unsigned long wanted) {
  const AccessList access(path);
  return access.known() && access.grants(sids, wanted);
}

}  // namespace hostclaw::service_win
