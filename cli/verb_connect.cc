// SPDX-License-Identifier: Apache-2.0
// hostclaw connect [target]: one pasted command that pairs this machine and runs the node.
#include <filesystem>

#include "base/file_names.h"
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/node_flags.h"
#include "cli/node_service.h"

namespace hostclaw::cli {
namespace {

struct ConnectFlags {
  NodeFlags node;
  InstallFlags install;  // for --service
  std::string target;
  std::string target_file;
  bool service = false;
  bool verify = false;
};

Result<std::string> target_of(const ConnectFlags& flags) {
  if (!flags.target.empty() && !flags.target_file.empty()) {
    return make_error("CONFIG_INVALID", "give either a target or --target-file, not both");
  }
  if (!flags.target.empty()) return std::string(trim(flags.target));
  if (flags.target_file.empty()) {
    return make_error("CONFIG_INVALID", "a setup code, oc-pair:// URL or join URL is needed",
                      "on the gateway: openclaw devices join-code");
  }
  auto text = read_input(flags.target_file, 65'536);
  if (!text) return text.error();
  if (flags.target_file != "-") {
    // The code works once: what was read need not lie around.
    std::error_code ignored;
    std::filesystem::remove(to_path(flags.target_file), ignored);
  }
  return std::string(trim(*text));
}

// Pairs as the account of the service, in its state directory, then installs and starts it.
int connect_service(ConnectFlags& flags) {
  auto target = target_of(flags);
  if (!target) return fail(target.error());
  flags.install.node = flags.node;
  auto spec = service_spec(flags.install);
  if (!spec) return fail(spec.error());
  const auto manager = node_host::make_service_manager(flags.install.scope.scope_of_new());
  if (auto ready = manager->prepare(*spec); !ready) return fail(ready.error());
  // Two nodes of one identity would take each other's commands.
  if (manager->query().status == "running") {
    if (auto stopped = manager->stop(); !stopped) return fail(stopped.error());
  }
  std::vector<std::string> words{"connect", "--verify", "--target-file", "-"};
  words.insert(words.end(), spec->run_arguments.begin(), spec->run_arguments.end());
  auto status = manager->run_once(*spec, words, *target + "\n");
  if (!status) return fail(status.error());
  if (*status != 0) return *status;
  // The address that the code named is stored now; repeating it here would pin today's answer for ever.
  spec->force = true;
  auto change = manager->install(*spec);
  if (!change) return fail(change.error());
  for (const std::string& line : change->notes) note("note: " + for_terminal(line));
  for (const std::string& line : change->warnings) note("warning: " + for_terminal(line));
  print_line("Paired; the node service is installed and started. Look at it with: hostclaw node status");
  return kDone;
}

int connect(ConnectFlags& flags) {
  if (flags.service) return connect_service(flags);
  auto target = target_of(flags);
  if (!target) {
    fail(target.error());
    return target.error().code == "CONFIG_INVALID" ? kUsage : kFailed;
  }
  auto options = node_options(flags.node);
  if (!options) return fail(options.error());
  options->setup_code = *target;
  options->stop_when_connected = flags.verify;
  return node_host::run_node(*options);
}

}  // namespace

void add_connect(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<ConnectFlags>();
  CLI::App* verb = parent.add_subcommand("connect", "Pair with a setup code or join URL, then run the node");
  verb->add_option("target", flags->target, "Setup code, oc-pair:// URL or https join URL");
  verb->add_option("--target-file", flags->target_file,
                   "Read the target from a file, which is removed, or from -");
  verb->add_flag("--verify", flags->verify, "End as soon as the node is connected and approved");
  verb->add_flag("--service", flags->service,
                 "Pair, then install and start the service (as root: the machine's, else this account's)");
  verb->add_option("--run-as", flags->install.run_as, "With --service: account of the machine's service");
  verb->add_option("--group", flags->install.groups, "With --service: supplementary group, e.g. docker");
  verb->add_option("--state-dir", flags->install.state_directory, "With --service: its state directory");
  add_node_flags(*verb, flags->node, false);
  verb->callback([&action, flags] { action = [flags] { return connect(*flags); }; });
}

}  // namespace hostclaw::cli
