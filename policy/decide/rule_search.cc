// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/rule_search.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "policy/programs/carried_code.h"
#include "policy/programs/wrappers.h"
#include "policy/shell/text_reader.h"

namespace hostclaw::policy {
namespace {

constexpr std::size_t kMostFiles = 256;
constexpr std::size_t kMostText = 1024 * 1024;
constexpr std::size_t kMostWordsSought = 65'536;
constexpr std::size_t kDeepest = 64;
// Shells among the words of one command that are read as commands of their own.
constexpr std::size_t kMostShells = 8;
// Of one word that could be a program glued to an option.
constexpr std::size_t kMostPieces = 8;
// Words that are looked at in all, each as often as it is.
constexpr std::size_t kMostSteps = 250'000;

using Words = std::vector<ReadWord>;

Words literal(const std::vector<std::string>& argv) {
  Words out;
  out.reserve(argv.size());
  for (const std::string& word : argv) out.push_back({word, false});
  return out;
}

std::vector<std::string> texts_of(const Words& words) {
  std::vector<std::string> out;
  out.reserve(words.size());
  for (const ReadWord& word : words) out.push_back(word.text);
  return out;
}

Words from(const Words& words, std::size_t first) {
  return {words.begin() + static_cast<std::ptrdiff_t>(std::min(first, words.size())), words.end()};
}

std::string joined(const Words& words, std::size_t first) {
  std::string out;
  for (std::size_t i = first; i < words.size(); ++i) out += (i > first ? " " : "") + words[i].text;
  return out;
}

bool could_be_text(std::string_view word) {
  return word.find_first_of(" \t\n;|&(`$") != std::string_view::npos;
}

bool is_posix_shell(std::string_view word) {
  return shell_family(executable_token(word)) == ShellFamily::kPosix;
}

bool prints_its_words(std::string_view token) { return is_one_of(token, {"echo", "printf", "print"}); }

// What `a` is and what `a` leads to can be two tools; both have their say.
struct Tool {
  std::string token;
  std::string real_token;  // empty: not found

  bool is(std::string_view name) const { return token == name || real_token == name; }
};

class RuleSearch {
 public:
  RuleSearch(const AnalysisInput& input, std::optional<std::string> directory)
      : input_(input), rules_(*input.context.settings.rules), directory_(std::move(directory)) {}

  RuleFinding run(const std::vector<std::string>& argv) {
    look_at(literal(argv), 0);
    return std::move(found_);
  }

 private:
  // ---- findings ----

  void doubt(const Rule* rule, const char* why) {
    const Rule* strictest = stricter(found_.possible, rule);
    if (strictest == found_.possible) return;
    found_.possible = strictest;
    found_.doubt = why;
  }

  void take(const RulesFound& found, bool only_possible = false) {
    if (!only_possible) found_.certain = stricter(found_.certain, found.certain);
    doubt(found.possible,
          "a variable, a wildcard or what another program puts out stands where a program or one of "
          "its words stands");
  }

  // Nothing is known of what would run.
  void unread(const char* why) {
    doubt(rules_.strictest_refusing(input_.request.agent_id, input_.context.now_ms), why);
  }

  // ---- words ----

  SoughtWord sought(const ReadWord& word, bool look_up) {
    SoughtWord out;
    out.word = word;
    if (!look_up || word.open() || word.text.empty() || word.text.starts_with('-')) return out;
    const ExecutableLookup* file = file_of(word.text);
    if (file == nullptr || !file->found) return out;
    out.real_path = file->real_path;
    out.name = file->name;
    return out;
  }

  // Null when too many were looked up.
  const ExecutableLookup* file_of(const std::string& word) {
    if (const auto it = files_.find(word); it != files_.end()) return &it->second;
    if (files_.size() >= kMostFiles) {
      unread("it has more words that could be programs than are looked at");
      return nullptr;
    }
    return &files_.emplace(word, look_up_executable(word, input_.cwd, input_.environment, input_.context))
                .first->second;
  }

  // False, and every rule one that could not be excluded, when the search has become too long.
  bool may_go_on(std::size_t words) {
    steps_ += words + 1;
    if (steps_ <= kMostSteps) return true;
    unread("it starts more than is looked at");
    return false;
  }

  void compare(const Words& words, bool anywhere, bool only_possible = false) {
    if (words.empty() || !may_go_on(words.size())) return;
    if (words.size() > kMostWordsSought && anywhere) return unread("it has too many words");
    std::vector<SoughtWord> all;
    all.reserve(words.size());
    for (std::size_t i = 0; i < words.size(); ++i) all.push_back(sought(words[i], anywhere || i == 0));
    const auto content = [&](const std::string& path) { return input_.context.files->content_sha256(path); };
    take(rules_.find_refusing(all, anywhere, directory_, input_.context.platform, input_.request.agent_id,
                              input_.context.now_ms, content),
         only_possible);
  }

  // ---- one command ----

  void look_at(const Words& words, std::size_t depth) {
    if (words.empty() || !may_go_on(words.size())) return;
    if (depth > kDeepest) return unread("it is nested too deeply");
    // coreutils in one file, told what to be by an option.
    for (const std::string_view option : {"--coreutils-prog=", "--coreutils-prog-shebang="}) {
      if (!words.front().text.starts_with(option)) continue;
      Words named = words;
      named.front().text.erase(0, option.size());
      return look_at(named, depth + 1);
    }
    if (words.front().open() && !names_known_file(words.front())) return look_at_unknown(words, depth);
    if (works_elsewhere(words)) {
      std::optional<std::string> directory = std::exchange(directory_, std::nullopt);
      compare(words, false);
      directory_ = std::move(directory);
    } else {
      compare(words, false);
    }
    compare_git_file(words);
    if (look_at_builtin(words, depth)) return;
    const std::vector<std::string> argv = texts_of(words);
    UnwrapOptions options;
    options.platform = input_.context.platform;
    const UnwrappedCommand unwrapped = unwrap_command(argv, options);
    for (std::size_t i = 1; i < unwrapped.layers.size(); ++i) {
      if (unwrapped.layers[i].index != UnwrappedCommand::kNotASuffix)
        compare(from(words, unwrapped.layers[i].index), false);
    }
    const bool out_of_text = unwrapped.index == UnwrappedCommand::kNotASuffix;
    const Words inner = out_of_text ? literal(unwrapped.argv) : from(words, unwrapped.index);
    if (unwrapped.unwrapped() && inner.size() != words.size()) return look_at(inner, depth + 1);
    const Tool tool = tool_of(words.front());
    if (words.size() > 1 && holds_applet(words)) return look_at(from(words, 1), depth + 1);
    const bool shell = look_at_shell(words, argv, tool, depth);
    if (unwrapped.blocked) return look_at_hidden(words, tool, depth);
    if (!shell) look_at_tool(words, argv, tool, depth);
  }

  // `coreutils rm x`, whatever the one file is called.
  bool holds_applet(const Words& words) {
    const ExecutableLookup* file = words.front().open() ? nullptr : file_of(words.front().text);
    return file != nullptr && has_applet(*file, words[1].text, input_.context);
  }

  // git is told another directory than the one in front (`git -C DIR`, which is followed elsewhere).
  static bool works_elsewhere(const Words& words) {
    if (executable_token(words.front().text) != "git") return false;
    std::size_t i = 1;
    while (i + 1 < words.size() && words[i].text == "-C") i += 2;
    return std::any_of(words.begin() + static_cast<std::ptrdiff_t>(i), words.end(), [](const ReadWord& word) {
      return word.text.starts_with("-C") || word.text.starts_with("--git-dir") ||
             word.text.starts_with("--work-tree");
    });
  }

  // `/usr/lib/git-core/git-push` is `git push`.
  void compare_git_file(const Words& words) {
    const std::string token = executable_token(words.front().text);
    if (!token.starts_with("git-") || token.size() == 4) return;
    Words whole = words;
    whole.front().text = token.substr(4);
    whole.insert(whole.begin(), ReadWord{"git", false});
    compare(whole, false);
  }

  // `$HOME/bin/git`: what it is called is known.
  static bool names_known_file(const ReadWord& word) {
    return !word.many && word.text.rfind('/') != std::string::npos &&
           word.text.rfind('/') > word.text.rfind(kHole);
  }

  void look_at_unknown(const Words& words, std::size_t depth) {
    compare(words, true, true);
    look_at_texts(from(words, 1), true, depth);
  }

  Tool tool_of(const ReadWord& word) {
    Tool out{executable_token(word.text), {}};
    const ExecutableLookup* file = word.open() ? nullptr : file_of(word.text);
    if (file != nullptr && file->found) out.real_token = executable_token(file->real_path);
    return out;
  }

  // Builtins that run text; true when there is nothing more to it.
  bool look_at_builtin(const Words& words, std::size_t depth) {
    const std::string& name = words.front().text;
    const std::size_t first = words.size() > 1 && words[1].text == "--" ? 2 : 1;
    if (name == "eval") {
      const std::string text = joined(words, first);
      read_shell(text, {}, true, depth);
      if (text.find("[[") != std::string::npos) read_shell(text, {}, false, depth);
      return true;
    }
    if (name == "trap" && words.size() > first) {
      read_shell(words[first].text, {}, true, depth);
      return true;
    }
    if (is_one_of(name, {"mapfile", "readarray", "complete", "compgen"}))
      look_at_texts(from(words, 1), true, depth);
    // Names of elements can hold substitutions: `test -v 'a[$(date)]'`.
    if (is_one_of(name, {"test", "[", "unset", "let", "declare", "typeset", "local", "printf", "read"})) {
      for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i].text.find("$(") != std::string::npos || words[i].text.find('`') != std::string::npos)
          read_shell(words[i].text, {}, true, depth);
      }
    }
    if (name == "alias") {
      for (std::size_t i = 1; i < words.size(); ++i) {
        const std::size_t equals = words[i].text.find('=');
        if (equals != std::string::npos) unread("an alias gives a command another name");
      }
      return true;
    }
    if (name == "hash" && words.size() > 2) unread("a command can get another name");
    // Words of bash, zsh and fish in front of a command.
    if (is_one_of(name, {"coproc", "noglob", "nocorrect", "-", "and", "or", "not"}))
      look_at(from(words, 1), depth + 1);
    // zsh: the path of that program.
    if (name.size() > 1 && name.front() == '=') {
      Words without = words;
      without.front().text.erase(0, 1);
      look_at(without, depth + 1);
    }
    if (is_one_of(name, {".", "source"})) {
      if (words.size() > 1 && words[1].open()) unread("what the shell reads is not known");
      look_at_inputs({"sh"}, depth);
    }
    // Of cmd.exe.
    if (is_one_of(to_lower_ascii(name), {"start", "call", "if", "for"}))
      look_at_hidden(words, {name, {}}, depth);
    return false;
  }

  // ---- shells ----

  bool look_at_shell(const Words& words, const std::vector<std::string>& argv, const Tool& tool,
                     std::size_t depth) {
    std::vector<std::string> named = argv;
    if (shell_family(tool.token) == ShellFamily::kNone) {
      if (shell_family(tool.real_token) == ShellFamily::kNone) return false;
      named.front() = tool.real_token;
    }
    const std::optional<ShellInvocation> shell = read_shell_invocation(named);
    if (!shell) return false;
    if (!shell->payload) {
      look_at_inputs(named, depth);
      // Options that were misread could hide a text.
      const bool hides = std::any_of(argv.begin() + 1, argv.end(), [](const std::string& word) {
        return word.size() > 1 && word[0] == '-' && word[1] != '-' && word.find('c') != std::string::npos;
      });
      if (hides || shell->family != ShellFamily::kPosix) look_at_hidden(words, tool, depth);
      return true;
    }
    if (shell->encoded) return unread("what the shell is told to run is encoded"), true;
    if (shell->file) return true;
    if (shell->family == ShellFamily::kCmd || shell->family == ShellFamily::kPowerShell) {
      read(read_windows_shell_text(*shell->payload, shell->family == ShellFamily::kPowerShell),
           *shell->payload, depth);
      return true;
    }
    const bool plain = shell->payload_index < words.size() && !shell->attached &&
                       !shell->payload->starts_with('-') && !shell->payload->starts_with('+');
    if (!plain) {
      look_at_hidden(words, tool, depth);
      read_shell(*shell->payload, {}, true, depth);
      return true;
    }
    const ReadWord& payload = words[shell->payload_index];
    if (payload.many) unread("what the shell is told to run is not known");
    if (shell->startup_file || reads_differently(shell->name, payload.text))
      unread("that shell reads its text in a way of its own");
    read_shell(payload.text, from(words, shell->payload_index + 1),
               !is_one_of(shell->name, {"sh", "dash", "ash"}), depth);
    return true;
  }

  // Texts that mean something else than to sh: fish's own escapes and words, zsh's patterns and words.
  static bool reads_differently(std::string_view shell, std::string_view text) {
    if (is_one_of(shell, {"sh", "dash", "ash", "bash", "ksh", "mksh", "rksh"})) return false;
    if (shell != "zsh") return text.find_first_of("\\()'\"{}[]*?~$^&|;\n") != std::string_view::npos;
    for (std::size_t at = text.find_first_of("({"); at != std::string_view::npos;
         at = text.find_first_of("({", at + 1)) {
      if (at == 0 || (text[at - 1] != '$' && text[at - 1] != '<')) return true;
    }
    return text.find("repeat") != std::string_view::npos || text.find("emulate") != std::string_view::npos ||
           text.find("zmodload") != std::string_view::npos;
  }

  // A shell without a text of its own reads one from its input.
  void look_at_inputs(const std::vector<std::string>& argv, std::size_t depth) {
    const std::optional<ScriptCandidate> script = find_script_candidate(argv);
    if (script && script->word.find(kHole) != std::string::npos) unread("what the shell reads is not known");
    const bool own_input = !script || script->word == "-" || script->word.starts_with("/dev/") ||
                           script->word.starts_with("/proc/");
    if (command_ == nullptr || !own_input) return;
    bool known = !command_->inputs.empty();
    for (const std::string& text : command_->inputs) read_shell(text, {}, true, depth);
    if (feeder_ != nullptr && !feeder_->words.empty()) known = read_feeder(*feeder_, depth) || known;
    if (!known && text_feeds_) unread("what the shell reads is not known");
  }

  // True when all that the command puts out was read.
  bool read_feeder(const ReadCommand& feeder, std::size_t depth) {
    const std::string token = executable_token(feeder.words.front().text);
    for (const std::string& text : feeder.inputs) read_shell(text, {}, true, depth);
    if (!prints_its_words(token)) return token == "cat" && feeder.words.size() == 1 && !feeder.inputs.empty();
    std::size_t first = 1;
    while (first < feeder.words.size() && feeder.words[first].text.starts_with('-')) ++first;
    read_shell(joined(feeder.words, first), {}, true, depth);
    bool plain = true;
    for (std::size_t i = first; i < feeder.words.size(); ++i) {
      plain = plain && feeder.words[i].text.find('\\') == std::string::npos;
      if (token == "printf") read_shell(feeder.words[i].text, {}, true, depth);
    }
    return plain;
  }

  void read_shell(const std::string& text, const Words& parameters, bool double_brackets, std::size_t depth) {
    read(read_shell_text(text, parameters, double_brackets), text, depth);
  }

  void read(const ReadText& text, const std::string& source, std::size_t depth) {
    bytes_ += source.size();
    if (bytes_ > kMostText) return unread("its text is too long to be read");
    if (!text.complete) unread("a text in it cannot be read to its end");
    // bash: the value is read as a text once more.
    if (source.find("@P}") != std::string::npos) unread("a variable in it is read as a text");
    const ReadCommand* command = command_;
    const ReadCommand* feeder = feeder_;
    const bool feeds = std::exchange(
        text_feeds_, std::any_of(text.commands.begin(), text.commands.end(), [](const ReadCommand& item) {
          return !item.inputs.empty() || item.fed_by != ReadCommand::kNone;
        }));
    // A text can go elsewhere before it runs something.
    std::optional<std::string> directory = std::exchange(directory_, std::nullopt);
    for (const ReadCommand& item : text.commands) {
      command_ = &item;
      feeder_ = item.fed_by < text.commands.size() ? &text.commands[item.fed_by] : nullptr;
      look_at(item.words, depth + 1);
    }
    command_ = command;
    feeder_ = feeder;
    text_feeds_ = feeds;
    directory_ = std::move(directory);
  }

  // ---- programs that run others ----

  // Any of the words could be a program that another one starts.
  void look_at_hidden(const Words& words, const Tool& tool, std::size_t depth) {
    // Where that program starts others is its own affair.
    std::optional<std::string> directory = std::exchange(directory_, std::nullopt);
    look_at_rest(words, tool, depth);
    directory_ = std::move(directory);
  }

  // `xargs -n 1 grep x`: from the program on that it starts, when that is one of the system's which starts
  // nothing itself. Empty when an option is not known: the program could be another word.
  Words started_by_xargs(const Words& words) {
    std::size_t i = 1;
    for (; i < words.size() && words[i].text.starts_with('-'); ++i) {
      const std::string_view option = words[i].text;
      if (is_one_of(option, {"-0", "-r", "-t", "-x", "--null", "--no-run-if-empty", "--verbose", "-I{}"}))
        continue;
      // Another placeholder could stand where the program does.
      if (option == "-I" && i + 1 < words.size() && words[i + 1].text != "{}") return {};
      if (!is_one_of(option.substr(0, 2), {"-n", "-P", "-L", "-d", "-s", "-E", "-a", "-I"}) ||
          (option.size() > 2 && option.starts_with("-I")))
        return {};
      if (option.size() == 2) ++i;
    }
    if (i >= words.size() || words[i].text.find('/') != std::string::npos) return {};
    const Tool tool = tool_of(words[i]);
    if (tool.token != tool.real_token ||
        !is_one_of(tool.token,
                   {"basename", "cat",   "chmod",     "cmp",   "cp",   "cut",    "diff",     "dirname",
                    "du",       "echo",  "egrep",     "fgrep", "file", "grep",   "gunzip",   "gzip",
                    "head",     "ls",    "md5sum",    "mkdir", "mv",   "printf", "readlink", "realpath",
                    "rm",       "rmdir", "sha256sum", "stat",  "tail", "touch",  "wc"}))
      return {};
    Words started = from(words, i);
    for (ReadWord& word : started) replace_placeholder(word);
    return started;
  }

  void look_at_rest(const Words& words, const Tool& tool, std::size_t depth) {
    Words rest = from(words, 1);
    const bool fills_in = tool.is("xargs") || tool.is("parallel");
    if (tool.is("xargs")) {
      if (Words started = started_by_xargs(words); !started.empty()) {
        started.push_back({std::string(1, kHole), true});
        return compare(started, false);
      }
    }
    if (fills_in) rest.push_back({std::string(1, kHole), true});
    if (fills_in || tool.is("find")) {
      for (ReadWord& word : rest) replace_placeholder(word);
    }
    compare(rest, true);
    look_at_shells(rest, depth);
    look_at_texts(rest, runs_texts(tool), depth);
    look_at_glued(rest, depth);
    if (!tool.is("find")) return;
    // `find -exec a ; -exec b {} +`: each has an end of its own.
    Words part;
    for (const ReadWord& word : rest) {
      if (word.text != ";" && word.text != "+") {
        part.push_back(word);
        continue;
      }
      compare(part, true);
      look_at_shells(part, depth);
      part.clear();
    }
  }

  // Hands a word to a shell.
  static bool runs_texts(const Tool& tool) {
    constexpr std::string_view kTools[] = {"su", "ssh", "watch", "script", "runuser", "parallel"};
    return std::any_of(std::begin(kTools), std::end(kTools),
                       [&](std::string_view name) { return tool.is(name); });
  }

  static void replace_placeholder(ReadWord& word) {
    for (std::size_t at = word.text.find("{}"); at != std::string::npos; at = word.text.find("{}", at))
      word.text.replace(at, 2, 1, kHole);
  }

  void look_at_shells(const Words& words, std::size_t depth) {
    std::size_t shells = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i].open() || !is_posix_shell(words[i].text)) continue;
      if (++shells > kMostShells) return unread("it starts more shells than are looked at");
      look_at(from(words, i), depth + 1);
    }
  }

  // A program that is glued to the option which starts it: `--to-command=rm`, `-Irm`, `+!rm`, `alias.x=!rm`,
  // `exec:rm`. What is a text is read elsewhere.
  void look_at_glued(const Words& words, std::size_t depth) {
    for (const ReadWord& word : words) {
      const std::string& text = word.text;
      if (word.open() || could_be_text(text)) continue;
      look_at_program(text, depth);
      if (text.size() > 2 && text[0] == '-' && text[1] != '-') look_at_program(text.substr(2), depth);
      // The last of several: `-oProxyCommand=rm`, `--rsync-path=x=rm`.
      std::size_t pieces = 0;
      for (std::size_t at = text.find_first_of("=:,"); at != std::string::npos && pieces < kMostPieces;
           at = text.find_first_of("=:,", at + 1), ++pieces)
        look_at_program(text.substr(at + 1, text.find(',', at + 1) - at - 1), depth);
    }
  }

  // What stands behind the marks with which programs are started from within others; nothing where the word
  // is another one by itself.
  void look_at_program(const std::string& text, std::size_t depth) {
    const std::size_t begin = text.find_first_not_of("+!:|");
    if (begin == std::string::npos || text[begin] == '-') return;
    look_at({ReadWord{text.substr(begin), false}}, depth + 1);
  }

  // A word that is a text of its own (`git reset --hard` in one word).
  // `unknown_too`: a word that is not known can be one.
  void look_at_texts(const Words& words, bool unknown_too, std::size_t depth) {
    for (const ReadWord& word : words) {
      if (!could_be_text(word.text) && !(unknown_too && word.open())) continue;
      look_at_text(word.text, depth);
      read_foreign(word.text);
      // `-Sgit reset --hard`
      if (word.text.size() > 2 && word.text[0] == '-' && word.text[1] != '-')
        look_at_text(word.text.substr(2), depth);
      // `alias.x=!git reset --hard`, `--to-command=git reset --hard`
      const std::size_t equals = word.text.find('=');
      if (equals == std::string::npos || equals > word.text.find(' ')) continue;
      const std::size_t begin = word.text.find_first_not_of('!', equals + 1);
      if (begin != std::string::npos) look_at_text(word.text.substr(begin), depth);
    }
  }

  void look_at_text(const std::string& text, std::size_t depth) {
    if (!on_windows()) return read_shell(text, {}, true, depth);
    for (const bool powershell : {false, true}) read(read_windows_shell_text(text, powershell), text, depth);
  }

  bool on_windows() const { return input_.context.platform == Platform::kWindows; }

  // Code of another language.
  void read_foreign(const std::string& text) {
    bytes_ += text.size();
    if (bytes_ > kMostText) return unread("its text is too long to be read");
    const ReadText read = read_foreign_text(text, on_windows());
    if (!read.complete) unread("a text in it is too long to be read");
    for (const ReadCommand& command : read.commands) compare(command.words, true);
  }

  // An interpreter's words are arguments of its program; only what reads like a text can be code.
  void look_at_tool(const Words& words, const std::vector<std::string>& argv, const Tool& tool,
                    std::size_t depth) {
    const bool starts_words = tool.is("find") || tool.is("xargs") || tool.is("gdb") || tool.is("expect") ||
                              tool.is("parallel") || tool.is("coproc");
    const bool interpreter = is_interpreter_like(tool.token) || is_interpreter_like(tool.real_token);
    if (starts_words || (!interpreter && carries(argv, tool))) return look_at_hidden(words, tool, depth);
    const bool takes_commands = tool.is("ssh") || tool.is("at") || tool.is("batch") || tool.is("crontab") ||
                                tool.is("make") || tool.is("ed") || tool.is("ex");
    if (command_ != nullptr && (interpreter || takes_commands)) {
      for (const std::string& text : command_->inputs) {
        if (takes_commands) read_shell(text, {}, true, depth);
        read_foreign(text);
      }
    }
    if (!interpreter) return;
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (could_be_text(words[i].text)) read_foreign(words[i].text);
    }
  }

  bool carries(std::vector<std::string> argv, const Tool& tool) const {
    const Platform platform = input_.context.platform;
    // Another directory can have configuration that runs programs; it does not start these words.
    if (tool.is("git")) {
      while (argv.size() > 2 && argv[1] == "-C") argv.erase(argv.begin() + 1, argv.begin() + 3);
    }
    if (carried_code(argv, platform)) return true;
    if (tool.real_token.empty() || tool.real_token == tool.token) return false;
    argv.front() = tool.real_token;
    const UnwrappedCommand behind = unwrap_command(argv);
    return carried_code(argv, platform) || behind.blocked || behind.unwrapped();
  }

  const AnalysisInput& input_;
  const RuleSet& rules_;
  std::optional<std::string> directory_;  // of what is looked at; nullopt: not known
  RuleFinding found_;
  std::unordered_map<std::string, ExecutableLookup> files_;
  std::size_t bytes_ = 0;
  const ReadCommand* command_ = nullptr;  // the one being looked at, when it stands in a text
  const ReadCommand* feeder_ = nullptr;   // whose output it reads
  bool text_feeds_ = false;               // something in that text has an input
  std::size_t steps_ = 0;
};

}  // namespace

RuleFinding search_rules(const AnalysisInput& input, const std::vector<std::string>& argv,
                         std::optional<std::string> directory) {
  return RuleSearch(input, std::move(directory)).run(argv);
}

}  // namespace hostclaw::policy
