// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/binding.h"

#include "policy/programs/mutable_operand.h"
#include "policy/request/command_text.h"
#include "policy/request/environment.h"

namespace hostclaw::policy {
namespace {

// A symlink on the way counts when this process could re-point it.
bool has_mutable_symlink(const std::string& path, const EngineContext& context) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    if (context.files->is_symlink(prefix)) {
      const std::size_t slash = prefix.rfind('/');
      const std::string parent = slash == 0 ? "/" : prefix.substr(0, slash);
      if (context.running_as_root || context.files->facts(parent).mutable_by_us) return true;
    }
    if (end == std::string::npos) return false;
  }
}

bool has_startup_environment(const EngineContext& context) {
  return find_variable(context.host_environment, "BASH_ENV", context.platform) != nullptr ||
         find_variable(context.host_environment, "ENV", context.platform) != nullptr;
}

OperandCheck refused(Reason problem) { return {std::nullopt, problem}; }

OperandCheck bind_file(std::size_t index, const std::string& file, const std::string& cwd,
                       const EngineContext& context) {
  const std::string path = absolute_path(cwd, file, context.platform);
  const FileFacts facts = context.files->facts(path);
  if (facts.kind == FileKind::kMissing) return refused(Reason::kScriptMissing);
  if (facts.kind == FileKind::kUnreadable) return refused(Reason::kScriptUnreadable);
  if (facts.kind != FileKind::kRegular) return refused(Reason::kScriptNoFile);
  const std::string real = facts.real_path.empty() ? path : facts.real_path;
  const std::optional<std::string> digest = context.files->content_sha256(real);
  if (!digest) return refused(Reason::kScriptUnreadable);
  return {PlanOperand{index, real, *digest}, Reason::kNone};
}

}  // namespace

CwdCheck check_canonical_cwd(const std::string& absolute_cwd, const EngineContext& context) {
  const FileFacts facts = context.files->facts(absolute_cwd);
  if (facts.kind == FileKind::kMissing || facts.kind == FileKind::kUnreadable) {
    return {"", Reason::kCwdMissing};
  }
  if (facts.kind != FileKind::kDirectory) return {"", Reason::kCwdNoDirectory};
  if (context.platform == Platform::kPosix &&
      (context.files->is_symlink(absolute_cwd) || has_mutable_symlink(absolute_cwd, context))) {
    return {"", Reason::kCwdBySymlink};
  }
  return {facts.real_path.empty() ? absolute_cwd : facts.real_path, Reason::kNone};
}

OperandCheck check_operand(const std::vector<std::string>& argv, const std::string* payload,
                           const std::string& cwd, const EngineContext& context) {
  const MutableOperandInput input{argv,
                                  payload != nullptr ? std::optional<std::string>(*payload) : std::nullopt,
                                  cwd, has_startup_environment(context), context.platform};
  const OperandFile found = find_operand_file(input, *context.files);
  switch (found.operand.kind) {
    case MutableOperand::Kind::kNone:
      return {};
    case MutableOperand::Kind::kIndex:
      break;
    case MutableOperand::Kind::kDispatchCwd:
      return refused(Reason::kDispatchOptions);
    case MutableOperand::Kind::kStartupFiles:
      return refused(Reason::kStartupFiles);
    case MutableOperand::Kind::kStartupEnvironment:
      return refused(Reason::kStartupEnvironment);
    case MutableOperand::Kind::kRuntimeOptions:
      return refused(Reason::kRuntimeOptions);
    case MutableOperand::Kind::kUnbindable:
      return refused(Reason::kHiddenCommand);
  }
  return found.operand.index < argv.size() ? bind_file(found.operand.index, found.file, cwd, context)
                                           : refused(Reason::kHiddenCommand);
}

bool is_operand_unchanged(const PlanOperand& operand, const std::vector<std::string>& argv,
                          const std::string& cwd, const EngineContext& context) {
  if (operand.argv_index >= argv.size()) return false;
  const MutableOperandInput input{argv, std::nullopt, cwd, false, context.platform};
  const OperandFile found = find_operand_file(input, *context.files);
  const bool same_word =
      found.operand.kind == MutableOperand::Kind::kIndex && found.operand.index == operand.argv_index;
  const OperandCheck now =
      bind_file(operand.argv_index, same_word ? found.file : argv[operand.argv_index], cwd, context);
  return now.operand && now.operand->path == operand.path && now.operand->sha256 == operand.sha256;
}

}  // namespace hostclaw::policy
