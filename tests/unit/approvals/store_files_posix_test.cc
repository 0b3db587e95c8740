#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "approvals/store.h"
#include "processes.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

class UmaskScope {
 public:
  explicit UmaskScope(mode_t mask) : before_(::umask(mask)) {}
  ~UmaskScope() { ::umask(before_); }

 private:
  mode_t before_;
};

TEST_CASE("a new store is private whatever the umask says", "[store]") {
  const mode_t mask = GENERATE(mode_t{0}, mode_t{022}, mode_t{0277});
  TemporaryDirectory base;
  const std::string directory = base / "a/b/state";
  const UmaskScope scope(mask);
  auto store = open_store(directory);
  must(store->put_setting("key", "value"));
  CHECK(mode_of(base / "a") == 0700);
  CHECK(mode_of(directory) == 0700);
  CHECK(store->path() == directory + "/hostclaw.sqlite");
  CHECK(mode_of(store->path()) == 0600);
  CHECK(mode_of(store->path() + "-wal") == 0600);
  CHECK(mode_of(store->path() + "-shm") == 0600);
}

TEST_CASE("an existing empty directory of ours is closed", "[store]") {
  TemporaryDirectory base;
  ::chmod(base.path().c_str(), 0755);
  open_store(base.path());
  CHECK(mode_of(base.path()) == 0700);
}

TEST_CASE("a second store object in the same process does not disturb the first", "[store]") {
  // Closing a descriptor of the file would drop the first one's locks, and another process could then take
  // the log away.
  TemporaryDirectory base;
  auto first = open_store(base.path());
  must(first->put_setting("a", 1));
  open_store(base.path());
  open_store(base.path(), OpenMode::kReadOnly);
  const int status = in_child([&] {
    const auto other = Store::open(base.path(), OpenMode::kReadWrite);
    return other ? 0 : 1;
  });
  CHECK(status == 0);
  CHECK(::access((first->path() + "-wal").c_str(), F_OK) == 0);
  must(first->put_setting("a", 2));
  CHECK(setting_text(*open_store(base.path()), "a") == "2");
}

class VariableScope {
 public:
  VariableScope(const char* name, const char* value) : name_(name) {
    const char* before = std::getenv(name);
    if (before != nullptr) before_ = before;
    had_ = before != nullptr;
    if (value == nullptr) {
      ::unsetenv(name);
    } else {
      ::setenv(name, value, 1);
    }
  }
  ~VariableScope() {
    if (had_) {
      ::setenv(name_, before_.c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::string before_;
  bool had_ = false;
};

TEST_CASE("the state directory follows the environment in the documented order", "[store]") {
  const VariableScope home("HOME", "/home/someone");
  const VariableScope xdg("XDG_STATE_HOME", nullptr);
  const VariableScope openclaw("OPENCLAW_STATE_DIR", nullptr);
  const VariableScope own("HOSTCLAW_STATE_DIR", nullptr);
  CHECK(must(default_state_directory()) == "/home/someone/.local/state/hostclaw");
  ::setenv("XDG_STATE_HOME", "relative", 1);
  CHECK(must(default_state_directory()) == "/home/someone/.local/state/hostclaw");
  ::setenv("XDG_STATE_HOME", "/xdg/", 1);
  CHECK(must(default_state_directory()) == "/xdg/hostclaw");
  ::setenv("OPENCLAW_STATE_DIR", "/claw", 1);
  CHECK(must(default_state_directory()) == "/claw/hostclaw");
  ::setenv("HOSTCLAW_STATE_DIR", "/own/place/", 1);
  CHECK(must(default_state_directory()) == "/own/place");
}

TEST_CASE("root without a home keeps its state below /var/lib", "[store]") {
  if (::geteuid() != 0) {
    WARN("skipped: needs root");
    return;
  }
  const VariableScope home("HOME", nullptr);
  const VariableScope xdg("XDG_STATE_HOME", nullptr);
  const VariableScope openclaw("OPENCLAW_STATE_DIR", nullptr);
  const VariableScope own("HOSTCLAW_STATE_DIR", nullptr);
  CHECK(must(default_state_directory()) == "/var/lib/hostclaw");
}

}  // namespace
}  // namespace hostclaw::approvals
