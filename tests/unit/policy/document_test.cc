// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "policy/decide/engine.h"
#include "policy/document/document.h"
#include "policy/document/pattern_index.h"

namespace hostclaw::policy {
namespace {

Result<PolicyDocument> read(const char* text) {
  int next = 0;
  return read_document(OrderedJson::parse(text), [&next] { return "id-" + std::to_string(++next); });
}

std::string error_of(const char* text) {
  const Result<PolicyDocument> result = read(text);
  return result ? "" : result.error().message;
}

TEST_CASE("document: the hash is that of the stored text, with two-space indentation and one line feed") {
  const PolicyDocument document = *read(R"({"defaults":{"askFallback":"full","security":"deny"}})");
  const std::string text = serialize_document(document);
  CHECK(text ==
        "{\n  \"version\": 1,\n  \"defaults\": {\n    \"security\": \"deny\",\n    \"askFallback\": "
        "\"full\"\n  },\n"
        "  \"agents\": {}\n}\n");
  CHECK(missing_document_hash() ==
        "missing:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("document: agents and their members keep the order of the sender") {
  const PolicyDocument document =
      *read(R"({"agents":{"zeta":{"ask":"off","security":"deny"},"alpha":{"foo":1}}})");
  const std::string text = serialize_document(document);
  CHECK(text.find("zeta") < text.find("alpha"));
  CHECK(text.find("\"ask\"") < text.find("\"security\""));
  CHECK(text.find("\"foo\": 1") != std::string::npos);
}

TEST_CASE("document: string entries become objects and missing ids are given") {
  const PolicyDocument document =
      *read(R"({"agents":{"main":{"allowlist":[" ls ",{"pattern":" x ","commandText":"y"}]}}})");
  CHECK(document.json["agents"]["main"]["allowlist"].dump() ==
        R"([{"pattern":"ls","id":"id-1"},{"pattern":" x ","id":"id-2"}])");
}

TEST_CASE("document: agents.default is read as main, where main wins and lists are joined") {
  const PolicyDocument document = *read(
      R"({"agents":{"default":{"security":"deny","ask":"off","allowlist":["a","B"]},"main":{"ask":"always","allowlist":["b","c"]}}})");
  REQUIRE(document.agents.size() == 1);
  const AgentPolicy& main = document.agents.at("main");
  CHECK(main.scalars.security == Security::kDeny);
  CHECK(main.scalars.ask == Ask::kAlways);
  REQUIRE(main.allowlist.size() == 3);
  CHECK(main.allowlist[2].pattern == "a");
}

TEST_CASE("document: what cannot be trusted is refused and the member is named") {
  CHECK(error_of(R"([])") == "exec approvals file required");
  CHECK(error_of(R"({"defaults":{"security":"DENY"}})") ==
        "exec approvals: defaults.security: must be one of deny, allowlist, full");
  CHECK(error_of(R"({"defaults":{"ask":5}})").starts_with("exec approvals: defaults.ask:"));
  CHECK(error_of(R"({"defaults":{"autoAllowSkills":"yes"}})")
            .starts_with("exec approvals: defaults.autoAllowSkills:"));
  CHECK(error_of(R"({"agents":{"main":{"allowlist":["a",{"pattern":" "}]}}})") ==
        "exec approvals: agents.main.allowlist[1].pattern: must be a non-empty string");
  CHECK(error_of(R"({"agents":{"main":{"allowlist":[{"pattern":"a","argPattern":5}]}}})")
            .starts_with("exec approvals: agents.main.allowlist[0].argPattern:"));
  CHECK(error_of(R"({"agents":{"main":{"allowlist":[{"pattern":"a","lastUsedAt":null}]}}})")
            .starts_with("exec approvals: agents.main.allowlist[0].lastUsedAt:"));
  CHECK(error_of(R"({"agents":{"__proto__":{}}})").starts_with("exec approvals: agents.__proto__:"));
  CHECK(error_of(R"({"agents":{"main":null}})").starts_with("exec approvals: agents.main:"));
  CHECK(error_of(R"({"agents":[1]})").starts_with("exec approvals: agents:"));
}

TEST_CASE("document: a stored text that cannot be read denies everything and says why") {
  const IdSource ids = [] { return std::string("x"); };
  for (const char* text : {"", "{", "[1]", R"({"defaults":{"security":"maybe"}})"}) {
    const PolicyDocument document = load_document(text, ids);
    CHECK(document.malformed);
    CHECK_FALSE(document.malformed_reason.empty());
    CHECK(document.defaults.security == Security::kDeny);
    CHECK(document.agents.empty());
  }
  CHECK_FALSE(load_document(R"({"version":1})", ids).malformed);
}

TEST_CASE("document: the token of the companion socket stays here") {
  const PolicyDocument document = *read(R"({"socket":{"path":" /s ","token":"secret"}})");
  CHECK(serialize_document(document).find("secret") != std::string::npos);
  CHECK(redacted_document(document).dump().find("secret") == std::string::npos);
  CHECK(redacted_document(document)["socket"]["path"] == "/s");
}

TEST_CASE("document: a fresh install asks about what is not listed") {
  const PolicyDocument document = fresh_document();
  CHECK(serialize_document(document).find("\"security\": \"allowlist\"") != std::string::npos);
  CHECK(document.defaults.ask == Ask::kOnMiss);
  CHECK(document.defaults.ask_fallback == Security::kDeny);
}

TEST_CASE("document: the reported defaults are bounded by the owner's limits") {
  EngineSettings settings;
  settings.security_limit = Security::kAllowlist;
  settings.ask_floor = Ask::kOnMiss;
  const Json defaults = resolved_defaults(*read(R"({"defaults":{"security":"full","ask":"off"}})"), settings);
  CHECK(defaults["security"] == "allowlist");
  CHECK(defaults["ask"] == "on-miss");
}

TEST_CASE("document: patterns that can never match are reported when they are stored") {
  const PolicyDocument document = *read(
      R"({"agents":{"main":{"allowlist":[{"pattern":"/bin/a","argPattern":"(?=x)a"},{"pattern":"*","argPattern":"^a$"},
          {"pattern":"/bin/a","argPattern":"sha256:argv:00"},{"pattern":"/bin/a","argPattern":"^ok$"}]}}})");
  const std::vector<PatternProblem> problems = pattern_problems(document);
  REQUIRE(problems.size() == 3);
  CHECK(problems[0].index == 0);
  CHECK(problems[0].reason.find("look-ahead") != std::string::npos);
}

// What the old document's two agents become.
std::string merged(const char* agents) {
  const Result<PolicyDocument> document = read((R"({"agents":)" + std::string(agents) + "}").c_str());
  return document ? document->json["agents"].dump() : document.error().message;
}

TEST_CASE("document: an old default agent without a main becomes main, in its place") {
  CHECK(merged(R"({"a":{},"default":{"ask":"off"},"z":{}})") == R"({"a":{},"main":{"ask":"off"},"z":{}})");
  CHECK(merged(R"({"default":{},"main":{"ask":"off"}})") == R"({"main":{"ask":"off"}})");
  CHECK(merged(R"({"main":{},"z":{},"default":{"ask":"off","more":[1]}})") ==
        R"({"main":{"ask":"off","more":[1]},"z":{}})");
}

TEST_CASE("document: joined lists keep the entries of main, and one of each pattern and argPattern") {
  CHECK(
      merged(
          R"({"default":{"allowlist":[{"pattern":"/bin/A","id":"old"},{"pattern":"/bin/a","argPattern":"^x$","id":"x"},
                    {"pattern":"/bin/b","id":"b"},{"pattern":"/bin/b","id":"again"}]},
                   "main":{"allowlist":[{"pattern":" /bin/a ","id":"new"}]}})") ==
      R"({"main":{"allowlist":[{"pattern":" /bin/a ","id":"new"},{"pattern":"/bin/a","argPattern":"^x$","id":"x"},)"
      R"({"pattern":"/bin/b","id":"b"}]}})");
  CHECK(merged(R"({"default":{"allowlist":["a"]},"main":{}})") ==
        R"({"main":{"allowlist":[{"pattern":"a","id":"id-1"}]}})");
}

TEST_CASE("document: joined tools keep those of main, and one of each server and tool") {
  CHECK(merged(R"({"default":{"mcpTools":[{"server":"s","tool":"t","new":0},{"server":"s","tool":"u"},5]},
                   "main":{"mcpTools":[{"server":"s","tool":"t","new":1},7]}})") ==
        R"({"main":{"mcpTools":[{"server":"s","tool":"t","new":1},7,{"server":"s","tool":"u"},5]}})");
  // What is no list in the old agent is nothing; in main it is refused as always.
  CHECK(merged(R"({"default":{"mcpTools":5},"main":{"mcpTools":[7]}})") == R"({"main":{"mcpTools":[7]}})");
  CHECK(merged(R"({"default":{"mcpTools":[7]},"main":{"mcpTools":5}})") ==
        "exec approvals: agents.main.mcpTools: must be an array");
}

TEST_CASE("document: old agents that cannot be joined are refused, never half of them") {
  CHECK(merged(R"({"default":5})") == "exec approvals: agents.default: must be an object");
  CHECK(merged(R"({"default":{},"main":5})") == "exec approvals: agents.main: must be an object");
  CHECK(merged(R"({"default":{"allowlist":5},"main":{"allowlist":[]}})") ==
        "exec approvals: agents.default.allowlist: must be an array");
  CHECK(merged(R"({"default":{"allowlist":[]},"main":{"allowlist":null}})") ==
        "exec approvals: agents.main.allowlist: must be an array");
  // Whatever an entry is, joining does not make it pass.
  CHECK(merged(R"({"default":{"allowlist":[5]},"main":{"allowlist":[]}})") ==
        "exec approvals: agents.main.allowlist[0]: must be a pattern or an object with one");
  CHECK(merged(R"({"default":{"allowlist":[{"id":"x"}]},"main":{"allowlist":[]}})") ==
        "exec approvals: agents.main.allowlist[0].pattern: must be a non-empty string");
}

TEST_CASE("document: every other member that cannot be trusted is named too") {
  const auto entry = [](const char* members) {
    return error_of(
        (R"({"agents":{"main":{"allowlist":[{"pattern":"a",)" + std::string(members) + "}]}}}").c_str());
  };
  CHECK(entry(R"("source":"import")").starts_with("exec approvals: agents.main.allowlist[0].source:"));
  CHECK(entry(R"("source":5)").starts_with("exec approvals: agents.main.allowlist[0].source:"));
  CHECK(entry(R"("id":5)").starts_with("exec approvals: agents.main.allowlist[0].id:"));
  CHECK(entry(R"("lastUsedCommand":5)")
            .starts_with("exec approvals: agents.main.allowlist[0].lastUsedCommand:"));
  CHECK(entry(R"("lastResolvedPath":5)")
            .starts_with("exec approvals: agents.main.allowlist[0].lastResolvedPath:"));
  for (const char* value : {"-1", "1e300", "9007199254740992"}) {
    CHECK(entry((R"("lastUsedAt":)" + std::string(value)).c_str()) ==
          "exec approvals: agents.main.allowlist[0].lastUsedAt: is out of range");
  }
  CHECK(entry(R"("lastUsedAt":9007199254740991,"source":"allow-always","id":" ")").empty());
  CHECK(error_of(R"({"agents":{"main":{"allowlist":[" "]}}})") ==
        "exec approvals: agents.main.allowlist[0]: must not be blank");
  CHECK(error_of(R"({"agents":{"main":{"allowlist":{}}}})") ==
        "exec approvals: agents.main.allowlist: must be an array");
  CHECK(error_of(R"({"agents":{"main":{"mcpTools":{}}}})") ==
        "exec approvals: agents.main.mcpTools: must be an array");
  CHECK(error_of(R"({"agents":{"main":{"askFallback":"off"}}})")
            .starts_with("exec approvals: agents.main.askFallback:"));
  CHECK(error_of(R"({"defaults":[]})") == "exec approvals: defaults: must be an object");
  CHECK(error_of(R"({"socket":5})") == "exec approvals: socket: must be an object");
  CHECK(error_of(R"({"socket":{"token":5}})") == "exec approvals: socket.token: must be a string");
}

TEST_CASE("document: an empty or absent socket leaves nothing, and one of a token alone nothing to show") {
  CHECK_FALSE(read(R"({"socket":{"path":" ","token":null}})")->json.contains("socket"));
  CHECK_FALSE(read(R"({"socket":null,"defaults":null,"agents":null})")->json.contains("socket"));
  CHECK_FALSE(redacted_document(*read(R"({"socket":{"token":"t"}})")).contains("socket"));
  CHECK_FALSE(redacted_document(fresh_document()).contains("socket"));
}

TEST_CASE("document: official mode leaves out what upstream leaves out, and keeps the rest") {
  const auto tolerated = [](const char* text) { return tolerated_document(OrderedJson::parse(text)).dump(); };
  CHECK(tolerated(
            R"({"defaults":{"security":"maybe","ask":"off","askFallback":5},"agents":{"a":{"ask":[]}}})") ==
        R"({"defaults":{"ask":"off"},"agents":{"a":{}}})");
  CHECK(
      tolerated(
          R"({"agents":{"a":{"allowlist":["x"," ",5,{"pattern":""},{"id":"y"},{"pattern":"z","source":"import"},
                     {"pattern":"w","source":"allow-always"},{"pattern":"v","source":5}]}}})") ==
      R"({"agents":{"a":{"allowlist":["x",{"pattern":"z"},{"pattern":"w","source":"allow-always"},{"pattern":"v","source":5}]}}})");
  CHECK(tolerated(R"({"agents":{"a":{"allowlist":5},"b":7}})") ==
        R"({"agents":{"a":{"allowlist":[]},"b":7}})");
  CHECK(tolerated(R"({"defaults":7,"agents":[]})") == R"({"defaults":{},"agents":[]})");
  CHECK(tolerated("[1]") == "[1]");
}

}  // namespace
}  // namespace hostclaw::policy
