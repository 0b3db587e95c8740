// SPDX-License-Identifier: Apache-2.0
// The few shell builtins that the host runs itself, and quoting of words for display and rewritten text.
// Exec contract 4.4, 9.3, 17.1 items 2 and 6. Pure; safe from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/model/execution_plan.h"
#include "policy/model/types.h"

namespace hostclaw::policy {

struct BuiltinUse {
  enum class Kind {
    kNotBuiltin,    // an ordinary program; needs an entry
    kHarmless,      // true false : pwd cd with literal operands: run inside the host, needs no entry
    kOfficialOnly,  // test and [ with plain operands: official needs no entry, hardened does; run as the
                    // program
    kRefused,       // a builtin name used in a way that is never allowed, even where an entry would match
  };
  Kind kind = Kind::kNotBuiltin;
  Builtin builtin = Builtin::kNone;  // set for kHarmless
  std::string directory;             // for cd: its operand, literally; empty: HOME
  bool physical = false;             // cd -P, pwd -P
  std::string reason;                // one sentence for kRefused
};

// `argv` are the decoded words of a command in shell text. Builtins are told by the exact (case-sensitive)
// command word.
//   cd   nothing, or one literal operand, not empty, not `-`; options -L, -P and `--` in front of it
//        (the host ignores CDPATH and OLDPWD; a request that sets them is filtered elsewhere)
//   pwd  no operand, or -L / -P
//   true, false, :  any operands without `[`, `$` or backtick
BuiltinUse classify_builtin(const std::vector<std::string>& argv);

// True when the command word is relative with a separator (`./x`, `a/b`): refused after any `cd` (17.1 item
// 6).
bool is_relative_command_word(std::string_view word);

// Bare when the word consists only of A-Za-z0-9_@%+=:,./- and is not empty; else single quotes ('\'' for a
// quote).
std::string quote_shell_word(std::string_view word);
std::string quote_shell_words(const std::vector<std::string>& words);

}  // namespace hostclaw::policy
