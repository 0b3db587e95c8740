// SPDX-License-Identifier: Apache-2.0
#include "cli/command_tree.h"

namespace hostclaw::cli {
namespace {

// CLI11 tells an option's type as "TEXT", "INT:INT in [1 - 65535]" or "TEXT:{error,warn}".
void read_type(const std::string& type, CommandFlag& flag) {
  flag.value = type.substr(0, type.find_first_of(": "));
  if (flag.value.empty()) flag.value = "VALUE";
  const std::size_t open = type.find(":{");
  const std::size_t close = open == std::string::npos ? open : type.find('}', open);
  if (close == std::string::npos) return;
  for (std::size_t at = open + 2; at < close;) {
    const std::size_t end = std::min(type.find(',', at), close);
    flag.choices.push_back(type.substr(at, end - at));
    at = end + 1;
  }
}

CommandFlag flag_of(const CLI::Option& option) {
  CommandFlag flag;
  flag.positional = option.get_lnames().empty() && option.get_snames().empty();
  if (flag.positional) {
    flag.names.push_back(option.get_name(true));
  } else {
    for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  }
  flag.description = option.get_description();
  flag.default_value = option.get_default_str();
  flag.required = option.get_required();
  flag.repeatable = option.get_items_expected_max() > 1;
  if (option.get_items_expected_max() > 0) read_type(option.get_type_name(), flag);
  return flag;
}

CommandNode node_of(const CLI::App& app, const std::string& path) {
  CommandNode node;
  node.path = path;
  node.name = app.get_name();
  node.aliases = app.get_aliases();
  node.description = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    CommandFlag flag = flag_of(*option);
    (flag.positional ? node.positionals : node.flags).push_back(std::move(flag));
  }
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (child->get_group().empty() || child->get_name().empty()) continue;
    node.children.push_back(node_of(*child, path + " " + child->get_name()));
  }
  return node;
}

}  // namespace

CommandNode command_tree(const CLI::App& root) { return node_of(root, root.get_name()); }

}  // namespace hostclaw::cli
