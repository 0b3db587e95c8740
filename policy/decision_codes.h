// Every code that a Decision can carry, with its meaning. The documentation lists this table.
#pragma once

#include <span>
#include <string_view>

namespace hostclaw::policy {

struct DecisionCode {
  std::string_view code;
  std::string_view layer;
  std::string_view meaning;  // one sentence
};

std::span<const DecisionCode> decision_codes();

// The layer of a code; "document" for one that is not in the table.
std::string_view layer_of(std::string_view code);

}  // namespace hostclaw::policy
