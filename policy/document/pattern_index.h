// SPDX-License-Identifier: Apache-2.0
// Allowlist patterns in the form in which they are looked up: exact paths and names by hash, globs by their
// literal ends, so that a list of 100 000 entries costs what a list of ten does. Exec contract 7.1, 7.3, 7.4.
// Immutable once made; safe from any thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/document/arg_pattern.h"
#include "policy/document/document.h"
#include "policy/document/glob.h"
#include "policy/model/types.h"

namespace hostclaw::policy {

// The platform that this program runs on.
Platform native_platform();

// What is looked for: one command, already resolved.
struct PatternQuery {
  std::string_view path;  // match subject (7.2); empty when there is none
  std::string_view name;  // basename for name patterns; empty when the word was a path or was not found
  const std::vector<std::string>* arguments = nullptr;  // after the executable, as they will be executed
  std::optional<std::string>
      cwd_argv;  // the generated key of cwd and arguments; nullopt: no cwd was requested
  std::string_view home;
  Strictness strictness = Strictness::kHardened;
  bool allow_path_only = true;   // false for a shell with arguments (8.6)
  bool allow_unanchored = true;  // false: patterns whose first directory is a wildcard do not count
};

struct PatternHit {
  std::size_t index = 0;
  bool universal = false;
  bool arguments = false;  // the entry names the arguments too
  bool hashed = false;     // ... exactly
};

// The patterns of one agent.
class PatternIndex {
 public:
  PatternIndex(const std::vector<AllowlistEntry>& entries, Platform platform);

  // The best entry of this list: universal, else the first that names the arguments, else the first path-only
  // one. `program_known`, when given, is set if some entry is about the program, whatever its arguments.
  std::optional<PatternHit> find(const PatternQuery& query, bool* program_known = nullptr) const;
  bool has_exact_command(std::string_view key) const;
  std::size_t size() const { return size_; }

 private:
  struct Bucket {
    std::optional<std::size_t> path_only;
    std::optional<std::size_t> no_arguments;  // argPattern "": any arguments for upstream, none when hardened
    std::vector<std::pair<std::size_t, std::string>> patterns;
    std::unordered_map<std::string, std::size_t> hashed;
  };
  struct GlobBucket {
    Glob glob;
    bool anchored = true;
    Bucket bucket;
  };
  // Globs by literal prefix, then by literal suffix.
  struct GlobTable {
    using BySuffix = std::unordered_map<std::string, std::vector<GlobBucket>>;
    std::unordered_map<std::string, BySuffix> by_prefix;
    std::vector<std::size_t> prefix_lengths;
    std::vector<std::size_t> suffix_lengths;
  };
  struct Best;

  void add(std::size_t index, const AllowlistEntry& entry);
  void add_glob(GlobTable& table, const std::string& pattern, std::size_t index, const AllowlistEntry& entry);
  static void put(Bucket& bucket, std::size_t index, const AllowlistEntry& entry);
  void look(const Bucket& bucket, const PatternQuery& query, Best& best) const;
  void look_up(const GlobTable& table, std::string_view subject, const PatternQuery& query, Best& best) const;
  bool arguments_fit(const std::string& pattern, const PatternQuery& query) const;
  std::string normalized(std::string_view path) const;

  Platform platform_;
  std::size_t size_ = 0;
  std::optional<std::size_t> universal_;
  std::unordered_map<std::string, Bucket> paths_;
  std::unordered_map<std::string, Bucket> names_;
  GlobTable path_globs_;
  GlobTable name_globs_;
  std::vector<std::pair<std::string, Bucket>> home_patterns_;
  std::unordered_map<std::string, bool> exact_commands_;
  std::unordered_map<std::string, ArgPattern> expressions_;
};

struct CompiledPatterns {
  Platform platform = Platform::kPosix;
  std::map<std::string, PatternIndex> agents;
};

// Fills document.compiled. Call it again after changing document.agents.
void compile_patterns(PolicyDocument& document, Platform platform = native_platform());

// A pattern in a list that can never match, with the reason; for the answer to `set` and for lint.
struct PatternProblem {
  std::string agent;
  std::size_t index = 0;
  std::string pattern;
  std::string reason;  // one sentence
};
std::vector<PatternProblem> pattern_problems(const PolicyDocument& document);

}  // namespace hostclaw::policy
