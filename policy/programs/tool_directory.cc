// SPDX-License-Identifier: Apache-2.0
#include "policy/programs/tool_directory.h"

#include "policy/programs/wrappers.h"
#include "policy/request/command_text.h"

namespace hostclaw::policy {
namespace {

// More directories than any real path has.
constexpr int kMostLevels = 64;

class Look {
 public:
  explicit Look(const EngineContext& context) : files_(*context.files) {}

  // A link that leads nowhere is there: what it leads to can come.
  bool is_missing(const std::string& path) {
    return files_.facts(path).kind == FileKind::kMissing && !files_.is_symlink(path);
  }
  bool is_directory(const std::string& path) { return files_.facts(path).kind == FileKind::kDirectory; }
  bool is_ours(const std::string& path) { return !files_.changeable_by_others(path); }
  bool is_ours_or_missing(const std::string& path) { return is_missing(path) || is_ours(path); }
  std::string real(const std::string& path) { return files_.facts(path).real_path; }

 private:
  FileProbe& files_;
};

std::string parent_of(const std::string& directory) {
  const std::size_t slash = directory.rfind('/');
  if (slash == std::string::npos) return {};
  const bool drive = directory.size() > 1 && directory[1] == ':';
  if (drive && slash == 2) return directory.size() == 3 ? std::string() : directory.substr(0, 3);
  if (slash == 0) return directory == "/" ? std::string() : "/";
  return directory.substr(0, slash);
}

std::string inside(const std::string& directory, std::string_view name) {
  return directory + (directory.ends_with('/') ? "" : "/") + std::string(name);
}

// A directory that git takes for a repository without `.git`: then its files are the configuration, and they
// can come with anybody's content.
bool looks_bare(const std::string& directory, Look& look) {
  if (look.is_missing(inside(directory, "HEAD"))) return false;
  for (const char* name : {"objects", "refs", "commondir", "config"}) {
    if (!look.is_missing(inside(directory, name))) return true;
  }
  return false;
}

// Complete, so that git takes it, and with nothing in it that others can change and git runs or obeys.
bool repository_is_ours(const std::string& repository, Look& look) {
  if (!look.is_directory(repository) || !look.is_ours(repository)) return false;
  // A linked worktree has its configuration elsewhere.
  if (!look.is_missing(inside(repository, "commondir"))) return false;
  for (const char* name : {"HEAD", "objects", "refs"}) {
    if (look.is_missing(inside(repository, name)) || !look.is_ours(inside(repository, name))) return false;
  }
  for (const char* name : {"config", "config.worktree", "hooks", "info", "info/attributes"}) {
    if (!look.is_ours_or_missing(inside(repository, name))) return false;
  }
  constexpr const char* kHooks[] = {"applypatch-msg",    "commit-msg",        "fsmonitor-watchman",
                                    "post-applypatch",   "post-checkout",     "post-commit",
                                    "post-merge",        "post-rewrite",      "pre-applypatch",
                                    "pre-auto-gc",       "pre-commit",        "pre-merge-commit",
                                    "pre-push",          "pre-rebase",        "prepare-commit-msg",
                                    "push-to-checkout",  "post-index-change", "reference-transaction",
                                    "sendemail-validate"};
  for (const char* name : kHooks) {
    if (!look.is_ours_or_missing(inside(repository, "hooks/") + name)) return false;
  }
  return true;
}

bool git_is_ours(const std::string& start, bool disturbed, Look& look) {
  std::string directory = start;
  for (int level = 0; level < kMostLevels && !directory.empty(); ++level) {
    // Whoever writes here can put a repository in front of the one above.
    if (!look.is_ours(directory) || looks_bare(directory, look)) return false;
    const std::string repository = inside(directory, ".git");
    if (!look.is_missing(repository))
      return repository_is_ours(repository, look) &&
             look.is_ours_or_missing(inside(directory, ".gitattributes"));
    if (disturbed) return false;
    directory = parent_of(directory);
  }
  return directory.empty();
}

bool compose_files_are_ours(const std::string& start, bool disturbed, Look& look) {
  std::string directory = start;
  for (int level = 0; level < kMostLevels && !directory.empty(); ++level) {
    if (!look.is_ours(directory)) return false;
    bool found = false;
    for (const char* name : {"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"}) {
      const std::string file = inside(directory, name);
      if (look.is_missing(file)) continue;
      if (!look.is_ours(file)) return false;
      found = true;
    }
    // It can name other files.
    if (!look.is_ours_or_missing(inside(directory, ".env"))) return false;
    if (found) {
      for (const char* name : {"compose.override.yaml", "compose.override.yml",
                               "docker-compose.override.yaml", "docker-compose.override.yml"}) {
        if (!look.is_ours_or_missing(inside(directory, name))) return false;
      }
      return true;
    }
    if (disturbed) return false;
    directory = parent_of(directory);
  }
  return directory.empty();
}

}  // namespace

bool only_we_configure(std::string_view tool, const std::string& directory, bool disturbed,
                       const EngineContext& context) {
  Look look(context);
  if (!look.is_directory(directory) || !look.is_ours(directory)) return false;
  const std::string real = look.real(directory);
  if (real.empty()) return false;
  if (tool == "git") return git_is_ours(real, disturbed, look);
  if (tool == "docker" || tool == "docker-compose") return compose_files_are_ours(real, disturbed, look);
  return false;
}

std::optional<MovedCommand> moved_git(const std::vector<std::string>& argv, const std::string& cwd,
                                      const EngineContext& context) {
  Look look(context);
  MovedCommand moved{cwd, argv};
  std::size_t at = 1;
  for (; at + 1 < argv.size() && argv[at] == "-C"; at += 2) {
    const std::string& word = argv[at + 1];
    if (word.empty()) continue;  // moves nowhere
    // As the system resolves it, `..` behind a link included: not by cutting the text.
    moved.directory =
        look.real(is_absolute_path(word, context.platform) ? word : inside(moved.directory, word));
    if (moved.directory.empty()) return std::nullopt;
  }
  if (at == 1) return std::nullopt;
  moved.argv.erase(moved.argv.begin() + 1, moved.argv.begin() + static_cast<std::ptrdiff_t>(at));
  return moved;
}

}  // namespace hostclaw::policy
