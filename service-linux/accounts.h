// SPDX-License-Identifier: Apache-2.0
// The accounts that services run as. Thread rule: one thread (getpwnam).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/profile.h"
#include "base/result.h"

namespace hostclaw::service_linux {

// Of this profile.
inline std::string own_account() { return with_profile("hostclaw"); }
inline std::string system_state() { return with_profile("/var/lib/hostclaw"); }
inline std::string system_home() { return system_state() + "/home"; }

struct Account {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
};

std::optional<Account> find_account(const std::string& name);
std::optional<Account> find_account(std::uint32_t uid);
bool group_exists(const std::string& name);
// Of the account and of `extra` group names.
std::vector<std::uint32_t> group_ids(const Account& account, const std::vector<std::string>& extra);

// The system account own_account() without a login shell; answers true when it was made now.
// Errors: SERVICE_ACCOUNT (what useradd said; or an account of that name that people log in with).
Result<bool> make_own_account();
// Removes it when it is the one that make_own_account() makes. Answers true when it was removed.
Result<bool> remove_own_account();

// May this account read (4), write (2), execute (1) the path, every directory on the way included?
bool account_may(const Account& account, const std::vector<std::uint32_t>& groups, const std::string& path,
                 unsigned wanted);

}  // namespace hostclaw::service_linux
