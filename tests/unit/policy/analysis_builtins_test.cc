// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "policy/programs/builtins.h"

using namespace hostclaw::policy;
using Kind = BuiltinUse::Kind;

TEST_CASE("the harmless builtins are known with plain operands") {
  CHECK(classify_builtin({"true"}).builtin == Builtin::kTrue);
  CHECK(classify_builtin({"false", "x"}).builtin == Builtin::kFalse);
  CHECK(classify_builtin({":"}).builtin == Builtin::kColon);
  CHECK(classify_builtin({"pwd"}).builtin == Builtin::kPwd);
  CHECK(classify_builtin({"pwd", "-P"}).builtin == Builtin::kPwd);
  for (const char* directory : {"/tmp", "./x", "../x", ".", "..", "sub", "a b"}) {
    CHECK(classify_builtin({"cd", directory}).builtin == Builtin::kCd);
  }
}

TEST_CASE("a builtin used in any other way is refused") {
  for (const std::vector<std::string>& argv :
       std::vector<std::vector<std::string>>{{"cd", ""},
                                             {"cd", "-"},
                                             {"cd", "-x", "/x"},
                                             {"cd", "--", "-"},
                                             {"cd", "-P", "-"},
                                             {"cd", "/a", "/b"},

                                             {"pwd", "x"},
                                             {"true", "a[$(id)]"},
                                             {":", "`id`"},
                                             {"test", "-v", "a"},
                                             {"test", "a[0]", "-eq", "1"},
                                             {"[", "a"},
                                             {"[", "-v", "x", "]"}}) {
    INFO(argv[0]);
    CHECK(classify_builtin(argv).kind == Kind::kRefused);
    CHECK_FALSE(classify_builtin(argv).reason.empty());
  }
}

TEST_CASE("test and [ need an entry of their own unless the official tolerance is on") {
  CHECK(classify_builtin({"[", "-f", "x", "]"}).kind == Kind::kOfficialOnly);
  CHECK(classify_builtin({"test", "1", "=", "1"}).kind == Kind::kOfficialOnly);
}

TEST_CASE("other words are programs, whatever their case") {
  CHECK(classify_builtin({"git"}).kind == Kind::kNotBuiltin);
  CHECK(classify_builtin({"TRUE"}).kind == Kind::kNotBuiltin);
  CHECK(classify_builtin({"/bin/true"}).kind == Kind::kNotBuiltin);
  CHECK(classify_builtin({}).kind == Kind::kNotBuiltin);
}

TEST_CASE("relative command words are recognised") {
  CHECK(is_relative_command_word("./x"));
  CHECK(is_relative_command_word("a/b"));
  CHECK_FALSE(is_relative_command_word("/a/b"));
  CHECK_FALSE(is_relative_command_word("git"));
}

TEST_CASE("words are quoted only where needed, and the quoting is exact") {
  CHECK(quote_shell_word("a-b_c@d%e+f=g:h,i./j") == "a-b_c@d%e+f=g:h,i./j");
  CHECK(quote_shell_word("") == "''");
  CHECK(quote_shell_word("a b") == "'a b'");
  CHECK(quote_shell_word("it's") == "'it'\\''s'");
  CHECK(quote_shell_word("~") == "'~'");
  CHECK(quote_shell_word("==") == "'=='");
  CHECK(quote_shell_word("a\n\\b") == "'a\n''\\b'");
  CHECK(quote_shell_word("a\\\nb") == "'a\\''\nb'");
  CHECK(quote_shell_word("=~x") == "'=~x'");
  CHECK(quote_shell_words({"echo", "a b", ""}) == "echo 'a b' ''");
}

TEST_CASE("cd takes a directory literally") {
  CHECK(classify_builtin({"cd"}).directory.empty());
  CHECK(classify_builtin({"cd"}).kind == Kind::kHarmless);
  CHECK(classify_builtin({"cd", "--", "-x"}).directory == "-x");
  CHECK(classify_builtin({"cd", "-P", "$(id)"}).directory == "$(id)");
  CHECK(classify_builtin({"cd", "-P", "/x"}).physical);
  CHECK_FALSE(classify_builtin({"cd", "-P", "-L", "/x"}).physical);
}
