// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/grants.h"

#include <algorithm>

#include "policy/programs/inline_eval.h"
#include "policy/programs/wrappers.h"
#include "policy/request/command_text.h"

namespace hostclaw::policy {
namespace {

enum class Reuse { kCovered, kPartly, kNever };

bool is_one_shot_program(const Segment& segment, const EngineContext& context) {
  const std::string word = executable_token(segment.argv().front());
  const std::string real = executable_token(segment.executable.real_path);
  if (is_multiplexer(word) || is_multiplexer(real)) return true;
  if (package_manager_exec(segment.argv())) return true;
  if (!is_inline_eval_interpreter(word) && !is_inline_eval_interpreter(real)) return false;
  return !context.settings.strict_inline_eval || inline_eval_hit(segment.source).has_value();
}

Reuse grant_for_shell(const Segment& segment, const std::string& cwd, const EngineContext& context,
                      std::vector<GrantToStore>& out) {
  const std::optional<ShellInvocation> invocation = read_shell_invocation(segment.argv());
  if (!invocation || invocation->payload) return Reuse::kNever;
  const std::optional<ScriptCandidate> script = find_script_candidate(segment.argv());
  if (!script) return Reuse::kNever;
  const std::string path = absolute_path(cwd, script->word, context.platform);
  const FileFacts facts = context.files->facts(path);
  if (facts.kind != FileKind::kRegular) return Reuse::kNever;
  const std::vector<std::string> arguments(
      segment.argv().begin() + static_cast<std::ptrdiff_t>(script->index) + 1, segment.argv().end());
  out.push_back({facts.real_path, cwd_argv_pattern(cwd, arguments, context.platform)});
  return Reuse::kPartly;
}

Reuse grant_for(const Segment& segment, const std::string& cwd, const EngineContext& context,
                std::vector<GrantToStore>& out) {
  if (segment.builtin != Builtin::kNone) return Reuse::kCovered;
  // A use that was asked about although the program is listed may be granted: the grant names its arguments.
  if ((segment.never && segment.code != DecisionCode::kCarriedCode) || !segment.executable.found)
    return Reuse::kNever;
  if (is_one_shot_program(segment, context)) return Reuse::kNever;
  if (shell_family(executable_token(segment.argv().front())) != ShellFamily::kNone) {
    return grant_for_shell(segment, cwd, context, out);
  }
  const std::vector<std::string> arguments(segment.argv().begin() + 1, segment.argv().end());
  out.push_back(
      {called_path(segment.executable, context), cwd_argv_pattern(cwd, arguments, context.platform)});
  return Reuse::kCovered;
}

}  // namespace

Coverage allow_always_coverage(const CommandAnalysis& analysis, const std::string& cwd,
                               const EngineContext& context) {
  Coverage out;
  if (!analysis.ok || analysis.segments.empty()) return out;
  out.complete = true;
  bool after_cd = false;
  for (const Segment& segment : analysis.segments) {
    // The directory of what follows a `cd` is another one; such commands stay with their approval.
    if (after_cd && segment.builtin == Builtin::kNone) {
      out.complete = false;
      continue;
    }
    std::vector<GrantToStore> grants;
    if (grant_for(segment, cwd, context, grants) != Reuse::kCovered) out.complete = false;
    after_cd = after_cd || segment.builtin == Builtin::kCd;
    for (GrantToStore& grant : grants) {
      const auto same = [&](const GrantToStore& other) {
        return other.pattern == grant.pattern && other.arg_pattern == grant.arg_pattern;
      };
      if (std::none_of(out.patterns.begin(), out.patterns.end(), same))
        out.patterns.push_back(std::move(grant));
    }
  }
  if (out.patterns.empty()) out.complete = false;
  return out;
}

GrantToStore node_command_marker(std::string_view text) {
  return {std::string(kNodeCommandPrefix) + command_key(text), std::nullopt};
}

}  // namespace hostclaw::policy
