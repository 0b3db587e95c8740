// SPDX-License-Identifier: Apache-2.0
// Which daemon is meant and with which token: the command line, targets.conf and the environment put
// together. Source: HostLink contract, sections 4 and 5.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hostlink/client/endpoint.h"
#include "hostlink/client/options.h"

namespace hostclaw::hostlink {

struct Target {
  std::string name;
  Endpoint endpoint;
  std::string token;
  std::string token_file;
  std::optional<std::int64_t> timeout_ms;
};

using Environment = std::function<std::optional<std::string>(const char* name)>;

// The targets of a file's text. Sections are targets; unknown keys are left alone, as the original does.
// Errors: TARGETS_INVALID with the line: a value that cannot be meant, a key outside of a section.
Result<std::vector<Target>> parse_targets(std::string_view text);

// The targets of the file that is in force: --targets-file, $HOSTLINK_TARGETS, /etc/hostlink/targets.conf,
// ~/.config/hostlink/targets.conf; none when none of the last two exists. Errors: TARGETS_INVALID.
Result<std::vector<Target>> load_targets(const Options& options, const Environment& environment);

// Whom to talk to. Endpoint: -s or -a, else the target of -t or $HOSTLINK_TARGET, else $HOSTLINK_SOCKET, else
// the usual socket. Token: -k, --token-file, the target's, $HOSTLINK_TOKEN, $HOSTLINK_TOKEN_FILE. Errors:
// USAGE, TARGETS_INVALID, TOKEN_MISSING.
Result<Target> resolve_target(const Options& options, const Environment& environment);
// A target of the file by itself, with the token that it would be used with. Errors: TOKEN_MISSING.
Result<Target> with_token(Target target, const Options& options, const Environment& environment);

}  // namespace hostclaw::hostlink
