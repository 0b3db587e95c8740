// hostclaw completion bash|zsh|fish|powershell, and what packages are made from: hostclaw generate man|unit;
// and, for a test, which verbs there are: hostclaw generate verbs.
#include <iostream>

#include "cli/command_line.h"
#include "cli/generated_texts.h"
#include "cli/this_system.h"
#include "policy/own_verbs.h"

namespace hostclaw::cli {
namespace {

// WORDS, a tab and what a run may do with it, for every verb that can be typed, hidden ones among them.
int print_verbs(const CLI::App& app, const std::string& path) {
  const auto children = app.get_subcommands([](const CLI::App* child) { return !child->get_name().empty(); });
  if (!path.empty() && (children.empty() || app.get_require_subcommand_min() == 0)) {
    const policy::OwnVerb* verb = policy::find_own_verb(path);
    print_line(path + "\t" + std::string(verb != nullptr ? policy::to_string(verb->use) : "undeclared"));
    const std::string parent = path.substr(0, path.size() - app.get_name().size());
    for (const std::string& alias : app.get_aliases()) {
      const policy::OwnVerb* other = policy::find_own_verb(parent + alias);
      print_line(parent + alias + "\t" +
                 std::string(other != nullptr ? policy::to_string(other->use) : "undeclared"));
    }
  }
  for (const CLI::App* child : children)
    print_verbs(*child, path.empty() ? child->get_name() : path + " " + child->get_name());
  return kDone;
}

}  // namespace

void add_completion(CLI::App& parent, Action& action) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* verb = parent.add_subcommand("completion", "Print the completion script of a shell");
  verb->add_option("shell", *shell, "Which shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish", "powershell"}));
  verb->callback([&parent, &action, shell] {
    action = [&parent, shell] {
      std::cout << (*shell == "bash"   ? bash_completion(parent)
                    : *shell == "zsh"  ? zsh_completion(parent)
                    : *shell == "fish" ? fish_completion(parent)
                                       : powershell_completion(parent));
      return std::cout.flush() ? kDone : kFailed;
    };
  });

  const auto what = std::make_shared<std::string>();
  CLI::App* generate = parent.add_subcommand("generate", "Print a file that packages contain")->group("");
  generate->add_option("what", *what, "Which file")
      ->required()
      ->check(CLI::IsMember({"man", "unit", "verbs"}));
  generate->callback([&parent, &action, what] {
    action = [&parent, what] {
      if (*what == "verbs") return print_verbs(parent, "");
      const auto unit = packaged_service_definition();
      if (*what == "unit" && !unit)
        return fail(make_error("NOT_ON_THIS_SYSTEM", "packages for this system contain no service definition",
                               "hostclaw node install"));
      std::cout << (*what == "man" ? man_page(parent, version()) : *unit);
      return std::cout.flush() ? kDone : kFailed;
    };
  });
}

}  // namespace hostclaw::cli
