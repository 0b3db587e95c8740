// The data of carried_code: which argument forms of which tools carry other code, write files, or read what
// they should not. Private to this folder. Pure data; safe from any thread.
#pragma once

#include <string_view>
#include <vector>

namespace hostclaw::policy {

struct CarryRule {
  enum class Kind {
    kAlways,      // every use
    kLong,        // long option, also `--option=value` and GNU abbreviations; text with its dashes
    kShort,       // letter in a single-dash cluster of letters; text is the letter
    kWord,        // this very element
    kPrefix,      // an element that begins so
    kContains,    // an element that contains this text
    kOperand,     // any element that is no option (and not `-`)
    kNoArgument,  // nothing after the name: reads commands from its input
  };
  Kind kind = Kind::kAlways;
  std::string_view text;
  std::string_view why;  // completes "NAME ... "
  std::string_view
      within;  // only behind this subcommand; empty: everywhere; "-": only in front of the subcommand
};

struct CarryTool {
  std::vector<std::string_view> names;  // executable tokens without version suffix
  std::vector<CarryRule> rules;
  // Uses that are harmless although a rule would match: argv has one argument, and it is one of these.
  std::vector<std::string_view> harmless;
  bool double_dash_ends_options = true;
  // First operands with which the tool only reports, as long as nothing but operands follows.
  std::vector<std::string_view> harmless_subcommands = {};
  // When not empty: every other first operand is an alias, an extension or a plugin, which may be any
  // program.
  std::vector<std::string_view> own_subcommands = {};
};

const std::vector<CarryTool>& carry_tools();

}  // namespace hostclaw::policy
