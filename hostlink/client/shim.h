// SPDX-License-Identifier: Apache-2.0
// Programs of the host under their own names: a shim is a link named `docker` to this client, which then runs
// `docker` on the host with the words it was given, byte for byte.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hostlink/client/session.h"

namespace hostclaw::hostlink {

// What a run on the host finds in its environment when a shim started it. A shim that finds its own name
// there would call itself for ever, and refuses.
inline constexpr const char* kShimMarker = "HOSTLINK_SHIM";

// Whether a program of that name is this client itself and no shim of it.
bool is_client_name(std::string_view name);
// A file name that a shim may have: none of ours, no slash, nothing that begins with a dot or a dash.
bool is_shim_name(std::string_view name);

// Where shims lie: --dir, $HOSTLINK_SHIM_DIR, /usr/local/bin for root, else ~/.local/bin.
std::string shim_folder(const Options& options);

// A link that leads to this client, or to another one.
bool is_shim(const std::string& path, const std::string& client);

Outcome run_shim_command(Session& session);  // shim install NAME… | list | remove NAME…
// As the shim `name`. HOSTLINK_WORKDIR is the folder of the program on the host.
Outcome run_as_shim(Session& session, const std::string& name, const std::vector<std::string>& arguments);

}  // namespace hostclaw::hostlink
