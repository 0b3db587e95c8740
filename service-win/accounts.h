// SPDX-License-Identifier: Apache-2.0
// Accounts of Windows, as services run under them. Thread rule: one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "service-win/service_plan.h"

namespace hostclaw::service_win {

// This process may change the machine: the administrators are in its token and are not there for refusing
// alone.
bool is_elevated();
std::string current_sid();      // "S-1-5-21-...", empty when the system does not say
std::string current_account();  // "BOX\\alice"
std::string name_of_sid(const std::string& sid);
// "S-1-5-..." of an account, or empty: there is none of that name.
std::string sid_of_account(const ServiceAccount& account);

// "Log on as a service" for an account. Errors: SERVICE_ACCOUNT.
Result<void> grant_service_logon(const std::string& sid);
// nullopt: it cannot be known.
std::optional<bool> may_log_on_as_service(const std::string& sid);

// A password from the console without showing it, or the first line of a standard input that is none. Never a
// command line. Errors: CONFIG_INVALID (nothing was typed).
Result<std::string> ask_password(const std::string& account);

// Whether `sid` may do what `wanted` (an access mask) asks with this file, folder or pipe; nullopt: unknown.
// What it may through a group is known for users alone.
std::optional<bool> account_may(const std::string& sid, const std::string& path, unsigned long wanted);
// Whether the access list gives that to one of these, by name.
bool is_granted(const std::vector<std::string>& sids, const std::string& path, unsigned long wanted);

}  // namespace hostclaw::service_win
