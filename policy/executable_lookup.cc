#include "policy/executable_lookup.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "policy/command_text.h"
#include "policy/environment.h"

namespace hostclaw::policy {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::string_view kDefaultPathExtensions = ".EXE;.CMD;.BAT;.COM";

std::string expand_home(std::string_view word, const EngineContext& context) {
  const bool home = word == "~" || word.starts_with("~/") || word.starts_with("~\\");
  return home && !context.home.empty() ? context.home + std::string(word.substr(1)) : std::string(word);
}

// The names under which a word is looked for: on Windows with each extension of PATHEXT.
std::vector<std::string> candidate_names(std::string_view word, const Environment& environment,
                                         const EngineContext& context) {
  std::vector<std::string> out;
  if (context.platform == Platform::kPosix) return {std::string(word)};
  const std::string_view name = base_name(word, Platform::kWindows);
  if (name.find('.') != std::string_view::npos) out.emplace_back(word);
  const std::string* extensions = find_variable(environment, "PATHEXT", context.platform);
  for (const std::string& extension :
       split(extensions != nullptr ? *extensions : kDefaultPathExtensions, ';')) {
    if (trim(extension).empty()) continue;
    // File systems of Windows ignore case; the stub files of tests and most installations are lower-case.
    out.push_back(std::string(word) + to_lower_ascii(trim(extension)));
    if (to_lower_ascii(trim(extension)) != trim(extension))
      out.push_back(std::string(word) + std::string(trim(extension)));
  }
  if (out.empty() || out.front() != word) out.emplace_back(word);
  return out;
}

bool is_program(const FileFacts& facts, Platform platform) {
  return facts.kind == FileKind::kRegular && (facts.executable || platform == Platform::kWindows);
}

void accept(ExecutableLookup& out, std::string path, FileFacts facts, Platform platform) {
  out.real_path = facts.real_path.empty() ? path : facts.real_path;
  out.name = base_name(path, platform);
  out.path = std::move(path);
  out.facts = std::move(facts);
}

}  // namespace

ExecutableLookup look_up_executable(std::string_view word, const std::string& cwd,
                                    const Environment& environment, const EngineContext& context) {
  ExecutableLookup out;
  out.word = word;
  // A NUL ends the name for the system, so that it would be another one.
  if (word.empty() || word.find('\0') != std::string_view::npos) return out;
  const std::string expanded = expand_home(word, context);
  out.path_like = expanded.find_first_of("/\\") != std::string::npos || word.front() == '~';
  if (out.path_like && (expanded.find('/') != std::string::npos || context.platform == Platform::kWindows)) {
    const std::string path = absolute_path(cwd, expanded, context.platform);
    for (const std::string& name : candidate_names(path, environment, context)) {
      FileFacts facts = context.files->facts(name);
      if (!is_program(facts, context.platform)) continue;
      out.found = true;
      accept(out, name, std::move(facts), context.platform);
      return out;
    }
    FileFacts facts = context.files->facts(path);
    accept(out, path, std::move(facts), context.platform);
    return out;
  }
  const std::string* variable = find_variable(environment, "PATH", context.platform);
  const char separator = context.platform == Platform::kWindows ? ';' : ':';
  for (std::string directory : split(variable != nullptr ? *variable : kDefaultPath, separator)) {
    if (context.platform == Platform::kWindows) std::erase(directory, '"');
    const std::string base = absolute_path(cwd, directory, context.platform);
    for (const std::string& name : candidate_names(expanded, environment, context)) {
      const std::string path = base == "/" ? "/" + name : base + "/" + name;
      FileFacts facts = context.files->facts(path);
      if (!is_program(facts, context.platform)) continue;
      out.found = true;
      accept(out, path, std::move(facts), context.platform);
      return out;
    }
  }
  return out;
}

bool is_system_directory_file(std::string_view real_path) {
  constexpr std::array<std::string_view, 6> kDirectories = {
      "/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"};
  return std::any_of(kDirectories.begin(), kDirectories.end(), [&](std::string_view directory) {
    return real_path.starts_with(directory) &&
           real_path.find('/', directory.size()) == std::string_view::npos;
  });
}

}  // namespace hostclaw::policy
