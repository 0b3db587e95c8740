// SPDX-License-Identifier: Apache-2.0
#include "policy/decide/command_analysis.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/text.h"
#include "policy/decide/binding.h"
#include "policy/decide/own_verbs.h"
#include "policy/decide/rule_search.h"
#include "policy/programs/builtins.h"
#include "policy/programs/carried_code.h"
#include "policy/programs/safe_bins.h"
#include "policy/programs/tool_directory.h"
#include "policy/request/command_text.h"
#include "policy/request/environment.h"
#include "policy/windows/windows_text.h"

namespace hostclaw::policy {
namespace {

bool is_blank_text(std::string_view text) { return trim(text).empty(); }

std::string shown(std::string_view word) { return "`" + std::string(word) + "`"; }

void note(std::vector<TraceStep>& trace, std::string stage, std::string text) {
  trace.push_back({std::move(stage), std::move(text)});
}

// Sentences are made of these.
std::string without_dot(std::string reason) {
  if (reason.ends_with('.')) reason.pop_back();
  return reason;
}

void refuse(Segment& segment, DecisionCode code, std::string reason) {
  if (segment.never) return;
  reason = without_dot(std::move(reason));
  segment.never = true;
  segment.code = code;
  segment.reason = std::move(reason);
}

// ---- splitting --------------------------------------------------------------------------------------------

// Shells whose non-interactive start reads files of the user's: what they run is not only the text.
bool reads_startup_files(std::string_view shell) {
  return shell != "sh" && shell != "dash" && shell != "ash";
}

// dash, bash and ksh agree on the grammar; the others agree with them only where every word is plain.
bool is_plain_for_every_shell(const ShellWord& word) {
  if (word.value.starts_with('=')) return false;
  constexpr std::string_view kPlain = "@%+=:,./ -_";
  return std::all_of(word.value.begin(), word.value.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kPlain.find(c) != std::string_view::npos;
  });
}

bool speaks_common_grammar(std::string_view shell) {
  return shell == "sh" || shell == "dash" || shell == "ash" || shell == "bash" || shell == "ksh" ||
         shell == "mksh";
}

// Upstream looks at the text whatever the options of the shell are. These change nothing that matters here;
// others do
// (`-n` would not even run it).
bool has_tolerable_options(const ShellWrapper& shell) {
  if (shell.invocation.family != ShellFamily::kPosix) return true;
  constexpr std::array<std::string_view, 6> kLong = {"--norc",  "--noprofile", "--posix",
                                                     "--login", "--",          "--command"};
  constexpr std::array<std::string_view, 7> kNames = {"pipefail", "errexit", "nounset", "xtrace",
                                                      "verbose",  "noglob",  "posix"};
  const auto any_of = [](const auto& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
  };
  for (std::size_t i = 1; i < shell.shell_argv.size() && i < shell.invocation.payload_index; ++i) {
    const std::string& word = shell.shell_argv[i];
    const bool letters =
        word.size() > 1 && word[0] == '-' && word.find_first_not_of("cxvfeulo", 1) == std::string::npos;
    if (!letters && !any_of(kLong, word) && !any_of(kNames, word)) return false;
  }
  return true;
}

class Splitter {
 public:
  Splitter(const AnalysisInput& input) : input_(input) {}

  CommandAnalysis run() {
    if (input_.request.payload() != nullptr) {
      from_text();
    } else {
      from_argv();
    }
    if (out_.ok) {
      for (Segment& segment : out_.segments) resolve(segment);
    }
    return std::move(out_);
  }

 private:
  void fail(DecisionCode code, std::string reason) {
    out_.ok = false;
    out_.code = code;
    out_.reason = without_dot(std::move(reason));
    note(input_.trace, "analyse", out_.reason);
  }

  void from_argv() {
    const std::vector<std::string>& argv = input_.request.argv;
    if (is_blank_text(argv.front())) return fail(DecisionCode::kEmptyCommand, "the command word is blank");
    const std::optional<ShellWrapper>& shell = input_.request.shell;
    if (shell && shell->invocation.payload && !shell->not_bindable_reason.empty()) {
      note(input_.trace, "analyse", "the shell's text is not judged: " + shell->not_bindable_reason);
    }
    note(input_.trace, "analyse", "one command, judged as an argv");
    out_.ok = true;
    add(argv);
  }

  void from_text() {
    const ShellWrapper& shell = *input_.request.shell;
    const std::string& text = *input_.request.payload();
    out_.shell_text = true;
    if (!shell_is_acceptable(shell)) return;
    if (input_.context.platform == Platform::kWindows) return from_windows_text(text);
    if (hardened()) {
      if (std::string what = misleading_operator(sent_text(shell)); !what.empty())
        return fail(DecisionCode::kMisleadingText, std::move(what));
    }
    ShellTextResult parsed = parse_shell_text(text, text_options(shell));
    if (!parsed) {
      return fail(DecisionCode::kNotAnalysable, "at byte " + std::to_string(parsed.failure.position) + " (" +
                                                    parsed.failure.code + "): " + parsed.failure.reason);
    }
    if (!accept_program(shell, std::move(*parsed.program))) return;
    note(input_.trace, "analyse",
         "the text is " + std::to_string(out_.program.command_count()) + " simple command(s)");
    out_.ok = true;
    take_segments();
  }

  void from_windows_text(const std::string& text) {
    WindowsTextResult parsed = parse_windows_text(text);
    if (!parsed) return fail(DecisionCode::kNotAnalysable, parsed.reason);
    if (hardened() && !parsed.reviewed_options)
      return fail(DecisionCode::kNotBindable, "the options of the shell in the text change what it does");
    ShellCommand command;
    for (std::string& word : *parsed.argv) command.words.push_back({std::move(word), 0, 0, false});
    out_.program.pipelines.push_back({Connector::kFirst, false, {command}, {false}});
    out_.ok = true;
    add(command.argv());
  }

  // Before white space of every kind was taken off its ends, a byte order mark included.
  static std::string_view sent_text(const ShellWrapper& shell) {
    const std::size_t index = shell.invocation.payload_index;
    return index < shell.shell_argv.size() ? std::string_view(shell.shell_argv[index])
                                           : *shell.invocation.payload;
  }

  static std::string_view without_ascii_blanks(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\n\r\v\f";
    const std::size_t first = text.find_first_not_of(kBlanks);
    return first == std::string_view::npos ? ""
                                           : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
  }

  // Letters and full-width forms that look like operators and are none.
  static std::string misleading_operator(std::string_view text) {
    constexpr std::array<std::string_view, 15> kLookAlikes = {
        "\xEF\xBC\x9B",  // full-width ; | & < > $ `
        "\xEF\xBD\x9C", "\xEF\xBC\x86", "\xEF\xBC\x9C", "\xEF\xBC\x9E", "\xEF\xBC\x84", "\xEF\xBD\x80",
        "\xEF\xB9\x94",  // small ; &
        "\xEF\xB9\xA0",
        "\xCD\xBE",      // Greek question mark
        "\xD8\x9B",      // Arabic semicolon
        "\xE2\x81\x8F",  // reversed semicolon
        "\xC7\x80",      // dental click
        "\xE2\x88\xA3",  // divides
        "\xE1\xBF\xAF",  // Greek varia
    };
    for (const std::string_view item : kLookAlikes) {
      if (text.find(item) != std::string_view::npos)
        return "the text holds a character that looks like an operator";
    }
    if (trim(text).size() < without_ascii_blanks(text).size())
      return "white space around the text that shells do not know as such";
    return misleading_character(text);
  }

  // The shell itself does not run, but a file that merely has the name of one must not lend it its rights,
  // and a shell with unusual options would not do what its text says.
  bool shell_is_acceptable(const ShellWrapper& shell) {
    const std::string& word = shell.shell_argv.front();
    const ExecutableLookup found = look_up_executable(word, input_.cwd, input_.environment, input_.context);
    if (found.found && input_.context.platform == Platform::kPosix &&
        !is_system_directory_file(found.real_path) &&
        !is_in_trusted_directory(found.real_path, input_.context.settings.safe_bin_trusted_dirs)) {
      fail(DecisionCode::kShellUntrusted,
           found.real_path + " is named like a shell but lies outside the system's directories");
      return false;
    }
    if (!found.found && found.path_like && hardened() && input_.context.platform == Platform::kPosix) {
      fail(DecisionCode::kShellUntrusted, shown(word) + " does not exist");
      return false;
    }
    const bool windows = input_.context.platform == Platform::kWindows;
    const bool plain = hardened() || windows ? shell.is_plain() : has_tolerable_options(shell);
    if (!plain) {
      fail(DecisionCode::kNotBindable,
           "the options or operands of " + shown(word) + " change what its text does");
      return false;
    }
    return !hardened() || wrappers_can_go(shell);
  }

  bool hardened() const { return input_.context.settings.strictness == Strictness::kHardened; }

  // The analysed programs run without what stands in front of the shell, so that has to be nothing that
  // matters.
  bool wrappers_can_go(const ShellWrapper& shell) {
    if (shell.strictly_direct) return true;
    for (const WrapperLayer& layer : unwrap_command(input_.request.argv).layers) {
      if (layer.name == "env" || layer.kind == LayerKind::kMultiplexer || layer.kind == LayerKind::kCarrier)
        continue;
      fail(DecisionCode::kNotBindable,
           shown(layer.word) + " in front of a shell would be lost; put it in front of the program");
      return false;
    }
    return true;
  }

  // Where upstream is lenient and the meaning is known, the analysed programs can still be run.
  ShellTextOptions text_options(const ShellWrapper& shell) const {
    ShellTextOptions options;
    if (hardened()) return options;
    const std::string& name = shell.invocation.name;
    options.ansi_c_quotes = name == "bash" || name == "ksh" || name == "mksh" || name == "zsh";
    options.ignore_unset = true;
    options.control_characters = true;
    return options;
  }

  bool accept_program(const ShellWrapper& shell, ShellProgram program) {
    const std::string& name = shell.invocation.name;
    bool long_pipeline = false;
    for (const ShellPipeline& pipeline : program.pipelines) {
      long_pipeline = long_pipeline || pipeline.commands.size() > 1;
      if (hardened() && joins_errors(pipeline) && name != "bash" && name != "zsh") {
        fail(DecisionCode::kNotAnalysable, "`|&` means something else to " + shown(name) + ", or nothing");
        return false;
      }
      for (const ShellCommand& command : pipeline.commands) {
        const bool plain = std::all_of(command.words.begin(), command.words.end(),
                                       [](const ShellWord& w) { return is_plain_for_every_shell(w); });
        if (!speaks_common_grammar(name) && !plain) {
          fail(DecisionCode::kShellOpaque, shown(name) + " could read the word in " +
                                               shown(command.words.front().value) + "'s command differently");
          return false;
        }
      }
    }
    if ((shell.invocation.errexit && !apply_errexit(program)) ||
        (shell.invocation.pipefail && long_pipeline)) {
      fail(DecisionCode::kNotBindable, "options of the shell stop it where the text goes on");
      return false;
    }
    if (exec_is_not_last(program)) {
      fail(DecisionCode::kNotAnalysable, "`exec` ends the shell, so nothing may follow it");
      return false;
    }
    unnest(program);
    out_.program = std::move(program);
    return true;
  }

  static bool joins_errors(const ShellPipeline& pipeline) {
    return std::find(pipeline.stderr_to_pipe.begin(), pipeline.stderr_to_pipe.end(), true) !=
           pipeline.stderr_to_pipe.end();
  }

  static bool exec_is_not_last(const ShellProgram& program) {
    for (std::size_t i = 0; i + 1 < program.pipelines.size(); ++i) {
      const ShellPipeline& pipeline = program.pipelines[i];
      if (pipeline.commands.size() == 1 && pipeline.commands[0].words[0].value == "exec") return true;
    }
    return false;
  }

  // A text that only starts `sh -c TEXT` is that TEXT; one level (8.4).
  void unnest(ShellProgram& program) {
    if (program.pipelines.size() != 1 || program.pipelines[0].negate ||
        program.pipelines[0].commands.size() != 1)
      return;
    const std::vector<std::string> argv = program.pipelines[0].commands[0].argv();
    const std::optional<ShellWrapper> inner =
        find_shell_wrapper(argv, RawCommandForm::kAbsent, Platform::kPosix);
    const auto is_path = [](std::string_view word) {
      return word.find_first_of("/\\") != std::string_view::npos;
    };
    if (!inner || !inner->strictly_direct || !inner->bindable || is_path(argv.front())) return;
    if (!speaks_common_grammar(inner->invocation.name)) return;
    if (!inner->is_plain() || inner->invocation.errexit || inner->invocation.pipefail) return;
    const ExecutableLookup shell =
        look_up_executable(argv.front(), input_.cwd, input_.environment, input_.context);
    if (!shell.found || !is_system_directory_file(shell.real_path)) return;
    ShellTextResult parsed = parse_shell_text(*inner->bindable);
    if (!parsed || exec_is_not_last(*parsed.program)) return;
    for (const ShellPipeline& pipeline : parsed.program->pipelines) {
      for (const ShellCommand& command : pipeline.commands) {
        const std::string& word = command.words.front().value;
        if (is_path(word) || word.ends_with("-wrapper")) return;
      }
    }
    note(input_.trace, "analyse", "the text only starts " + shown(argv.front()) + ", so its text is judged");
    program = std::move(*parsed.program);
  }

  void take_segments() {
    bool changed_directory = false;
    for (const ShellPipeline& pipeline : out_.program.pipelines) {
      for (const ShellCommand& command : pipeline.commands) {
        add(command.argv());
        Segment& segment = out_.segments.back();
        judge_builtin(segment);
        if (changed_directory && is_relative_command_word(segment.argv().front())) {
          refuse(segment, DecisionCode::kPathSuspicious,
                 shown(segment.argv().front()) + " is relative, and a `cd` comes before it");
        }
        if (segment.builtin == Builtin::kCd && pipeline.commands.size() == 1) changed_directory = true;
      }
    }
    const std::string& shell = input_.request.shell->invocation.name;
    const bool only_builtins = std::all_of(out_.segments.begin(), out_.segments.end(),
                                           [](const Segment& s) { return s.builtin != Builtin::kNone; });
    if (only_builtins && reads_startup_files(shell)) {
      fail(DecisionCode::kNotBindable,
           shown(shell) + " reads start-up files of its own, and nothing in the text is listed");
    }
  }

  void judge_builtin(Segment& segment) {
    // What a carrier runs (`command cd x`) is judged as a program, never as a builtin.
    const BuiltinUse use = segment.unwrapped.unwrapped() ? BuiltinUse{} : classify_builtin(segment.source);
    switch (use.kind) {
      case BuiltinUse::Kind::kHarmless:
        segment.builtin = use.builtin;
        if (use.builtin == Builtin::kCd) take_directory(segment, use);
        break;
      case BuiltinUse::Kind::kRefused:
        refuse(segment, DecisionCode::kBuiltinRefused, use.reason);
        break;
      case BuiltinUse::Kind::kOfficialOnly:
        segment.official_builtin = true;
        break;
      case BuiltinUse::Kind::kNotBuiltin:
        break;
    }
  }

  // `busybox sh` without anything to run is what an entry for busybox allows upstream.
  static bool is_bare_applet(const UnwrappedCommand& unwrapped) {
    return !unwrapped.blocked && unwrapped.layers.size() == 1 && unwrapped.argv.size() == 1 &&
           unwrapped.has_layer(LayerKind::kMultiplexer);
  }

  // The host changes to the directory itself; no operand means HOME.
  void take_directory(Segment& segment, const BuiltinUse& use) {
    const std::string* home = find_variable(input_.environment, "HOME", input_.context.platform);
    if (!use.directory.empty()) return;
    if (home == nullptr || home->empty())
      return refuse(segment, DecisionCode::kBuiltinRefused, "`cd` has no directory to go to");
    segment.unwrapped.argv = {"cd", *home};
  }

  void add(const std::vector<std::string>& argv) {
    Segment segment;
    segment.source = argv;
    UnwrapOptions options;
    options.platform = input_.context.platform;
    segment.unwrapped = unwrap_command(argv, options);
    if (!hardened() && is_bare_applet(segment.unwrapped)) segment.unwrapped = {argv, 0, {}, false, ""};
    if (segment.unwrapped.argv.empty() || is_blank_text(segment.unwrapped.argv.front())) {
      segment.unwrapped.argv = argv;
      refuse(segment, DecisionCode::kWrapperBlocked, shown(argv.front()) + " has no command to run");
    }
    if (segment.unwrapped.blocked)
      refuse(segment, DecisionCode::kWrapperBlocked, segment.unwrapped.blocked_reason);
    if (hides_package_exec(segment.unwrapped.argv)) {
      refuse(segment, DecisionCode::kWrapperBlocked,
             "what " + shown(segment.unwrapped.argv.front()) + " would run cannot be told");
    }
    for (const WrapperLayer& layer : segment.unwrapped.layers) {
      if (!layer.transparent && hardened()) {
        refuse(segment, DecisionCode::kWrapperBlocked,
               shown(layer.word) + " changes what the command it runs means");
      }
      note(input_.trace, "analyse",
           shown(layer.word) + " only runs another command, which is judged and run instead");
    }
    if (out_.shell_text && segment.unwrapped.unwrapped()) {
      const std::optional<ShellWrapper> inner =
          find_shell_wrapper(argv, RawCommandForm::kAbsent, input_.context.platform);
      if (inner && inner->invocation.payload) {
        refuse(segment, DecisionCode::kWrapperBlocked,
               "a shell with its own text behind " + shown(argv.front()));
      }
    }
    out_.segments.push_back(std::move(segment));
  }

  void resolve(Segment& segment) {
    // Upstream trims the word and runs what is left; the trimmed word is what is judged and run.
    if (!hardened()) segment.unwrapped.argv.front() = std::string(trim(segment.unwrapped.argv.front()));
    const std::string& word = segment.argv().front();
    segment.executable = look_up_executable(word, input_.cwd, input_.environment, input_.context);
    if (segment.builtin != Builtin::kNone) {
      note(input_.trace, "resolve", shown(word) + " is a builtin that the host runs itself");
      return;
    }
    const ExecutableLookup& found = segment.executable;
    note(input_.trace, "resolve",
         found.found
             ? shown(word) + " is " + found.real_path
             : shown(word) + " was not found" + (found.path.empty() ? " in PATH" : " at " + found.path));
    check_word(segment);
    check_alias(segment);
    check_batch_file(segment);
    if (hardened() && !segment.never) keep_wrapper(segment);
  }

  // `timeout 30 nice git fetch`: the limits are part of what was asked for. A wrapper is told the resolved
  // path of what it starts, which only is the judged file as long as nobody can replace it: each program of
  // the chain has to be the system's.
  void keep_wrapper(Segment& segment) {
    const std::vector<WrapperLayer>& layers = segment.unwrapped.layers;
    const auto first = std::find_if(layers.begin(), layers.end(), [](const WrapperLayer& layer) {
      return layer.kind == LayerKind::kDispatch && layer.name != "env";
    });
    if (first == layers.end()) return;
    const auto refuse_outsider = [&](const std::string& word) {
      refuse(segment, DecisionCode::kWrapperBlocked,
             shown(first->word) + " would start " + shown(word) +
                 " by itself, and that is not in one of the system's directories where only root writes");
    };
    if (segment.unwrapped.index == UnwrappedCommand::kNotASuffix ||
        !is_system_program(segment.executable, input_.context))
      return refuse_outsider(segment.argv().front());
    std::vector<std::string> words(
        segment.source.begin(),
        segment.source.begin() + static_cast<std::ptrdiff_t>(segment.unwrapped.index));
    for (auto layer = first; layer != layers.end(); ++layer) {
      ExecutableLookup wrapper =
          look_up_executable(layer->word, input_.cwd, input_.environment, input_.context);
      if (layer->index >= words.size() || !is_system_program(wrapper, input_.context))
        return refuse_outsider(layer->word);
      // The first one is started by this node, on its opened file; the others by the one before.
      if (layer == first) {
        segment.wrapper = std::move(wrapper);
      } else {
        words[layer->index] = stable_path(wrapper);
      }
    }
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(first->index));
    segment.wrapped_argv = std::move(words);
    segment.wrapped_argv.push_back(stable_path(segment.executable));
    segment.wrapped_argv.insert(segment.wrapped_argv.end(), segment.argv().begin() + 1, segment.argv().end());
  }

  void check_word(Segment& segment) {
    const std::string& word = segment.argv().front();
    const auto nul = [](const std::string& item) { return item.find('\0') != std::string::npos; };
    if (std::any_of(segment.source.begin(), segment.source.end(), nul)) {
      refuse(segment, DecisionCode::kNulInArgument, "an argument holds a NUL character");
    }
    if (trim(word).size() != word.size()) {
      refuse(segment, DecisionCode::kPathSuspicious, "the command word begins or ends with white space");
    }
    if (input_.context.platform == Platform::kWindows) {
      if (std::string what = suspicious_windows_word(word); !what.empty())
        refuse(segment, DecisionCode::kPathSuspicious, std::move(what));
      check_short_name(segment);
    }
    if (!hardened()) return;
    for (const std::string& item : segment.source) {
      if (std::string what = misleading_character(item); !what.empty())
        refuse(segment, DecisionCode::kMisleadingText, std::move(what));
    }
    if (segment.executable.path.starts_with("/proc/") || segment.executable.path.starts_with("/dev/fd/")) {
      refuse(segment, DecisionCode::kPathSuspicious,
             shown(word) + " names the file through /proc, which can point elsewhere");
    }
    if (input_.context.platform != Platform::kWindows) return;
    const ExecutableLookup& found = segment.executable;
    if (!found.found && found.facts.kind == FileKind::kRegular) {
      refuse(segment, DecisionCode::kExecutableNotFound,
             shown(word) + " is not what Windows itself can start: .exe, .com, .bat or .cmd");
    }
    if (!found.path_like) check_windows_cwd(segment);
  }

  // Tables of names and name patterns go by the long name.
  void check_short_name(Segment& segment) {
    const ExecutableLookup& found = segment.executable;
    if (!found.found || !has_short_name_form(found.path)) return;
    const std::string_view real = base_name(found.real_path, Platform::kWindows);
    if (to_lower_ascii(real) == to_lower_ascii(base_name(found.path, Platform::kWindows))) return;
    refuse(
        segment, DecisionCode::kPathSuspicious,
        shown(segment.argv().front()) + " is a short name of " + std::string(real) + "; write the long one");
  }

  // Windows looks into the working directory before PATH in many places; a file there with the same name is a
  // trap.
  void check_windows_cwd(Segment& segment) {
    const std::string word = segment.argv().front();
    for (const char* extension : {"", ".com", ".exe", ".bat", ".cmd"}) {
      if (input_.context.files->facts(input_.cwd + "/" + word + extension).kind == FileKind::kRegular) {
        refuse(segment, DecisionCode::kPathSuspicious,
               "the working directory holds a program named " + shown(word));
        return;
      }
    }
  }

  // cmd.exe reads the line of a batch file by rules of its own, and the file may have it read again: no
  // quoting satisfies that for every argument (CVE-2024-24576 and its kin).
  void check_batch_file(Segment& segment) {
    if (!hardened() || input_.context.platform != Platform::kWindows) return;
    const std::vector<std::string>& argv = segment.argv();
    if (!is_batch_target(segment.executable.real_path) && !is_batch_target(argv.front())) return;
    const auto odd = std::find_if_not(argv.begin() + 1, argv.end(), is_plain_batch_argument);
    if (odd == argv.end()) return;
    refuse(segment, DecisionCode::kBatchFile,
           shown(argv.front()) + " is a batch file, which can misread the argument " + shown(*odd));
  }

  // A link with a harmless name to a wrapper would carry the wrapper's rights past the tables that go by
  // names.
  void check_alias(Segment& segment) {
    const std::string& real = segment.executable.real_path;
    if (!segment.executable.found || executable_token(real) == executable_token(segment.argv().front()))
      return;
    std::vector<std::string> argv = segment.argv();
    argv.front() = real;
    // A multiplexer chooses its applet by the link's name, so here the name is what counts.
    if (is_multiplexer(executable_token(real))) return;
    UnwrapOptions options;
    options.platform = input_.context.platform;
    const UnwrappedCommand alias = unwrap_command(argv, options);
    if (alias.blocked || alias.unwrapped()) {
      refuse(segment, DecisionCode::kWrapperBlocked,
             shown(segment.argv().front()) + " is " + real + ", which runs other commands");
    }
  }

  const AnalysisInput& input_;
  CommandAnalysis out_;
};

// ---- matching ---------------------------------------------------------------------------------------------

class Matcher {
 public:
  Matcher(const AnalysisInput& input, CommandAnalysis& analysis)
      : input_(input),
        analysis_(analysis),
        hardened_(input.context.settings.strictness == Strictness::kHardened) {}

  void run() {
    std::size_t index = 0;
    directory_ = input_.cwd;
    std::optional<std::string> cwd =
        input_.request.cwd.empty() ? std::nullopt : std::optional(input_.request.cwd);
    if (!analysis_.shell_text || input_.context.platform == Platform::kWindows) {
      for (Segment& segment : analysis_.segments) {
        segment.directory = directory_;
        judge(segment, cwd, index++);
      }
      return;
    }
    for (std::size_t p = 0; p < analysis_.program.pipelines.size(); ++p) {
      const ShellPipeline& pipeline = analysis_.program.pipelines[p];
      // A grant is bound to the directory the command runs in, so a `cd` before it counts.
      if (moved_ && pipeline.connector != Connector::kAnd) cwd = directory_ = std::nullopt;
      for (std::size_t c = 0; c < pipeline.commands.size(); ++c, ++index) {
        Segment& segment = analysis_.segments[index];
        segment.directory = directory_;
        judge(segment, cwd, index);
        // What a program leaves behind decides what lies in a directory then.
        if (segment.builtin == Builtin::kNone) disturbed_ = true;
        if (segment.builtin == Builtin::kCd && pipeline.commands.size() == 1) {
          moved_ = true;
          directory_ = directory_after(segment, pipeline);
          cwd = directory_;
        }
      }
    }
  }

 private:
  // Where the commands run that follow a `cd` with `&&`; nothing when it hangs on more than the words.
  std::optional<std::string> directory_after(const Segment& segment, const ShellPipeline& pipeline) const {
    const std::string& target = segment.argv().back();
    const bool absolute = target.starts_with('/');
    // Behind `!` the next command runs where the change failed, behind `||` where it was not tried.
    if (pipeline.negate || pipeline.connector == Connector::kOr || (!absolute && !directory_))
      return std::nullopt;
    const bool physical =
        std::find(segment.argv().begin(), segment.argv().end(), "-P") != segment.argv().end();
    // `..` behind a link: not by cutting the text.
    if (physical && target.find("..") != std::string::npos) return std::nullopt;
    return absolute_path(absolute ? "/" : *directory_, target);
  }

  void judge(Segment& segment, const std::optional<std::string>& cwd, std::size_t index) {
    segment.by = SatisfiedBy::kNothing;
    if (segment.never) return;
    if (segment.builtin != Builtin::kNone) {
      segment.by = SatisfiedBy::kBuiltin;
      return;
    }
    if (match_entries(segment, cwd, index)) return object(segment);
    if (segment.code != DecisionCode::kNone) return;
    if (own_runs(segment)) return;
    if (safe_bin(segment)) return object(segment);
    if (segment.official_builtin && !hardened_) {
      segment.by = SatisfiedBy::kBuiltin;
      return;
    }
    if (skill(segment)) return object(segment);
    if (segment.code != DecisionCode::kNone) return;
    miss(segment);
  }

  void miss(Segment& segment) {
    const ExecutableLookup& found = segment.executable;
    if (!found.found) {
      segment.code = DecisionCode::kExecutableNotFound;
      segment.reason = shown(segment.argv().front()) + " was not found, so no entry can match it";
      return;
    }
    if (another_arguments_entry_) {
      segment.code = DecisionCode::kAllowlistMissArguments;
      segment.reason = "entries for " + found.real_path + " exist, but none for these arguments";
      return;
    }
    segment.code = DecisionCode::kAllowlistMiss;
    segment.reason =
        "no entry matches " + shown(segment.argv().front()) + " (" + called_path(found, input_.context) + ")";
  }

  bool match_entries(Segment& segment, const std::optional<std::string>& cwd, std::size_t index) {
    another_arguments_entry_ = false;
    const std::string real_token = executable_token(segment.executable.real_path);
    const bool shell = shell_family(executable_token(segment.argv().front())) != ShellFamily::kNone ||
                       (segment.executable.found && shell_family(real_token) != ShellFamily::kNone);
    std::vector<std::string> arguments(segment.argv().begin() + 1, segment.argv().end());
    const bool any_argument = !arguments.empty();
    bool inline_text = false;
    std::vector<std::string> argv = segment.argv();
    if (shell) {
      if (shell_family(executable_token(argv.front())) == ShellFamily::kNone)
        argv.front() = segment.executable.real_path;
      const std::optional<ShellInvocation> invocation = read_shell_invocation(argv);
      inline_text = invocation && invocation->payload;
    }
    const bool allow_path_only = !(shell && any_argument);
    if (entry_for(segment, segment.executable.real_path, name_of(segment, index), arguments, cwd,
                  allow_path_only, inline_text)) {
      return true;
    }
    return shell && !inline_text && match_script(segment, argv, cwd);
  }

  // Name patterns look at the link's name, and only when the caller wrote a bare word. A plan that this node
  // made holds the path instead; what the caller wrote then counts if it still leads to the same file.
  std::string name_of(const Segment& segment, std::size_t index) const {
    if (!segment.executable.path_like) return segment.executable.found ? segment.executable.name : "";
    const RememberedPlan* plan = input_.context.remembered;
    if (plan == nullptr || index >= plan->command_words.size()) return {};
    const ExecutableLookup before =
        look_up_executable(plan->command_words[index], input_.cwd, input_.environment, input_.context);
    const bool same = before.found && !before.path_like && before.real_path == segment.executable.real_path;
    return same ? before.name : "";
  }

  struct FoundEntry {
    const AgentList* list = nullptr;
    const AllowlistEntry* entry = nullptr;
    std::optional<PatternHit> hit;
  };

  FoundEntry find_entry(const PatternQuery& query) {
    FoundEntry best;
    for (const AgentList& candidate : input_.policy.lists) {
      const std::optional<PatternHit> hit = candidate.index->find(query, &another_arguments_entry_);
      if (!hit) continue;
      const bool better = !best.hit || (hit->universal && !best.hit->universal) ||
                          (!best.hit->universal && hit->arguments && !best.hit->arguments);
      if (better) best = {&candidate, &(*candidate.entries)[hit->index], hit};
    }
    return best;
  }

  static bool is_name_pattern(const FoundEntry& found) {
    return !found.hit->universal &&
           trim(found.entry->pattern).find_first_of("/\\~") == std::string_view::npos;
  }

  // One file with many names is told apart by the name that it is called by: its path is then what is looked
  // for. Empty: the file is what it is called, or the entry found does not go by its path.
  std::string called_otherwise(const Segment& segment, const std::string& path,
                               const FoundEntry& found) const {
    const ExecutableLookup& program = segment.executable;
    if (path != program.real_path || base_name(path) == program.name) return {};
    const bool by_path = found.entry != nullptr && !found.hit->universal && !is_name_pattern(found) &&
                         (hardened_ || found.hit->arguments);
    if (found.entry != nullptr && !by_path) return {};
    std::string called = called_path(program, input_.context);
    return called == path ? std::string() : called;
  }

  bool entry_for(Segment& segment, const std::string& path, const std::string& name,
                 const std::vector<std::string>& arguments, const std::optional<std::string>& cwd,
                 bool allow_path_only, bool inline_text) {
    PatternQuery query;
    query.path = path;
    query.name = name;
    query.arguments = &arguments;
    if (cwd) query.cwd_argv = cwd_argv_pattern(*cwd, arguments, input_.context.platform);
    query.home = input_.context.home;
    query.strictness = input_.context.settings.strictness;
    query.allow_path_only = allow_path_only;
    query.allow_unanchored = !hardened_ || input_.context.platform == Platform::kWindows ||
                             is_system_directory_file(path) ||
                             is_in_trusted_directory(path, input_.context.settings.safe_bin_trusted_dirs);
    FoundEntry found = find_entry(query);
    const std::string called = called_otherwise(segment, path, found);
    if (!called.empty()) {
      query.path = called;
      another_arguments_entry_ = false;
      found = find_entry(query);
    }
    std::string replaceable;
    if (hardened_ && found.entry != nullptr && is_name_pattern(found)) {
      replaceable = place_of_others(segment.executable, input_.context);
      // An entry for the path itself says which file is meant.
      query.name = {};
      if (!replaceable.empty()) found = find_entry(query);
    }
    if (found.entry == nullptr && !replaceable.empty()) {
      segment.code = DecisionCode::kProgramReplaceable;
      segment.reason = shown(segment.argv().front()) + " is listed by its name and was found at " +
                       segment.executable.path + ", but others than root and this node's user can write to " +
                       replaceable;
    }
    if (found.entry == nullptr) return false;
    const AllowlistEntry& entry = *found.entry;
    const AgentList* list = found.list;
    const std::optional<PatternHit>& best = found.hit;
    if (inline_text && best->universal) {
      segment.code = DecisionCode::kNotBindable;
      segment.reason = "the shell's own text was not understood, so `*` does not cover it";
      return false;
    }
    segment.by = SatisfiedBy::kEntry;
    segment.durable = entry.allow_always;
    arguments_named_ = best->arguments;
    segment.entry = MatchedEntry{list->agent, entry.pattern, entry.arg_pattern, std::string(query.path)};
    note(input_.trace, "match",
         shown(segment.argv().front()) + " matches " + shown(entry.pattern) + " of agents." + list->agent);
    return true;
  }

  // A shell of the system, not another program by a shell's name.
  bool is_shell_itself(const ExecutableLookup& found) const {
    if (!is_system_directory_file(found.real_path)) return false;
    const std::string token = executable_token(found.real_path);
    return shell_family(token) != ShellFamily::kNone || is_multiplexer(token) ||
           is_multi_call(found, input_.context);
  }

  bool match_script(Segment& segment, const std::vector<std::string>& argv,
                    const std::optional<std::string>& cwd) {
    const std::optional<ScriptCandidate> script = find_script_candidate(argv);
    if (!script || !is_shell_itself(segment.executable)) return false;
    const std::string path = absolute_path(input_.cwd, script->word, input_.context.platform);
    const FileFacts facts = input_.context.files->facts(path);
    const std::vector<std::string> arguments(argv.begin() + static_cast<std::ptrdiff_t>(script->index) + 1,
                                             argv.end());
    const std::string subject = facts.real_path.empty() ? path : facts.real_path;
    if (!entry_for(segment, subject, "", arguments, cwd, true, false)) return false;
    segment.script = ScriptOperand{script->index, subject, facts.identity, std::nullopt};
    return true;
  }

  bool safe_bin(Segment& segment) {
    if (input_.context.platform == Platform::kWindows || !segment.executable.found) return false;
    const EngineSettings& settings = input_.context.settings;
    const std::vector<std::string>& bins = settings.safe_bins ? *settings.safe_bins : default_safe_bins();
    const std::string& name = segment.executable.name;
    const bool listed = std::any_of(
        bins.begin(), bins.end(), [&](const std::string& bin) { return to_lower_ascii(trim(bin)) == name; });
    if (!listed ||
        !is_program_itself(segment.executable, name, settings.safe_bin_trusted_dirs, input_.context))
      return false;
    std::optional<SafeBinRules> rules;
    if (const auto it = settings.safe_bin_profiles.find(name); it != settings.safe_bin_profiles.end()) {
      rules = configured_safe_bin_rules(it->second.min_positional, it->second.max_positional,
                                        it->second.allowed_value_flags, it->second.denied_flags);
    } else if (const SafeBinRules* built_in = built_in_safe_bin_rules(name)) {
      rules = *built_in;
    }
    if (!rules) return false;
    const std::vector<std::string>& argv = segment.argv();
    const SafeBinCheck check = check_safe_bin_arguments(
        name, *rules, std::span<const std::string>(argv).subspan(1), settings.strictness);
    if (!check.ok) {
      segment.code = DecisionCode::kAllowlistMissArguments;
      segment.reason = shown(name) + " is a safe bin, but not with these arguments: " + check.reason;
      if (segment.reason.ends_with('.')) segment.reason.pop_back();  // whoever shows it makes the sentence
      return false;
    }
    segment.code = DecisionCode::kNone;
    segment.by = SatisfiedBy::kSafeBin;
    note(input_.trace, "match", shown(name) + " is a safe bin with safe arguments");
    return true;
  }

  // `hostclaw runs` shows a run its own runs and nobody else's, so it needs no entry: also an agent whose
  // gateway takes no tools of a node reads what became of its commands. The file has to be the one that
  // judges.
  bool own_runs(Segment& segment) {
    const OwnProgram* own = input_.context.own_program;
    const FileIdentity& identity = segment.executable.facts.identity;
    if (own == nullptr || !segment.executable.found || segment.unwrapped.unwrapped() || !identity.known ||
        segment.executable.real_path != own->path || identity != own->identity ||
        executable_token(segment.argv().front()) != kOwnName)
      return false;
    const OwnCommand command = read_own_command(std::span<const std::string>(segment.argv()).subspan(1));
    if (command.verb == nullptr || command.use != VerbUse::kReadsOwnRuns ||
        !command.verb->words.starts_with("runs"))
      return false;
    segment.by = SatisfiedBy::kOwnRuns;
    note(input_.trace, "match", "shows its own runs and needs no entry");
    return true;
  }

  bool skill(Segment& segment) {
    if (!input_.policy.auto_allow_skills || segment.executable.path_like || !segment.executable.found)
      return false;
    const auto& skills = input_.context.settings.skill_bins;
    const std::string name = to_lower_ascii(segment.executable.name);
    const bool known = std::any_of(skills.begin(), skills.end(), [&](const auto& item) {
      return to_lower_ascii(item.first) == name && item.second == segment.executable.real_path;
    });
    if (!known) return false;
    segment.code = DecisionCode::kNone;
    segment.by = SatisfiedBy::kSkill;
    note(input_.trace, "match", shown(name) + " is a skill binary");
    return true;
  }

  // Hardened: what is listed may still carry other code to run. A grant for exactly these arguments was given
  // by somebody who saw them.
  void object(Segment& segment) {
    const bool named = arguments_named_ || segment.by == SatisfiedBy::kSafeBin;
    arguments_named_ = false;
    if (!hardened_ || named) return;
    std::string reason = carried_reason(segment);
    if (!reason.empty() && works_elsewhere_safely(segment)) reason.clear();
    if (reason.empty() && moved_) reason = directory_reason(segment);
    if (reason.empty()) reason = applet_reason(segment);
    if (reason.empty()) return;
    segment.by = SatisfiedBy::kNothing;
    segment.durable = false;
    note(input_.trace, "match", "asked about all the same: " + reason);
    refuse(segment, DecisionCode::kCarriedCode, std::move(reason));
  }

  std::string applet_reason(const Segment& segment) const {
    const std::vector<std::string>& argv = segment.argv();
    if (argv.size() < 2 || !has_applet(segment.executable, argv[1], input_.context)) return {};
    return shown(argv[0]) + " holds many programs in one file, and its first word names one of them";
  }

  // By its own name and, behind a link, by the name of the file.
  std::string carried_reason(const Segment& segment) const {
    const Platform platform = input_.context.platform;
    std::vector<std::string> argv = segment.argv();
    if (const std::optional<CarriedCode> carried = carried_code(argv, platform)) return carried->reason;
    if (!segment.executable.found || is_multiplexer(executable_token(segment.executable.real_path)))
      return {};
    argv.front() = segment.executable.real_path;
    const std::optional<CarriedCode> carried = carried_code(argv, platform);
    return carried ? carried->reason : "";
  }

  // `git -C DIR log` is `git log` in DIR, where nobody but root and we can write what git obeys there.
  bool works_elsewhere_safely(const Segment& segment) const {
    if (!directory_ || tool_of(segment) != "git") return false;
    const std::optional<MovedCommand> moved = moved_git(segment.argv(), *directory_, input_.context);
    return moved && !carried_code(moved->argv, input_.context.platform) &&
           only_we_configure("git", moved->directory, disturbed_, input_.context);
  }

  // The name under which the tables know it, if both its own and that of the file behind a link agree.
  static std::string tool_of(const Segment& segment) {
    std::string name = executable_token(segment.argv().front());
    return name == executable_token(segment.executable.real_path) ? name : std::string();
  }

  std::string directory_reason(const Segment& segment) const {
    std::string reason = working_directory_code(executable_token(segment.argv().front()));
    if (reason.empty()) reason = working_directory_code(executable_token(segment.executable.real_path));
    if (!reason.empty() && directory_ &&
        only_we_configure(tool_of(segment), *directory_, disturbed_, input_.context))
      reason.clear();
    return reason;
  }

  const AnalysisInput& input_;
  CommandAnalysis& analysis_;
  bool hardened_;
  bool moved_ = false;
  // Where the next command runs; nothing when that hangs on how the ones before it end.
  std::optional<std::string> directory_;
  bool disturbed_ = false;  // a program of the same text runs before
  bool arguments_named_ = false;
  bool another_arguments_entry_ = false;
};

}  // namespace

bool CommandAnalysis::satisfied() const {
  return ok && !segments.empty() && std::all_of(segments.begin(), segments.end(), [](const Segment& s) {
           return s.by != SatisfiedBy::kNothing;
         });
}

bool CommandAnalysis::durable() const {
  return ok && !segments.empty() && std::all_of(segments.begin(), segments.end(), [](const Segment& s) {
           return s.by == SatisfiedBy::kEntry && s.durable;
         });
}

CommandAnalysis analyse_command(const AnalysisInput& input) { return Splitter(input).run(); }

void match_segments(const AnalysisInput& input, CommandAnalysis& analysis) {
  if (analysis.ok) Matcher(input, analysis).run();
}

namespace {

const Rule* strictest_rule(const AnalysisInput& input, RuleSubject subject) {
  subject.platform = input.context.platform;
  return input.context.settings.rules->strictest(subject, input.request.agent_id, input.context.now_ms, [&] {
    return input.context.files->content_sha256(subject.real_path);
  });
}

// `... | sh`: what is put out there is run.
bool feeds_a_shell(const CommandAnalysis& analysis) {
  const auto& pipelines = analysis.program.pipelines;
  const bool piped = std::any_of(pipelines.begin(), pipelines.end(),
                                 [](const ShellPipeline& pipeline) { return pipeline.commands.size() > 1; });
  return piped && std::any_of(analysis.segments.begin(), analysis.segments.end(), [](const Segment& segment) {
           return shell_family(executable_token(segment.executable.real_path)) != ShellFamily::kNone ||
                  std::any_of(segment.source.begin(), segment.source.end(), [](const std::string& word) {
                    return shell_family(executable_token(word)) != ShellFamily::kNone;
                  });
         });
}

std::optional<std::string> real_directory(const AnalysisInput& input,
                                          const std::optional<std::string>& directory) {
  if (!directory || !input.context.settings.rules->binds_directories()) return std::nullopt;
  std::string real = input.context.files->facts(*directory).real_path;
  return real.empty() ? *directory : real;
}

// Rules about the program itself, called by its name or by the path to which that leads.
const Rule* rule_of_program(const AnalysisInput& input, const Segment& segment) {
  const ExecutableLookup& file = segment.executable;
  RuleSubject subject{segment.argv(), file.found ? file.real_path : "", file.found ? file.name : "",
                      !file.path_like, real_directory(input, segment.directory)};
  const std::optional<MovedCommand> moved =
      subject.directory && executable_token(segment.argv().front()) == "git"
          ? moved_git(segment.argv(), *segment.directory, input.context)
          : std::nullopt;
  const auto strictest = [&]() -> const Rule* {
    const Rule* rule = strictest_rule(input, subject);
    // It works elsewhere than it stands.
    if (moved && rule != nullptr && rule->effect == RuleEffect::kAllow && rule->directory) rule = nullptr;
    if (!moved) return rule;
    RuleSubject there = subject;
    there.argv = moved->argv;
    there.directory = moved->directory;
    there.moved = true;
    return stricter(rule, strictest_rule(input, there));
  };
  const Rule* rule = strictest();
  if (rule != nullptr || subject.bare_word ||
      !name_leads_to_path(file, input.cwd, input.environment, input.context))
    return rule;
  subject.bare_word = true;
  return strictest();
}

// The rule for a script whose content it knows, told to an interpreter as its first word: `bash deploy.sh
// web`. Sets what is bound then.
const Rule* rule_of_script(const AnalysisInput& input, Segment& segment) {
  if (!input.context.settings.rules->names_interpreters() || !segment.executable.found || !segment.directory)
    return nullptr;
  const OperandCheck check = check_operand(segment.argv(), nullptr, *segment.directory, input.context);
  if (!check.operand || check.operand->argv_index != 1) return nullptr;
  RuleSubject subject;
  subject.argv.assign(segment.argv().begin() + 1, segment.argv().end());
  subject.real_path = check.operand->path;
  subject.name = base_name(check.operand->path, input.context.platform);
  subject.bare_word = false;
  subject.directory = real_directory(input, segment.directory);
  subject.interpreter = segment.executable.real_path;
  const Rule* rule = strictest_rule(input, subject);
  // Content read twice may differ: what was compared with the rule is what is bound.
  if (rule == nullptr || rule->interpreter.empty() || rule->content_sha256 != check.operand->sha256)
    return nullptr;
  segment.script =
      ScriptOperand{1, check.operand->path, input.context.files->facts(check.operand->path).identity,
                    check.operand->sha256};
  return rule;
}

}  // namespace

std::vector<std::vector<std::string>> rough_commands(std::string_view text, Platform platform) {
  constexpr std::string_view kSeparators = ";|&()<>{}`$\n\r";
  // cmd.exe escapes with a caret; there a backslash stands between the parts of a path.
  const char escape = platform == Platform::kWindows ? '^' : '\\';
  std::vector<std::vector<std::string>> out(1);
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) out.back().push_back(std::move(word));
    word.clear();
  };
  for (const char c : text) {
    if (c == '\'' || c == '"' || c == escape) continue;
    if (kSeparators.find(c) != std::string_view::npos) {
      end_word();
      if (!out.back().empty()) out.emplace_back();
    } else if (c == ' ' || c == '\t') {
      end_word();
    } else {
      word.push_back(c);
    }
  }
  end_word();
  return out;
}

RuleFinding match_rules(const AnalysisInput& input, CommandAnalysis& analysis) {
  const std::shared_ptr<const RuleSet>& rules = input.context.settings.rules;
  if (!rules || rules->empty()) return {};
  RuleFinding found;
  const bool refuses = rules->strictest_refusing(input.request.agent_id, input.context.now_ms) != nullptr;
  const auto search = [&](const std::vector<std::string>& argv, std::optional<std::string> directory) {
    RuleFinding in = refuses ? search_rules(input, argv, std::move(directory)) : RuleFinding();
    if (stricter(found.possible, in.possible) != found.possible) {
      found.possible = in.possible;
      found.doubt = std::move(in.doubt);
    }
    return in.certain;
  };
  for (Segment& segment : analysis.segments) {
    if (segment.builtin != Builtin::kNone) continue;
    segment.rule = stricter(rule_of_program(input, segment),
                            search(segment.source, real_directory(input, segment.directory)));
    const bool by_script = segment.rule == nullptr && segment.by == SatisfiedBy::kNothing;
    if (by_script) segment.rule = rule_of_script(input, segment);
    if (segment.rule == nullptr) continue;
    note(input.trace, "match",
         "rule " + segment.rule->id + ": " + std::string(to_string(segment.rule->effect)));
    found.certain = stricter(found.certain, segment.rule);
  }
  const bool other_grammar = analysis.shell_text && input.context.platform == Platform::kPosix &&
                             !speaks_common_grammar(input.request.shell->invocation.name);
  if (!analysis.ok || feeds_a_shell(analysis) || other_grammar)
    found.certain = stricter(found.certain, search(input.request.argv, std::nullopt));
  if (found.possible != nullptr)
    note(input.trace, "match", "rule " + found.possible->id + " could not be excluded: " + found.doubt);
  for (Segment& segment : analysis.segments) {
    if (segment.rule == nullptr || segment.rule->effect != RuleEffect::kAllow || !segment.executable.found)
      continue;
    const bool bound_script = segment.script && segment.script->sha256 && !segment.rule->interpreter.empty();
    const bool is_shell = shell_family(executable_token(segment.argv().front())) != ShellFamily::kNone ||
                          shell_family(executable_token(segment.executable.real_path)) != ShellFamily::kNone;
    // Words that the owner wrote down were seen; everything else that is never allowed stays so.
    const bool seen = segment.code == DecisionCode::kCarriedCode && segment.rule->arguments;
    if ((is_shell && !bound_script) || segment.by != SatisfiedBy::kNothing || (segment.never && !seen))
      continue;
    const bool by_name = segment.rule->program.find('/') == std::string::npos;
    if (by_name && input.context.settings.strictness == Strictness::kHardened &&
        !place_of_others(segment.executable, input.context).empty())
      continue;
    segment.by = SatisfiedBy::kRule;
    segment.never = false;
    segment.code = DecisionCode::kNone;
  }
  return found;
}

bool hides_package_exec(const std::vector<std::string>& argv) {
  const std::string manager = executable_token(argv.front());
  if (manager != "npm" && manager != "pnpm" && manager != "yarn") return false;
  if (argv.size() < 2 || !argv[1].starts_with('-')) return false;
  return std::any_of(argv.begin() + 2, argv.end(), [](const std::string& word) {
    return word == "exec" || word == "dlx" || word == "x" || word == "node";
  });
}

namespace {

struct Characters {
  std::uint32_t first;
  std::uint32_t last;
  const char* what;
};

constexpr const char* kControl = "a control character";
constexpr const char* kInvisible = "an invisible character";
constexpr const char* kDirection = "a character that changes the direction of text";

// Sorted.
constexpr std::array<Characters, 22> kMisleading = {{
    {0x01, 0x08, kControl},         {0x0B, 0x0C, kControl},
    {0x0E, 0x1F, kControl},         {0x7F, 0x9F, kControl},
    {0xAD, 0xAD, kInvisible},       {0x34F, 0x34F, kInvisible},
    {0x61C, 0x61C, kDirection},     {0x115F, 0x1160, kInvisible},
    {0x17B4, 0x17B5, kInvisible},   {0x180B, 0x180F, kInvisible},
    {0x200B, 0x200D, kInvisible},  // zero-width space, non-joiner and joiner
    {0x200E, 0x200F, kDirection},   {0x2028, 0x2029, "a line separator that shells do not treat as one"},
    {0x202A, 0x202E, kDirection},   {0x2060, 0x2064, kInvisible},
    {0x2066, 0x2069, kDirection},   {0x206A, 0x206F, kInvisible},
    {0x3164, 0x3164, kInvisible},   {0xFEFF, 0xFEFF, kInvisible},
    {0xFFA0, 0xFFA0, kInvisible},   {0xFFF0, 0xFFFB, kInvisible},
    {0xE0000, 0xE0FFF, kInvisible},  // tags, variation selectors
}};

// The code point at `at`, which moves behind it. A byte that begins none stands for itself.
std::uint32_t take_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t k) {
    return at + k < text.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + k])) : 0U;
  };
  const std::uint32_t lead = byte(0);
  const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // Ill-formed bytes show nothing misleading.
  std::uint32_t value = length == 1 ? (lead < 0x80 ? lead : 0xFFFD) : lead & (0xFFU >> (length + 1));
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte(k) & 0xC0U) != 0x80U) return ++at, 0xFFFD;
    value = (value << 6) | (byte(k) & 0x3FU);
  }
  at += length;
  return value;
}

}  // namespace

std::string misleading_character(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t c = take_code_point(text, at);
    if (c >= 0x20 && c < 0x7F) continue;
    const auto range =
        std::lower_bound(kMisleading.begin(), kMisleading.end(), c,
                         [](const Characters& item, std::uint32_t value) { return item.last < value; });
    if (range != kMisleading.end() && c >= range->first) return range->what;
  }
  return {};
}

}  // namespace hostclaw::policy
