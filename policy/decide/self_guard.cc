// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/self_guard.h"

#include <algorithm>
#include <unordered_map>

#include "policy/programs/carried_code.h"

namespace hostclaw::policy {
namespace {

// Words of one command that are looked at; behind so many nothing is hidden by accident.
constexpr std::size_t kMostOwnWords = 512;
// Words that are looked up as programs.
constexpr std::size_t kMostLookedUp = 1024;

bool has_own_name(std::string_view word) { return executable_token(word) == kOwnName; }

class SelfSearch {
 public:
  SelfSearch(const AnalysisInput& input, const CommandAnalysis& analysis)
      : input_(input), analysis_(analysis) {}

  std::optional<SelfUse> run() {
    for (const Segment& segment : analysis_.segments) {
      if (segment.builtin == Builtin::kNone) look_at(segment);
    }
    if (!analysis_.ok || analysis_.segments.empty()) look_at_words(input_.request.argv);
    const std::optional<ShellWrapper>& shell = input_.request.shell;
    if ((!analysis_.ok || !analysis_.shell_text) && shell && shell->invocation.payload)
      look_at_text(*shell->invocation.payload);
    return std::move(found_);
  }

 private:
  void note(const OwnCommand& command) {
    if (found_ || is_for_runs(command.use)) return;
    found_ = SelfUse{command.use, std::string(kOwnName)};
    if (command.verb != nullptr) found_->shown += " " + std::string(command.verb->words);
  }

  void look_at(const Segment& segment) {
    const std::vector<std::string>& argv = segment.argv();
    if (has_own_name(argv.front()) || is_own_program(segment.executable, input_.context))
      note(read_own_command(std::span(argv).subspan(1)));
    if (!words_are_data(segment)) look_at_words(segment.source);
    if (segment.unwrapped.unwrapped()) look_at_words(argv);
    const auto is_text = [](const std::string& word) {
      return word.find_first_of(" \t\n;|&(") != std::string::npos;
    };
    if (std::none_of(argv.begin(), argv.end(), is_text) || !starts_text(segment)) return;
    for (const std::string& word : argv) {
      if (is_text(word)) look_at_text(word);
    }
  }

  // Any word could be a program that another one starts; which ones are is known to that program alone. So
  // only what reads like a whole command of ours counts here, lest a word that merely names us is one.
  void look_at_words(const std::vector<std::string>& words) {
    const std::size_t end = std::min(words.size(), kMostOwnWords);
    for (std::size_t verb = 1; verb < end && !found_; ++verb) {
      if (!begins_own_command(words[verb])) continue;
      const OwnCommand command = read_own_command(std::span(words).subspan(verb));
      if (command.verb == nullptr || is_for_runs(command.use)) continue;
      std::size_t program = verb - 1;
      while (program > 0 && words[program].starts_with('-')) --program;
      if (is_own_word(words[program])) note(command);
    }
  }

  void look_at_text(std::string_view text) {
    for (const std::vector<std::string>& words : rough_commands(text, input_.context.platform))
      look_at_words(words);
  }

  bool is_own_word(const std::string& word) {
    if (word.empty()) return false;
    if (has_own_name(word)) return true;
    if (const auto known = own_words_.find(word); known != own_words_.end()) return known->second;
    // So many different programs in front of what could be words of ours: nothing is told apart any more.
    if (own_words_.size() >= kMostLookedUp) return true;
    const bool own = is_own_program(look_up_executable(word, input_.cwd, input_.environment, input_.context),
                                    input_.context);
    own_words_.emplace(word, own);
    return own;
  }

  // What such a program is given are names of files and texts to look for.
  bool words_are_data(const Segment& segment) const {
    constexpr std::string_view kStartNothing[] = {
        "cat",  "cmp",   "cp",        "cut",  "diff",  "du",    "echo",   "egrep",    "fgrep",
        "file", "grep",  "head",      "ls",   "mkdir", "mv",    "printf", "readlink", "realpath",
        "rm",   "rmdir", "sha256sum", "stat", "tail",  "touch", "wc"};
    constexpr std::string_view kStartByOption[] = {"git", "rg", "tar", "zip"};
    const std::string name = executable_token(segment.argv().front());
    const auto in = [&name](const auto& list) {
      return std::find(std::begin(list), std::end(list), name) != std::end(list);
    };
    return !segment.unwrapped.unwrapped() && !segment.unwrapped.blocked &&
           name == executable_token(segment.executable.real_path) &&
           (in(kStartNothing) ||
            (in(kStartByOption) && !carried_code(segment.argv(), input_.context.platform)));
  }

  // Programs whose words can be text that is run: shells, interpreters, wrappers that were not looked
  // through.
  bool starts_text(const Segment& segment) const {
    return segment.unwrapped.blocked || is_interpreter_like(executable_token(segment.argv().front())) ||
           is_interpreter_like(executable_token(segment.executable.real_path)) ||
           carried_code(segment.argv(), input_.context.platform).has_value();
  }

  const AnalysisInput& input_;
  const CommandAnalysis& analysis_;
  std::optional<SelfUse> found_;
  std::unordered_map<std::string, bool> own_words_;
};

}  // namespace

bool is_own_program(const ExecutableLookup& file, const EngineContext& context) {
  if (!file.found) return false;
  if (has_own_name(file.real_path) || has_own_name(file.name)) return true;
  const OwnProgram* own = context.own_program;
  if (own == nullptr || own->path.empty()) return false;
  const FileIdentity& identity = file.facts.identity;
  if (file.real_path == own->path) return true;
  if (!own->identity.known || !identity.known) return false;
  if (identity.device == own->identity.device && identity.inode == own->identity.inode) return true;
  // A copy. Few files have the very size, so few are read.
  if (identity.size == 0 || identity.size != own->identity.size) return false;
  const std::optional<std::string> content = context.files->content_sha256(file.real_path);
  return content && content == context.files->content_sha256(own->path);
}

std::optional<SelfUse> forbidden_self_use(const AnalysisInput& input, const CommandAnalysis& analysis) {
  return SelfSearch(input, analysis).run();
}

}  // namespace hostclaw::policy
