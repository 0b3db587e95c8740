// hostclaw completion bash|zsh|fish|powershell, and what packages are made from: hostclaw generate man|unit.
#include <iostream>

#include "cli/command_line.h"
#include "cli/generated_texts.h"
#include "service-linux/systemd_service.h"
#include "service-linux/systemd_unit.h"

namespace hostclaw::cli {
namespace {

// What `sudo hostclaw node install` writes when nothing is said, for a program in /usr/bin.
std::string example_unit() {
  service_linux::UnitPlan plan;
  plan.program_arguments = {"/usr/bin/hostclaw", "node", "run", "--stop-grace",
                            std::to_string(service_linux::kStopGraceSeconds)};
  plan.account = "hostclaw";
  plan.own_account = true;
  plan.state_directory = "/var/lib/hostclaw";
  plan.standard_state = true;
  plan.environment = {{"PATH", service_linux::kServicePath}};
  return service_linux::render_unit(plan);
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
  generate->add_option("what", *what, "Which file")->required()->check(CLI::IsMember({"man", "unit"}));
  generate->callback([&parent, &action, what] {
    action = [&parent, what] {
      std::cout << (*what == "man" ? man_page(parent, version()) : example_unit());
      return std::cout.flush() ? kDone : kFailed;
    };
  });
}

}  // namespace hostclaw::cli
