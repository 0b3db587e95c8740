// SPDX-License-Identifier: Apache-2.0
// Small texts of the wire: times, ids, members of objects that a peer wrote, tokens.
// Safe from any thread. Source: clawlink contract, section 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace hostclaw::clawlink {

// "2027-01-31T17:00:00.123000+00:00", as the original writes times.
std::string iso_time(std::int64_t unix_ms);
// The same ending in Z with milliseconds, as A2A wants them.
std::string iso_time_z(std::int64_t unix_ms);
// Either form, with 0 to 9 digits of a second and an offset; also a number of seconds. nullopt: no time.
std::optional<std::int64_t> read_time(const Json& value);

// A member that is a text, else `otherwise`.
std::string text_member(const Json& object, const char* name, std::string_view otherwise = {});
// As Python's `if value`: absent, null, "", 0, false, [] and {} are not.
bool is_truthy(const Json& object, const char* name);
const Json* find_member(const Json& object, const char* name);

// The first characters of a new UUID, as the original makes ids: 8 of an agent, 12 of a message.
std::string short_id(std::size_t characters);
// `bytes` random bytes, base64url.
std::string random_text(std::size_t bytes);

// As a segment of a URL's path (RFC 3986, unreserved characters as they are).
std::string percent_encoded(std::string_view text);

// `object`, the text of a JSON object, with `members`, a text like `"a":1,"b":2`, at its end.
std::string with_members(std::string_view object, std::string_view members);

// 1 to 128 characters, none of them a control character, a space or one of `/?#`; ids that are not can
// neither be polled by path nor shown safely.
bool is_agent_id(std::string_view text);

// `*` stands for any text, everything else for itself.
bool matches_pattern(std::string_view pattern, std::string_view text);

// RFC 4648 section 4, padded.
std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace hostclaw::clawlink
