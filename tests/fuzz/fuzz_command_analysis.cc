// SPDX-License-Identifier: Apache-2.0
// Any argument list (elements separated by line ends): wrappers, shells, tables and detectors answer without
// failing, and agree with each other where they must.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "policy/programs/builtins.h"
#include "policy/programs/carried_code.h"
#include "policy/programs/inline_eval.h"
#include "policy/programs/safe_bins.h"
#include "policy/programs/wrappers.h"

using namespace hostclaw::policy;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_unwrapped(const Argv& argv) {
  const UnwrappedCommand command = unwrap_command(argv);
  require(command.layers.size() <= kMaxWrapperLayers);
  require(command.blocked == !command.blocked_reason.empty());
  if (command.index != UnwrappedCommand::kNotASuffix) {
    require(command.index <= argv.size());
    require(command.argv == Argv(argv.begin() + static_cast<std::ptrdiff_t>(command.index), argv.end()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Argv argv = hostclaw::split(std::string_view(reinterpret_cast<const char*>(data), size), '\n');
  check_unwrapped(argv);
  for (const Platform platform : {Platform::kPosix, Platform::kWindows}) {
    for (const RawCommandForm form : {RawCommandForm::kAbsent, RawCommandForm::kCommandText}) {
      const auto wrapper = find_shell_wrapper(argv, form, platform);
      if (wrapper && wrapper->bindable) require(!wrapper->modifying && !wrapper->bindable->empty());
    }
  }
  static_cast<void>(classify_raw_command(argv, argv.back(), "x"));
  static_cast<void>(env_assignment_keys(argv));
  static_cast<void>(package_manager_exec(argv));
  if (const auto script = find_script_candidate(argv)) require(script->index < argv.size());
  if (const auto carried = carried_code(argv))
    require(carried->argument < argv.size() && !carried->reason.empty());
  static_cast<void>(inline_eval_hit(argv));
  static_cast<void>(classify_builtin(argv));
  static_cast<void>(general_door(executable_token(argv.front())));
  const Argv arguments(argv.begin() + 1, argv.end());
  for (const std::string& name : default_safe_bins()) {
    const SafeBinCheck strict =
        check_safe_bin_arguments(name, *built_in_safe_bin_rules(name), arguments, Strictness::kHardened);
    const SafeBinCheck official =
        check_safe_bin_arguments(name, *built_in_safe_bin_rules(name), arguments, Strictness::kOfficial);
    require(!strict.ok || official.ok);
  }
  return 0;
}
