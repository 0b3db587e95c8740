// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/control_group.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <string_view>

#include "base/text.h"
#include "node-host/system/process/proc_files.h"

namespace hostclaw::node_host {
namespace {

constexpr std::string_view kRunPrefix = "run-";
constexpr std::size_t kMostGroupText = 1 << 20;
// A run may make groups of its own below its group; it shall not keep us busy with them.
constexpr int kDeepest = 8;
constexpr std::size_t kMostGroups = 256;
// How many groups that something still ran in are looked at each time.
constexpr std::size_t kTriedAtOnce = 4;

bool write_text(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return false;
  ssize_t written;
  do {
    written = ::write(file.get(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  return written == static_cast<ssize_t>(text.size());
}

std::vector<std::int64_t> processes_in(const std::string& group) {
  std::vector<std::int64_t> pids;
  for (const std::string& line : split(read_proc_file(group + "/cgroup.procs", kMostGroupText), '\n')) {
    // 0: a process that is not visible from here.
    if (const std::int64_t pid = std::strtoll(line.c_str(), nullptr, 10); pid > 0) pids.push_back(pid);
  }
  return pids;
}

// The number behind `name` in lines of "NAME NUMBER".
std::optional<std::uint64_t> number_of(std::string_view name, const std::string& text) {
  for (const std::string& line : split(text, '\n')) {
    if (!line.starts_with(name) || line.size() <= name.size() + 1 || line[name.size()] != ' ') continue;
    const char* digits = line.c_str() + name.size() + 1;
    char* end = nullptr;
    const unsigned long long value = std::strtoull(digits, &end, 10);
    if (end != digits) return value;
  }
  return std::nullopt;
}

bool has_word(const std::string& text, std::string_view word) {
  const std::vector<std::string> words = split(std::string(trim(text)), ' ');
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Each group below `group`, the inner ones first, then itself.
void for_each_group(const std::string& group, const std::function<void(const std::string&)>& act) {
  std::size_t left = kMostGroups;
  const std::function<void(const std::string&, int)> walk = [&](const std::string& path, int depth) {
    if (const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
        directory && depth < kDeepest) {
      while (const dirent* item = ::readdir(directory.get())) {
        if (item->d_type != DT_DIR || item->d_name[0] == '.' || left == 0) continue;
        --left;
        walk(path + "/" + item->d_name, depth + 1);
      }
    }
    act(path);
  };
  walk(group, 0);
}

// True when it is gone.
bool remove_group(const std::string& group) {
  if (::rmdir(group.c_str()) == 0 || errno == ENOENT) return true;
  if (number_of("populated", read_proc_file(group + "/cgroup.events", 4096)).value_or(1) != 0) return false;
  for_each_group(group, [](const std::string& path) { ::rmdir(path.c_str()); });
  return ::access(group.c_str(), F_OK) != 0;
}

// Where version 2 is mounted: alone, or beside version 1.
std::string unified_root() {
  for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    struct statfs system {};
    if (::statfs(root, &system) == 0 && system.f_type == CGROUP2_SUPER_MAGIC) return root;
  }
  return {};
}

std::string own_group() {
  const std::string root = unified_root();
  if (root.empty()) return {};
  for (const std::string& line : split(read_proc_file("/proc/self/cgroup", kMostGroupText), '\n')) {
    // "/" may be the root of a namespace, whoever owns it.
    if (line.starts_with("0::/") && line.size() > 4 && line.find("/..") == std::string::npos)
      return root + line.substr(3);
  }
  return {};
}

// systemd says so on the group; the second is of versions before 251 and needs root to be read.
bool is_delegated(const std::string& group) {
  for (const char* name : {"user.delegate", "trusted.delegate"}) {
    char value[2] = {};
    if (::getxattr(group.c_str(), name, value, sizeof value) == 1 && value[0] == '1') return true;
  }
  return false;
}

}  // namespace

struct ControlGroup::Shared {
  std::string directory;
  std::string prefix{kRunPrefix};
  std::uint64_t next = 1;
  std::vector<std::string> left;  // groups in which something still ran
  std::size_t look_at = 0;        // of `left`, in turns

  void remove_or_keep(const std::string& path) {
    if (!remove_group(path)) left.push_back(path);
  }

  void remove_what_is_over() {
    for (std::size_t tried = 0; tried < kTriedAtOnce && !left.empty(); ++tried) {
      look_at %= left.size();
      if (!remove_group(left[look_at])) {
        ++look_at;
        continue;
      }
      left[look_at] = std::move(left.back());
      left.pop_back();
    }
  }
};

ControlGroup::ControlGroup(std::shared_ptr<Shared> shared, std::string path, UniqueFd directory)
    : shared_(std::move(shared)), path_(std::move(path)), directory_(std::move(directory)) {}

ControlGroup::~ControlGroup() { shared_->remove_or_keep(path_); }

std::vector<std::int64_t> ControlGroup::members() const {
  std::vector<std::int64_t> all;
  for_each_group(path_, [&all](const std::string& group) {
    const std::vector<std::int64_t> pids = processes_in(group);
    all.insert(all.end(), pids.begin(), pids.end());
  });
  return all;
}

bool ControlGroup::empty() const {
  return number_of("populated", read_proc_file(path_ + "/cgroup.events", 4096)).value_or(0) == 0;
}

bool ControlGroup::kill_all() const { return write_text(path_ + "/cgroup.kill", "1"); }

ResourceUse ControlGroup::use() const {
  ResourceUse used;
  used.of = ResourceUse::Of::kGroup;
  if (const auto cpu = number_of("usage_usec", read_proc_file(path_ + "/cpu.stat", 65'536)))
    used.cpu = std::chrono::microseconds(*cpu);
  const std::string peak = read_proc_file(path_ + "/memory.peak", 64);
  char* end = nullptr;
  const unsigned long long bytes = std::strtoull(peak.c_str(), &end, 10);
  if (end != peak.c_str() && bytes > 0) used.peak_memory_bytes = bytes;
  return used;
}

namespace {

std::vector<std::string> groups_named(const std::string& directory, std::string_view prefix) {
  std::vector<std::string> paths;
  const std::unique_ptr<DIR, int (*)(DIR*)> groups(::opendir(directory.c_str()), ::closedir);
  while (const dirent* item = groups ? ::readdir(groups.get()) : nullptr) {
    if (item->d_type == DT_DIR && std::string_view(item->d_name).starts_with(prefix))
      paths.push_back(directory + "/" + item->d_name);
  }
  return paths;
}

}  // namespace

ControlGroups::ControlGroups(std::string directory) : shared_(std::make_shared<ControlGroup::Shared>()) {
  shared_->directory = std::move(directory);
  // Of an earlier process.
  for (const std::string& path : groups_named(shared_->directory, kRunPrefix)) shared_->remove_or_keep(path);
}

ControlGroups::ControlGroups(std::string directory, std::string prefix)
    : shared_(std::make_shared<ControlGroup::Shared>()) {
  shared_->directory = std::move(directory);
  shared_->prefix = std::move(prefix);
}

void ControlGroups::end_all() const {
  for (const std::string& path : groups_named(shared_->directory, kRunPrefix))
    write_text(path + "/cgroup.kill", "1");
}

void ControlGroups::remove_those(const std::string& prefix, bool end) const {
  for (const std::string& path : groups_named(shared_->directory, prefix)) {
    if (end) write_text(path + "/cgroup.kill", "1");
    remove_group(path);
  }
}

std::shared_ptr<ControlGroups> ControlGroups::of_this_service() {
  const std::string service = own_group();
  if (service.empty() || !is_delegated(service)) return nullptr;
  // Others would stay where controllers allow nobody to be, and may have plans of their own for this group.
  if (processes_in(service) != std::vector<std::int64_t>{::getpid()}) return nullptr;
  const std::string own = service + "/" + kNodeGroupName;
  if (::mkdir(own.c_str(), 0755) != 0 && errno != EEXIST) return nullptr;
  if (!write_text(own + "/cgroup.procs", "0")) {
    ::rmdir(own.c_str());
    return nullptr;
  }
  // Refused where the memory controller is not delegated: then there are no figures of memory.
  if (has_word(read_proc_file(service + "/cgroup.controllers", 4096), "memory"))
    write_text(service + "/cgroup.subtree_control", "+memory");
  auto groups = std::make_shared<ControlGroups>(service);
  // The unit ends this process alone, so that jobs go on; whatever else an earlier one left ends now.
  groups->end_all();
  return groups;
}

std::unique_ptr<ControlGroup> ControlGroups::make() {
  shared_->remove_what_is_over();
  std::string path;
  do {
    path = shared_->directory + "/" + shared_->prefix + std::to_string(shared_->next++);
    if (::mkdir(path.c_str(), 0755) == 0) break;
    path.clear();
  } while (errno == EEXIST);
  if (path.empty()) return nullptr;
  UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) {
    ::rmdir(path.c_str());
    return nullptr;
  }
  return std::unique_ptr<ControlGroup>(new ControlGroup(shared_, std::move(path), std::move(directory)));
}

const std::string& ControlGroups::directory() const { return shared_->directory; }

std::size_t ControlGroups::left() const {
  shared_->remove_what_is_over();
  return shared_->left.size();
}

}  // namespace hostclaw::node_host
