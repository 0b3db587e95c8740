// SPDX-License-Identifier: Apache-2.0
// The data of carried_code: which argument forms of which tools carry other code, write files, or read what
// they should not. Private to this folder. Pure data; safe from any thread.
//
// A tool's rows are lines of text, one statement a line:
//
//   VERB[@SCOPE] PATTERN...
//
// SCOPE is where the patterns are looked for: everywhere when absent, `-` in front of the subcommand, else
// behind one of the subcommands that it names (`clone,fetch`).
//
// VERB is what such a use does, a word of carry_reasons(), or one of these:
//   takes    options that take a value: `-o`, `--output`; `-i?` takes one only where it is attached
//   flags    options that take none
//   own      the tool's own subcommands: any other first operand is an alias, an extension or a plugin, and
//            an option in front of it that neither `takes` nor `flags` lists is asked about
//   alone    words that are harmless as the only argument
//   reports  WORD[/WORD][,WORD...] OPTION...: uses that only report, with these options and no others
//
// PATTERN is one of
//   --name       long option, also `--name=value` and abbreviated
//   -x           letter among those behind one dash
//   -name        where options are whole words behind one dash: that one; elsewhere an element of this text
//   text         an element of this text (in any case); `*` at its ends stands for any text
//   scheme:*     an element that begins so, in any case, also once curl has expanded braces and brackets
//   ...          any operand
//   !            every use
//   none         no argument at all: commands are read from the input
// An option may say which values it is about: `-d=@*` those, `-o!<null>` all others; `a|b` either. `<null>`
// is the file that swallows everything: /dev/null, on Windows NUL.
#pragma once

#include <span>
#include <string_view>

namespace hostclaw::policy {

struct CarryTool {
  enum Style : unsigned {
    kPlain = 0,
    kNoDoubleDash = 1,  // `--` does not end its options, or some versions of it take them behind it
    kWholeWords = 2,    // options are words behind one dash
    kBundledFirst = 4,  // tar: the first operand may be letters
  };
  std::string_view names;  // executable tokens without version suffix, separated by blanks
  unsigned style;
  std::string_view rows;
};

struct CarryReason {
  std::string_view verb;
  std::string_view why;  // completes "NAME ... "
};

std::span<const CarryTool> carry_tools();
std::span<const CarryReason> carry_reasons();

}  // namespace hostclaw::policy
