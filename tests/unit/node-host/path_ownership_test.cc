// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/files/path_ownership.h"

#include <filesystem>

#include "node-host/system/files/file_handles.h"
#include "node-host/system/files/file_writers.h"
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

TEST_CASE("one of many names of a file is told by the other names beside it") {
  TemporaryDirectory directory;
  directory.write("multi", "x", 0755);
  const auto link = [&](const char* name, const char* target) {
    std::filesystem::create_symlink(target, directory / name);
  };
  link("one", "multi");
  CHECK_FALSE(is_one_of_many_names(directory / "one"));
  link("two", "one");
  CHECK_FALSE(is_one_of_many_names(directory / "one"));
  link("three", "multi");
  CHECK(is_one_of_many_names(directory / "one"));
  CHECK(is_one_of_many_names(directory / "two"));
  directory.write("python3.11", "x", 0755);
  for (const char* version : {"python3", "python", "python3.11-1"}) link(version, "python3.11");
  CHECK_FALSE(is_one_of_many_names(directory / "python3"));
  CHECK_FALSE(is_one_of_many_names(directory / "nothing"));
  OpenedFiles files;
  CHECK(files.is_one_of_many_names(directory / "two"));
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

TEST_CASE("who can write a file is told with its owner and its mode") {
  TemporaryDirectory directory;
  const std::string me = ::geteuid() == 0 ? "root" : "uid " + std::to_string(::geteuid());
  const FileWriters closed = file_writers(directory.write("closed", "x", 0755));
  CHECK(closed.known);
  CHECK(closed.owner == me);
  CHECK(closed.mode == "0755");
  CHECK(closed.writers == (::geteuid() == 0 ? std::vector<std::string>{} : std::vector<std::string>{me}));
  CHECK_FALSE(closed.others_can_change);

  const FileWriters open = file_writers(directory.write("open", "x", 0777));
  CHECK(open.writers.back() == "everyone");
  CHECK(open.others_can_change);

  directory.make_directory("shared", 0777);
  const FileWriters replaceable = file_writers(directory.write("shared/tool", "x", 0755));
  CHECK(replaceable.writers.back() == "everyone");
  CHECK(replaceable.others_can_change);

  directory.make_directory("sticky", 01777);
  CHECK_FALSE(file_writers(directory.write("sticky/tool", "x", 0755)).others_can_change);

  const FileWriters nothing = file_writers(directory / "nothing");
  CHECK_FALSE(nothing.known);
  CHECK(nothing.writers.empty());

  if (::geteuid() != 0) return;  // needs chown
  const std::string others = directory.write("others", "x", 0775);
  REQUIRE(::chown(others.c_str(), 1234, 50) == 0);
  const FileWriters found = file_writers(others);
  CHECK(found.owner == "uid 1234");
  CHECK(found.writers == std::vector<std::string>{"uid 1234", "group 50"});
  CHECK(found.others_can_change);
}

TEST_CASE("who can write a file is told of the file that was opened, whatever its path leads to now") {
  TemporaryDirectory directory;
  const std::string path = directory.write("tool", "x", 0755);
  OpenedFiles files;
  CHECK(files.facts(path).kind == policy::FileKind::kRegular);
  std::filesystem::remove(path);
  directory.write("tool", "y", 0777);
  CHECK(file_writers(path, files.descriptor(path)).mode == "0755");
}

}  // namespace
}  // namespace hostclaw::node_host
