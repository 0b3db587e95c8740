// SPDX-License-Identifier: Apache-2.0
// Several nodes on one machine: a profile has a state directory, a service and an account of its own, as
// OpenClaw's --profile has. It is named with --profile, else by HOSTCLAW_PROFILE; empty: the usual one.
// Thread rule: use_profile() once, before other threads; the others as environment_variable().
#pragma once

#include <string>
#include <string_view>

namespace hostclaw {

// OpenClaw's rule: letters, digits, `-` and `_`, at most 64, none of the signs first.
bool is_profile_name(std::string_view text);

// From now on, whatever the environment says.
void use_profile(std::string name);
std::string profile();
// "hostclaw-NAME", or `name` itself without a profile.
std::string with_profile(std::string_view name);
// The environment names this profile, so that a directory it names is the profile's already.
bool profile_is_of_environment();

// "hostclaw --profile NAME", or "hostclaw": what a command to type begins with.
std::string own_command();
// The same for a text with commands in it: each "hostclaw VERB" names the profile.
std::string naming_profile(std::string_view text);

}  // namespace hostclaw
