#include "node-host/system/path_ownership.h"
#include "test_support.h"

namespace hostclaw::node_host {
namespace {

TEST_CASE("a file that group or world can write is writable by others") {
  TemporaryDirectory directory;
  CHECK(path_exposure(directory.write("open", "x", 0666)).writable_by_others);
  CHECK(path_exposure(directory.write("group", "x", 0664)).writable_by_others);
  CHECK_FALSE(path_exposure(directory.write("closed", "x", 0755)).writable_by_others);
}

TEST_CASE("a file in a directory that world can write is writable by others") {
  TemporaryDirectory directory;
  directory.make_directory("open", 0777);
  directory.make_directory("sticky", 01777);
  CHECK(path_exposure(directory.write("open/file", "x")).writable_by_others);
  CHECK(path_exposure(directory.write("sticky/file", "x")).writable_by_others);
}

TEST_CASE("what cannot be seen counts as exposed") {
  TemporaryDirectory directory;
  CHECK(path_exposure(directory / "nothing").mutable_by_us);
  CHECK(path_exposure(directory / "nothing").writable_by_others);
}

TEST_CASE("our own file is mutable by us") {
  TemporaryDirectory directory;
  CHECK(path_exposure(directory.write("file", "x", 0400)).mutable_by_us);
}

TEST_CASE("a path that only the owner of the file can re-point is as safe as its content") {
  TemporaryDirectory directory;
  CHECK(path_as_safe_as_content(directory.write("script", "x", 0755)));
  CHECK(path_as_safe_as_content("/usr/bin/env"));
}

TEST_CASE("a path through a directory that others can write is less safe than the content") {
  TemporaryDirectory directory;
  directory.make_directory("open", 0777);
  CHECK_FALSE(path_as_safe_as_content(directory.write("open/script", "x", 0755)));
}

TEST_CASE("a symlink is as safe as the directory that holds it") {
  TemporaryDirectory directory;
  directory.make_directory("open", 0777);
  const auto script = directory.write("script", "x", 0755);
  CHECK(path_as_safe_as_content(directory.link("link", script)));
  CHECK_FALSE(path_as_safe_as_content(directory.link("open/link", script)));
}

TEST_CASE("a sticky directory protects the entries of trusted owners") {
  TemporaryDirectory directory;
  directory.make_directory("sticky", 01777);
  CHECK(path_as_safe_as_content(directory.write("sticky/script", "x", 0755)));
}

TEST_CASE("a script of another owner in our directory is less safe than its content") {
  if (::geteuid() != 0) return;  // needs chown
  TemporaryDirectory directory;
  const auto home = directory.make_directory("home");
  const auto script = directory.write("home/script", "x", 0755);
  REQUIRE(::chown(home.c_str(), 65534, 65534) == 0);
  CHECK_FALSE(path_as_safe_as_content(script));
  REQUIRE(::chown(script.c_str(), 65534, 65534) == 0);
  CHECK(path_as_safe_as_content(script));
}

}  // namespace
}  // namespace hostclaw::node_host
