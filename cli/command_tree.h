// SPDX-License-Identifier: Apache-2.0
// What --help knows, as plain values: every visible verb with its flags, in the order of definition.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace hostclaw::cli {

struct CommandFlag {
  std::vector<std::string> names;    // "-f", "--follow"; one bare name for a positional
  std::string value;                 // "TEXT", "INT", one of `choices`; empty for a switch
  std::vector<std::string> choices;  // the only values there are, when there is such a list
  std::string description;
  std::string default_value;
  bool positional = false;
  bool required = false;
  bool repeatable = false;
};

struct CommandNode {
  std::string path;                  // "hostclaw node run"
  std::string name;                  // "run"
  std::vector<std::string> aliases;  // other names of the last word
  std::string description;
  std::vector<CommandFlag> flags;        // "--..." and "-x"
  std::vector<CommandFlag> positionals;  // in their order
  std::vector<CommandNode> children;
};

CommandNode command_tree(const CLI::App& root);

}  // namespace hostclaw::cli
