// SPDX-License-Identifier: Apache-2.0
#include "service-linux/accounts.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "base/text.h"
#include "service-linux/tool.h"

namespace hostclaw::service_linux {
namespace {

std::optional<Account> account_from(const passwd* entry) {
  if (entry == nullptr) return std::nullopt;
  return Account{entry->pw_name, entry->pw_uid, entry->pw_gid, entry->pw_dir};
}

bool is_ours(const Account& account) {
  return account.name == own_account() && account.home == system_home() && account.uid != 0;
}

bool bits_allow(const struct stat& facts, const Account& account, const std::vector<std::uint32_t>& groups,
                unsigned wanted) {
  if (account.uid == 0) return (wanted & 1U) == 0 || S_ISDIR(facts.st_mode) || (facts.st_mode & 0111U) != 0;
  unsigned bits = facts.st_mode & 7U;
  if (facts.st_uid == account.uid) {
    bits = (facts.st_mode >> 6U) & 7U;
  } else if (std::find(groups.begin(), groups.end(), facts.st_gid) != groups.end()) {
    bits = (facts.st_mode >> 3U) & 7U;
  }
  return (bits & wanted) == wanted;
}

}  // namespace

std::optional<Account> find_account(const std::string& name) {
  return account_from(::getpwnam(name.c_str()));
}
std::optional<Account> find_account(std::uint32_t uid) { return account_from(::getpwuid(uid)); }
bool group_exists(const std::string& name) { return ::getgrnam(name.c_str()) != nullptr; }

std::vector<std::uint32_t> group_ids(const Account& account, const std::vector<std::string>& extra) {
  int count = 256;
  std::vector<gid_t> ids(256);
  if (::getgrouplist(account.name.c_str(), account.gid, ids.data(), &count) < 0) {
    ids.resize(static_cast<std::size_t>(count));
    ::getgrouplist(account.name.c_str(), account.gid, ids.data(), &count);
  }
  ids.resize(static_cast<std::size_t>(count));
  std::vector<std::uint32_t> out(ids.begin(), ids.end());
  for (const std::string& name : extra) {
    if (const group* entry = ::getgrnam(name.c_str()); entry != nullptr) out.push_back(entry->gr_gid);
  }
  return out;
}

Result<bool> make_own_account() {
  if (const auto there = find_account(own_account())) {
    if (is_ours(*there) || there->uid < 1000) return false;
    return make_error(
        "SERVICE_ACCOUNT",
        std::string("the account ") + own_account() +
            " is one that people log in with; a service should have its own",
        std::string("hostclaw node install --run-as ") + own_account() + "    if that is meant");
  }
  std::vector<std::string> words{"useradd",     "--system",           "--user-group", "--home-dir",
                                 system_home(), "--no-create-home",   "--shell",      "/usr/sbin/nologin",
                                 "--comment",   "hostclaw node host", own_account()};
  if (group_exists(own_account())) {
    words[2] = "--no-user-group";
    words.insert(words.end() - 1, {"--gid", own_account()});
  }
  const auto made = run_tool(words);
  if (!made)
    return make_error("SERVICE_ACCOUNT", made.error().message, "hostclaw node install --run-as USER");
  if (made->status != 0) {
    return make_error("SERVICE_ACCOUNT", "useradd failed: " + std::string(trim(made->standard_error)),
                      "hostclaw node install --run-as USER");
  }
  return true;
}

Result<bool> remove_own_account() {
  const auto there = find_account(own_account());
  if (!there || !is_ours(*there)) return false;
  const auto gone = run_tool({"userdel", own_account()});
  if (!gone) return make_error("SERVICE_ACCOUNT", gone.error().message);
  if (gone->status != 0) {
    return make_error("SERVICE_ACCOUNT", "userdel failed: " + std::string(trim(gone->standard_error)),
                      std::string("userdel ") + own_account());
  }
  return true;
}

bool account_may(const Account& account, const std::vector<std::uint32_t>& groups, const std::string& path,
                 unsigned wanted) {
  char real[PATH_MAX];
  if (::realpath(path.c_str(), real) == nullptr) return false;
  const std::string whole = real;
  for (std::size_t at = 0; at != std::string::npos; at = whole.find('/', at + 1)) {
    struct stat facts {};
    const std::string directory = at == 0 ? "/" : whole.substr(0, at);
    if (::stat(directory.c_str(), &facts) != 0 || !bits_allow(facts, account, groups, 1)) return false;
  }
  struct stat facts {};
  return ::stat(whole.c_str(), &facts) == 0 && bits_allow(facts, account, groups, wanted);
}

}  // namespace hostclaw::service_linux
