// SPDX-License-Identifier: Apache-2.0
// Which paths are taken, and in which form the system gets them.
#include <catch2/catch.hpp>

#include "node-host/system/files/windows_path.h"
#include "node-host/system/text/windows_text.h"

namespace hostclaw::node_host {
namespace {

std::string verbatim(const std::string& path) {
  const auto result = verbatim_path(path);
  return result ? from_wide(*result) : std::string("refused");
}

TEST_CASE("an absolute path is taken, its dots worked out") {
  CHECK(verbatim("C:\\") == "\\\\?\\C:\\");
  CHECK(verbatim("c:/") == "\\\\?\\c:\\");
  CHECK(verbatim("C:\\dir\\file.exe") == "\\\\?\\C:\\dir\\file.exe");
  CHECK(verbatim("C:/dir//./sub/../file.exe") == "\\\\?\\C:\\dir\\file.exe");
  CHECK(verbatim("C:\\..\\..\\file") == "\\\\?\\C:\\file");
  CHECK(verbatim("C:\\dir\\") == "\\\\?\\C:\\dir");
  CHECK(verbatim("\\\\?\\C:\\dir\\file.exe") == "\\\\?\\C:\\dir\\file.exe");
  CHECK(verbatim("\\\\server\\share") == "\\\\?\\UNC\\server\\share\\");
  CHECK(verbatim("//server/share/a/../b") == "\\\\?\\UNC\\server\\share\\b");
  CHECK(verbatim("\\\\server\\share\\..\\..\\other") == "\\\\?\\UNC\\server\\share\\other");
  CHECK(verbatim("\\\\?\\UNC\\server\\share\\x") == "\\\\?\\UNC\\server\\share\\x");
  CHECK(verbatim("C:\\\xC3\xA9\\a b.c") == "\\\\?\\C:\\\xC3\xA9\\a b.c");
}

TEST_CASE("a path that means something else than it says is refused") {
  for (const char* path : {"",
                           "file",
                           "dir\\file",
                           "\\file",
                           "/file",
                           "C:",
                           "C:file",
                           "1:\\file",
                           "CC:\\file",
                           "~\\file",
                           "C:\\file:stream",
                           "C:\\file::$DATA",
                           "C:\\dir:x\\file",
                           "C:\\file.",
                           "C:\\file ",
                           "C:\\dir.\\file",
                           "C:\\dir \\file",
                           "C:\\...\\file",
                           "C:\\NUL",
                           "C:\\nul.txt",
                           "C:\\dir\\CON",
                           "C:\\aux .txt",
                           "C:\\Com1",
                           "C:\\lpt9.log",
                           "C:\\COM\xC2\xB9",
                           "C:\\conin$",
                           "C:\\a*",
                           "C:\\a?b",
                           "C:\\a|b",
                           "C:\\a<b",
                           "C:\\a\"b",
                           "C:\\a\x01",
                           "\\\\.\\C:\\file",
                           "\\\\.\\PhysicalDrive0",
                           "\\\\?\\GLOBALROOT\\Device\\x",
                           "\\\\?\\Volume{00000000-0000-0000-0000-000000000000}\\x",
                           "\\\\server",
                           "\\\\?\\C:",
                           "\\\\?\\UNC\\server",
                           "\\??\\C:\\file",
                           "C:\\a\xFF"}) {
    INFO(path);
    CHECK(verbatim(path) == "refused");
  }
  CHECK(verbatim(std::string("C:\\a\0b", 6)) == "refused");
}

TEST_CASE("names that only look like devices are names") {
  for (const char* path :
       {"C:\\console", "C:\\nulls", "C:\\com", "C:\\com10", "C:\\lpt", "C:\\a.nul", "C:\\coma"})
    CHECK(verbatim(path) == "\\\\?\\" + std::string(path));
}

}  // namespace
}  // namespace hostclaw::node_host
