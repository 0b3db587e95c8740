// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "policy/decide/engine.h"
#include "policy/request/command_text.h"

namespace hostclaw::policy {
namespace {

TEST_CASE("command text: quotes only what holds white space or a double quote, or is empty") {
  CHECK(command_text({"echo", "hi"}) == "echo hi");
  CHECK(command_text({"echo", ""}) == "echo \"\"");
  CHECK(command_text({"echo", "a b", "c\"d", "$x\\"}) == "echo \"a b\" \"c\\\"d\" $x\\");
  CHECK(command_text({"echo",
                      "a\xC2\xA0"
                      "b"}) ==
        "echo \"a\xC2\xA0"
        "b\"");
}

TEST_CASE("command text: the key is the first sixteen digits of its digest") {
  CHECK(command_key("/usr/bin/uname -s") == "09cb476c277ff1b4");
  CHECK(command_key(" /usr/bin/uname -s ") == "09cb476c277ff1b4");
}

TEST_CASE("command text: generated keys of cwd and arguments are those that upstream makes") {
  const auto digest = [](const char* cwd, std::vector<std::string> arguments) {
    return cwd_argv_pattern(cwd, arguments, Platform::kPosix).substr(kCwdArgvPrefix.size());
  };
  CHECK(digest("/usr/share", {"-s"}) == "072f22818ef96f25ae2b2bf2f65cf56361d85dd9bba93b73159d1db6974304f1");
  CHECK(digest("/usr/share", {}) == "eadf735c1b4a7a177457887c1008b762ac2b1eb63abcd2b627b456cedafe53fa");
  CHECK(digest("/", {"-la"}) == "aeb9fbc49f49695c97682bd15f11de31345221e23370c1fdb5f279d7e6206c63");
  CHECK(digest("/usr/share", {"a b"}) == "19b45e33dd359c825762acf43e0e19213fee3ca01a2f85defadae4f4af07b42a");
  CHECK(digest("/usr/share", {"é😀"}) == "8f996b75ad54a329f59bc2dcddb351181ec7cb8bac0949351ba1442dbaaaa5f6");
  CHECK(digest("/usr/./share", {}) == digest("/usr/share", {}));
  CHECK(digest("/usr/share/", {}) != digest("/usr/share", {}));
}

TEST_CASE("paths: dot segments are removed without a look at the disk") {
  CHECK(normalize_path("/a/./b/../c//d") == "/a/c/d");
  CHECK(normalize_path("/../a") == "/a");
  CHECK(normalize_path("a/../..") == "..");
  CHECK(normalize_path("/a/") == "/a/");
  CHECK(absolute_path("/home/u", "x/../y") == "/home/u/y");
  CHECK(absolute_path("/home/u", "") == "/home/u");
  CHECK(absolute_path("C:/x", "C:\\a\\..\\b", Platform::kWindows) == "C:/b");
  CHECK(absolute_path("D:/x", "\\a", Platform::kWindows) == "D:/a");
  CHECK(absolute_path("D:/x", "/a/../b", Platform::kWindows) == "D:/b");
  CHECK(absolute_path("C:/x", "\\\\srv\\share\\a\\..\\b", Platform::kWindows) == "//srv/share/b");
  CHECK(absolute_path("//srv/share", "a", Platform::kWindows) == "//srv/share/a");
}

}  // namespace
}  // namespace hostclaw::policy
