// SPDX-License-Identifier: Apache-2.0
#include "policy/document/arg_pattern.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>

#include "policy/document/glob.h"
#include "policy/model/engine_context.h"
#include "policy/request/command_text.h"

namespace hostclaw::policy {
namespace {

constexpr std::int64_t kMaxProgramBytes = 1 << 20;
constexpr std::size_t kMaxPatternUnits = 16384;
constexpr int kMaxDepth = 100;

void append_utf8(std::string& out, std::uint32_t point) {
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xC0U | point >> 6U));
    out.push_back(static_cast<char>(0x80U | (point & 0x3FU)));
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xE0U | point >> 12U));
    out.push_back(static_cast<char>(0x80U | (point >> 6U & 0x3FU)));
    out.push_back(static_cast<char>(0x80U | (point & 0x3FU)));
  } else {
    out.push_back(static_cast<char>(0xF0U | point >> 18U));
    out.push_back(static_cast<char>(0x80U | (point >> 12U & 0x3FU)));
    out.push_back(static_cast<char>(0x80U | (point >> 6U & 0x3FU)));
    out.push_back(static_cast<char>(0x80U | (point & 0x3FU)));
  }
}

// Surrogates are no characters for RE2; their stand-ins lie in plane 16, which itself only occurs as
// surrogates.
constexpr std::uint32_t kFirstSurrogate = 0xD800;
constexpr std::uint32_t kLastSurrogate = 0xDFFF;
constexpr std::uint32_t kStandIns = 0x100000;
std::uint32_t stand_in(char16_t unit) {
  return unit >= kFirstSurrogate && unit <= kLastSurrogate ? kStandIns + unit
                                                           : static_cast<std::uint32_t>(unit);
}
std::uint32_t unit_of(std::uint32_t point) { return point >= kStandIns ? point - kStandIns : point; }

constexpr std::string_view kDigit = "0-9";
constexpr std::string_view kWord = "0-9A-Za-z_";
constexpr std::string_view kSpace =
    "\\x09-\\x0d \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}";
constexpr std::string_view kLineEnd = "\\n\\r\\x{2028}\\x{2029}";

std::string escaped(std::uint32_t point) {
  char buffer[16];
  const int length = std::snprintf(buffer, sizeof buffer, "\\x{%x}", static_cast<unsigned>(point));
  return std::string(buffer, static_cast<std::size_t>(length));
}

// Recursive descent over the grammar of ECMA-262 (with Annex B), writing RE2's spelling.
class Translator {
 public:
  explicit Translator(std::u16string_view pattern) : pattern_(pattern) {}

  std::string run(std::string& problem) {
    count_groups();
    disjunction(0);
    if (problem_.empty() && !at_end()) fail("an unmatched )");
    problem = problem_;
    return out_;
  }

 private:
  bool at_end() const { return at_ >= pattern_.size(); }
  char16_t peek(std::size_t ahead = 0) const {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : u'\0';
  }
  bool has(std::size_t ahead) const { return at_ + ahead < pattern_.size(); }
  bool take(char16_t unit) {
    if (at_end() || pattern_[at_] != unit) return false;
    ++at_;
    return true;
  }
  void fail(std::string_view what) {
    if (problem_.empty()) problem_ = "the pattern has " + std::string(what);
    at_ = pattern_.size();
  }

  // `\1` is a reference only when there is such a group; named groups change what `\k` means.
  void count_groups() {
    bool in_class = false;
    for (std::size_t i = 0; i < pattern_.size(); ++i) {
      const char16_t unit = pattern_[i];
      if (unit == u'\\') {
        ++i;
      } else if (unit == u'[') {
        in_class = true;
      } else if (unit == u']') {
        in_class = false;
      } else if (unit == u'(' && !in_class) {
        const bool special = i + 1 < pattern_.size() && pattern_[i + 1] == u'?';
        const bool named = special && i + 3 < pattern_.size() && pattern_[i + 2] == u'<' &&
                           pattern_[i + 3] != u'=' && pattern_[i + 3] != u'!';
        if (!special || named) ++groups_;
        if (named) has_names_ = true;
      }
    }
  }

  void disjunction(int depth) {
    if (depth > kMaxDepth) return fail("groups nested too deep");
    while (!at_end() && peek() != u')') {
      if (take(u'|')) {
        out_.push_back('|');
      } else {
        term(depth);
      }
    }
  }

  void term(int depth) {
    const char16_t unit = peek();
    const std::size_t begin = out_.size();
    if (unit == u'^' || unit == u'$') {
      ++at_;
      out_ += unit == u'^' ? "\\A" : "\\z";
      if (quantifier_follows()) fail("a quantifier without anything to repeat");
      return;
    }
    if (unit == u'\\' && (peek(1) == u'b' || peek(1) == u'B') && has(1)) {
      out_ += peek(1) == u'b' ? "\\b" : "\\B";
      at_ += 2;
      if (quantifier_follows()) fail("a quantifier without anything to repeat");
      return;
    }
    if (unit == u'*' || unit == u'+' || unit == u'?') return fail("a quantifier without anything to repeat");
    if (unit == u'{' && counted()) return fail("a quantifier without anything to repeat");
    if (unit == u'(') {
      group(depth);
    } else if (unit == u'[') {
      character_class();
    } else if (unit == u'.') {
      ++at_;
      out_ += "[^" + std::string(kLineEnd) + "]";
    } else if (unit == u'\\') {
      atom_escape();
    } else {
      ++at_;
      literal(unit);
    }
    if (problem_.empty()) quantifier(begin);
  }

  void literal(char16_t unit) {
    const bool plain = (unit >= u'0' && unit <= u'9') || (unit >= u'a' && unit <= u'z') ||
                       (unit >= u'A' && unit <= u'Z') || unit == u' ' || unit == u'_';
    if (plain) {
      out_.push_back(static_cast<char>(unit));
    } else {
      out_ += escaped(stand_in(unit));
    }
  }

  void group(int depth) {
    ++at_;
    if (take(u'?')) {
      if (take(u':')) {
        out_ += "(?:";
      } else if (peek() == u'<' && has(1) && peek(1) != u'=' && peek(1) != u'!') {
        ++at_;
        if (!group_name()) return fail("a group name that is not valid");
        out_ += "(?:";
      } else if (peek() == u'=' || peek() == u'!' || peek() == u'<') {
        return fail("look-ahead or look-behind, which cannot be matched in bounded time");
      } else {
        return fail("a group of an unknown kind");
      }
    } else {
      out_ += "(?:";
    }
    disjunction(depth + 1);
    if (!problem_.empty()) return;
    if (!take(u')')) return fail("an unmatched (");
    out_.push_back(')');
  }

  bool group_name() {
    std::string name;
    while (!at_end() && peek() != u'>') {
      const char16_t unit = pattern_[at_++];
      const bool letter =
          (unit >= u'a' && unit <= u'z') || (unit >= u'A' && unit <= u'Z') || unit == u'_' || unit == u'$';
      if (!letter && !(unit >= u'0' && unit <= u'9' && !name.empty())) return false;
      name.push_back(static_cast<char>(unit));
    }
    return take(u'>') && !name.empty() && names_.insert(name).second;
  }

  // {n}, {n,}, {n,m} at the current place; nothing is consumed.
  struct Count {
    long least = 0;
    std::optional<long> most;
    bool open = false;
    std::size_t length = 0;
  };
  std::optional<Count> counted() const {
    if (peek() != u'{') return std::nullopt;
    std::size_t i = 1;
    const auto number = [&]() -> std::optional<long> {
      long value = 0;
      const std::size_t begin = i;
      while (peek(i) >= u'0' && peek(i) <= u'9' && has(i)) {
        value = std::min(value * 10 + (peek(i) - u'0'), 1000000L);
        ++i;
      }
      return i == begin ? std::nullopt : std::optional<long>(value);
    };
    Count out;
    const std::optional<long> least = number();
    if (!least) return std::nullopt;
    out.least = *least;
    out.most = *least;
    if (peek(i) == u',') {
      ++i;
      out.most = number();
      out.open = !out.most;
    }
    if (peek(i) != u'}') return std::nullopt;
    out.length = i + 1;
    return out;
  }

  bool quantifier_follows() const {
    return !at_end() && (peek() == u'*' || peek() == u'+' || peek() == u'?' || counted());
  }

  void quantifier(std::size_t begin) {
    if (!quantifier_follows()) return;
    // RE2 wants one thing to repeat; an escape that became several characters is grouped.
    out_ = out_.substr(0, begin) + "(?:" + out_.substr(begin) + ")";
    if (const std::optional<Count> count = counted()) {
      if (count->most && *count->most < count->least) return fail("numbers out of order in {}");
      if (count->least > 1000 || (count->most && *count->most > 1000)) return fail("a count above 1000");
      out_ += "{" + std::to_string(count->least);
      if (count->open) out_ += ",";
      if (!count->open && *count->most != count->least) out_ += "," + std::to_string(*count->most);
      out_ += "}";
      at_ += count->length;
    } else {
      out_.push_back(static_cast<char>(pattern_[at_++]));
    }
    if (take(u'?')) out_.push_back('?');
    if (quantifier_follows()) fail("a quantifier without anything to repeat");
  }

  void atom_escape() {
    ++at_;
    if (at_end()) return fail("a \\ at its end");
    const char16_t unit = peek();
    if (unit >= u'1' && unit <= u'9') {
      unsigned value = 0;
      for (std::size_t i = 0; peek(i) >= u'0' && peek(i) <= u'9' && has(i) && value < 100000; ++i) {
        value = value * 10 + (peek(i) - u'0');
      }
      if (value <= groups_) return fail("a back reference, which cannot be matched in bounded time");
    }
    if (unit == u'k' && has_names_) return fail("a back reference, which cannot be matched in bounded time");
    if (const std::string_view set = class_of(unit); !set.empty()) {
      ++at_;
      const bool negated = unit == u'D' || unit == u'W' || unit == u'S';
      out_ += (negated ? "[^" : "[") + std::string(set) + "]";
      return;
    }
    if (const std::optional<std::uint32_t> point = character_escape(false)) out_ += escaped(*point);
  }

  static std::string_view class_of(char16_t unit) {
    switch (unit) {
      case u'd':
      case u'D':
        return kDigit;
      case u'w':
      case u'W':
        return kWord;
      case u's':
      case u'S':
        return kSpace;
      default:
        return {};
    }
  }

  static int hex(char16_t unit) {
    if (unit >= u'0' && unit <= u'9') return unit - u'0';
    if (unit >= u'a' && unit <= u'f') return unit - u'a' + 10;
    if (unit >= u'A' && unit <= u'F') return unit - u'A' + 10;
    return -1;
  }

  std::optional<char16_t> hex_digits(std::size_t count) {
    unsigned value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const int digit = has(i) ? hex(peek(i)) : -1;
      if (digit < 0) return std::nullopt;
      value = value * 16 + static_cast<unsigned>(digit);
    }
    at_ += count;
    return static_cast<char16_t>(value);
  }

  // After the backslash. Annex B: what means nothing stands for itself.
  std::optional<std::uint32_t> character_escape(bool in_class) {
    const char16_t unit = pattern_[at_++];
    switch (unit) {
      case u't':
        return 0x09;
      case u'n':
        return 0x0A;
      case u'v':
        return 0x0B;
      case u'f':
        return 0x0C;
      case u'r':
        return 0x0D;
      case u'x':
        return stand_in(hex_digits(2).value_or(u'x'));
      case u'u':
        return stand_in(hex_digits(4).value_or(u'u'));
      case u'c':
        return control_escape(in_class);
      case u'b':
        if (in_class) return 0x08;
        return u'b';
      default:
        break;
    }
    if (unit >= u'0' && unit <= u'7') {
      unsigned value = unit - u'0';
      for (int i = 0;
           i < 2 && !at_end() && peek() >= u'0' && peek() <= u'7' && value * 8 + (peek() - u'0') <= 0xFF;
           ++i) {
        value = value * 8 + (pattern_[at_++] - u'0');
      }
      return value;
    }
    return stand_in(unit);
  }

  std::optional<std::uint32_t> control_escape(bool in_class) {
    const char16_t letter = peek();
    const bool is_letter = (letter >= u'a' && letter <= u'z') || (letter >= u'A' && letter <= u'Z');
    const bool class_extra = in_class && ((letter >= u'0' && letter <= u'9') || letter == u'_');
    if (at_end() || !(is_letter || class_extra)) {
      // `\c` without a control letter is a backslash followed by c.
      --at_;
      return u'\\';
    }
    ++at_;
    return letter & 0x1FU;
  }

  struct ClassItem {
    std::uint32_t point = 0;
    std::string_view set;
    bool negated = false;
  };

  std::optional<ClassItem> class_item() {
    if (!take(u'\\')) return ClassItem{stand_in(pattern_[at_++]), {}, false};
    if (at_end()) {
      fail("a \\ at its end");
      return std::nullopt;
    }
    const char16_t unit = peek();
    if (const std::string_view set = class_of(unit); !set.empty()) {
      ++at_;
      return ClassItem{0, set, unit == u'D' || unit == u'W' || unit == u'S'};
    }
    const std::optional<std::uint32_t> point = character_escape(true);
    return point ? std::optional<ClassItem>(ClassItem{*point, {}, false}) : std::nullopt;
  }

  // From one code unit to another. The stand-ins of surrogates lie elsewhere and are a range of their own.
  static std::string range(std::uint32_t first, std::uint32_t last) {
    std::string out;
    const auto add = [&](std::uint32_t least, std::uint32_t most) {
      const std::uint32_t from = std::max(first, least);
      const std::uint32_t to = std::min(last, most);
      if (from > to) return;
      out +=
          escaped(stand_in(static_cast<char16_t>(from))) + "-" + escaped(stand_in(static_cast<char16_t>(to)));
    };
    add(0, kFirstSurrogate - 1);
    add(kFirstSurrogate, kLastSurrogate);
    add(kLastSurrogate + 1, 0xFFFF);
    return out;
  }

  void character_class() {
    ++at_;
    const bool negated = take(u'^');
    std::string members;
    std::string negated_sets;
    const auto add = [&](const ClassItem& item) {
      if (item.set.empty()) {
        members += escaped(item.point);
      } else if (!item.negated) {
        members += item.set;
      } else if (item.set == kDigit) {
        members += "\\D";
      } else if (item.set == kWord) {
        members += "\\W";
      } else {
        // RE2 has no name for the complement of ECMAScript's white space.
        members +=
            "\\x00-\\x08\\x0e-\\x1f!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}"
            "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{"
            "10ffff}";
      }
    };
    while (!at_end() && peek() != u']') {
      const std::optional<ClassItem> first = class_item();
      if (!first) return;
      if (peek() != u'-' || !has(1) || peek(1) == u']') {
        add(*first);
        continue;
      }
      ++at_;
      const std::optional<ClassItem> last = class_item();
      if (!last) return;
      if (!first->set.empty() || !last->set.empty()) {
        add(*first);
        members += "\\-";
        add(*last);
      } else if (unit_of(first->point) > unit_of(last->point)) {
        return fail("a range out of order in []");
      } else {
        members += range(unit_of(first->point), unit_of(last->point));
      }
    }
    if (!take(u']')) return fail("an unmatched [");
    if (members.empty()) {
      out_ += negated ? "[\\x00-\\x{10ffff}]" : "[^\\x00-\\x{10ffff}]";
    } else {
      out_ += (negated ? "[^" : "[") + members + "]";
    }
  }

  std::u16string_view pattern_;
  std::size_t at_ = 0;
  std::string out_;
  std::string problem_;
  unsigned groups_ = 0;
  bool has_names_ = false;
  std::set<std::string> names_;
};

std::string joined(const std::vector<std::string>& arguments, bool nul, bool quoted) {
  std::string out;
  if (nul) {
    // No arguments at all read as two NUL, so that they differ from one empty argument.
    if (arguments.empty()) return std::string(2, '\0');
    for (const std::string& argument : arguments) {
      out += argument;
      out.push_back('\0');
    }
    return out;
  }
  if (quoted) return command_text(arguments);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (i > 0) out.push_back(' ');
    out += arguments[i];
  }
  return out;
}

}  // namespace

std::string to_code_unit_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool ascii = true;
  for (const char c : text) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
  if (ascii) return std::string(text);
  for (const char16_t unit : to_utf16_units(text)) append_utf8(out, stand_in(unit));
  return out;
}

std::string translate_ecmascript(std::string_view pattern, std::string& problem) {
  const std::u16string units = to_utf16_units(pattern);
  if (units.size() > kMaxPatternUnits) {
    problem = "the pattern is longer than 16384 characters";
    return {};
  }
  return Translator(units).run(problem);
}

ArgPattern::ArgPattern(std::string_view pattern) : nul_(pattern.find('\0') != std::string_view::npos) {
  const std::string translated = translate_ecmascript(pattern, problem_);
  if (!problem_.empty()) return;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(kMaxProgramBytes);
  expression_ = std::make_unique<re2::RE2>(translated, options);
  if (expression_->ok()) return;
  problem_ = "the pattern cannot be matched in bounded time (" + expression_->error() + ")";
  expression_.reset();
}

ArgPattern::~ArgPattern() = default;
ArgPattern::ArgPattern(ArgPattern&&) noexcept = default;
ArgPattern& ArgPattern::operator=(ArgPattern&&) noexcept = default;

bool ArgPattern::found_in(const std::vector<std::string>& arguments) const {
  return expression_ &&
         re2::RE2::PartialMatch(to_code_unit_text(joined(arguments, nul_, false)), *expression_);
}

bool ArgPattern::describes(const std::vector<std::string>& arguments) const {
  if (!expression_) return false;
  if (!re2::RE2::FullMatch(to_code_unit_text(joined(arguments, nul_, false)), *expression_)) return false;
  // Joined by spaces, `a b` could be one argument or two: the quoted form must fit as well.
  return nul_ || re2::RE2::FullMatch(to_code_unit_text(joined(arguments, nul_, true)), *expression_);
}

}  // namespace hostclaw::policy
