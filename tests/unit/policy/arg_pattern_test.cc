#include <catch2/catch.hpp>
#include <chrono>

#include "policy/arg_pattern.h"

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
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(20));
}

}  // namespace
}  // namespace hostclaw::policy
