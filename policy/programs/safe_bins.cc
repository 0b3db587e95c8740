// SPDX-License-Identifier: Apache-2.0
#include "policy/programs/safe_bins.h"

#include <algorithm>
#include <map>

#include "base/text.h"

namespace hostclaw::policy {
namespace {

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

const std::map<std::string, SafeBinRules, std::less<>>& built_in_rules() {
  static const std::map<std::string, SafeBinRules, std::less<>> kRules = {
      {"cut",
       {0,
        0,
        {"--bytes", "--characters", "--fields", "--delimiter", "--output-delimiter", "-b", "-c", "-f", "-d"},
        {"--complement", "--only-delimited", "--zero-terminated", "-n", "-s", "-z"},
        {}}},
      // --group is left out on purpose: its value is optional in coreutils, so that the next element is an
      // operand that uniq reads, and one more it overwrites (contract 17.1 item 7).
      {"uniq",
       {0,
        0,
        {"--skip-fields", "--skip-chars", "--check-chars", "-f", "-s", "-w"},
        {"--count", "--repeated", "--unique", "--ignore-case", "--zero-terminated", "-c", "-d", "-u", "-i",
         "-z"},
        {"--group", "--all-repeated", "-D"}}},
      {"head",
       {0,
        0,
        {"--lines", "--bytes", "-n", "-c"},
        {"--quiet", "--silent", "--verbose", "--zero-terminated", "-q", "-v", "-z"},
        {}}},
      {"tail",
       {0,
        0,
        {"--lines", "--bytes", "--sleep-interval", "--max-unchanged-stats", "--pid", "-n", "-c"},
        {"--quiet", "--silent", "--verbose", "--zero-terminated", "-q", "-v", "-z"},
        {"--follow", "--retry", "-F", "-f"}}},
      {"tr",
       {1,
        2,
        {},
        {"--complement", "--delete", "--squeeze-repeats", "--truncate-set1", "-C", "-c", "-d", "-s", "-t"},
        {}}},
      {"wc",
       {0,
        0,
        {},
        {"--bytes", "--chars", "--lines", "--max-line-length", "--words", "-L", "-c", "-l", "-m", "-w"},
        {"--files0-from"}}},
      {"sort",
       {0,
        0,
        {"--key", "--field-separator", "--buffer-size", "--parallel", "--batch-size", "-k", "-t", "-S"},
        {},
        {"--compress-program", "--files0-from", "--output", "--random-source", "--temporary-directory", "-T",
         "-o"}}},
      {"grep",
       {0,
        0,
        {"--regexp", "--max-count", "--after-context", "--before-context", "--context", "--devices",
         "--binary-files", "--exclude", "--include", "--label", "-e", "-m", "-A", "-B", "-C", "-D"},
        {},
        {"--file", "--exclude-from", "--dereference-recursive", "--directories", "--recursive", "-f", "-d",
         "-r", "-R"}}},
      {"jq",
       {0,
        1,
        {"--arg", "--argjson", "--argstr"},
        {},
        {"--argfile", "--rawfile", "--slurpfile", "--from-file", "--library-path", "-L", "-f"}}},
  };
  return kRules;
}

// Their little languages read the environment, files, or run programs, whatever the flags
// (GHSA-3c6h-g97w-fg78).
bool is_refused_by_meaning(std::string_view name) {
  static const std::vector<std::string> kNames = {"jq", "awk", "gawk", "mawk", "nawk", "sed", "gsed"};
  return contains(kNames, name);
}

bool is_path_like(std::string_view word) {
  const std::string_view text = trim(word);
  if (text.starts_with("./") || text.starts_with("../") || text.starts_with('/') || text.starts_with('~'))
    return true;
  const bool letter =
      !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z'));
  return letter && text.size() >= 3 && text[1] == ':' && (text[2] == '/' || text[2] == '\\');
}

bool has_expansion(std::string_view word) {
  for (std::size_t i = 0; i + 1 < word.size(); ++i) {
    const char next = word[i + 1];
    const bool alphanumeric =
        (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') || (next >= '0' && next <= '9');
    if (word[i] == '$' &&
        (alphanumeric || std::string_view("_@*?!$#-{([").find(next) != std::string_view::npos))
      return true;
  }
  return false;
}

bool is_safe_literal(std::string_view word) {
  return word.find_first_of("*?[]") == std::string_view::npos && !has_expansion(word) && !is_path_like(word);
}

class ArgumentCheck {
 public:
  ArgumentCheck(std::string_view name, const SafeBinRules& rules, std::span<const std::string> arguments,
                Strictness strictness)
      : name_(name), rules_(rules), arguments_(arguments), strictness_(strictness) {}

  SafeBinCheck run() {
    for (index_ = 0; index_ < arguments_.size(); ++index_) {
      const std::string& token = arguments_[index_];
      if (token.empty() || token == "-") continue;
      if (token == "--") {
        while (++index_ < arguments_.size()) take_positional(arguments_[index_]);
        break;
      }
      if (!token.starts_with('-')) {
        take_positional(token);
      } else if (token.starts_with("--")) {
        take_long(token);
      } else {
        take_cluster(token);
      }
      if (!reason_.empty()) break;
    }
    if (reason_.empty()) check_count();
    return SafeBinCheck{reason_.empty(), reason_};
  }

 private:
  void reject(std::string reason) {
    if (reason_.empty()) reason_ = std::string(name_) + ": " + std::move(reason);
  }

  void take_positional(const std::string& word) {
    if (word == "-") return;  // its standard input, also behind `--`
    if (!word.empty() && !is_safe_literal(word)) reject("the operand may name a file or be expanded.");
    ++positionals_;
  }

  void take_value(const std::string& value) {
    if (value.empty() || !is_safe_literal(value))
      reject("the value of an option is empty, may name a file or be expanded.");
  }

  void take_next_value() {
    if (index_ + 1 >= arguments_.size()) return reject("an option lacks its value.");
    take_value(arguments_[++index_]);
  }

  void take_long(const std::string& token) {
    const std::size_t equals = token.find('=');
    const std::string flag = complete(token.substr(0, equals));
    if (flag.empty()) return reject("the option " + token.substr(0, equals) + " is not known.");
    if (contains(rules_.denied_flags, flag))
      return reject("the option " + flag + " may read, write or run something.");
    if (contains(rules_.value_flags, flag)) {
      if (equals != std::string::npos) return take_value(token.substr(equals + 1));
      return take_next_value();
    }
    if (equals != std::string::npos) reject("the option " + flag + " takes no value.");
  }

  // The full name of a long flag; empty when unknown or ambiguous. GNU tools accept unique prefixes.
  std::string complete(const std::string& flag) const {
    std::string match;
    for (const auto* list : {&rules_.value_flags, &rules_.boolean_flags, &rules_.denied_flags}) {
      for (const std::string& known : *list) {
        if (known == flag) return known;
        if (known.starts_with("--") && known.starts_with(flag)) {
          if (!match.empty() && match != known) return {};
          match = known;
        }
      }
    }
    // The tool may know more long flags than the table, so that a prefix unique here need not be unique
    // there.
    return strictness_ == Strictness::kHardened ? std::string() : match;
  }

  void take_cluster(const std::string& token) {
    for (std::size_t i = 1; i < token.size(); ++i) {
      const std::string flag = std::string("-") + token[i];
      if (contains(rules_.denied_flags, flag))
        return reject("the option " + flag + " may read, write or run something.");
      if (contains(rules_.value_flags, flag)) {
        if (i + 1 < token.size()) return take_value(token.substr(i + 1));
        return take_next_value();
      }
      if (!contains(rules_.boolean_flags, flag)) return reject("the option " + flag + " is not known.");
    }
  }

  void check_count() {
    if (positionals_ < rules_.min_positional) return reject("an operand is missing.");
    if (rules_.max_positional && positionals_ > *rules_.max_positional)
      reject("it may filter its input only, not read files.");
  }

  std::string_view name_;
  const SafeBinRules& rules_;
  std::span<const std::string> arguments_;
  Strictness strictness_;
  std::size_t index_ = 0;
  int positionals_ = 0;
  std::string reason_;
};

std::vector<std::string> with_dashes(const std::vector<std::string>& flags) {
  std::vector<std::string> result;
  for (const std::string& flag : flags) {
    const std::string_view name = trim(flag);
    if (name.empty()) continue;
    if (name.starts_with('-')) {
      result.emplace_back(name);
    } else {
      result.push_back((name.size() == 1 ? "-" : "--") + std::string(name));
    }
  }
  return result;
}

}  // namespace

const std::vector<std::string>& default_safe_bins() {
  static const std::vector<std::string> kNames = {"cut", "uniq", "head", "tail", "tr", "wc"};
  return kNames;
}

const SafeBinRules* built_in_safe_bin_rules(std::string_view name) {
  const auto found = built_in_rules().find(name);
  return found == built_in_rules().end() ? nullptr : &found->second;
}

SafeBinRules configured_safe_bin_rules(std::optional<int> min_positional, std::optional<int> max_positional,
                                       const std::vector<std::string>& allowed_value_flags,
                                       const std::vector<std::string>& denied_flags) {
  SafeBinRules rules;
  rules.min_positional = min_positional.value_or(0);
  rules.max_positional = max_positional;
  rules.value_flags = with_dashes(allowed_value_flags);
  rules.denied_flags = with_dashes(denied_flags);
  return rules;
}

SafeBinCheck check_safe_bin_arguments(std::string_view name, const SafeBinRules& rules,
                                      std::span<const std::string> arguments, Strictness strictness) {
  if (is_refused_by_meaning(name))
    return {false, std::string(name) + ": its programs can read files and the environment."};
  return ArgumentCheck(name, rules, arguments, strictness).run();
}

bool is_in_trusted_directory(std::string_view real_path, std::span<const std::string> configured) {
  const std::size_t slash = real_path.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return false;
  const std::string_view directory = real_path.substr(0, slash);
  if (directory == "/bin" || directory == "/usr/bin") return true;
  return std::any_of(configured.begin(), configured.end(), [&](std::string_view trusted) {
    while (trusted.size() > 1 && trusted.ends_with('/')) trusted.remove_suffix(1);
    return trusted == directory;
  });
}

}  // namespace hostclaw::policy
