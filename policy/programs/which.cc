// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "policy/model/engine_context.h"
#include "policy/request/command_text.h"
#include "policy/request/environment.h"
#include "policy/windows/windows_files.h"

namespace hostclaw::policy {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::vector<std::string> extensions_of(const Environment& environment, Platform platform) {
  std::vector<std::string> out = {""};
  if (platform == Platform::kPosix) return out;
  const std::string* variable = find_variable(environment, "PATHEXT", platform);
  for (const std::string& extension : split(variable != nullptr ? *variable : ".EXE;.CMD;.BAT;.COM", ';')) {
    if (!trim(extension).empty()) out.push_back(to_lower_ascii(trim(extension)));
  }
  return out;
}

// Existence is enough here, even of a directory: that is what callers of upstream see.
std::string first_existing(const std::string& name, const Environment& environment,
                           const EngineContext& context) {
  const bool windows = context.platform == Platform::kWindows;
  const std::string* path = find_variable(environment, "PATH", context.platform);
  if (path == nullptr) path = find_variable(environment, "Path", context.platform);
  for (const std::string& directory : split(path != nullptr ? *path
                                            : windows       ? ""
                                                            : kDefaultPath,
                                            windows ? ';' : ':')) {
    if (directory.empty() || (windows && !is_absolute_path(directory, context.platform))) continue;
    for (const std::string& extension : extensions_of(environment, context.platform)) {
      const std::string given = directory + "/" + name + extension;
      const std::string joined =
          windows ? absolute_path(context.host_cwd, given, context.platform) : normalize_path(given);
      if (context.files->facts(absolute_path(context.host_cwd, joined, context.platform)).kind !=
          FileKind::kMissing) {
        return windows ? with_backslashes(joined) : joined;
      }
    }
  }
  return {};
}

}  // namespace

Result<Json> which(const Json& params, const EngineContext& given) {
  const LocalContext local(given);
  const EngineContext& context = local.get();
  const auto bins = params.is_object() ? params.find("bins") : params.end();
  if (!params.is_object() || bins == params.end() || !bins->is_array()) {
    return make_error("INVALID_REQUEST", "Error: INVALID_REQUEST: bins required");
  }
  const Environment environment = sanitized_environment(context.host_environment, context.platform);
  Json found = Json::object();
  for (const Json& item : *bins) {
    if (!item.is_string()) continue;
    const std::string name(trim(item.get_ref<const std::string&>()));
    if (name.empty() || name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) continue;
    const std::string path = first_existing(name, environment, context);
    if (!path.empty()) found[name] = path;
  }
  return Json{{"bins", std::move(found)}};
}

}  // namespace hostclaw::policy
