// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/instance_lock.h"

#include <sys/file.h>

#include <thread>

#include "test_support.h"

namespace hostclaw::node_host {
namespace {

TEST_CASE("one node per state directory, and whoever asks is told which") {
  TemporaryDirectory directory;
  {
    const auto first = InstanceLock::acquire(directory.path());
    REQUIRE(first.has_value());
    first->note("a note");
    const auto holder = InstanceLock::holder(directory.path());
    REQUIRE(holder.has_value());
    CHECK(holder->pid == process_id());
    CHECK(holder->note == "a note");
    const auto second = InstanceLock::acquire(directory.path());
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == "ALREADY_RUNNING");
    CHECK(second.error().message.find(std::to_string(process_id())) != std::string::npos);
  }
  CHECK_FALSE(InstanceLock::holder(directory.path()).has_value());
  CHECK(InstanceLock::acquire(directory.path()).has_value());
  CHECK(InstanceLock::acquire(directory / "nothing").error().code == "STORE_IO");
  CHECK_FALSE(InstanceLock::holder(directory / "nothing").has_value());
}

TEST_CASE("deleting node.lock lets no second node start") {
  TemporaryDirectory directory;
  const auto first = InstanceLock::acquire(directory.path());
  REQUIRE(first.has_value());
  std::filesystem::remove(directory / "node.lock");
  CHECK(InstanceLock::holder(directory.path()).has_value());
  CHECK(InstanceLock::acquire(directory.path()).error().code == "ALREADY_RUNNING");
  // What the refused one left behind does not change that.
  CHECK(InstanceLock::acquire(directory.path()).error().code == "ALREADY_RUNNING");
}

TEST_CASE("a node of an older version holds node.lock alone, and that is enough") {
  TemporaryDirectory directory;
  const UniqueFd older(::open(directory.write("node.lock", "123", 0600).c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::flock(older.get(), LOCK_EX | LOCK_NB) == 0);
  const auto holder = InstanceLock::holder(directory.path());
  REQUIRE(holder.has_value());
  CHECK(holder->pid == 123);
  CHECK(InstanceLock::acquire(directory.path()).error().code == "ALREADY_RUNNING");
}

TEST_CASE("whoever looks for a moment keeps no node from starting") {
  TemporaryDirectory directory;
  const UniqueFd looking(::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::flock(looking.get(), LOCK_SH | LOCK_NB) == 0);
  std::thread ends([&looking] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    ::flock(looking.get(), LOCK_UN);
  });
  CHECK(InstanceLock::acquire(directory.path()).has_value());
  ends.join();
}

}  // namespace
}  // namespace hostclaw::node_host
