// SPDX-License-Identifier: Apache-2.0
#include "policy/programs/wrappers.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "policy/programs/dispatch_wrappers.h"

namespace hostclaw::policy {
namespace {

WrapperStep next_step(const Argv& argv, bool macos, bool carriers) {
  WrapperStep step = unwrap_dispatch(argv, macos);
  if (step.kind == WrapperStep::Kind::kNotAWrapper) step = unwrap_multiplexer(argv);
  if (step.kind == WrapperStep::Kind::kNotAWrapper && carriers) step = unwrap_carrier(argv);
  if (step.kind == WrapperStep::Kind::kNotAWrapper) step = judge_package_manager(argv);
  return step;
}

std::size_t add_index(std::size_t base, std::size_t step) {
  if (base == UnwrappedCommand::kNotASuffix || step == UnwrappedCommand::kNotASuffix)
    return UnwrappedCommand::kNotASuffix;
  return base + step;
}

// The text that the official host binds, whatever the platform; nullopt with a reason otherwise (8.2).
std::optional<std::string> official_binding(const ShellWrapper& wrapper, bool raw_command_accepted,
                                            std::string& reason) {
  const ShellInvocation& shell = wrapper.invocation;
  if (!shell.payload) return std::nullopt;
  if (wrapper.modifying) {
    reason = "A wrapper in front of the shell changes its environment, directory or files.";
  } else if (shell.attached && shell.family != ShellFamily::kCmd) {
    reason = "The text is joined to an option of the shell.";
  } else if (shell.encoded || shell.file) {
    reason = "The argument of the shell is not plain text.";
  } else if (shell.startup_file) {
    reason = "The shell reads another file before the text.";
  } else if (shell.interactive) {
    reason = "An interactive shell reads its startup files before the text.";
  } else if (shell.login) {
    // The gateway's own carrier is the one exception, and only when the request names its text (3.3).
    const bool carrier =
        shell.name == "sh" && wrapper.shell_argv.size() >= 3 && wrapper.shell_argv[1] == "-lc";
    if (!carrier || !raw_command_accepted) reason = "A login shell reads profile files before the text.";
  }
  if (!reason.empty()) return std::nullopt;
  return shell.payload;
}

// Looks for a shell behind every wrapper that can be parsed, including those that modify.
std::optional<ShellWrapper> locate_shell(const Argv& argv) {
  ShellWrapper wrapper;
  wrapper.shell_argv = argv;
  for (std::size_t layer = 0; layer <= kMaxWrapperLayers; ++layer) {
    std::optional<ShellInvocation> invocation = read_shell_invocation(wrapper.shell_argv);
    if (invocation) {
      wrapper.invocation = std::move(*invocation);
      wrapper.strictly_direct = layer == 0;
      return wrapper;
    }
    const WrapperStep step = next_step(wrapper.shell_argv, false, true);
    if (step.inner.empty()) return std::nullopt;
    const bool transparent = step.kind == WrapperStep::Kind::kUnwrapped && step.transparent;
    wrapper.modifying = wrapper.modifying || !transparent || step.layer == LayerKind::kCarrier;
    wrapper.prefix = add_index(wrapper.prefix, step.index);
    wrapper.shell_argv = step.inner;
  }
  return std::nullopt;
}

}  // namespace

bool UnwrappedCommand::has_layer(LayerKind kind) const {
  return std::any_of(layers.begin(), layers.end(),
                     [&](const WrapperLayer& layer) { return layer.kind == kind; });
}

bool UnwrappedCommand::transparent() const {
  return std::all_of(layers.begin(), layers.end(),
                     [](const WrapperLayer& layer) { return layer.transparent; });
}

UnwrappedCommand unwrap_command(const Argv& argv, const UnwrapOptions& options) {
  UnwrappedCommand result;
  result.argv = argv;
  while (true) {
    const WrapperStep step = next_step(result.argv, options.macos, options.carriers);
    if (step.kind == WrapperStep::Kind::kNotAWrapper) return result;
    const bool too_deep = result.layers.size() >= kMaxWrapperLayers;
    const bool looked_through = step.kind == WrapperStep::Kind::kUnwrapped && !too_deep;
    if (!too_deep) {
      result.layers.push_back(WrapperLayer{step.layer, executable_token(result.argv.front()),
                                           result.argv.front(), result.index,
                                           looked_through && step.transparent});
    }
    if (!looked_through) {
      // GHSA-r6qf-8968-wj9q: giving up must not look like "no wrapper".
      result.blocked = true;
      result.blocked_reason = too_deep ? "There are too many wrappers around the command." : step.reason;
      return result;
    }
    result.index = add_index(result.index, step.index);
    result.argv = step.inner;
  }
}

RawCommandForm classify_raw_command(const Argv& argv, std::string_view raw_command,
                                    std::string_view command_text) {
  const std::string_view raw = trim(raw_command);
  if (raw.empty()) return RawCommandForm::kAbsent;
  if (raw == command_text) return RawCommandForm::kCommandText;
  const std::optional<ShellWrapper> wrapper = locate_shell(argv);
  if (!wrapper) return RawCommandForm::kMismatch;
  std::string reason;
  const std::optional<std::string> bound = official_binding(*wrapper, true, reason);
  const bool matches = bound && raw == *bound && wrapper->invocation.trailing == 0;
  return matches ? RawCommandForm::kPayload : RawCommandForm::kMismatch;
}

std::optional<ShellWrapper> find_shell_wrapper(const Argv& argv, RawCommandForm raw_command,
                                               Platform platform) {
  std::optional<ShellWrapper> wrapper = locate_shell(argv);
  if (!wrapper) return std::nullopt;
  const bool accepted =
      raw_command == RawCommandForm::kCommandText || raw_command == RawCommandForm::kPayload;
  wrapper->bindable = official_binding(*wrapper, accepted, wrapper->not_bindable_reason);
  const ShellFamily family = wrapper->invocation.family;
  const bool windows_shell = family == ShellFamily::kCmd || family == ShellFamily::kPowerShell;
  if (wrapper->bindable &&
      (family == ShellFamily::kOpaque || windows_shell != (platform == Platform::kWindows))) {
    wrapper->bindable.reset();
    wrapper->not_bindable_reason = "The text is in a language that is not analysed here.";
  }
  return wrapper;
}

std::vector<std::string> env_assignment_keys(const Argv& argv) {
  std::set<std::string> keys;
  Argv current = argv;
  for (std::size_t layer = 0; layer < kMaxWrapperLayers; ++layer) {
    const WrapperStep step = unwrap_dispatch(current, true);
    // Words that came out of -S text are not looked at (4.1 item 8), nor what stands in front of it.
    if (step.inner.empty() || step.index == UnwrappedCommand::kNotASuffix) break;
    if (executable_token(current.front()) == "env") {
      for (std::size_t i = step.index; i-- > 1;) {
        const std::size_t equals = current[i].find('=');
        if (equals == std::string::npos || current[i].starts_with('-')) break;
        keys.insert(current[i].substr(0, equals));
      }
    }
    current = step.inner;
  }
  return {keys.begin(), keys.end()};
}

std::optional<PackageManagerExec> package_manager_exec(const Argv& argv) {
  if (argv.empty()) return std::nullopt;
  const std::string manager = executable_token(argv.front());
  PackageManagerExec result;
  std::size_t command = 0;
  if (manager == "npx" || manager == "bunx" || manager == "pnpx") {
    command = 1;
  } else if (argv.size() > 1 &&
             ((manager == "npm" && (argv[1] == "exec" || argv[1] == "x")) ||
              (manager == "pnpm" && (argv[1] == "exec" || argv[1] == "dlx" || argv[1] == "node")) ||
              (manager == "yarn" && (argv[1] == "exec" || argv[1] == "dlx")))) {
    command = argv[1] == "node" ? 1 : 2;
  } else {
    return std::nullopt;
  }
  while (command < argv.size() &&
         (argv[command] == "--" || argv[command] == "-y" || argv[command] == "--yes"))
    ++command;
  result.understood = command < argv.size() && !argv[command].starts_with('-');
  if (result.understood) result.inner.assign(argv.begin() + static_cast<std::ptrdiff_t>(command), argv.end());
  return result;
}

}  // namespace hostclaw::policy
