// SPDX-License-Identifier: Apache-2.0
#include "cli/generated_texts.h"

#include <array>
#include <functional>

#include "base/text.h"
#include "cli/command_tree.h"

namespace hostclaw::cli {
namespace {

// First line's worth of a description: line breaks are for --help alone.
std::string on_one_line(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? ' ' : c;
  return out;
}

void each_node(const CommandNode& node, const std::function<void(const CommandNode&)>& visit) {
  visit(node);
  for (const CommandNode& child : node.children) each_node(child, visit);
}

// ---- roff ----

std::string roff(const std::string& text) {
  std::string out;
  bool at_start = true;
  for (const char c : text) {
    if (at_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    at_start = c == '\n';
  }
  return out;
}

std::string roff_flag(const CommandFlag& flag) {
  std::string out;
  for (const std::string& name : flag.names) {
    out += out.empty() ? "" : ", ";
    out += flag.positional ? "\\fI" + roff(name) + "\\fR" : "\\fB" + roff(name) + "\\fR";
  }
  if (!flag.choices.empty()) {
    out += " ";
    for (const std::string& choice : flag.choices)
      out += (&choice == &flag.choices.front() ? "" : "|") + roff(choice);
  } else if (!flag.positional && !flag.value.empty()) {
    out += " \\fI" + roff(flag.value) + "\\fR";
  }
  if (flag.repeatable) out += " ...";
  return out;
}

void add_roff_flag(std::string& out, const CommandFlag& flag) {
  out += ".TP\n" + roff_flag(flag) + "\n";
  std::string text = on_one_line(flag.description);
  if (!flag.default_value.empty()) text += " (default: " + flag.default_value + ")";
  out += (text.empty() ? "\\&" : roff(text)) + "\n";
}

bool is_help(const CommandFlag& flag) { return flag.names.back() == "--help"; }

std::string roff_usage(const CommandNode& node) {
  std::string out = "\\fB" + roff(node.path) + "\\fR";
  for (const CommandFlag& flag : node.flags) {
    if (flag.required) out += " " + roff_flag(flag);
  }
  for (const CommandFlag& flag : node.flags) {
    if (flag.required || is_help(flag)) continue;
    out += " [\\fIoptions\\fR]";
    break;
  }
  for (const CommandFlag& flag : node.positionals)
    out += flag.required ? " " + roff_flag(flag) : " [" + roff_flag(flag) + "]";
  return out;
}

constexpr const char* kManEnd = R"(.SH ENVIRONMENT
.TP
.B HOSTCLAW_STATE_DIR
Directory of the database (default: where the installed service keeps it, else ~/.local/state/hostclaw).
.TP
.B HOSTCLAW_PROFILE
As --profile; the directory that HOSTCLAW_STATE_DIR names is then that profile's.
.TP
.B OPENCLAW_GATEWAY_TOKEN\fR, \fBOPENCLAW_GATEWAY_PASSWORD
The gateway's shared secret. It is never taken from the command line.
.TP
.B NO_COLOR
No colour on the terminal.
.SH FILES
.TP
.I hostclaw.sqlite
In the state directory: policy, identity, settings, questions and the record. Mode 0600.
.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
Refused or failed. The reason is on standard error, with the next command to type.
.TP
.B 2
Wrong usage.
.TP
.B 78
.B node run
and
.BR connect :
the configuration must change first; a service manager should not restart.
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
)";

// ---- shells ----

// Verbs that are about one thing of this machine, and which: the shell asks the program for its id.
constexpr std::array<std::array<std::string_view, 2>, 8> kIds = {{
    {"hostclaw approvals grants revoke", "grant"},
    {"hostclaw approvals resolve", "question"},
    {"hostclaw approvals show", "question"},
    {"hostclaw policy explain", "rule"},
    {"hostclaw policy remove", "rule"},
    {"hostclaw runs", "run"},
    {"hostclaw runs cancel", "open-run"},
    {"hostclaw runs show", "run"},
}};

// Inside single quotes of a POSIX shell.
std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

// Typographic quotes end such a text as well.
std::string powershell_quoted(const std::string& text) {
  std::string out = "'";
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool quote = text[at] == '\'';
    const bool curly = text.compare(at, 2, "\xE2\x80") == 0 && at + 2 < text.size() &&
                       text[at + 2] >= '\x98' && text[at + 2] <= '\x9B';
    if (quote) out += '\'';
    if (curly) out += text.substr(at, 3);
    out += text[at];
  }
  return out + "'";
}

bool takes_value(const CommandFlag& flag) { return !flag.positional && !flag.value.empty(); }

std::string parent_path(const CommandNode& node) {
  return node.path.substr(0, node.path.size() - node.name.size() - 1);
}

// "'hostclaw node run --host' | 'hostclaw node run --port'" for the flags that `chosen` picks.
std::vector<std::string> flag_words(const CommandNode& node,
                                    const std::function<bool(const CommandFlag&)>& chosen) {
  std::vector<std::string> out;
  for (const CommandFlag& flag : node.flags) {
    if (!chosen(flag)) continue;
    for (const std::string& name : flag.names) out.push_back(node.path + " " + name);
  }
  return out;
}

std::string patterns(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " | ") + shell_quoted(word);
  return out;
}

// The cases of "$at $word" that walk down the tree and step over the values of flags.
std::string walking_cases(const CommandNode& tree, const std::string& indent, const std::string& skip) {
  std::string out;
  each_node(tree, [&](const CommandNode& node) {
    if (node.name != node.path) {
      std::vector<std::string> names{node.path};
      for (const std::string& alias : node.aliases) names.push_back(parent_path(node) + " " + alias);
      out += indent + "(" + patterns(names) + ") at=" + shell_quoted(node.path) + " ;;\n";
    }
    const auto valued = flag_words(node, takes_value);
    if (!valued.empty()) out += indent + "(" + patterns(valued) + ") " + skip + " ;;\n";
  });
  return out;
}

// The cases of "$at $previous" for flags whose values are known.
std::string choice_cases(const CommandNode& tree, const std::string& indent,
                         const std::function<std::string(const std::string&)>& offer) {
  std::string out;
  each_node(tree, [&](const CommandNode& node) {
    for (const CommandFlag& flag : node.flags) {
      if (flag.choices.empty()) continue;
      std::vector<std::string> words;
      for (const std::string& name : flag.names) words.push_back(node.path + " " + name);
      out += indent + "(" + patterns(words) + ") " + offer(join(flag.choices, " ")) + " ;;\n";
    }
    const auto open =
        flag_words(node, [](const CommandFlag& flag) { return takes_value(flag) && flag.choices.empty(); });
    if (!open.empty()) out += indent + "(" + patterns(open) + ") " + offer("") + " ;;\n";
  });
  return out;
}

// Child verbs and the known values of positionals: what may stand here that is no flag.
std::vector<std::pair<std::string, std::string>> plain_words(const CommandNode& node) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const CommandNode& child : node.children) {
    out.emplace_back(child.name, on_one_line(child.description));
    for (const std::string& alias : child.aliases) out.emplace_back(alias, on_one_line(child.description));
  }
  for (const CommandFlag& flag : node.positionals) {
    for (const std::string& choice : flag.choices) out.emplace_back(choice, on_one_line(flag.description));
  }
  return out;
}

}  // namespace

std::string man_page(const CLI::App& root, const std::string& version) {
  const CommandNode tree = command_tree(root);
  std::string out = ".\\\" Made from the command definitions.\n.TH HOSTCLAW 1 \"\" \"hostclaw " +
                    roff(version) + "\" \"User Commands\"\n.nh\n.ad l\n";
  out += ".SH NAME\nhostclaw \\- a native OpenClaw node host\n";
  out += ".SH SYNOPSIS\n\\fBhostclaw\\fR \\fIcommand\\fR [\\fIoptions\\fR]\n";
  out += ".SH DESCRIPTION\n" + roff(on_one_line(tree.description)) + "\n";
  out += ".SH OPTIONS\n";
  for (const CommandFlag& flag : tree.flags) add_roff_flag(out, flag);
  out += ".SH COMMANDS\n";
  each_node(tree, [&](const CommandNode& node) {
    if (node.path == tree.path) return;
    out += ".SS " + roff(node.path) + "\n" + roff(on_one_line(node.description)) + ".\n";
    for (const std::string& alias : node.aliases) out += "Also called \\fB" + roff(alias) + "\\fR.\n";
    if (!node.children.empty()) {
      out += "Its commands:";
      for (const CommandNode& child : node.children)
        out += (&child == &node.children.front() ? " " : ", ") + ("\\fB" + roff(child.name) + "\\fR");
      out += ".\n";
    } else {
      out += ".PP\n" + roff_usage(node) + "\n";
    }
    for (const CommandFlag& flag : node.positionals) add_roff_flag(out, flag);
    for (const CommandFlag& flag : node.flags) {
      if (!is_help(flag)) add_roff_flag(out, flag);
    }
  });
  out += kManEnd;
  const std::string footer = root.get_footer();
  if (!footer.empty()) out += ".SH EXAMPLES\n.nf\n" + roff(footer) + "\n.fi\n";
  return out;
}

std::string ids_of(std::string_view path) {
  for (const auto& [verb, kind] : kIds)
    if (verb == path) return std::string(kind);
  return {};
}

std::string bash_completion(const CLI::App& root) {
  const CommandNode tree = command_tree(root);
  std::string out =
      "# bash completion for hostclaw, made from its command definitions.\n"
      "# For this shell alone: source <(hostclaw completion bash)\n"
      "_hostclaw() {\n"
      "  local at=" +
      tree.path +
      " word i id verbs= flags= ids= choices= profile=()\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  COMPREPLY=()\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=${COMP_WORDS[i]}\n"
      "    if [[ $word == -- ]]; then compopt -o default 2>/dev/null; return 0; fi\n"
      "    if [[ $word == --profile ]]; then\n"
      "      profile=(--profile \"${COMP_WORDS[i+1]}\")\n"
      "      if [[ ${profile[1]} == = ]]; then profile[1]=${COMP_WORDS[i+2]}; fi\n"
      "    fi\n"
      "    case \"$at $word\" in\n";
  out += walking_cases(tree, "      ", "i=$((i + 1))");
  out +=
      "    esac\n"
      "  done\n"
      "  # --flag=value comes as three words.\n"
      "  if [[ $current == = ]]; then current=\n"
      "  elif [[ $previous == = ]] && ((COMP_CWORD > 2)); then previous=${COMP_WORDS[COMP_CWORD-2]}\n"
      "  fi\n"
      "  case \"$at $previous\" in\n";
  out += choice_cases(tree, "    ", [](const std::string& words) {
    if (words.empty()) return std::string("compopt -o default 2>/dev/null; return 0");
    return "COMPREPLY=($(compgen -W " + shell_quoted(words) + " -- \"$current\")); return 0";
  });
  out +=
      "  esac\n"
      "  case $at in\n";
  each_node(tree, [&](const CommandNode& node) {
    std::string flags;
    for (const CommandFlag& flag : node.flags) flags += (flags.empty() ? "" : " ") + join(flag.names, " ");
    std::string words;
    for (const auto& [word, description] : plain_words(node)) words += (words.empty() ? "" : " ") + word;
    out += "    (" + shell_quoted(node.path) + ") flags=" + shell_quoted(flags);
    if (!words.empty()) out += " verbs=" + shell_quoted(words);
    if (const std::string kind = ids_of(node.path); !kind.empty()) out += " ids=" + kind;
    out += " ;;\n";
  });
  out +=
      "  esac\n"
      "  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W \"$flags\" -- \"$current\"))\n"
      "  elif [[ -n $verbs$ids ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$verbs\" -- \"$current\"))\n"
      "    # Ids are taken as they are: what compgen -W is given, it evaluates.\n"
      "    while [[ -n $ids ]] && IFS=$'\\t' read -r id word; do\n"
      "      if [[ $id == \"$current\"* ]]; then COMPREPLY+=(\"$id\"); fi\n"
      "    done < <([[ -z $ids ]] || \"${COMP_WORDS[0]}\" \"${profile[@]}\" complete $ids 2>/dev/null)\n"
      "  else compopt -o default 2>/dev/null\n"
      "  fi\n"
      "  return 0\n"
      "}\n"
      "complete -F _hostclaw hostclaw\n";
  return out;
}

std::string zsh_completion(const CLI::App& root) {
  const CommandNode tree = command_tree(root);
  std::string out =
      "#compdef hostclaw\n"
      "# zsh completion for hostclaw, made from its command definitions.\n"
      "# For this shell alone: source <(hostclaw completion zsh)\n"
      "_hostclaw() {\n"
      "  local at=" +
      tree.path +
      " word previous=${words[CURRENT-1]}\n"
      "  local -i i\n"
      "  local ids=\n"
      "  local -a verbs flags found profile\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    word=${words[i]}\n"
      "    if [[ $word == -- ]]; then _files; return; fi\n"
      "    if [[ $word == --profile ]]; then profile=($word ${words[i+1]}); fi\n"
      "    if [[ $word == --profile=* ]]; then profile=($word); fi\n"
      "    case \"$at $word\" in\n";
  out += walking_cases(tree, "      ", "(( i += 1 ))");
  out +=
      "    esac\n"
      "  done\n"
      "  if [[ ${words[CURRENT]} == --*=* ]]; then\n"
      "    previous=${words[CURRENT]%%=*}\n"
      "    compset -P '*='\n"
      "  fi\n"
      "  case \"$at $previous\" in\n";
  out += choice_cases(tree, "    ", [](const std::string& words) {
    return words.empty() ? std::string("_files; return") : "compadd -- " + words + "; return";
  });
  out +=
      "  esac\n"
      "  case $at in\n";
  each_node(tree, [&](const CommandNode& node) {
    out += "    (" + shell_quoted(node.path) + ")\n      flags=(\n";
    for (const CommandFlag& flag : node.flags) {
      for (const std::string& name : flag.names)
        out += "        " + shell_quoted(name + ":" + on_one_line(flag.description)) + "\n";
    }
    out += "      )\n";
    const auto words = plain_words(node);
    if (!words.empty()) {
      out += "      verbs=(\n";
      for (const auto& [word, description] : words)
        out += "        " + shell_quoted(word + ":" + description) + "\n";
      out += "      )\n";
    }
    if (const std::string kind = ids_of(node.path); !kind.empty()) out += "      ids=" + kind + "\n";
    out += "      ;;\n";
  });
  out +=
      "  esac\n"
      "  if [[ $PREFIX == -* ]]; then _describe -o option flags\n"
      "  elif [[ -n $ids ]]; then\n"
      "    found=(${(f)\"$($words[1] $profile complete $ids 2>/dev/null)\"})\n"
      "    compadd -- ${found%%$'\\t'*}\n"
      "    (( $#verbs )) && _describe command verbs\n"
      "  elif (( $#verbs )); then _describe command verbs\n"
      "  else _files\n"
      "  fi\n"
      "}\n"
      "if [[ ${funcstack[1]} == _hostclaw ]]; then _hostclaw \"$@\"; else compdef _hostclaw hostclaw; fi\n";
  return out;
}

std::string fish_completion(const CLI::App& root) {
  const CommandNode tree = command_tree(root);
  const auto fish_words = [](const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += " " + fish_quoted(word);
    return out;
  };
  std::string out =
      "# fish completion for hostclaw, made from its command definitions.\n"
      "# For this shell alone: hostclaw completion fish | source\n"
      "function __hostclaw_at --argument-names wanted\n"
      "    set -l at " +
      tree.path +
      "\n"
      "    set -l skip 0\n"
      "    set -l tokens (commandline -opc)\n"
      "    for word in $tokens[2..-1]\n"
      "        if test $skip = 1\n"
      "            set skip 0\n"
      "            continue\n"
      "        end\n"
      "        test \"$word\" = --; and return 1\n"
      "        switch \"$at $word\"\n";
  each_node(tree, [&](const CommandNode& node) {
    if (node.name != node.path) {
      std::vector<std::string> names{node.path};
      for (const std::string& alias : node.aliases) names.push_back(parent_path(node) + " " + alias);
      out += "            case" + fish_words(names) + "\n                set at " + fish_quoted(node.path) +
             "\n";
    }
    const auto valued = flag_words(node, takes_value);
    if (!valued.empty()) out += "            case" + fish_words(valued) + "\n                set skip 1\n";
  });
  out +=
      "        end\n"
      "    end\n"
      "    test \"$at\" = \"$wanted\"\n"
      "end\n"
      "function __hostclaw_profile\n"
      "    set -l tokens (commandline -opc)\n"
      "    for i in (seq 2 (count $tokens))\n"
      "        string match -q -- '--profile=*' $tokens[$i]; and echo $tokens[$i]\n"
      "        test \"$tokens[$i]\" = --profile; and echo --profile=$tokens[(math $i + 1)]\n"
      "    end\n"
      "end\n";
  each_node(tree, [&](const CommandNode& node) {
    const std::string start = "complete -c hostclaw -n " + fish_quoted("__hostclaw_at \"" + node.path + "\"");
    const auto words = plain_words(node);
    if (const std::string kind = ids_of(node.path); !kind.empty())
      out += start + " -f -a '(hostclaw (__hostclaw_profile) complete " + kind + " 2>/dev/null)'\n";
    for (const auto& [word, description] : words)
      out += start + " -f -a " + fish_quoted(word) + " -d " + fish_quoted(description) + "\n";
    for (const CommandFlag& flag : node.flags) {
      out += start;
      for (const std::string& name : flag.names) {
        if (name.starts_with("--")) {
          out += " -l " + name.substr(2);
        } else {
          out += (name.size() == 2 ? " -s " : " -o ") + name.substr(1);
        }
      }
      if (!flag.choices.empty()) {
        out += " -x -a " + fish_quoted(join(flag.choices, " "));
      } else if (takes_value(flag)) {
        out += " -r";
      }
      out += " -d " + fish_quoted(on_one_line(flag.description)) + "\n";
    }
  });
  return out;
}

std::string powershell_completion(const CLI::App& root) {
  const CommandNode tree = command_tree(root);
  // Pairs of a word and what it means, flat: PowerShell would take a list of one pair apart.
  const auto pairs = [](const std::vector<std::pair<std::string, std::string>>& words) {
    std::string out = "@(";
    for (const auto& [word, description] : words)
      out += (out.size() == 2 ? "" : ", ") + powershell_quoted(word) + ", " +
             powershell_quoted(description.empty() ? word : description);
    return out + ")";
  };
  std::string verbs;
  std::string flags;
  std::string values;
  std::string aliases;
  std::string ids;
  each_node(tree, [&](const CommandNode& node) {
    const auto line = [&node](const std::string& text) {
      return "        " + powershell_quoted(node.path) + " = " + text + "\n";
    };
    if (const auto words = plain_words(node); !words.empty()) verbs += line(pairs(words));
    if (const std::string kind = ids_of(node.path); !kind.empty()) ids += line(powershell_quoted(kind));
    std::vector<std::pair<std::string, std::string>> own;
    for (const CommandFlag& flag : node.flags) {
      for (const std::string& name : flag.names) {
        own.emplace_back(name, on_one_line(flag.description));
        if (!takes_value(flag)) continue;
        std::string choices = "@(";
        for (const std::string& choice : flag.choices)
          choices += (choices.size() == 2 ? "" : ", ") + powershell_quoted(choice);
        values += "        " + powershell_quoted(node.path + " " + name) + " = " + choices + ")\n";
      }
    }
    flags += line(pairs(own));
    for (const std::string& alias : node.aliases)
      aliases += "        " + powershell_quoted(parent_path(node) + " " + alias) + " = " +
                 powershell_quoted(node.path) + "\n";
  });
  return "# PowerShell completion for hostclaw, made from its command definitions.\n"
         "# For this session alone: hostclaw completion powershell | Out-String | Invoke-Expression\n"
         "Register-ArgumentCompleter -Native -CommandName @('hostclaw', 'hostclaw.exe') -ScriptBlock {\n"
         "    param($wordToComplete, $commandAst, $cursorPosition)\n"
         "    $verbs = @{\n" +
         verbs +
         "    }\n"
         "    $flags = @{\n" +
         flags +
         "    }\n"
         "    $values = @{\n" +
         values +
         "    }\n"
         "    $aliases = @{\n" +
         aliases +
         "    }\n"
         "    $ids = @{\n" +
         ids +
         "    }\n"
         "    $at = " +
         powershell_quoted(tree.path) +
         R"(
    $valueOf = $null
    $profileWords = @()
    foreach ($element in @($commandAst.CommandElements | Select-Object -Skip 1)) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        $word = $element.Extent.Text
        if ($valueOf -like '* --profile') { $profileWords = @('--profile', $word) }
        if ($word -like '--profile=*') { $profileWords = @($word) }
        if ($null -ne $valueOf) { $valueOf = $null; continue }
        if ($word -eq '--') { return }
        $next = "$at $word"
        if ($aliases.ContainsKey($next)) { $at = $aliases[$next] }
        elseif ($flags.ContainsKey($next)) { $at = $next }
        elseif ($values.ContainsKey($next)) { $valueOf = $next }
    }
    $typed = "$wordToComplete"
    $before = ''
    if ($null -eq $valueOf -and $typed -match '^(--[^=]+=)(.*)$' -and $values.ContainsKey("$at " + $Matches[1].TrimEnd('='))) {
        $before = $Matches[1]
        $typed = $Matches[2]
        $valueOf = "$at " + $before.TrimEnd('=')
    }
    if ($null -ne $valueOf) {
        foreach ($choice in $values[$valueOf]) {
            if ($choice.StartsWith($typed)) {
                [System.Management.Automation.CompletionResult]::new($before + $choice, $choice, 'ParameterValue', $choice)
            }
        }
        return
    }
    if (-not $typed.StartsWith('-') -and $ids.ContainsKey($at)) {
        foreach ($line in @(& $commandAst.GetCommandName() @profileWords complete $ids[$at] 2>$null)) {
            $id, $text = $line -split "`t", 2
            if ($id.StartsWith($typed)) {
                [System.Management.Automation.CompletionResult]::new($id, $id, 'ParameterValue', $(if ($text) { $text } else { $id }))
            }
        }
    }
    $pairs = if ($typed.StartsWith('-')) { $flags[$at] } else { $verbs[$at] }
    for ($i = 0; $i + 1 -lt @($pairs).Count; $i += 2) {
        if ($pairs[$i].StartsWith($typed)) {
            [System.Management.Automation.CompletionResult]::new($pairs[$i], $pairs[$i], 'ParameterValue', $pairs[$i + 1])
        }
    }
}
)";
}

}  // namespace hostclaw::cli
