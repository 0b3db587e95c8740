// SPDX-License-Identifier: Apache-2.0
// OpenedFiles on Windows: what a path leads to, and that it stays so.
#include "base/sha256.h"
#include "base/text.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/text/windows_text.h"
#include "windows_support.h"

namespace hostclaw::node_host {
namespace {

using policy::FileKind;

std::string short_path(const std::string& path) {
  wchar_t result[MAX_PATH];
  const DWORD size = ::GetShortPathNameW(wide(path).c_str(), result, MAX_PATH);
  return size > 0 && size < MAX_PATH ? from_wide({result, size}) : std::string();
}

TEST_CASE("facts of a program, a file and a directory") {
  TemporaryDirectory directory;
  OpenedFiles files;
  const auto program = files.facts(directory.write("tool.exe", "MZ1234"));
  CHECK(program.kind == FileKind::kRegular);
  CHECK(program.executable);
  CHECK(program.real_path == directory / "tool.exe");
  CHECK(program.identity.known);
  CHECK(program.identity.size == 6);
  CHECK(program.identity.modified_ns > 1'600'000'000'000'000'000);
  CHECK(program.identity.owner == 0);
  CHECK(program.error == 0);
  CHECK_FALSE(files.facts(directory.write("notes.txt", "x")).executable);
  CHECK_FALSE(files.facts(directory.write("exe", "x")).executable);
  const auto folder = files.facts(directory.make_directory("dir.exe"));
  CHECK(folder.kind == FileKind::kDirectory);
  CHECK_FALSE(folder.executable);
  CHECK(files.facts("C:\\").kind == FileKind::kDirectory);
  CHECK(files.facts("C:\\").real_path == "C:\\");
  const auto nothing = files.facts(directory / "nothing");
  CHECK(nothing.kind == FileKind::kMissing);
  CHECK(nothing.error == ENOENT);
  CHECK(nothing.real_path.empty());
}

TEST_CASE("two files have two identities and one file has one, however it is called") {
  TemporaryDirectory directory;
  const auto path = directory.write("A long name for a tool.exe", "MZ");
  const auto other = directory.write("other.exe", "MZ");
  OpenedFiles files;
  const auto identity = files.facts(path).identity;
  CHECK_FALSE(identity == files.facts(other).identity);
  std::vector<std::string> spellings{to_upper_ascii(path), to_lower_ascii(path), "\\\\?\\" + path,
                                     directory / "." + "\\x\\..\\A long name for a tool.exe"};
  const auto forward = [](std::string text) {
    for (char& c : text)
      if (c == '\\') c = '/';
    return text;
  };
  spellings.push_back(forward(path));
  const auto brief = short_path(path);
  if (!brief.empty() && brief != path) spellings.push_back(brief);
  CHECK(spellings.size() >= 5);
  for (const auto& spelling : spellings) {
    INFO(spelling);
    CHECK(files.facts(spelling).identity == identity);
    CHECK(files.facts(spelling).real_path == path);
  }
}

TEST_CASE("a short name is worked out to the long one") {
  TemporaryDirectory directory;
  const auto path = directory.write("A long name for a tool.exe", "MZ");
  const auto brief = short_path(path);
  REQUIRE_FALSE(brief.empty());
  REQUIRE(brief.find('~') != std::string::npos);  // else this volume has no short names
  OpenedFiles files;
  CHECK(files.facts(brief).real_path == path);
}

TEST_CASE("streams, devices and names that end in dots or spaces are missing, whatever is there") {
  TemporaryDirectory directory;
  const auto path = directory.write("tool.exe", "MZ");
  OpenedFiles files;
  for (const auto& asked : {path + ":stream", path + "::$DATA", path + ".", path + " ", path + "...",
                            directory / "NUL", directory / "con.exe", std::string("\\\\.\\") + path,
                            std::string("tool.exe"), std::string("C:tool.exe"), std::string("\\tool.exe")}) {
    INFO(asked);
    const auto facts = files.facts(asked);
    CHECK(facts.kind == FileKind::kMissing);
    CHECK(facts.error == ENOENT);
    CHECK(files.descriptor(asked) == -1);
    CHECK_FALSE(files.is_symlink(asked));
  }
}

TEST_CASE("while a file is held nobody writes, renames or removes it") {
  TemporaryDirectory directory;
  const auto path = directory.write("tool.exe", "MZ");
  {
    OpenedFiles files;
    REQUIRE(files.facts(path).kind == FileKind::kRegular);
    const UniqueFd writer = open_for_writing(path);
    const DWORD reason = ::GetLastError();
    CHECK_FALSE(writer);
    CHECK(reason == ERROR_SHARING_VIOLATION);
    CHECK_FALSE(remove_file(path));
    CHECK_FALSE(rename_file(path, directory / "gone.exe"));
    CHECK_FALSE(rename_file(directory.write("new.exe", "evil"), path));
    CHECK(files.unchanged(path));
    CHECK(read_file(path) == "MZ");
    // Another look is not a writer.
    OpenedFiles others;
    CHECK(others.facts(path).kind == FileKind::kRegular);
  }
  CHECK(open_for_writing(path));
  CHECK(remove_file(path));
}

TEST_CASE("after letting go a file may be written, and the scripts that are read later may not") {
  TemporaryDirectory directory;
  const auto tool = directory.write("tool.exe", "MZ");
  const auto script = directory.write("script.py", "print()");
  OpenedFiles files;
  files.facts(tool);
  files.facts(script);
  files.let_go_except({script});
  CHECK(open_for_writing(tool));
  CHECK_FALSE(open_for_writing(script));
  CHECK_FALSE(files.unchanged(tool));
  CHECK(files.unchanged(script));
}

TEST_CASE("a file that somebody has open for writing is busy and not judged") {
  TemporaryDirectory directory;
  const auto path = directory.write("tool.exe", "MZ");
  const UniqueFd writer = open_for_writing(path);
  REQUIRE(writer);
  OpenedFiles files;
  const auto facts = files.facts(path);
  CHECK(facts.kind == FileKind::kUnreadable);
  CHECK(facts.error == ETXTBSY);
  CHECK(files.descriptor(path) == -1);
}

TEST_CASE("a directory that is held keeps its name, and what is in it stays free") {
  TemporaryDirectory directory;
  const auto path = directory.make_directory("work");
  OpenedFiles files;
  REQUIRE(files.facts(path).kind == FileKind::kDirectory);
  CHECK_FALSE(rename_file(path, directory / "moved"));
  CHECK_FALSE(::RemoveDirectoryW(wide(path).c_str()) != 0);
  directory.write("work\\new.txt", "x");
  CHECK(files.unchanged(path));
  CHECK(remove_file(path + "\\new.txt"));
}

TEST_CASE("content and beginning are read through the handle") {
  TemporaryDirectory directory;
  const std::string text = std::string(100'000, 'a') + "end";
  const auto path = directory.write("tool.exe", text);
  OpenedFiles files;
  CHECK(files.content_sha256(path) == sha256_hex(text));
  CHECK(files.head(path, 4) == "aaaa");
  CHECK(files.head(path, 200'000) == text);
  CHECK(files.has_content(path, sha256_hex(text)));
  CHECK_FALSE(files.has_content(path, sha256_hex("other")));
  CHECK_FALSE(files.content_sha256(directory.path()));
  CHECK(files.head(directory / "nothing", 4).empty());
}

TEST_CASE("a missing file that appears has changed") {
  TemporaryDirectory directory;
  OpenedFiles files;
  const auto path = directory / "later.exe";
  files.facts(path);
  CHECK(files.unchanged(path));
  directory.write("later.exe", "MZ");
  CHECK_FALSE(files.unchanged(path));
}

TEST_CASE("a word leads to the judged file from the directory of the program") {
  TemporaryDirectory directory;
  const auto script = directory.write("script.py", "x");
  const auto other = directory.write("other.py", "x");
  OpenedFiles files;
  files.facts(directory.path());
  files.facts(script);
  const auto from = files.descriptor(directory.path());
  const auto judged = files.descriptor(script);
  CHECK(leads_to(from, "script.py", judged));
  CHECK(leads_to(from, ".\\SCRIPT.PY", judged));
  CHECK(leads_to(from, script, judged));
  CHECK_FALSE(leads_to(from, "other.py", judged));
  CHECK_FALSE(leads_to(from, "script.py:x", judged));
  CHECK_FALSE(leads_to(from, "nothing.py", judged));
}

}  // namespace
}  // namespace hostclaw::node_host
