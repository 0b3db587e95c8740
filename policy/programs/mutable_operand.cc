// SPDX-License-Identifier: Apache-2.0
// Which operand of an approved command is a file that could be changed between the approval and the run: exec
// contract 11.3. What cannot be bound is refused before anybody is asked (oc changelog: bun, deno, shell
// script swaps; GHSA-gj9q-8w99-mp8j).
#include "policy/programs/mutable_operand.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "policy/programs/carried_code.h"
#include "policy/programs/dispatch_wrappers.h"
#include "policy/programs/option_parser.h"
#include "policy/request/command_text.h"
#include "policy/shell/shell_text.h"

namespace hostclaw::policy {
namespace {

// python3.11 -> python, node20 -> node
std::string_view without_version_suffix(std::string_view token) {
  while (!token.empty() &&
         ((token.back() >= '0' && token.back() <= '9') || token.back() == '.' || token.back() == '-')) {
    token.remove_suffix(1);
  }
  return token;
}

bool is_script_runner(std::string_view token) {
  return is_one_of(
      without_version_suffix(token),
      {"python", "pypy",   "perl",      "ruby",   "php",   "node",    "nodejs", "lua",     "luajit",
       "awk",    "gawk",   "mawk",      "nawk",   "sed",   "gsed",    "tsx",    "ts-node", "vite-node",
       "jiti",   "esno",   "bun",       "deno",   "r",     "rscript", "julia",  "elixir",  "iex",
       "guile",  "expect", "osascript", "groovy", "scala", "clojure", "clj",    "raku",    "erl",
       "irb",    "jruby",  "racket",    "tclsh",  "wish",  "swift"});
}

// Take their script as the first argument when that is no option.
bool takes_script_first(std::string_view token) {
  return is_one_of(without_version_suffix(token),
                   {"node", "nodejs", "perl", "php", "python", "pypy", "ruby"});
}

// Letters and long options whose value is a script, and the grammar that tells where that value is.
struct ScriptOptions {
  std::string_view letters;
  std::string_view long_option;
  const OptionGrammar* grammar = nullptr;
};

OptionGrammar grammar_of(std::initializer_list<std::string_view> takes) {
  OptionGrammar grammar;
  for (const std::string_view name : takes) grammar.takes.push_back({name, false, {}});
  return grammar;
}

std::optional<ScriptOptions> script_options(std::string_view name) {
  static const OptionGrammar kPhp =
      grammar_of({"-f", "-F", "-c", "-d", "-r", "-B", "-R", "-E", "-S", "-t", "-z"});
  static const OptionGrammar kExpect = grammar_of({"-f", "-c"});
  static const OptionGrammar kR = grammar_of({"-f", "-e", "-g", "-d"});
  if (is_one_of(name, {"awk", "gawk", "mawk", "nawk"}))
    return ScriptOptions{"fE", "--file", &known_options("awk")};
  if (is_one_of(name, {"sed", "gsed"})) return ScriptOptions{"f", "--file", &known_options("sed")};
  if (name == "php") return ScriptOptions{"fF", "--file", &kPhp};
  if (name == "expect") return ScriptOptions{"f", {}, &kExpect};
  if (name == "r") return ScriptOptions{"f", "--file", &kR};
  return std::nullopt;
}

// `python3 -m MODULE`; options behind it are the module's own.
struct PythonModule {
  std::size_t index = 0;  // of the word that names it
  std::string_view name;
  bool from_here = true;  // not -I or -P, which leave the working directory out
};

std::optional<PythonModule> python_module(const Argv& argv) {
  bool from_here = true;
  for (std::size_t i = 1; i < argv.size() && argv[i].size() > 1 && argv[i][0] == '-' && argv[i] != "--";
       ++i) {
    const std::string_view word = argv[i];
    if (word[1] == '-') {
      if (word == "--check-hash-based-pycs") ++i;
      continue;
    }
    for (std::size_t k = 1; k < word.size(); ++k) {
      const bool last = k + 1 == word.size();
      if (word[k] == 'c') return std::nullopt;
      if (word[k] == 'I' || word[k] == 'P') from_here = false;
      if (word[k] == 'm' && !last) return PythonModule{i, word.substr(k + 1), from_here};
      if (word[k] == 'm' && i + 1 < argv.size()) return PythonModule{i + 1, argv[i + 1], from_here};
      if (word[k] != 'W' && word[k] != 'X' && word[k] != 'Q') continue;
      if (last) ++i;
      break;
    }
  }
  return std::nullopt;
}

class OperandFinder {
 public:
  OperandFinder(const MutableOperandInput& input, FileProbe& files) : input_(input), files_(files) {}

  MutableOperand find() {
    if (!peel()) return refuse(MutableOperand::Kind::kUnbindable);
    if (chdir_) return refuse(MutableOperand::Kind::kDispatchCwd);
    if (argv_.empty()) return refuse(MutableOperand::Kind::kNone);
    const std::string token = executable_token(argv_.front());
    const ShellFamily family = shell_family(token);
    if (family == ShellFamily::kPosix || family == ShellFamily::kOpaque) return of_shell();
    if (family != ShellFamily::kNone) return refuse(MutableOperand::Kind::kNone);
    if (is_multiplexer(token) || multiplexer_) return refuse(MutableOperand::Kind::kUnbindable);
    if (opaque_package_) return refuse(MutableOperand::Kind::kNone);
    if (has_unbindable_runtime_options(token)) return refuse(MutableOperand::Kind::kRuntimeOptions);
    if (is_script_runner(token)) return of_script_runner(token);
    return of_program();
  }

  // What the operand names, when that is not its word.
  const std::string& file() const { return file_; }

 private:
  static MutableOperand refuse(MutableOperand::Kind kind) { return MutableOperand{kind, 0}; }
  MutableOperand at(std::size_t index) const {
    return MutableOperand{MutableOperand::Kind::kIndex, base_ + index};
  }

  // Takes wrappers, multiplexers and package managers off. False when what is inside is not known.
  bool peel() {
    argv_ = input_.argv;
    for (std::size_t layer = 0; layer <= kMaxWrapperLayers + 2; ++layer) {
      WrapperStep step = unwrap_dispatch(argv_, false);
      if (step.kind == WrapperStep::Kind::kNotAWrapper) {
        step = unwrap_multiplexer(argv_);
        multiplexer_ = multiplexer_ || step.kind == WrapperStep::Kind::kUnwrapped;
      } else {
        note_chdir(step);
      }
      if (step.kind == WrapperStep::Kind::kUnwrapped || step.kind == WrapperStep::Kind::kModifying) {
        if (step.index == UnwrappedCommand::kNotASuffix) return false;
        base_ += step.index;
        argv_ = step.inner;
        continue;
      }
      if (step.kind == WrapperStep::Kind::kBlocked) return step.layer == LayerKind::kDispatch;
      const std::optional<PackageManagerExec> inner = package_manager_exec(argv_);
      if (!inner) return true;
      if (!inner->understood) return false;
      const bool dlx = argv_.size() > 1 && argv_[1] == "dlx";
      base_ += argv_.size() - inner->inner.size();
      argv_ = inner->inner;
      if (dlx && !is_script_runner(executable_token(argv_.front()))) opaque_package_ = true;
      if (opaque_package_) return true;
    }
    return false;
  }

  void note_chdir(const WrapperStep& step) {
    if (executable_token(argv_.front()) != "env") return;
    const std::size_t end =
        step.index == UnwrappedCommand::kNotASuffix ? argv_.size() : argv_.size() - step.inner.size();
    for (std::size_t i = 1; i < std::min(end, argv_.size()); ++i) {
      const std::string& token = argv_[i];
      chdir_ = chdir_ || token.starts_with("--chdir") || (token.starts_with("-C") && token.size() >= 2);
    }
  }

  // ---- shells ----

  MutableOperand of_shell() {
    for (const std::string& token : argv_) {
      if (token == "--") break;
      if (&token == &argv_.front()) continue;
      if (token.starts_with("--rcfile") || token.starts_with("--init-file") ||
          token.starts_with("--startup-script") || token == "-s" || token == "--stdin" ||
          token.starts_with("-i") || token == "--interactive") {
        return refuse(MutableOperand::Kind::kStartupFiles);
      }
    }
    const bool in_argv = std::any_of(input_.argv.begin(), input_.argv.end(), [](const std::string& token) {
      return token.starts_with("BASH_ENV=") || token.starts_with("ENV=");
    });
    if (in_argv || input_.shell_startup_environment) return refuse(MutableOperand::Kind::kStartupEnvironment);
    if (const std::optional<ScriptCandidate> script = find_script_candidate(argv_); script && !multiplexer_)
      return at(script->index);
    if (multiplexer_ || !input_.shell_payload) return refuse(MutableOperand::Kind::kUnbindable);
    return refuse(payload_is_bindable(*input_.shell_payload) ? MutableOperand::Kind::kNone
                                                             : MutableOperand::Kind::kUnbindable);
  }

  bool payload_is_bindable(const std::string& payload) {
    // Also inside quotes: the prompt would show one command and bind another.
    if (payload.find_first_of(";&|<>") != std::string::npos) return false;
    const Argv words = split_plain(payload);
    if (words.empty()) return true;
    const std::string& first = words.front();
    if (first == "." || first == "source") return false;
    const MutableOperandInput nested{words, std::nullopt, input_.cwd, input_.shell_startup_environment,
                                     input_.platform};
    const std::string token = executable_token(first);
    if (is_script_runner(token) || shell_family(token) != ShellFamily::kNone || is_multiplexer(token))
      return false;
    if (!holds_separator(first)) {
      if (files_.facts(absolute(first)).kind == FileKind::kRegular) return false;
      return OperandFinder(nested, files_).find().kind != MutableOperand::Kind::kUnbindable;
    }
    const FileFacts facts = files_.facts(absolute(first));
    if (facts.kind != FileKind::kRegular) return true;
    return is_absolute_path(first, input_.platform) && !facts.mutable_by_us &&
           is_native_binary(facts.real_path);
  }

  // Words by blanks and plain quotes; good enough to look at the first ones.
  static Argv split_plain(std::string_view text) {
    Argv words;
    std::string word;
    bool in_word = false;
    char quote = '\0';
    for (const char c : text) {
      if (quote != '\0') {
        if (c == quote) {
          quote = '\0';
        } else {
          word.push_back(c);
        }
      } else if (c == '\'' || c == '"') {
        quote = c;
        in_word = true;
      } else if (c == ' ' || c == '\t' || c == '\n') {
        if (in_word) words.push_back(std::exchange(word, std::string()));
        in_word = false;
      } else {
        word.push_back(c);
        in_word = true;
      }
    }
    if (in_word) words.push_back(word);
    return words;
  }

  bool is_native_binary(const std::string& path) {
    const std::string head = files_.head(path, 4);
    static constexpr std::array<std::string_view, 8> kMagic = {std::string_view("\x7F"
                                                                                "ELF",
                                                                                4),
                                                               std::string_view("\xFE\xED\xFA\xCE", 4),
                                                               std::string_view("\xFE\xED\xFA\xCF", 4),
                                                               std::string_view("\xCE\xFA\xED\xFE", 4),
                                                               std::string_view("\xCF\xFA\xED\xFE", 4),
                                                               std::string_view("\xCA\xFE\xBA\xBE", 4),
                                                               std::string_view("MZ\x90\x00", 4),
                                                               std::string_view("MZ\x78\x00", 4)};
    return std::any_of(kMagic.begin(), kMagic.end(), [&](std::string_view magic) { return head == magic; });
  }

  // ---- interpreters ----

  bool has_unbindable_runtime_options(std::string_view token) const {
    const std::string_view name = without_version_suffix(token);
    for (const std::string& word : argv_) {
      const std::string_view option = std::string_view(word).substr(0, word.find('='));
      if ((name == "bun" || name == "deno") &&
          is_one_of(option, {"--config", "--env-file", "--preload", "--cwd", "--import-map", "--location",
                             "--require"})) {
        return true;
      }
      if (name == "php" && is_one_of(option, {"-c", "-d", "--php-ini", "--define"})) return true;
    }
    return false;
  }

  MutableOperand of_script_runner(std::string_view token) {
    const std::string_view name = without_version_suffix(token);
    if (loads_other_code(name)) return refuse(MutableOperand::Kind::kUnbindable);
    if (name == "bun") return of_bun();
    if (name == "deno")
      return argv_.size() > 1 && argv_[1] == "run" ? single_file(2)
                                                   : refuse(MutableOperand::Kind::kUnbindable);
    if (name == "python" || name == "pypy") {
      if (const std::optional<MutableOperand> module = of_python_module()) return *module;
    }
    if (const std::optional<MutableOperand> named = of_script_option(name)) return *named;
    if (takes_script_first(token) && argv_.size() > 1 && !argv_[1].starts_with('-')) return at(1);
    return single_file(1);
  }

  bool loads_other_code(std::string_view name) {
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i];
      if (word == "--") break;
      if (name == "ruby" && (word.starts_with("-C") || word.starts_with("-I") || word.starts_with("-r") ||
                             word.starts_with("-S")))
        return true;
      if (name == "perl" && (word.starts_with("-I") || word.starts_with("-M") || word.starts_with("-m") ||
                             word.starts_with("-S")))
        return true;
      const std::string_view option = std::string_view(word).substr(0, word.find('='));
      if (is_one_of(option, {"-r", "--require", "--import", "--loader", "--experimental-loader", "--env-file",
                             "-e", "--eval", "-p", "--print"})) {
        return true;
      }
      if (!word.starts_with('-')) break;
    }
    return false;
  }

  // `awk -f FILE`, `awk -fFILE`, `sed --file=FILE`; nullopt: no option names a script.
  std::optional<MutableOperand> of_script_option(std::string_view name) {
    const std::optional<ScriptOptions> options = script_options(name);
    if (!options) return std::nullopt;
    std::optional<MutableOperand> found;
    for (const ArgumentWord& word : read_arguments(argv_, *options->grammar).words) {
      const bool letter = word.kind == ArgumentWord::Kind::kLetter &&
                          options->letters.find(word.name) != std::string_view::npos;
      const bool long_option = word.kind == ArgumentWord::Kind::kLong && !options->long_option.empty() &&
                               is_long_option(word.name, options->long_option, *options->grammar);
      // mawk -W exec FILE, gawk -i FILE: beside other scripts.
      const bool other = name.ends_with("awk") && word.kind == ArgumentWord::Kind::kLetter &&
                         (word.name == "W" || word.name == "i" || word.name == "l");
      if (other) return refuse(MutableOperand::Kind::kUnbindable);
      if (!letter && !long_option) continue;
      // Two cannot be bound, and one that is not understood neither.
      if (found || !word.value || word.value->empty()) return refuse(MutableOperand::Kind::kUnbindable);
      const bool attached =
          argv_[word.index].ends_with(*word.value) && argv_[word.index].size() > word.value->size();
      found = attached ? of_file(word.index, std::string(*word.value)) : at(word.index + 1);
    }
    return found;
  }

  // A file that no word of its own names.
  MutableOperand of_file(std::size_t index, std::string file) {
    const std::string path = absolute(file);
    if (!exists(file) || files_.changeable_by_others(path)) return refuse(MutableOperand::Kind::kUnbindable);
    file_ = std::move(file);
    return at(index);
  }

  // A module of the working directory, which comes before all others; nullopt: it is none of this directory.
  std::optional<MutableOperand> of_python_module() {
    const std::optional<PythonModule> module = python_module(argv_);
    if (!module || !module->from_here) return std::nullopt;
    std::string path;
    for (const char c : module->name) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                         c == '_' || c == '.' || (static_cast<unsigned char>(c) & 0x80U) != 0;
      if (!plain) return refuse(MutableOperand::Kind::kUnbindable);
      // A package runs its own file first.
      if (c == '.' && exists(path + "/__init__.py")) return refuse(MutableOperand::Kind::kUnbindable);
      path += c == '.' ? '/' : c;
    }
    const bool package = exists(path + "/__init__.py");
    if (package) return refuse(MutableOperand::Kind::kUnbindable);
    if (exists(path + ".py")) return of_file(module->index, path + ".py");
    if (exists(path + "/__main__.py")) return of_file(module->index, path + "/__main__.py");
    return std::nullopt;
  }

  MutableOperand of_bun() {
    if (argv_.size() > 1 && argv_[1] == "run") return single_file(2);
    if (argv_.size() > 1 && holds_separator(argv_[1])) return at(1);
    if (argv_.size() > 1 && argv_[1].find('.') != std::string::npos && exists(argv_[1])) return at(1);
    return refuse(MutableOperand::Kind::kUnbindable);
  }

  // Exactly one existing file among the arguments can be bound; two cannot be told apart.
  MutableOperand single_file(std::size_t first) {
    std::optional<std::size_t> found;
    for (std::size_t i = first; i < argv_.size(); ++i) {
      if (argv_[i].empty() || argv_[i].starts_with('-') || !exists(argv_[i])) continue;
      if (found) return refuse(MutableOperand::Kind::kUnbindable);
      found = i;
    }
    return found ? at(*found) : refuse(MutableOperand::Kind::kUnbindable);
  }

  // ---- everything else ----

  MutableOperand of_program() {
    const std::string& program = argv_.front();
    if (!holds_separator(program)) return refuse(MutableOperand::Kind::kNone);
    const FileFacts facts = files_.facts(absolute(program));
    if (facts.kind == FileKind::kMissing) return refuse(MutableOperand::Kind::kUnbindable);
    return facts.mutable_by_us ? at(0) : refuse(MutableOperand::Kind::kNone);
  }

  bool holds_separator(std::string_view word) const {
    return word.find_first_of(input_.platform == Platform::kWindows ? "/\\" : "/") != std::string_view::npos;
  }
  bool exists(const std::string& word) { return files_.facts(absolute(word)).kind == FileKind::kRegular; }
  std::string absolute(std::string_view word) const {
    if (input_.platform == Platform::kWindows) return absolute_path(input_.cwd, word, input_.platform);
    if (word.starts_with('/')) return std::string(word);
    while (word.starts_with("./")) word.remove_prefix(2);
    return input_.cwd + "/" + std::string(word);
  }

  const MutableOperandInput& input_;
  FileProbe& files_;
  Argv argv_;
  std::size_t base_ = 0;
  std::string file_;
  bool chdir_ = false;
  bool multiplexer_ = false;
  bool opaque_package_ = false;
};

}  // namespace

MutableOperand find_mutable_operand(const MutableOperandInput& input, FileProbe& files) {
  return OperandFinder(input, files).find();
}

OperandFile find_operand_file(const MutableOperandInput& input, FileProbe& files) {
  OperandFinder finder(input, files);
  OperandFile found{finder.find(), finder.file()};
  const bool by_word = found.file.empty() && found.operand.kind == MutableOperand::Kind::kIndex;
  if (by_word && found.operand.index < input.argv.size()) found.file = input.argv[found.operand.index];
  return found;
}

}  // namespace hostclaw::policy
