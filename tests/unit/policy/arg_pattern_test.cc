// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <chrono>

#include "policy/document/arg_pattern.h"

namespace hostclaw::policy {
namespace {

using Words = std::vector<std::string>;

bool found(std::string_view pattern, const Words& arguments) {
  return ArgPattern(pattern).found_in(arguments);
}

TEST_CASE("argPattern: is searched, not anchored, and arguments are joined by spaces") {
  CHECK(found("b", {"a", "b"}));
  CHECK(found("^a b$", {"a", "b"}));
  CHECK(found("^a b$", {"a b"}));
  CHECK_FALSE(found("^b", {"a", "b"}));
}

TEST_CASE("argPattern: a NUL in the pattern separates arguments") {
  const std::string two("^a\0b\0$", 6);
  CHECK(found(two, {"a", "b"}));
  CHECK_FALSE(found(two, {"a b"}));
  CHECK(found(std::string("^\0\0$", 4), {}));
  CHECK_FALSE(found(std::string("^\0\0$", 4), {""}));
}

TEST_CASE("argPattern: anchors, dots and classes mean what they mean in ECMAScript") {
  CHECK_FALSE(found("^a.b$", {"a\nb"}));
  CHECK_FALSE(found("^a.b$", {"a\xE2\x80\xA8"
                              "b"}));
  CHECK_FALSE(found("a$", {"a\n"}));
  CHECK(found("^\\s$", {"\xC2\xA0"}));
  CHECK(found("^[\\s]$", {"\v"}));
  CHECK_FALSE(found("^\\S$", {"\xC2\xA0"}));
  CHECK(found("^[\\S]$", {"x"}));
  CHECK_FALSE(found("^[\\S]$", {"\xE3\x80\x80"}));
  CHECK(found("^\\d\\w\\D\\W$", {"1_a-"}));
  CHECK(found("^[^]$", {"\n"}));
  CHECK_FALSE(found("[]", {"a"}));
  CHECK(found("^[a\\-z]$", {"-"}));
  CHECK(found("^[[:x]+$", {"[:x"}));
}

TEST_CASE("argPattern: characters outside the first plane are two units") {
  CHECK_FALSE(found("^.$", {"\xF0\x9F\x98\x80"}));
  CHECK(found("^..$", {"\xF0\x9F\x98\x80"}));
  CHECK(found("\xF0\x9F\x98\x80", {"x\xF0\x9F\x98\x80"}));
}

TEST_CASE("argPattern: escapes that mean nothing stand for themselves") {
  CHECK(found("^\\p{L}$", {"p{L}"}));
  CHECK(found("^\\a\\z\\Q$", {"azQ"}));
  CHECK(found("^\\/\\-\\x41\\u0042\\cA\\0$", {std::string("/-AB\x01\0", 6)}));
  CHECK(found("^\\1$", {"\x01"}));
  CHECK(found("a{,5}", {"a{,5}"}));
  CHECK(found("^x{2,3}?y$", {"xxy"}));
}

TEST_CASE("argPattern: a range of code units holds the halves of characters outside the first plane") {
  const char* face = "\xF0\x9F\x98\x80";
  CHECK_FALSE(found("^[^\\u0080-\\uFFFF]*$", {face}));
  CHECK(found("^[^\\u0080-\\uFFFF]*$", {"ascii"}));
  CHECK(found("^[\\u0080-\\uFFFF]+$", {face}));
  CHECK(found("^[\\uD800-\\uDBFF][\\uDC00-\\uDFFF]$", {face}));
  CHECK_FALSE(found("^[\\uD800-\\uDFFF]$", {"\xEE\x80\x80"}));
  CHECK(found("^[\\uD83D-\\uFFFF]$", {"\xEE\x80\x80"}));
  CHECK(found("[\\uDFFF-\\uE000]", {"\xEE\x80\x80"}));
  CHECK_FALSE(ArgPattern("[\\uFFFF-\\uD800]").ok());
}

// What each of these means was asked of a JavaScript engine.
TEST_CASE("argPattern: octal escapes take as many digits as fit a byte") {
  CHECK(found("^\\101\\60$", {"A0"}));
  CHECK(found("^\\377$", {"\xC3\xBF"}));
  CHECK(found("^\\477$", {"'7"}));
  CHECK(found("^\\400$", {" 0"}));
  CHECK(found("^\\8\\9$", {"89"}));
  CHECK(found("^\\18$", {"\x01"
                         "8"}));
  CHECK(found("^\\08$", {std::string("\0"
                                     "8",
                                     2)}));
  CHECK(found("^[\\101\\8]+$", {"A8"}));
  // With fewer groups than its number it is octal, else it refers to one.
  CHECK(found("^()\\2$", {"\x02"}));
  CHECK_FALSE(ArgPattern("^()\\1$").ok());
  CHECK_FALSE(ArgPattern("^(?<n>a)\\1$").ok());
  CHECK(found("^(?:a)[(]\\(\\1$", {"a((\x01"}));
}

TEST_CASE("argPattern: \\c is a control character, or a backslash where no letter follows") {
  CHECK(found("^\\cj\\cJ$", {"\n\n"}));
  CHECK(found("^\\c$", {"\\c"}));
  CHECK(found("^\\c1$", {"\\c1"}));
  CHECK(found("^\\c_$", {"\\c_"}));
  CHECK(found("^\\c*$", {"\\ccc"}));
  CHECK(found("^[\\c]+$", {"\\c"}));
  CHECK(found("^[\\c*]+$", {"\\c*"}));
  CHECK(found("^[\\c1\\c_]+$", {"\x11\x1F"}));
}

TEST_CASE("argPattern: unfinished escapes are the letter and what follows") {
  CHECK(found("^\\x4$", {"x4"}));
  CHECK(found("^\\xg1$", {"xg1"}));
  CHECK(found("^\\u004$", {"u004"}));
  CHECK(found("^\\u{3}$", {"uuu"}));
  CHECK(found("^[\\x4]+$", {"x4"}));
  CHECK(found("^\\x4A\\x4a\\u004A$", {"JJJ"}));
  CHECK(found("^\\k<n>$", {"k<n>"}));
  CHECK_FALSE(ArgPattern("^(?<n>a)\\k$").ok());
  CHECK(found("^\\v\\f\\t\\r\\n$", {"\v\f\t\r\n"}));
  CHECK(found("^[\\v\\f\\t\\r\\n\\b]+$", {"\v\f\t\r\n\b"}));
  CHECK(found("^[\\B]$", {"B"}));
}

TEST_CASE("argPattern: classes may hold sets, and a dash beside one is a dash") {
  CHECK(found("^[\\d-z]+$", {"1-z"}));
  CHECK_FALSE(found("^[\\d-z]+$", {"y"}));
  CHECK(found("^[a-\\d]+$", {"a-1"}));
  CHECK(found("^[\\d-\\w]+$", {"1-w"}));
  CHECK(found("^[^\\S]$", {"\xC2\xA0"}));
  CHECK_FALSE(found("^[^\\S]$", {"x"}));
  CHECK(found("^[^\\W]$", {"_"}));
  CHECK_FALSE(found("^[^\\W]$", {"-"}));
  CHECK(found("^[^\\D]$", {"5"}));
  CHECK_FALSE(found("^[^\\D]$", {"x"}));
  CHECK(found("^[-a]+$", {"-a"}));
  CHECK(found("^[a-]+$", {"a-"}));
  CHECK_FALSE(found("^[^-a]$", {"-"}));
  CHECK(found("^[]]|a$", {"a"}));
}

TEST_CASE("argPattern: braces and brackets that mean nothing stand for themselves") {
  for (const char* text : {"]", "}", "{", "{a", "x{1", "x{1,", "x{,1}"}) {
    INFO(text);
    CHECK(found("^" + std::string(text) + "$", {text}));
  }
  CHECK(found("^x{2}$", {"xx"}));
  CHECK_FALSE(found("^x{2}$", {"xxx"}));
  CHECK(found("^x{2,}$", {"xxx"}));
  CHECK_FALSE(found("^x{2,}$", {"x"}));
  CHECK(found("^x{0}$", {""}));
  CHECK(found("^\\x41{2}$", {"AA"}));
  CHECK(found("^(?:a|)$", {""}));
  CHECK(found("\\bx\\b", {"a", "x"}));
  CHECK_FALSE(found("^\\Bx", {"x"}));
}

TEST_CASE("argPattern: patterns that no engine takes, and ones that are too large, never match") {
  for (const char* pattern : {"{1}", "x{2}{3}", "x???", "[\\", "[a-\\", "[a-", "(?", "(?<", "(?<>a)", "(?<a",
                              "(?<a>x)(?<a>y)", "\\B+", "$+", "${2}", "a)b", "(a|b", "x{1,1001}"}) {
    INFO(pattern);
    CHECK_FALSE(ArgPattern(pattern).ok());
    CHECK_FALSE(found(pattern, {"a"}));
    CHECK_FALSE(ArgPattern(pattern).describes({"a"}));
  }
  CHECK(ArgPattern(std::string(16384, 'a')).ok());
  CHECK(ArgPattern(std::string(16385, 'a')).problem().find("16384") != std::string::npos);
  const std::string open(101, '(');
  CHECK(ArgPattern(open + std::string(101, ')')).problem().find("nested") != std::string::npos);
  CHECK(ArgPattern("^(?:(?:x{1000}){1000}){1000}$").problem().find("bounded") != std::string::npos);
}

TEST_CASE("argPattern: what cannot be matched in bounded time never matches and says so") {
  for (const char* pattern :
       {"(?=a)a", "(?!b)a", "(?<=a)b", "(?<!a)b", "(a)\\1", "(?<n>a)\\k<n>", "a{1001}"}) {
    const ArgPattern compiled(pattern);
    CHECK_FALSE(compiled.ok());
    CHECK_FALSE(compiled.problem().empty());
    CHECK_FALSE(compiled.found_in({"a"}));
  }
}

TEST_CASE("argPattern: invalid patterns never match") {
  for (const char* pattern :
       {"(", ")", "[", "*", "a**", "^*", "a{2,1}", "[b-a]", "\\", "(?i)a", "(?P<n>a)", "\\b+", "(?<1>a)"}) {
    CHECK_FALSE(ArgPattern(pattern).ok());
    CHECK_FALSE(found(pattern, {"a"}));
  }
}

TEST_CASE("argPattern: named groups and lazy quantifiers work") {
  CHECK(found("^(?<verb>status|log)$", {"log"}));
  CHECK(found("^a+?b*?$", {"aab"}));
}

TEST_CASE("argPattern: hardened wants the whole of the arguments described, and not as others") {
  CHECK(ArgPattern("^status$").describes({"status"}));
  CHECK_FALSE(ArgPattern("status").describes({"-c", "status"}));
  CHECK_FALSE(ArgPattern("^status").describes({"status", "-c", "x"}));
  CHECK_FALSE(ArgPattern("^log a b$").describes({"log", "a b"}));
  CHECK(ArgPattern("^commit -m .*$").describes({"commit", "-m", "two words"}));
  CHECK_FALSE(ArgPattern("^commit$").describes({"commit", ""}));
}

TEST_CASE("argPattern: nested quantifiers cannot stall it") {
  const ArgPattern pattern("^(a+)+$");
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(pattern.found_in({std::string(30, 'a') + "!"}));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
}

}  // namespace
}  // namespace hostclaw::policy
