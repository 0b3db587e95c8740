// hostclaw connect [target]: one pasted command that pairs this machine and runs the node.
#include <filesystem>

#include "base/text.h"
#include "cli/command_line.h"
#include "cli/node_flags.h"

namespace hostclaw::cli {
namespace {

struct ConnectFlags {
  NodeFlags node;
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
    std::filesystem::remove(flags.target_file, ignored);
  }
  return std::string(trim(*text));
}

int connect(ConnectFlags& flags) {
  if (flags.service) {
    return fail(make_error("UNSUPPORTED", "installing a service is not part of this version",
                           "hostclaw connect <target> under your service manager, or hostclaw node run"));
  }
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
                 "Install and start the service afterwards (not in this version)");
  add_node_flags(*verb, flags->node, false);
  verb->callback([&action, flags] { action = [flags] { return connect(*flags); }; });
}

}  // namespace hostclaw::cli
