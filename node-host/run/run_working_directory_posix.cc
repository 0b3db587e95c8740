// SPDX-License-Identifier: Apache-2.0
#include "node-host/run/run_working_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "node-host/system/host/system_error.h"

namespace hostclaw::node_host {
namespace {

constexpr int kUsageStatus = 2;

std::string physical_path(int directory) {
  std::array<char, PATH_MAX> buffer{};
  const std::string link = "/proc/self/fd/" + std::to_string(directory);
  const ssize_t length = ::readlink(link.c_str(), buffer.data(), buffer.size());
  return length > 0 ? std::string(buffer.data(), static_cast<std::size_t>(length)) : std::string();
}

bool leads_to(const std::string& path, int directory) {
  struct stat there {};
  struct stat here {};
  return !path.empty() && path.front() == '/' && ::stat(path.c_str(), &there) == 0 &&
         ::fstat(directory, &here) == 0 && there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

bool has_parent_component(const std::string& path) {
  for (const auto& part : split(path, '/'))
    if (part == "..") return true;
  return false;
}

// Removes `.`, empty parts and, as POSIX cd -L says, `name/..` where `name` is a directory. nullopt with
// errno set when such a name is not one.
std::optional<std::string> simplified(const std::string& path) {
  std::vector<std::string> kept;
  const auto text_of = [&] { return "/" + join(kept, "/"); };
  for (auto& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      kept.push_back(std::move(part));
      continue;
    }
    struct stat status {};
    if (::stat(text_of().c_str(), &status) != 0) return std::nullopt;
    if (!S_ISDIR(status.st_mode)) {
      errno = ENOTDIR;
      return std::nullopt;
    }
    if (!kept.empty()) kept.pop_back();
  }
  return text_of();
}

// Opening `.` below the directory asks for search permission, as entering it would.
UniqueFd open_directory(int base, const std::string& path) {
  UniqueFd directory(::openat(base, path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return directory;
  return UniqueFd(::openat(directory.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

struct Options {
  bool physical = false;
  std::vector<std::string> operands;
  std::string unknown;
};

Options parse_options(const std::vector<std::string>& argv) {
  Options options;
  std::size_t at = 1;
  for (; at < argv.size(); ++at) {
    const std::string& word = argv[at];
    if (word == "--") {
      ++at;
      break;
    }
    if (word.size() < 2 || word.front() != '-') break;
    if (word.find_first_not_of("LP", 1) != std::string::npos) {
      options.unknown = word;
      return options;
    }
    options.physical = word.back() == 'P';
  }
  for (; at < argv.size(); ++at) options.operands.push_back(argv[at]);
  return options;
}

BuiltinResult failure(const std::string& builtin, const std::string& subject, const std::string& reason) {
  return {kUsageStatus, {}, builtin + ": " + subject + (subject.empty() ? "" : ": ") + reason + "\n"};
}

}  // namespace

WorkingDirectory::WorkingDirectory(int directory, const RunEnvironment& environment) : borrowed_(directory) {
  const std::string inherited = environment.get("PWD");
  logical_ = leads_to(inherited, directory) && simplified(inherited) == inherited ? inherited
                                                                                  : physical_path(directory);
}

BuiltinResult WorkingDirectory::change(const std::vector<std::string>& argv, RunEnvironment& environment) {
  const Options options = parse_options(argv);
  if (!options.unknown.empty()) return failure("cd", options.unknown, "invalid option");
  if (options.operands.size() > 1) return failure("cd", "", "too many arguments");
  BuiltinResult result;
  std::string target = options.operands.empty() ? environment.get("HOME") : options.operands.front();
  if (options.operands.empty() && target.empty()) return failure("cd", "", "HOME not set");
  if (target == "-") {
    target = environment.get("OLDPWD");
    if (target.empty()) return failure("cd", "", "OLDPWD not set");
    result.output = target + "\n";
  }
  const std::string shown = target;
  if (target.empty()) target = ".";
  const bool relative = target.front() != '/';
  std::optional<std::string> logical;
  UniqueFd opened;
  if (options.physical) {
    opened = open_directory(descriptor(), target);
    if (opened) logical = physical_path(opened.get());
  } else {
    logical = simplified(relative ? logical_ + "/" + target : target);
    if (!logical) return failure("cd", shown, error_text(errno));
    // A name below the directory we hold is opened from there: the path to it may lead elsewhere by now.
    opened = relative && !has_parent_component(target) ? open_directory(descriptor(), target)
                                                       : open_directory(AT_FDCWD, *logical);
  }
  if (!opened) return failure("cd", shown, error_text(errno));
  environment.set("OLDPWD", logical_);
  environment.set("PWD", *logical);
  own_ = std::move(opened);
  logical_ = *logical;
  return result;
}

BuiltinResult WorkingDirectory::print(const std::vector<std::string>& argv) const {
  const Options options = parse_options(argv);
  if (!options.unknown.empty()) return failure("pwd", options.unknown, "invalid option");
  return {0, (options.physical ? physical_path(descriptor()) : logical_) + "\n", {}};
}

}  // namespace hostclaw::node_host
