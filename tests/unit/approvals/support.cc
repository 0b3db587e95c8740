#include "support.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace hostclaw::approvals::testing {

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "hostclaw-test.XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::permissions(path_, std::filesystem::perms::owner_all, ignored);
  std::filesystem::remove_all(path_, ignored);
}

pid_t start_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  int status = 99;
  try {
    status = body();
  } catch (...) {
    status = 98;
  }
  ::_exit(status);
}

int wait_for_child(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int in_child(const std::function<int()>& body) { return wait_for_child(start_child(body)); }

bool can_change_user() { return ::geteuid() == 0; }

void become_other_user() {
  if (::setgroups(0, nullptr) != 0 || ::setgid(kOtherUser) != 0 || ::setuid(kOtherUser) != 0) ::_exit(97);
}

bool can_mount() {
  return in_child([] {
           if (::unshare(CLONE_NEWNS) != 0) return 1;
           return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 ? 0 : 1;
         }) == 0;
}

void mount_small_file_system(const std::string& directory, const std::string& options) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", directory.c_str(), "tmpfs", 0, options.c_str()) != 0) {
    ::_exit(96);
  }
}

void remount_read_only(const std::string& directory) {
  if (::mount("tmpfs", directory.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) != 0) ::_exit(95);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
  ::chmod(path.c_str(), 0600);
}

unsigned mode_of(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777U : 0;
}

std::unique_ptr<Store> open_store(const std::string& directory, OpenMode mode, const StoreOptions& options) {
  return must(Store::open(directory, mode, options));
}

std::string open_code(const std::string& directory, OpenMode mode, const StoreOptions& options) {
  const auto opened = Store::open(directory, mode, options);
  return opened ? "opened" : opened.error().code;
}

std::string setting_text(Store& store, const std::string& key) {
  const auto value = store.setting(key);
  if (!value) return value.error().code;
  return value->has_value() ? dump_json(**value) : "absent";
}

void run_sql(const std::string& file, const std::string& sql) {
  std::filesystem::create_directories(std::filesystem::path(file).parent_path());
  sqlite3* handle = nullptr;
  if (sqlite3_open(file.c_str(), &handle) != SQLITE_OK) throw std::runtime_error("cannot open " + file);
  char* message = nullptr;
  const int code = sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &message);
  const std::string told = message == nullptr ? "" : message;
  sqlite3_free(message);
  sqlite3_close(handle);
  ::chmod(file.c_str(), 0600);
  if (code != SQLITE_OK) throw std::runtime_error(told);
}

}  // namespace hostclaw::approvals::testing
