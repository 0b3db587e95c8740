// SPDX-License-Identifier: Apache-2.0
// Every code that a Decision can carry, with its meaning. The documentation lists this table.
#pragma once

#include <span>
#include <string_view>

namespace hostclaw::policy {

// What the message of every SYSTEM_RUN_DENIED begins with; peers compare it.
inline constexpr std::string_view kDeniedPrefix = "SYSTEM_RUN_DENIED: ";

struct DecisionCode {
  std::string_view code;
  std::string_view layer;
  std::string_view meaning;  // one sentence
};

std::span<const DecisionCode> decision_codes();

// nullptr when there is no such code.
const DecisionCode* find_decision_code(std::string_view code);

// A refusal that mode=observe sets aside: what rules, lists, policy or analysis say about the command. Not
// one about a request that contradicts itself, or about something that cannot be found or bound.
bool is_observable(std::string_view code);

// The layer of a code; "document" for one that is not in the table.
std::string_view layer_of(std::string_view code);

}  // namespace hostclaw::policy
