// SPDX-License-Identifier: Apache-2.0
// Any bytes: the grammar never fails otherwise than by saying so, and what it accepts means the same after it
// was quoted again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "policy/programs/builtins.h"
#include "policy/shell/shell_text.h"

using namespace hostclaw::policy;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// Some words can only be quoted in several parts, and the grammar refuses that for words with these.
bool has_no_spelling(const std::string& word) {
  const bool in_parts = word.find('\'') != std::string::npos || word.find("\\\n") != std::string::npos ||
                        word.find("\n\\") != std::string::npos;
  return in_parts && word.find_first_of("*?[{") != std::string::npos &&
         word.find_first_of("$`<>") != std::string::npos;
}

void check_program(const ShellProgram& program, std::string_view text) {
  require(!program.pipelines.empty());
  for (const ShellPipeline& pipeline : program.pipelines) {
    require(!pipeline.commands.empty() && pipeline.stderr_to_pipe.size() == pipeline.commands.size());
    for (const ShellCommand& command : pipeline.commands) {
      require(!command.words.empty() && !command.words.front().value.empty());
      for (const ShellWord& word : command.words) {
        require(word.length > 0 && word.offset + word.length <= text.size());
        require(word.value.find('\0') == std::string::npos);
      }
      if (std::any_of(command.words.begin(), command.words.end(),
                      [](const ShellWord& word) { return has_no_spelling(word.value); }))
        continue;
      // A quoted word is read back as itself (the command word has rules of its own).
      std::string again = "echo";
      for (std::size_t i = 1; i < command.words.size(); ++i)
        again += " " + quote_shell_word(command.words[i].value);
      const ShellTextResult second = parse_shell_text(again);
      require(static_cast<bool>(second));
      const auto argv = second.program->pipelines.front().commands.front().argv();
      require(argv.size() == command.words.size());
      for (std::size_t i = 1; i < argv.size(); ++i) require(argv[i] == command.words[i].value);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ShellTextOptions tolerant;
  tolerant.ansi_c_quotes = true;
  tolerant.ignore_unset = true;
  const ShellTextResult strict = parse_shell_text(text);
  if (strict) {
    check_program(*strict.program, text);
  } else {
    require(!strict.failure.code.empty() && !strict.failure.reason.empty());
  }
  // Tolerance only adds.
  const ShellTextResult lenient = parse_shell_text(text, tolerant);
  require(!strict || lenient);
  return 0;
}
