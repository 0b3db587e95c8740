// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/shim.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>

#include "base/json.h"
#include "base/text.h"
#include "hostlink/client/local_files.h"

namespace hostclaw::hostlink {
namespace {

std::string environment_text(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string read_link(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
  return size <= 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(size));
}

// This program's file, which the links lead to.
std::string client_file() { return read_link("/proc/self/exe"); }

bool is_link(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

Error shim_error(std::string message, std::string next = {}) {
  return make_error("LOCAL_FILE", std::move(message), std::move(next));
}

Result<void> install_one(const std::string& folder, const std::string& name, const std::string& client) {
  const std::string path = joined(folder, name);
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!is_shim(path, client)) return shim_error(path + " is there already, and no shim of this client");
    if (read_link(path) == client) return {};
  }
  // Under another name first: whoever calls the program meanwhile finds the old link or the new one.
  const std::string temporary = joined(folder, "." + name + ".hostlink-" + random_text(6));
  if (::symlink(client.c_str(), temporary.c_str()) != 0) return local_file_error("make", path, errno);
  if (::rename(temporary.c_str(), path.c_str()) == 0) return {};
  const int error = errno;
  ::unlink(temporary.c_str());
  return local_file_error("make", path, error);
}

Result<void> remove_one(const std::string& folder, const std::string& name, const std::string& client) {
  const std::string path = joined(folder, name);
  if (!is_shim(path, client)) return shim_error(path + " is no shim of this client", "hostlink shim list");
  if (::unlink(path.c_str()) != 0) return local_file_error("remove", path, errno);
  return {};
}

std::vector<std::string> shims_in(const std::string& folder, const std::string& client) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(folder.c_str()), ::closedir);
  if (!opened) return names;
  while (const dirent* entry = ::readdir(opened.get())) {
    const std::string name = entry->d_name;
    if (is_shim_name(name) && is_shim(joined(folder, name), client)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Outcome list_shims(Session& session, const std::string& folder, const std::string& client) {
  std::string lines;
  std::string list = "[";
  for (const std::string& name : shims_in(folder, client)) {
    lines += name + "  " + joined(folder, name) + "\n";
    if (list.size() > 1) list += ',';
    list += JsonObjectText().add("name", name).add("path", joined(folder, name)).take();
  }
  return print(session.options.json ? list + "]\n" : lines);
}

}  // namespace

bool is_client_name(std::string_view name) { return name.starts_with("hostlink") && name != "hostlinkd"; }

bool is_shim_name(std::string_view name) {
  return !name.empty() && name.size() <= NAME_MAX && name[0] != '.' && name[0] != '-' &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos &&
         !name.starts_with("hostlink") && !name.starts_with("hostclaw");
}

std::string shim_folder(const Options& options) {
  if (!options.folder.empty()) return options.folder;
  if (std::string folder = environment_text("HOSTLINK_SHIM_DIR"); !folder.empty()) return folder;
  return ::geteuid() == 0 ? "/usr/local/bin" : joined(environment_text("HOME"), ".local/bin");
}

bool is_shim(const std::string& path, const std::string& client) {
  if (!is_link(path)) return false;
  const std::string target = read_link(path);
  if (target == client || is_client_name(base_name(target))) return true;
  struct stat ours {};
  struct stat theirs {};
  return ::stat(client.c_str(), &ours) == 0 && ::stat(path.c_str(), &theirs) == 0 &&
         ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

Outcome run_shim_command(Session& session) {
  const Error usage = make_error("USAGE", "shim needs a word of install NAME…, list, remove NAME…",
                                 "hostlink shim install docker");
  if (session.words.empty()) return report(session, usage);
  const std::string folder = shim_folder(session.options);
  const std::string client = client_file();
  const std::string& action = session.words[0];
  if (action == "list" && session.words.size() == 1) return list_shims(session, folder, client);
  if ((action != "install" && action != "remove") || session.words.size() < 2) return report(session, usage);
  // Under the name of a shim, another program could not tell that it is one.
  if (action == "install" && !is_client_name(base_name(client)))
    return report(session, shim_error("shims are links to the program `hostlink`, and this is " + client,
                                      "call the small client: hostlink shim install NAME"));
  if (action == "install") {
    if (const auto made = make_folders(folder); !made) return report(session, made.error());
  }
  for (std::size_t i = 1; i < session.words.size(); ++i) {
    const std::string& name = session.words[i];
    if (!is_shim_name(name))
      return report(session, make_error("USAGE", "a shim cannot have the name " + name));
    const auto done =
        action == "install" ? install_one(folder, name, client) : remove_one(folder, name, client);
    if (!done) return report(session, done.error());
    if (!session.options.json)
      print_message(session, (action == "install" ? "installed " : "removed ") + joined(folder, name));
  }
  return session.options.json ? list_shims(session, folder, client) : Outcome{};
}

Outcome run_as_shim(Session& session, const std::string& name, const std::vector<std::string>& arguments) {
  if (environment_text(kShimMarker) == name) {
    return report(session, shim_error("the shim " + name + " was started by itself: on the host " + name +
                                          " is this shim again",
                                      "remove it there: hostlink shim remove " + name));
  }
  session.options.env.emplace_back(kShimMarker, name);
  if (session.options.workdir.empty()) session.options.workdir = environment_text("HOSTLINK_WORKDIR");
  std::vector<std::string> argv{name};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_argv(session, std::move(argv), true);
}

}  // namespace hostclaw::hostlink
