// SPDX-License-Identifier: Apache-2.0
#include "policy/document/pattern_index.h"

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "policy/request/command_text.h"

namespace hostclaw::policy {
namespace {

// Beyond this many expressions they are compiled when looked at; one compiled expression takes some
// kilobytes.
constexpr std::size_t kMaxCompiledExpressions = 4096;

bool is_path_pattern(std::string_view pattern) {
  return pattern.find_first_of("/\\~") != std::string_view::npos;
}

bool is_hash(std::string_view pattern) { return pattern.starts_with(kCwdArgvPrefix); }
bool is_legacy_hash(std::string_view pattern) { return pattern.starts_with(kLegacyArgvPrefix); }

std::vector<std::string> without_blank(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  for (const std::string& argument : arguments) {
    if (!trim(argument).empty()) out.push_back(argument);
  }
  return out;
}

std::vector<std::string> all_with_backslashes(std::vector<std::string> arguments) {
  for (std::string& argument : arguments) argument = with_backslashes(argument);
  return arguments;
}

}  // namespace

Platform native_platform() {
  return std::filesystem::path::preferred_separator == static_cast<std::filesystem::path::value_type>('\\')
             ? Platform::kWindows
             : Platform::kPosix;
}

struct PatternIndex::Best {
  std::optional<PatternHit> with_arguments;
  std::optional<PatternHit> path_only;
  bool seen = false;

  void offer_arguments(std::size_t index, bool hashed) {
    if (!with_arguments || index < with_arguments->index)
      with_arguments = PatternHit{index, false, true, hashed};
  }
  void offer_path_only(std::size_t index) {
    if (!path_only || index < path_only->index) path_only = PatternHit{index, false, false, false};
  }
};

PatternIndex::PatternIndex(const std::vector<AllowlistEntry>& entries, Platform platform)
    : platform_(platform), size_(entries.size()) {
  for (std::size_t i = 0; i < entries.size(); ++i) add(i, entries[i]);
  for (GlobTable* table : {&path_globs_, &name_globs_}) {
    for (std::vector<std::size_t>* lengths : {&table->prefix_lengths, &table->suffix_lengths}) {
      std::sort(lengths->begin(), lengths->end());
      lengths->erase(std::unique(lengths->begin(), lengths->end()), lengths->end());
    }
  }
}

std::string PatternIndex::normalized(std::string_view path) const {
  std::string out;
  if (platform_ == Platform::kPosix) {
    out.reserve(path.size());
    for (std::size_t i = 0; i < path.size(); ++i) {
      const bool pair = path[i] == '\\' && i + 1 < path.size() && path[i + 1] == '\\';
      out.push_back(pair ? '/' : path[i]);
      if (pair) ++i;
    }
    return out;
  }
  for (const std::string_view prefix : {R"(\\?\)", R"(\\.\)"}) {
    if (path.starts_with(prefix)) path.remove_prefix(prefix.size());
  }
  return windows_form(path);
}

void PatternIndex::put(Bucket& bucket, std::size_t index, const AllowlistEntry& entry) {
  if (!entry.arg_pattern) {
    if (!entry.allow_always && !bucket.path_only) bucket.path_only = index;
  } else if (entry.arg_pattern->empty()) {
    if (!entry.allow_always && !bucket.no_arguments) bucket.no_arguments = index;
  } else if (is_hash(*entry.arg_pattern)) {
    bucket.hashed.emplace(*entry.arg_pattern, index);
  } else if (!entry.allow_always && !is_legacy_hash(*entry.arg_pattern)) {
    bucket.patterns.emplace_back(index, *entry.arg_pattern);
  }
}

void PatternIndex::add_glob(GlobTable& table, const std::string& pattern, std::size_t index,
                            const AllowlistEntry& entry) {
  Glob glob(pattern);
  table.prefix_lengths.push_back(glob.literal_prefix().size());
  table.suffix_lengths.push_back(glob.literal_suffix().size());
  std::vector<GlobBucket>& buckets = table.by_prefix[glob.literal_prefix()][glob.literal_suffix()];
  // A list with many hashed grants for one glob is one bucket, not many.
  if (!buckets.empty() && buckets.back().glob.source() == pattern)
    return put(buckets.back().bucket, index, entry);
  const std::size_t second_slash = glob.literal_prefix().find('/', 1);
  buckets.push_back({std::move(glob), second_slash != std::string::npos, {}});
  put(buckets.back().bucket, index, entry);
}

void PatternIndex::add(std::size_t index, const AllowlistEntry& entry) {
  if (entry.arg_pattern && !entry.arg_pattern->empty() && !entry.allow_always &&
      !is_hash(*entry.arg_pattern) && expressions_.size() < kMaxCompiledExpressions &&
      !expressions_.contains(*entry.arg_pattern)) {
    expressions_.emplace(*entry.arg_pattern, ArgPattern(*entry.arg_pattern));
  }
  const std::string pattern(trim(entry.pattern));
  if (pattern == "*") {
    const bool plain = !entry.allow_always && (!entry.arg_pattern || entry.arg_pattern->empty());
    if (plain && !universal_) universal_ = index;
    return;
  }
  if (entry.allow_always && pattern.starts_with(kExactCommandPrefix)) {
    exact_commands_.emplace(pattern.substr(kExactCommandPrefix.size()), true);
  }
  if (pattern.starts_with('~') && (pattern.size() == 1 || pattern[1] == '/' || pattern[1] == '\\')) {
    home_patterns_.emplace_back(pattern, Bucket{});
    put(home_patterns_.back().second, index, entry);
    return;
  }
  const bool path = is_path_pattern(pattern);
  const std::string text = path || platform_ == Platform::kWindows ? normalized(pattern) : pattern;
  if (text.find_first_of("*?") != std::string::npos)
    return add_glob(path ? path_globs_ : name_globs_, text, index, entry);
  put((path ? paths_ : names_)[text], index, entry);
}

bool PatternIndex::arguments_fit(const std::string& pattern, const PatternQuery& query) const {
  const auto compiled = expressions_.find(pattern);
  std::optional<ArgPattern> fresh;
  if (compiled == expressions_.end()) fresh.emplace(pattern);
  const ArgPattern& expression = fresh ? *fresh : compiled->second;
  if (!expression.ok()) return false;
  const std::vector<std::string>& arguments = *query.arguments;
  const auto fits = [&](const std::vector<std::string>& subject) {
    return query.strictness == Strictness::kHardened ? expression.describes(subject)
                                                     : expression.found_in(subject);
  };
  const auto either_slash = [&](auto test, const std::vector<std::string>& subject) {
    return test(subject) || (platform_ == Platform::kWindows && test(all_with_backslashes(subject)));
  };
  if (!either_slash(fits, arguments)) return false;
  // Upstream judges without blank arguments; with them the command is another one, so both have to fit
  // (17.4).
  const auto found = [&](const std::vector<std::string>& subject) { return expression.found_in(subject); };
  return either_slash(found, without_blank(arguments));
}

void PatternIndex::look(const Bucket& bucket, const PatternQuery& query, Best& best) const {
  best.seen = true;
  if (bucket.path_only && query.allow_path_only) best.offer_path_only(*bucket.path_only);
  if (bucket.no_arguments && query.allow_path_only) {
    if (query.strictness == Strictness::kOfficial) {
      best.offer_path_only(*bucket.no_arguments);
    } else if (query.arguments->empty()) {
      best.offer_arguments(*bucket.no_arguments, false);
    }
  }
  if (query.cwd_argv && !bucket.hashed.empty()) {
    const auto it = bucket.hashed.find(*query.cwd_argv);
    if (it != bucket.hashed.end()) best.offer_arguments(it->second, true);
  }
  for (const auto& [index, pattern] : bucket.patterns) {
    if (best.with_arguments && best.with_arguments->index < index) break;
    if (!query.allow_path_only && trim(pattern).empty()) continue;
    if (arguments_fit(pattern, query)) {
      best.offer_arguments(index, false);
      break;
    }
  }
}

void PatternIndex::look_up(const GlobTable& table, std::string_view subject, const PatternQuery& query,
                           Best& best) const {
  for (const std::size_t prefix : table.prefix_lengths) {
    if (prefix > subject.size()) break;
    const auto by_suffix = table.by_prefix.find(std::string(subject.substr(0, prefix)));
    if (by_suffix == table.by_prefix.end()) continue;
    for (const std::size_t suffix : table.suffix_lengths) {
      if (suffix > subject.size()) break;
      const auto buckets = by_suffix->second.find(std::string(subject.substr(subject.size() - suffix)));
      if (buckets == by_suffix->second.end()) continue;
      for (const GlobBucket& item : buckets->second) {
        if (&table == &path_globs_ && !item.anchored && !query.allow_unanchored) continue;
        if (item.glob.matches(subject)) look(item.bucket, query, best);
      }
    }
  }
}

std::optional<PatternHit> PatternIndex::find(const PatternQuery& query, bool* program_known) const {
  if (universal_) return PatternHit{*universal_, true, false, false};
  Best best;
  if (!query.path.empty()) {
    std::string path = normalized(query.path);
    // A wildcard must not be led out of its directory by `..`; Windows has many spellings of one path
    // besides.
    const std::string plain = absolute_path("", path, platform_);
    if (platform_ == Platform::kWindows) path = plain;
    if (const auto it = paths_.find(path); it != paths_.end()) look(it->second, query, best);
    look_up(path_globs_, plain, query, best);
    for (const auto& [pattern, bucket] : home_patterns_) {
      if (query.home.empty()) break;
      const Glob glob(normalized(std::string(query.home) + pattern.substr(1)));
      if (glob.matches(glob.has_wildcard() ? plain : path)) look(bucket, query, best);
    }
  }
  if (!query.name.empty()) {
    const std::string name =
        platform_ == Platform::kWindows ? normalized(query.name) : std::string(query.name);
    if (const auto it = names_.find(name); it != names_.end()) look(it->second, query, best);
    look_up(name_globs_, name, query, best);
    // `git` is what people call git.exe.
    if (platform_ == Platform::kWindows) {
      const auto it = names_.find(executable_token(name));
      if (it != names_.end()) look(it->second, query, best);
    }
  }
  if (program_known != nullptr && best.seen) *program_known = true;
  return best.with_arguments ? best.with_arguments : best.path_only;
}

bool PatternIndex::has_exact_command(std::string_view key) const {
  return exact_commands_.contains(std::string(key));
}

void compile_patterns(PolicyDocument& document, Platform platform) {
  auto compiled = std::make_shared<CompiledPatterns>();
  compiled->platform = platform;
  for (const auto& [name, agent] : document.agents) {
    compiled->agents.emplace(name, PatternIndex(agent.allowlist, platform));
  }
  document.compiled = std::move(compiled);
}

std::vector<PatternProblem> pattern_problems(const PolicyDocument& document) {
  std::vector<PatternProblem> out;
  for (const auto& [name, agent] : document.agents) {
    for (std::size_t i = 0; i < agent.allowlist.size(); ++i) {
      const AllowlistEntry& entry = agent.allowlist[i];
      const auto report = [&, &key = name](std::string reason) {
        out.push_back({key, i, entry.pattern, std::move(reason)});
      };
      const std::string_view pattern = trim(entry.pattern);
      if (pattern == "*" && entry.arg_pattern && !entry.arg_pattern->empty()) {
        report("`*` with argPattern never matches; give the path of the program");
        continue;
      }
      if (!entry.arg_pattern || entry.arg_pattern->empty() || is_hash(*entry.arg_pattern)) continue;
      if (is_legacy_hash(*entry.arg_pattern)) {
        report("argPattern `sha256:argv:` is of an old form and never matches; approve the command again");
      } else if (entry.allow_always) {
        report(
            "an allow-always entry counts only with a generated argPattern; remove `source` to keep the "
            "pattern");
      } else if (const ArgPattern expression(*entry.arg_pattern); !expression.ok()) {
        report("argPattern never matches: " + expression.problem());
      }
    }
  }
  return out;
}

}  // namespace hostclaw::policy
