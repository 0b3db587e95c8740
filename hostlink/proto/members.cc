// SPDX-License-Identifier: Apache-2.0
#include "hostlink/proto/members.h"

#include <limits>
#include <utility>

namespace hostclaw::hostlink {

std::optional<std::string> take_text_member(Json& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end() || !member->is_string()) return std::nullopt;
  return std::move(member->get_ref<std::string&>());
}

std::string text_member(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member == object.end() || !member->is_string() ? std::string() : member->get<std::string>();
}

std::optional<std::int64_t> integer_member(const Json& object, const char* name) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const auto member = object.find(name);
  if (member == object.end() || !member->is_number()) return std::nullopt;
  if (member->is_number_unsigned()) {
    const auto value = member->get<std::uint64_t>();
    return value > static_cast<std::uint64_t>(kMost) ? kMost : static_cast<std::int64_t>(value);
  }
  if (member->is_number_integer()) return member->get<std::int64_t>();
  const double value = member->get<double>();
  if (value >= 9223372036854775807.0) return kMost;
  if (value <= -9223372036854775808.0) return kLeast;
  return static_cast<std::int64_t>(value);
}

bool true_member(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_boolean() && member->get<bool>();
}

}  // namespace hostclaw::hostlink
