// SPDX-License-Identifier: Apache-2.0
#include "policy/programs/executable_lookup.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "policy/programs/safe_bins.h"
#include "policy/request/command_text.h"
#include "policy/request/environment.h"
#include "policy/windows/windows_text.h"

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

// What Windows can start goes by the name; upstream also takes a file without an extension.
bool is_program(const std::string& path, const FileFacts& facts, const EngineContext& context) {
  if (facts.kind != FileKind::kRegular) return false;
  if (context.platform == Platform::kPosix) return facts.executable;
  return context.settings.strictness == Strictness::kOfficial || is_startable_name(path);
}

// The directories to search, absolute. Windows: an entry that is relative to anything would let the request's
// own directory choose the program.
std::vector<std::string> search_path(const std::string& cwd, const Environment& environment,
                                     const EngineContext& context) {
  const bool windows = context.platform == Platform::kWindows;
  const std::string* variable = find_variable(environment, "PATH", context.platform);
  std::vector<std::string> out;
  for (std::string directory : split(variable != nullptr ? *variable
                                     : windows           ? ""
                                                         : kDefaultPath,
                                     windows ? ';' : ':')) {
    if (windows) std::erase(directory, '"');
    if (windows &&
        (!is_absolute_path(directory, context.platform) || !suspicious_windows_path(directory).empty()))
      continue;
    out.push_back(absolute_path(cwd, directory, context.platform));
  }
  return out;
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
  // Names another file than it shows, so that no file is its: the analysis says why.
  if (context.platform == Platform::kWindows && !suspicious_windows_word(word).empty()) {
    out.path_like = true;
    out.path = word;
    return out;
  }
  const std::string expanded = expand_home(word, context);
  out.path_like = expanded.find_first_of("/\\") != std::string::npos || word.front() == '~';
  if (out.path_like && (expanded.find('/') != std::string::npos || context.platform == Platform::kWindows)) {
    const std::string path = absolute_path(cwd, expanded, context.platform);
    for (const std::string& name : candidate_names(path, environment, context)) {
      FileFacts facts = context.files->facts(name);
      if (!is_program(name, facts, context)) continue;
      out.found = true;
      accept(out, name, std::move(facts), context.platform);
      return out;
    }
    FileFacts facts = context.files->facts(path);
    accept(out, path, std::move(facts), context.platform);
    return out;
  }
  for (const std::string& base : search_path(cwd, environment, context)) {
    for (const std::string& name : candidate_names(expanded, environment, context)) {
      const std::string path = base.ends_with('/') ? base + name : base + "/" + name;
      FileFacts facts = context.files->facts(path);
      if (!is_program(path, facts, context)) continue;
      out.found = true;
      accept(out, path, std::move(facts), context.platform);
      return out;
    }
  }
  return out;
}

bool is_multi_call(const ExecutableLookup& found, const EngineContext& context) {
  return found.found && context.platform == Platform::kPosix && base_name(found.real_path) != found.name &&
         context.files->is_one_of_many_names(found.path);
}

std::string called_path(const ExecutableLookup& found, const EngineContext& context) {
  if (!is_multi_call(found, context)) return found.real_path;
  const std::size_t slash = found.path.rfind('/');
  const std::string directory =
      context.files->facts(slash == 0 ? "/" : found.path.substr(0, slash)).real_path;
  return directory.empty() ? found.path : directory + (directory == "/" ? "" : "/") + found.name;
}

bool has_applet(const ExecutableLookup& found, std::string_view word, const EngineContext& context) {
  // `--coreutils-prog=rm`
  if (word.starts_with("--")) word.remove_prefix(std::min(word.find('='), word.size() - 1) + 1);
  const std::size_t slash = found.path.rfind('/');
  if (context.platform != Platform::kPosix || !found.found || slash == std::string::npos || word.empty() ||
      word.size() > 255 || word.front() == '-' ||
      word.find_first_of(std::string_view("/\0", 2)) != word.npos || word == found.name ||
      base_name(found.real_path) != found.name)
    return false;
  const FileFacts other = context.files->facts(found.path.substr(0, slash + 1) + std::string(word));
  return other.kind == FileKind::kRegular && other.real_path == found.real_path;
}

std::string stable_path(const ExecutableLookup& found) {
  return base_name(found.real_path) == found.name || found.path.empty() ? found.real_path : found.path;
}

bool is_program_itself(const ExecutableLookup& found, std::string_view name,
                       const std::vector<std::string>& trusted, const EngineContext& context) {
  if (!found.found || found.name != name || !is_in_trusted_directory(found.real_path, trusted)) return false;
  const bool led_there = is_in_trusted_directory(found.path, trusted);
  if (found.path_like && !led_there) return false;
  return base_name(found.real_path) == name || (led_there && is_multi_call(found, context));
}

std::string place_of_others(const ExecutableLookup& found, const EngineContext& context) {
  FileProbe& files = *context.files;
  if (!files.changeable_by_others(found.path)) return {};
  // The topmost one, by which those below are changeable too; behind a link there is another way.
  for (const std::string& path : {found.path, found.real_path}) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      std::string directory = path.substr(0, slash);
      if (files.changeable_by_others(directory)) return directory;
    }
    if (!files.is_symlink(path) && files.changeable_by_others(path)) return path;
  }
  return found.path;
}

bool is_system_program(const ExecutableLookup& found, const EngineContext& context) {
  return found.found && is_system_directory_file(found.real_path) &&
         !context.files->changeable_by_others(found.path);
}

bool name_leads_to_path(const ExecutableLookup& program, const std::string& cwd,
                        const Environment& environment, const EngineContext& context) {
  if (!program.found || !program.path_like || !is_absolute_path(program.word, context.platform)) return false;
  const ExecutableLookup named = look_up_executable(program.name, cwd, environment, context);
  if (!named.found || named.path_like) return false;
  const auto form = [&](const std::string& path) {
    return context.platform == Platform::kWindows ? windows_form(path) : path;
  };
  const bool same = form(program.path) == form(named.path) || form(program.path) == form(named.real_path);
  return same && form(program.real_path) == form(named.real_path) &&
         !context.files->changeable_by_others(named.path);
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
