// hostclaw completion bash|zsh|fish|powershell, and what packages are made from: hostclaw generate man|unit.
#include <iostream>

#include "cli/command_line.h"
#include "cli/generated_texts.h"
#include "cli/this_system.h"

namespace hostclaw::cli {

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
  generate->add_option("what", *what, "Which file")->required()->check(CLI::IsMember({"man", "unit"}));
  generate->callback([&parent, &action, what] {
    action = [&parent, what] {
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
