// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/files/path_ownership.h"
#include "test_support.h"

namespace hostclaw::node_host {
namespace {

using policy::FileKind;

TEST_CASE("facts of a regular file are those of stat") {
  TemporaryDirectory directory;
  const auto path = directory.write("tool", "#!/bin/sh\n", 0755);
  OpenedFiles files;
  const auto facts = files.facts(path);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK(facts.kind == FileKind::kRegular);
  CHECK(facts.executable);
  CHECK(facts.real_path == path);
  CHECK(facts.identity.known);
  CHECK(facts.identity.device == status.st_dev);
  CHECK(facts.identity.inode == status.st_ino);
  CHECK(facts.identity.size == 10);
  CHECK(facts.identity.owner == ::geteuid());
  CHECK(facts.mutable_by_us);
  CHECK(facts.error == 0);
}

TEST_CASE("a file without an execute bit is not executable") {
  TemporaryDirectory directory;
  OpenedFiles files;
  CHECK_FALSE(files.facts(directory.write("data", "x", 0644)).executable);
}

TEST_CASE("a directory is a directory and not an executable file") {
  TemporaryDirectory directory;
  OpenedFiles files;
  const auto facts = files.facts(directory.path());
  CHECK(facts.kind == FileKind::kDirectory);
  CHECK_FALSE(facts.executable);
}

TEST_CASE("the real path has its symlinks resolved") {
  TemporaryDirectory directory;
  const auto target = directory.write("target", "x");
  const auto link = directory.link("link", target);
  OpenedFiles files;
  CHECK(files.facts(link).real_path == target);
  CHECK(files.is_symlink(link));
  CHECK_FALSE(files.is_symlink(target));
  CHECK_FALSE(files.is_symlink(directory / "nothing"));
}

TEST_CASE("a file that was judged through a link is the same file by its real path, and a swap is seen") {
  TemporaryDirectory directory;
  const auto target = directory.write("target", "x", 0755);
  const auto link = directory.link("link", target);
  OpenedFiles files;
  const auto judged = files.facts(link);
  std::filesystem::rename(directory.write("new", "other", 0755), target);
  CHECK(files.identity(target) == judged.identity);
  CHECK(files.descriptor(target) == files.descriptor(link));
  CHECK(files.facts(target).identity == judged.identity);
  CHECK_FALSE(files.unchanged(target));
  CHECK_FALSE(files.unchanged(link));
}

TEST_CASE("who could change a path is asked for each path") {
  TemporaryDirectory directory;
  directory.make_directory("closed");
  const auto target = directory.write("closed/target", "x", 0755);
  directory.make_directory("open", 0777);
  const auto link = directory.link("open/link", target);
  OpenedFiles files;
  CHECK(files.facts(link).real_path == target);
  const auto by_real_path = files.facts(target);
  CHECK(by_real_path.writable_by_others == path_exposure(target).writable_by_others);
  CHECK(by_real_path.mutable_by_us == path_exposure(target).mutable_by_us);
}

TEST_CASE("the real path of the root, of a way back up and of a link to either is found") {
  TemporaryDirectory directory;
  directory.make_directory("a");
  const auto up = directory.link("a/up", "..");
  const auto root = directory.link("a/root", "/");
  OpenedFiles files;
  CHECK(files.facts("/").real_path == "/");
  CHECK(files.facts(directory / "a/..").real_path == directory.path());
  CHECK(files.facts(up).real_path == directory.path());
  CHECK(files.facts(root).real_path == "/");
  CHECK(files.facts("//usr/./bin//").real_path == "/usr/bin");
}

TEST_CASE("a symlink with a trailing slash is still a symlink") {
  TemporaryDirectory directory;
  const auto link = directory.link("link", directory.make_directory("real"));
  OpenedFiles files;
  CHECK(files.is_symlink(link + "/"));
}

TEST_CASE("what cannot be found is missing, with the error") {
  TemporaryDirectory directory;
  const auto file = directory.write("file", "x");
  OpenedFiles files;
  CHECK(files.facts(directory / "nothing").kind == FileKind::kMissing);
  CHECK(files.facts(directory / "nothing").error == ENOENT);
  CHECK(files.facts(file + "/below").error == ENOTDIR);
  CHECK(files.facts("relative").kind == FileKind::kMissing);
  CHECK(files.facts("").kind == FileKind::kMissing);
  CHECK(files.descriptor(directory / "nothing") == -1);
}

TEST_CASE("a path with a NUL byte does not name the part before it") {
  TemporaryDirectory directory;
  const auto file = directory.write("file", "x");
  OpenedFiles files;
  const std::string path = file + std::string("\0.txt", 5);
  CHECK(files.facts(path).kind == FileKind::kMissing);
  CHECK_FALSE(files.unchanged(file));
  CHECK(files.unchanged(path));
}

TEST_CASE("a symlink loop is missing") {
  TemporaryDirectory directory;
  const auto loop = directory.link("loop", "loop");
  OpenedFiles files;
  CHECK(files.facts(loop).kind == FileKind::kMissing);
}

TEST_CASE("a fifo is looked at without being opened for reading") {
  TemporaryDirectory directory;
  REQUIRE(::mkfifo((directory / "fifo").c_str(), 0600) == 0);
  OpenedFiles files;
  CHECK(files.facts(directory / "fifo").kind == FileKind::kOther);
  CHECK(files.head(directory / "fifo", 2).empty());
  CHECK_FALSE(files.content_sha256(directory / "fifo"));
}

TEST_CASE("an untouched file is unchanged") {
  TemporaryDirectory directory;
  const auto path = directory.write("file", "x");
  OpenedFiles files;
  files.facts(path);
  CHECK(files.unchanged(path));
}

TEST_CASE("a file that was never looked at is not unchanged") {
  TemporaryDirectory directory;
  OpenedFiles files;
  CHECK_FALSE(files.unchanged(directory.write("file", "x")));
}

TEST_CASE("content written after the look is a change, also with size and time put back") {
  TemporaryDirectory directory;
  const auto path = directory.write("file", "good");
  OpenedFiles files;
  files.facts(path);
  struct stat before {};
  REQUIRE(::stat(path.c_str(), &before) == 0);
  // Until the clock that stamps files has moved on.
  for (struct stat now = before;
       now.st_ctim.tv_nsec == before.st_ctim.tv_nsec && now.st_ctim.tv_sec == before.st_ctim.tv_sec;) {
    directory.write("file", "evil");
    const timespec times[2] = {before.st_atim, before.st_mtim};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    REQUIRE(::stat(path.c_str(), &now) == 0);
  }
  CHECK_FALSE(files.unchanged(path));
}

TEST_CASE("another mode is a change") {
  TemporaryDirectory directory;
  const auto path = directory.write("file", "x", 0755);
  OpenedFiles files;
  files.facts(path);
  ::chmod(path.c_str(), 0700);
  CHECK_FALSE(files.unchanged(path));
}

TEST_CASE("another file at the same path is a change") {
  TemporaryDirectory directory;
  const auto path = directory.write("file", "x");
  OpenedFiles files;
  files.facts(path);
  std::filesystem::rename(directory.write("other", "x"), path);
  CHECK_FALSE(files.unchanged(path));
}

TEST_CASE("a symlink that leads elsewhere now is a change") {
  TemporaryDirectory directory;
  const auto link = directory.link("link", directory.write("one", "x"));
  OpenedFiles files;
  files.facts(link);
  std::filesystem::remove(link);
  directory.link("link", directory.write("two", "x"));
  CHECK_FALSE(files.unchanged(link));
}

TEST_CASE("a removed file is a change and an appeared one too") {
  TemporaryDirectory directory;
  const auto path = directory.write("file", "x");
  OpenedFiles files;
  files.facts(path);
  files.facts(directory / "later");
  CHECK(files.unchanged(directory / "later"));
  std::filesystem::remove(path);
  directory.write("later", "x");
  CHECK_FALSE(files.unchanged(path));
  CHECK_FALSE(files.unchanged(directory / "later"));
}

TEST_CASE("a directory is unchanged when files in it come and go, and changed when it is replaced") {
  TemporaryDirectory directory;
  const auto path = directory.make_directory("work");
  OpenedFiles files;
  files.facts(path);
  directory.write("work/new", "x");
  CHECK(files.unchanged(path));
  std::filesystem::rename(path, directory / "moved");
  directory.make_directory("work");
  CHECK_FALSE(files.unchanged(path));
}

TEST_CASE("a second look answers from the first file") {
  TemporaryDirectory directory;
  const auto path = directory.write("file", "first");
  OpenedFiles files;
  const auto first = files.facts(path);
  std::filesystem::rename(directory.write("other", "second"), path);
  CHECK(files.facts(path).identity == first.identity);
  CHECK(files.head(path, 99) == "first");
  CHECK(files.content_sha256(path) == sha256_hex("first"));
}

TEST_CASE("a file that would be read for ever has no digest, and one of a common size has") {
  TemporaryDirectory directory;
  const std::string huge = directory.write("huge", "");
  // Nothing but a hole: it takes no space, and reading it would take an hour.
  REQUIRE(::truncate(huge.c_str(), off_t{1} << 40) == 0);
  const std::string common = directory.write("common", "");
  REQUIRE(::truncate(common.c_str(), off_t{1} << 20) == 0);
  OpenedFiles files;
  CHECK_FALSE(files.content_sha256(huge).has_value());
  CHECK_FALSE(files.has_content(huge, std::string(64, '0')));
  CHECK(files.content_sha256(common).has_value());
}

TEST_CASE("the digest follows the content when it is written to again") {
  TemporaryDirectory directory;
  const auto path = directory.write("file", "one");
  OpenedFiles files;
  CHECK(files.content_sha256(path) == sha256_hex("one"));
  directory.write("file", "three");
  CHECK(files.content_sha256(path) == sha256_hex("three"));
}

TEST_CASE("head is cut to what was asked for") {
  TemporaryDirectory directory;
  OpenedFiles files;
  const auto path = directory.write("file", "#!/bin/sh\n");
  CHECK(files.head(path, 2) == "#!");
  CHECK(files.head(path, 0).empty());
  CHECK(files.head(directory / "nothing", 2).empty());
}

TEST_CASE("kept descriptors close on exec") {
  TemporaryDirectory directory;
  const auto path = directory.write("file", "x");
  OpenedFiles files;
  files.facts(path);
  REQUIRE(files.descriptor(path) >= 0);
  CHECK((::fcntl(files.descriptor(path), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a moved descriptor has one owner") {
  UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = first.get();
  UniqueFd second(std::move(first));
  CHECK_FALSE(first);
  CHECK(second.get() == number);
  second.reset();
  CHECK(::fcntl(number, F_GETFD) == -1);
}

}  // namespace
}  // namespace hostclaw::node_host
