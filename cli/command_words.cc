// SPDX-License-Identifier: Apache-2.0
#include "cli/command_words.h"

#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "cli/command_tree.h"

namespace hostclaw::cli {
namespace {

// The number of edits; a swap of neighbours is one.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1, 0));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      cost[i][j] = std::min(
          {cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

// Longer words are nobody's slip of the finger.
constexpr std::size_t kLongestWord = 64;

const CommandNode* find_child(const CommandNode& node, std::string_view word) {
  for (const CommandNode& child : node.children) {
    if (child.name == word ||
        std::find(child.aliases.begin(), child.aliases.end(), word) != child.aliases.end())
      return &child;
  }
  return nullptr;
}

std::vector<std::string> words_below(const CommandNode& node) {
  std::vector<std::string> out;
  for (const CommandNode& child : node.children) {
    out.push_back(child.name);
    out.insert(out.end(), child.aliases.begin(), child.aliases.end());
  }
  return out;
}

// The first verb below `node`, however deep, that is called so.
const CommandNode* find_anywhere(const CommandNode& node, std::string_view word) {
  if (const CommandNode* child = find_child(node, word)) return child;
  for (const CommandNode& child : node.children) {
    if (const CommandNode* found = find_anywhere(child, word)) return found;
  }
  return nullptr;
}

void collect_words(const CommandNode& node, std::vector<std::string>& out) {
  for (std::string& word : words_below(node)) out.push_back(std::move(word));
  for (const CommandNode& child : node.children) collect_words(child, out);
}

std::string in_list(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i)
    out += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
  return out;
}

// The names alone, in their order.
std::string names_below(const CommandNode& node) {
  std::vector<std::string> names;
  for (const CommandNode& child : node.children) names.push_back(child.name);
  return join(names, ", ");
}

Error unknown_verb(const CommandNode& root, const CommandNode& node, const std::string& word) {
  std::string message = "`" + node.path + "` has no command `" + word + "`";
  std::string nearest = nearest_word(word, words_below(node));
  const CommandNode* meant = nearest.empty() ? nullptr : find_child(node, nearest);
  if (meant == nullptr && !(meant = find_anywhere(root, word))) {
    std::vector<std::string> every;
    collect_words(root, every);
    nearest = nearest_word(word, every);
    if (!nearest.empty()) meant = find_anywhere(root, nearest);
  }
  if (meant == nullptr)
    return make_error("CONFIG_INVALID", message + "; there are: " + names_below(node), node.path + " --help");
  return make_error("CONFIG_INVALID", message + "; did you mean `" + meant->path + "`?",
                    meant->path + " --help");
}

Error unknown_option(const CommandNode& node, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string> known;
  for (const CommandFlag& flag : node.flags) known.insert(known.end(), flag.names.begin(), flag.names.end());
  const std::string nearest = nearest_word(name, known);
  std::string message = "`" + node.path + "` has no option " + name;
  if (!nearest.empty()) message += "; did you mean " + nearest + "?";
  return make_error("CONFIG_INVALID", message, node.path + " --help");
}

// The verbs that were named, from the program on.
std::vector<const CLI::App*> named_verbs(const CLI::App& root) {
  std::vector<const CLI::App*> out{&root};
  for (auto next = root.get_subcommands(); !next.empty(); next = next.front()->get_subcommands())
    out.push_back(next.front());
  return out;
}

Error describe(const CLI::App& root, const CLI::ParseError& error) {
  const CommandNode tree = command_tree(root);
  const CommandNode* node = &tree;
  const CLI::App* last = &root;
  for (const CLI::App* app : named_verbs(root)) {
    if (app != &root) {
      const CommandNode* child = find_child(*node, app->get_name());
      if (child == nullptr) break;  // a hidden one
      node = child;
    }
    last = app;
    for (const std::string& word : app->remaining(false)) {
      if (word == "--") continue;
      if (word.size() > 1 && word.front() == '-') return unknown_option(*node, word);
      if (!node->children.empty() && node->positionals.empty()) return unknown_verb(tree, *node, word);
      return make_error("CONFIG_INVALID", "`" + node->path + "` does not take `" + word + "` as well",
                        node->path + " --help");
    }
  }
  if (last->get_require_subcommand_min() > 0 && last->get_subcommands().empty()) {
    return make_error("CONFIG_INVALID",
                      "`" + node->path + "` needs one of its commands: " + names_below(*node),
                      node->path + " --help");
  }
  std::vector<std::string> missing;
  for (const CLI::Option* option : last->get_options()) {
    if (!option->get_required() || option->count() > 0) continue;
    missing.push_back(option->get_positional() ? to_upper_ascii(option->get_name(true)) : option->get_name());
  }
  if (error.get_name() == "RequiredError" && !missing.empty())
    return make_error("CONFIG_INVALID", "`" + node->path + "` needs " + in_list(missing),
                      node->path + " --help");
  return make_error("CONFIG_INVALID", error.what(), node->path + " --help");
}

int help(const CLI::App& root, const std::vector<std::string>& words) {
  const CommandNode tree = command_tree(root);
  const CommandNode* node = &tree;
  const CLI::App* app = &root;
  for (const std::string& word : words) {
    const CommandNode* child = find_child(*node, word);
    if (child == nullptr) {
      fail(unknown_verb(tree, *node, word));
      return kUsage;
    }
    node = child;
    app = app->get_subcommand(child->name);
  }
  if (app == &root) {
    print_whole_help(root);
  } else {
    std::fputs(app->help(node->path.substr(0, node->path.size() - node->name.size() - 1)).c_str(), stdout);
  }
  return kDone;
}

}  // namespace

std::string nearest_word(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > kLongestWord) return {};
  std::string best;
  std::size_t fewest = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    // One letter is not a likeness.
    const std::size_t edits = edits_between(word, candidate);
    if (edits >= fewest || edits >= candidate.size()) continue;
    fewest = edits;
    best = candidate;
  }
  return best;
}

std::vector<std::string> with_separator(const CLI::App& root, std::vector<std::string> words) {
  // How many words the option at `at` is; 0: none of `app` and the program.
  const auto option_words = [&](const CLI::App& app, std::size_t at) -> std::size_t {
    const std::string& word = words[at];
    if (word.size() < 2 || word.front() != '-' || word == "--") return 0;
    const std::string name = word.substr(0, word.find('='));
    const CLI::Option* option = app.get_option_no_throw(name);
    if (option == nullptr) option = root.get_option_no_throw(name);
    return option != nullptr && option->get_items_expected_max() > 0 && name == word ? 2 : 1;
  };
  std::size_t at = 0;
  while (at < words.size() && option_words(root, at) > 0) at += option_words(root, at);
  if (at + 2 >= words.size() || words[at] != "policy" || words[at + 1] != "check") return words;
  const CLI::App* check = root.get_subcommand("policy")->get_subcommand("check");
  at += 2;
  while (at < words.size() && option_words(*check, at) > 0) at += option_words(*check, at);
  if (at < words.size() && words[at] != "--")
    words.insert(words.begin() + static_cast<std::ptrdiff_t>(at), "--");
  return words;
}

std::vector<std::string> options_first(std::vector<std::string> words) {
  std::vector<std::string> first;
  std::vector<std::string> rest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--") {
      rest.insert(rest.end(), words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
      break;
    }
    const bool both = (words[i] == "--color" || words[i] == "--profile") && i + 1 < words.size();
    if (words[i] == "--utc" || both || words[i].starts_with("--color=") ||
        words[i].starts_with("--profile=")) {
      first.push_back(words[i]);
      if (both) first.push_back(words[++i]);
    } else {
      rest.push_back(words[i]);
    }
  }
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

std::optional<int> refuse_empty_words(const CLI::App& root, bool json) {
  const CommandNode tree = command_tree(root);
  const CommandNode* node = &tree;
  for (const CLI::App* app : named_verbs(root)) {
    if (app != &root) {
      const CommandNode* child = find_child(*node, app->get_name());
      // `policy check --agent ""` decides for a request that names none.
      if (child == nullptr || is_one_of(child->path, {"hostclaw clawlink", "hostclaw policy check"}))
        return std::nullopt;
      node = child;
    }
    for (const CLI::Option* option : app->get_options()) {
      const bool is_command = option->get_positional() && option->get_items_expected_max() > 1;
      // Of a rule and of an entry: no arguments.
      if (is_one_of(option->get_name(), {"--arguments", "--arg-pattern"})) continue;
      if (option->count() == 0 || option->get_items_expected_max() == 0 || is_command) continue;
      const std::vector<std::string>& given = option->results();
      if (std::none_of(given.begin(), given.end(), [](const std::string& text) { return text.empty(); }))
        continue;
      const std::string name =
          option->get_positional() ? to_upper_ascii(option->get_name(true)) : option->get_name();
      fail(make_error("CONFIG_INVALID", name + " of `" + node->path + "` was given as an empty text",
                      node->path + " --help"),
           json);
      return kUsage;
    }
  }
  return std::nullopt;
}

int explain_usage(const CLI::App& root, const CLI::ParseError& error, bool json) {
  fail(describe(root, error), json);
  return kUsage;
}

void print_short_help() {
  print_line("hostclaw " + version() + " makes this machine an OpenClaw node host.");
  print_line("");
  print_line("  hostclaw connect CODE              pair with a gateway and serve it");
  print_line("  hostclaw status                    link, pairing, policy, last runs and open questions");
  print_line("  hostclaw doctor                    what is wrong, and what to type");
  print_line("  hostclaw runs                      what ran here, and what was refused");
  print_line("  hostclaw approvals pending         questions that wait for an answer");
  print_line("  hostclaw policy check git status   what would be decided, without running it");
  print_line("");
  print_line("Every command: hostclaw help      One of them: hostclaw help WORD");
}

void print_whole_help(const CLI::App& root) {
  // Not root.help(), which is that of the verb that was named.
  print_line(root.get_formatter()->make_help(&root, root.get_name(), CLI::AppFormatMode::Normal));
  const std::string directory = likely_state_directory();
  if (!directory.empty()) print_line("The state is in " + for_terminal(directory) + ".");
}

void add_help(CLI::App& parent, Action& action) {
  const auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* verb = parent.add_subcommand("help", "What a command does and takes, as its --help");
  verb->add_option("words", *words, "The command, for example: policy add");
  verb->callback([&parent, &action, words] { action = [&parent, words] { return help(parent, *words); }; });
  CLI::App* version_verb = parent.add_subcommand("version", "Print the version, as --version");
  version_verb->callback([&action] {
    action = [] {
      print_line("hostclaw " + version());
      return kDone;
    };
  });
}

}  // namespace hostclaw::cli
