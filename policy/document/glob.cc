// SPDX-License-Identifier: Apache-2.0
#include "policy/document/glob.h"

#include <algorithm>

namespace hostclaw::policy {
namespace {

// Length of the well-formed UTF-8 sequence at `i`, or 0.
std::size_t sequence_length(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U; };
  const auto follows = [&](std::size_t count) {
    for (std::size_t k = 1; k <= count; ++k) {
      if ((byte(i + k) & 0xC0U) != 0x80U) return false;
    }
    return true;
  };
  const unsigned first = byte(i);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!follows(2)) return 0;
    if (first == 0xE0 && byte(i + 1) < 0xA0) return 0;
    if (first == 0xED && byte(i + 1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!follows(3)) return 0;
    if (first == 0xF0 && byte(i + 1) < 0x90) return 0;
    if (first == 0xF4 && byte(i + 1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

std::u16string to_utf16_units(std::string_view text) {
  std::u16string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_length(text, i);
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[i + k]); };
    if (length == 0) {
      // A lone low surrogate never comes out of well-formed text.
      out.push_back(static_cast<char16_t>(0xDC00U + byte(0)));
      ++i;
      continue;
    }
    std::uint32_t point = byte(0);
    if (length == 2) point = (point & 0x1FU) << 6U | (byte(1) & 0x3FU);
    if (length == 3) point = (point & 0x0FU) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
    if (length == 4) {
      point = (point & 0x07U) << 18U | (byte(1) & 0x3FU) << 12U | (byte(2) & 0x3FU) << 6U | (byte(3) & 0x3FU);
    }
    if (point >= 0x10000) {
      out.push_back(static_cast<char16_t>(0xD800U + ((point - 0x10000U) >> 10U)));
      out.push_back(static_cast<char16_t>(0xDC00U + ((point - 0x10000U) & 0x3FFU)));
    } else {
      out.push_back(static_cast<char16_t>(point));
    }
    i += length;
  }
  return out;
}

Glob::Glob(std::string_view pattern) : source_(pattern) {
  const std::size_t first = pattern.find_first_of("*?");
  wildcard_ = first != std::string_view::npos;
  prefix_ = std::string(pattern.substr(0, wildcard_ ? first : pattern.size()));
  if (!wildcard_) {
    suffix_ = prefix_;
    return;
  }
  suffix_ = std::string(pattern.substr(pattern.find_last_of("*?") + 1));
  const std::u16string units = to_utf16_units(pattern);
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (units[i] == u'?') {
      tokens_.push_back({Kind::kOne, 0});
    } else if (units[i] != u'*') {
      tokens_.push_back({Kind::kLiteral, units[i]});
    } else {
      const bool twice = i + 1 < units.size() && units[i + 1] == u'*';
      const Kind kind = twice ? Kind::kAny : Kind::kRun;
      if (twice) ++i;
      // Repeating the same wildcard adds nothing but states.
      if (tokens_.empty() || tokens_.back().kind != kind) tokens_.push_back({kind, 0});
    }
  }
}

bool Glob::matches(std::string_view subject) const {
  if (!wildcard_) return subject == prefix_;
  if (subject.size() < prefix_.size() || subject.substr(0, prefix_.size()) != prefix_) return false;
  if (subject.size() < suffix_.size() || subject.substr(subject.size() - suffix_.size()) != suffix_)
    return false;
  return matches_units(to_utf16_units(subject));
}

bool Glob::matches_units(const std::u16string& subject) const {
  // Simulates the automaton of the pattern: active[k] means that tokens before k have matched so far.
  std::vector<char> active(tokens_.size() + 1, 0);
  std::vector<char> next(tokens_.size() + 1, 0);
  const auto add = [&](std::vector<char>& states, std::size_t k) {
    states[k] = 1;
    while (k < tokens_.size() && (tokens_[k].kind == Kind::kRun || tokens_[k].kind == Kind::kAny))
      states[++k] = 1;
  };
  add(active, 0);
  for (const char16_t unit : subject) {
    std::fill(next.begin(), next.end(), 0);
    bool any = false;
    for (std::size_t k = 0; k < tokens_.size(); ++k) {
      if (active[k] == 0) continue;
      const Token& token = tokens_[k];
      const bool slash = unit == u'/';
      if (token.kind == Kind::kLiteral ? token.unit != unit : (slash && token.kind != Kind::kAny)) continue;
      add(next, token.kind == Kind::kLiteral || token.kind == Kind::kOne ? k + 1 : k);
      any = true;
    }
    if (!any) return false;
    active.swap(next);
  }
  return active[tokens_.size()] != 0;
}

}  // namespace hostclaw::policy
