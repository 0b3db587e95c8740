// SPDX-License-Identifier: Apache-2.0
// This node asks a person itself: questions, answers, grants and what runs, through the shipped executable.
#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <functional>

#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

void ask_here(Scene& scene, const std::string& via = "local", const std::string& wait = "10m") {
  const Finished set = scene.hostclaw({"exec-policy", "set", "--ask-via", via, "--ask-wait", wait});
  INFO(set.standard_error);
  REQUIRE(set.status == 0);
}

// A program of the test's own that notes each of its runs, with its arguments, in a file beside it.
struct Noting {
  explicit Noting(Scene& scene, const std::string& name = "noting")
      : path(real(scene.directory.path()) + "/" + name), log(path + ".log") {
    write_file(path, "#!/bin/sh\necho \"$@\" >>" + log + "\n", 0755);
  }
  std::string runs() const { return std::filesystem::exists(log) ? read_file(log) : std::string(); }
  std::string path;
  std::string log;
};

Json params(const std::vector<std::string>& argv, const std::string& session = "agent:main:asking") {
  return {{"command", argv}, {"agentId", "main"}, {"sessionKey", session}};
}

// The id of the question about a command that holds `text`, as the log names it.
std::string question_about(Scene& scene, const std::string& text) {
  const auto line = scene.host->wait_line(text + " -- next: hostclaw approvals resolve ", kPatience);
  INFO(scene.host->standard_error());
  REQUIRE(line.has_value());
  const std::string before = "approvals resolve ";
  const std::size_t at = line->find(before) + before.size();
  return line->substr(at, line->find(' ', at) - at);
}

Finished resolve(Scene& scene, const std::string& id, std::vector<std::string> words) {
  words.insert(words.begin(), {"approvals", "resolve", id});
  return scene.hostclaw(words);
}

Json payload_of(std::future<Reply>& reply) {
  REQUIRE(reply.wait_for(kPatience) == std::future_status::ready);
  const Reply answer = reply.get();
  return answer.ok ? answer.payload["payload"] : Json{{"error", node_error(answer)}};
}

std::string refusal_of(std::future<Reply>& reply) {
  const Json payload = payload_of(reply);
  REQUIRE(payload.contains("error"));
  CHECK(string_at(payload["error"], "code") == "SYSTEM_RUN_DENIED");
  return string_at(payload["error"], "message");
}

Json questions(Scene& scene) {
  const Finished pending = scene.hostclaw({"approvals", "pending", "--json"});
  REQUIRE(pending.status == 0);
  return Json::parse(pending.standard_output)["questions"];
}

// The open questions once they are as `expected` says; each look is a command of its own, which takes its
// time.
Json questions_when(Scene& scene, const std::function<bool(const Json&)>& expected) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  Json open = questions(scene);
  while (!expected(open) && std::chrono::steady_clock::now() < end) open = questions(scene);
  INFO(dump_json(open) << "\n" << scene.host->standard_error());
  REQUIRE(expected(open));
  return open;
}

std::string only_question(Scene& scene, const std::string& not_this = {}) {
  return string_at(questions_when(scene,
                                  [&](const Json& open) {
                                    return open.size() == 1 && string_at(open[0], "id") != not_this;
                                  })[0],
                   "id");
}

// What goes wrong in a store, behind the node's back.
void alter(Scene& scene, const std::string& statement) {
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open_v2((scene.state_directory() + "/hostclaw.sqlite").c_str(), &handle,
                          SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK);
  sqlite3_busy_timeout(handle, 10'000);
  CHECK(sqlite3_exec(handle, statement.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(handle);
}

}  // namespace

TEST_CASE("a question that is answered allow-once runs what was asked about, once") {
  Scene scene;
  ask_here(scene);
  const Noting program(scene);
  scene.connect_host();
  auto reply = scene.invoke_async("system.run", params({program.path, "one"}));
  const std::string id = question_about(scene, program.path + " one");
  CHECK(program.runs().empty());
  REQUIRE(questions(scene).size() == 1);
  const Finished answered = resolve(scene, id, {"allow-once"});
  INFO(answered.standard_error);
  REQUIRE(answered.status == 0);
  CHECK(pick(payload_of(reply), "/exitCode") == 0);
  CHECK(program.runs() == "one\n");

  auto again = scene.invoke_async("system.run", params({program.path, "one"}));
  scene.await("invoke", with("command", "system.run"));
  const std::string asked_again = only_question(scene);
  CHECK(asked_again != id);
  REQUIRE(resolve(scene, asked_again, {"deny"}).status == 0);
  CHECK(refusal_of(again).find("a person refused it") != std::string::npos);
  CHECK(program.runs() == "one\n");

  const Finished record = scene.hostclaw({"audit", "tail", "--json", "--limit", "50"});
  CHECK(record.standard_output.find("ALLOWED_BY_ANSWER") != std::string::npos);
  CHECK(record.standard_output.find("ANSWERED_DENY") != std::string::npos);
  CHECK(scene.hostclaw({"audit", "verify"}).status == 0);
}

TEST_CASE(
    "allow-always for exactly this runs the same unasked, also when the gateway asks, and nothing else") {
  Scene scene;
  ask_here(scene);
  const std::string touch = real("/usr/bin/touch");
  const std::string where = real(scene.directory.path());
  scene.connect_host();
  const auto touching = [&](const std::string& file) {
    Json request = params({touch, where + "/" + file});
    request["cwd"] = where;
    return request;
  };
  auto first = scene.invoke_async("system.run", touching("a"));
  REQUIRE(resolve(scene, question_about(scene, where + "/a"), {"allow-always"}).status == 0);
  CHECK(pick(payload_of(first), "/exitCode") == 0);
  std::filesystem::remove(where + "/a");
  CHECK(pick(scene.invoke("system.run", touching("a")).payload, "/payload/exitCode") == 0);
  CHECK(std::filesystem::exists(where + "/a"));

  auto other = scene.invoke_async("system.run", touching("b"));
  REQUIRE(resolve(scene, question_about(scene, where + "/b"), {"deny"}).status == 0);
  refusal_of(other);

  ask_here(scene, "gateway");
  CHECK(pick(scene.invoke("system.run", touching("a")).payload, "/payload/exitCode") == 0);
  CHECK(node_error(scene.invoke("system.run", touching("b")))["code"] == "SYSTEM_RUN_DENIED");

  const Finished listed = scene.hostclaw({"approvals", "grants", "list", "--json"});
  const Json grants = Json::parse(listed.standard_output)["grants"];
  REQUIRE(grants.size() == 1);
  REQUIRE(scene.hostclaw({"approvals", "grants", "revoke", string_at(grants[0], "id")}).status == 0);
  CHECK(node_error(scene.invoke("system.run", touching("a")))["code"] == "SYSTEM_RUN_DENIED");
}

TEST_CASE("nobody answers: askFallback decides, and the refusal says what to type") {
  Scene scene;
  ask_here(scene, "local", "1s");
  const Noting program(scene);
  scene.connect_host();
  auto reply = scene.invoke_async("system.run", params({program.path, "alone"}));
  const std::string refusal = refusal_of(reply);
  CHECK(refusal.find("Nobody on this node answered in time") != std::string::npos);
  CHECK(refusal.find("hostclaw approvals watch") != std::string::npos);
  CHECK(program.runs().empty());
  CHECK(questions(scene).empty());

  REQUIRE(
      scene
          .hostclaw({"exec-policy", "set", "--security", "full", "--ask", "always", "--ask-fallback", "full"})
          .status == 0);
  auto fallback = scene.invoke_async("system.run", params({program.path, "fallback"}));
  CHECK(pick(payload_of(fallback), "/exitCode") == 0);
  CHECK(program.runs() == "fallback\n");
}

TEST_CASE("a question that the store has lost is refused, also where askFallback would allow") {
  Scene scene;
  ask_here(scene);
  REQUIRE(
      scene
          .hostclaw({"exec-policy", "set", "--security", "full", "--ask", "always", "--ask-fallback", "full"})
          .status == 0);
  const Noting program(scene);
  scene.connect_host();
  auto reply = scene.invoke_async("system.run", params({program.path, "lost"}));
  question_about(scene, program.path + " lost");
  alter(scene, "DELETE FROM questions");
  const std::string refusal = refusal_of(reply);
  CHECK(refusal.find("QUESTION_NOT_FOUND") != std::string::npos);
  CHECK(refusal.find("Next, on the node: hostclaw ") != std::string::npos);
  CHECK(program.runs().empty());
  const Json run = Json::parse(scene.hostclaw({"runs", "--json"}).standard_output).at("runs").at(0);
  CHECK(string_at(run, "verdict") == "deny");
  CHECK(string_at(run, "code") == "RECORD_FAILED");
}

TEST_CASE("a caller that has gone is not served later; the answer serves the identical retry once") {
  Scene scene;
  ask_here(scene);
  const Noting program(scene);
  scene.connect_host();
  auto lost = scene.invoke_async("system.run", params({program.path, "late"}), {{"timeoutMs", 400}});
  const std::string id = question_about(scene, program.path + " late");
  REQUIRE(lost.wait_for(kPatience) == std::future_status::ready);
  questions_when(scene,
                 [](const Json& open) { return open.size() == 1 && !open[0].value("callerWaits", true); });
  const Finished answered = resolve(scene, id, {"allow-once"});
  REQUIRE(answered.status == 0);
  INFO(answered.standard_output + answered.standard_error);
  CHECK((answered.standard_output + answered.standard_error).find("late: the caller has gone") !=
        std::string::npos);
  CHECK(program.runs().empty());
  CHECK(pick(scene.invoke("system.run", params({program.path, "late"})).payload, "/payload/exitCode") == 0);
  CHECK(program.runs() == "late\n");
}

TEST_CASE("identical requests are one question, and one allow-once runs one of them") {
  Scene scene;
  ask_here(scene);
  const Noting program(scene);
  scene.connect_host();
  auto first = scene.invoke_async("system.run", params({program.path, "twin"}));
  const std::string id = question_about(scene, program.path + " twin");
  auto second = scene.invoke_async("system.run", params({program.path, "twin"}));
  questions_when(scene,
                 [](const Json& open) { return open.size() == 1 && open[0].value("askedCount", 1) == 2; });
  REQUIRE(resolve(scene, id, {"allow-once"}).status == 0);
  // One of them runs; the other is asked about anew.
  REQUIRE(resolve(scene, only_question(scene, id), {"deny"}).status == 0);
  const Json one = payload_of(first);
  const Json two = payload_of(second);
  CHECK(one.contains("exitCode") != two.contains("exitCode"));
  CHECK(program.runs() == "twin\n");
}

TEST_CASE("one of two identical callers leaves: the other still waits, and the answer is not late") {
  Scene scene;
  ask_here(scene);
  const Noting program(scene);
  scene.connect_host();
  auto stays = scene.invoke_async("system.run", params({program.path, "pair"}));
  const std::string id = question_about(scene, program.path + " pair");
  auto leaves = scene.invoke_async("system.run", params({program.path, "pair"}), {{"timeoutMs", 1500}});
  questions_when(scene,
                 [](const Json& open) { return open.size() == 1 && open[0].value("askedCount", 1) == 2; });
  REQUIRE(leaves.wait_for(kPatience) == std::future_status::ready);
  // The node hears of it with the next message of the gateway at the latest.
  scene.invoke("system.which", {{"bins", Json::array({"sh"})}});
  const Finished answered = resolve(scene, id, {"allow-once"});
  CHECK((answered.standard_output + answered.standard_error).find("late") == std::string::npos);
  CHECK(pick(payload_of(stays), "/exitCode") == 0);
  CHECK(program.runs() == "pair\n");
}

TEST_CASE("what changed between question and answer does not run") {
  Scene scene;
  ask_here(scene);
  const Noting program(scene);
  scene.connect_host();
  auto reply = scene.invoke_async("system.run", params({program.path, "swap"}));
  const std::string id = question_about(scene, program.path + " swap");
  write_file(program.path, "#!/bin/sh\necho evil >>" + program.log + "\n", 0755);
  REQUIRE(resolve(scene, id, {"allow-once"}).status == 0);
  CHECK(refusal_of(reply).find("not what they were asked about") != std::string::npos);
  CHECK(program.runs().empty());
}

TEST_CASE("a policy that denies meanwhile wins over the answer") {
  Scene scene;
  ask_here(scene);
  const Noting program(scene);
  scene.connect_host();
  auto reply = scene.invoke_async("system.run", params({program.path, "policy"}));
  const std::string id = question_about(scene, program.path + " policy");
  REQUIRE(scene.hostclaw({"exec-policy", "preset", "deny-all"}).status == 0);
  REQUIRE(resolve(scene, id, {"allow-once"}).status == 0);
  CHECK(refusal_of(reply).find("security=deny") != std::string::npos);
  CHECK(program.runs().empty());
}

TEST_CASE(
    "a question survives kill -9, and its answer serves the identical request of the next process once") {
  Scene scene;
  ask_here(scene);
  const Noting program(scene);
  scene.connect_host();
  auto lost = scene.invoke_async("system.run", params({program.path, "killed"}));
  const std::string id = question_about(scene, program.path + " killed");
  scene.host->signal(SIGKILL);
  REQUIRE(scene.host->wait_exit(kPatience).has_value());
  REQUIRE(resolve(scene, id, {"allow-once"}).status == 0);
  scene.connect_host();
  CHECK(pick(scene.invoke("system.run", params({program.path, "killed"})).payload, "/payload/exitCode") == 0);
  CHECK(program.runs() == "killed\n");
  auto again = scene.invoke_async("system.run", params({program.path, "killed"}));
  REQUIRE(resolve(scene, question_about(scene, program.path + " killed"), {"deny"}).status == 0);
  refusal_of(again);
  CHECK(program.runs() == "killed\n");
}

TEST_CASE(
    "askVia=local: the gateway is told that it need not ask, and the agent's command waits for the person") {
  Scene scene;
  ask_here(scene);
  scene.connect_host();
  auto outcome = scene.exec_async("uname -s && uname -m");
  const std::string id = question_about(scene, "uname -m\"");
  const Json open = questions(scene);
  REQUIRE(open.size() == 1);
  REQUIRE(resolve(scene, id, {"allow-once"}).status == 0);
  REQUIRE(outcome.wait_for(kPatience) == std::future_status::ready);
  const Json answer = outcome.get().payload;
  INFO(dump_json(answer));
  CHECK(pick(answer, "/prepare/execPolicy/ask") == "off");
  CHECK(string_at(pick(answer, "/run"), "stdout").starts_with("Linux\n"));
}

TEST_CASE("what no answer could make run is refused at once, and nobody is asked") {
  Scene scene;
  ask_here(scene);
  scene.connect_host();
  const Json error = node_error(scene.invoke("system.run", params({"/no/such/program"})));
  CHECK(error["code"] == "SYSTEM_RUN_DENIED");
  CHECK(questions(scene).empty());
}

TEST_CASE("a wide grant does not answer a question that a rule asks") {
  Scene scene;
  ask_here(scene);
  const std::string touch = real("/usr/bin/touch");
  const std::string where = real(scene.directory.path());
  scene.connect_host();
  auto first = scene.invoke_async("system.run", params({touch, where + "/wide"}));
  REQUIRE(resolve(scene, question_about(scene, where + "/wide"), {"allow-always", "--scope", "executable"})
              .status == 0);
  CHECK(pick(payload_of(first), "/exitCode") == 0);
  CHECK(pick(scene.invoke("system.run", params({touch, where + "/wider"})).payload, "/payload/exitCode") ==
        0);
  REQUIRE(scene
              .hostclaw({"policy", "add", "ask", "touch", "--arguments", "... " + where + "/ruled", "--note",
                         "ask me", "--match", "touch " + where + "/ruled", "--not-match", "touch x", "--id",
                         "ruled"})
              .status == 0);
  auto ruled = scene.invoke_async("system.run", params({touch, where + "/ruled"}));
  const std::string id = question_about(scene, where + "/ruled");
  CHECK(resolve(scene, id, {"allow-always", "--scope", "executable"}).status != 0);
  REQUIRE(resolve(scene, id, {"deny"}).status == 0);
  refusal_of(ruled);
}

TEST_CASE(
    "waiting questions take no place among the running commands, and stopping the node does not wait for "
    "them") {
  Scene scene;
  ask_here(scene);
  scene.allow(real("/usr/bin/true"));
  scene.connect_host();
  std::vector<std::future<Reply>> waiting;
  for (int i = 0; i < 70; ++i)
    waiting.push_back(
        scene.invoke_async("system.run", params({real("/usr/bin/touch"), "/tmp/never" + std::to_string(i)})));
  questions_when(scene, [](const Json& open) { return open.size() == 70; });
  CHECK(pick(scene.invoke("system.run", params({real("/usr/bin/true")})).payload, "/payload/exitCode") == 0);
  scene.host->signal(SIGTERM);
  CHECK(scene.host->wait_exit(std::chrono::seconds(10)).has_value());
}

TEST_CASE("a standing grant lets no variable of a request through that nobody saw") {
  Scene scene;
  ask_here(scene);
  const std::string printenv = real("/usr/bin/printenv");
  scene.connect_host();
  auto first = scene.invoke_async("system.run", params({printenv, "WHATEVER_X"}));
  REQUIRE(resolve(scene, only_question(scene), {"allow-always"}).status == 0);
  CHECK(pick(payload_of(first), "/exitCode") == 1);
  Json with_variable = params({printenv, "WHATEVER_X"});
  with_variable["env"] = {{"WHATEVER_X", "from-the-request"}};
  CHECK(pick(scene.invoke("system.run", with_variable).payload, "/payload/stdout") == "");
}

TEST_CASE("a variable that a person saw reaches the program, for this once") {
  Scene scene;
  ask_here(scene);
  const std::string printenv = real("/usr/bin/printenv");
  scene.connect_host();
  Json with_variable = params({printenv, "WHATEVER_X"});
  with_variable["env"] = {{"WHATEVER_X", "from-the-request"}};
  auto seen = scene.invoke_async("system.run", with_variable);
  const std::string id = only_question(scene);
  CHECK(scene.hostclaw({"approvals", "show", id}).standard_output.find("WHATEVER_X") != std::string::npos);
  REQUIRE(resolve(scene, id, {"allow-once"}).status == 0);
  CHECK(pick(payload_of(seen), "/stdout") == "from-the-request\n");
}

TEST_CASE("the log of a question and of a refusal holds no secret of the command") {
  Scene scene;
  ask_here(scene);
  const std::string secret = "ghp_" + std::string(36, 'a');
  scene.connect_host();
  auto reply = scene.invoke_async("system.run", params({real("/usr/bin/touch"), "--token", secret}));
  REQUIRE(resolve(scene, only_question(scene), {"deny"}).status == 0);
  refusal_of(reply);
  CHECK(scene.host->standard_error().find(secret) == std::string::npos);
}

TEST_CASE("under strictInlineEval too a person's no is a person's no, and silence is silence") {
  Scene scene;
  ask_here(scene, "local", "3s");
  alter(scene,
        "INSERT OR REPLACE INTO settings (key, value, updated_at_ms) "
        "VALUES ('exec.strictInlineEval', 'true', 1)");
  scene.connect_host();
  const auto find = [](const std::string& depth) {
    return params({real("/usr/bin/find"), "/tmp", "-maxdepth", depth, "-exec", real("/usr/bin/true"), ";"});
  };
  auto denied = scene.invoke_async("system.run", find("0"));
  REQUIRE(resolve(scene, only_question(scene), {"deny"}).status == 0);
  CHECK(refusal_of(denied).find("a person refused it") != std::string::npos);
  auto unanswered = scene.invoke_async("system.run", find("1"));
  CHECK(refusal_of(unanswered).find("Nobody on this node answered") != std::string::npos);
}

TEST_CASE("a program that is overwritten in place between question and answer does not run") {
  Scene scene;
  ask_here(scene);
  const std::string program = real(scene.directory.path()) + "/program";
  write_file(program, read_file(real("/usr/bin/true")), 0755);
  scene.connect_host();
  auto reply = scene.invoke_async("system.run", params({program, "hello"}));
  const std::string id = only_question(scene);
  write_file(program, read_file(real("/usr/bin/echo")), 0755);
  REQUIRE(resolve(scene, id, {"allow-once"}).status == 0);
  refusal_of(reply);
}

TEST_CASE("a question that is overdue while the store cannot write is over all the same") {
  Scene scene;
  ask_here(scene, "local", "1s");
  scene.connect_host();
  auto reply = scene.invoke_async("system.run", params({real("/usr/bin/touch"), "/tmp/never"}));
  only_question(scene);
  alter(scene, "CREATE TRIGGER no_expiry BEFORE UPDATE ON questions BEGIN SELECT RAISE(ABORT, 'disk'); END");
  CHECK(refusal_of(reply).find("Nobody on this node answered") != std::string::npos);
  const std::string log = scene.host->standard_error();
  const std::size_t first = log.find("a person is asked");
  REQUIRE(first != std::string::npos);
  CHECK(log.find("a person is asked", first + 1) == std::string::npos);
  alter(scene, "DROP TRIGGER no_expiry");
}

TEST_CASE("a question says whose the file is and who can write it, as it was when it was asked") {
  Scene scene;
  ask_here(scene);
  const Noting program(scene);
  std::filesystem::permissions(program.path, std::filesystem::perms(0775));
  scene.connect_host();
  auto reply = scene.invoke_async("system.run", params({program.path, "one"}));
  const std::string id = question_about(scene, program.path + " one");
  const Json before = pick(questions(scene)[0], "/details/files/0");
  CHECK(before["path"] == program.path);
  CHECK(before["mode"] == "0775");
  CHECK(before["owner"].is_string());
  CHECK(before["writers"].is_array());
  // Whatever happens to the file now, the question tells the same.
  std::filesystem::permissions(program.path, std::filesystem::perms(0700));
  CHECK(pick(questions(scene)[0], "/details/files/0") == before);
  const Finished shown = scene.hostclaw({"approvals", "show", id});
  INFO(shown.standard_output);
  CHECK(shown.standard_output.find(program.path + "  (") != std::string::npos);
  CHECK(shown.standard_output.find("owner " + string_at(before, "owner")) != std::string::npos);
  const Finished pending = scene.hostclaw({"approvals", "pending"});
  CHECK(pending.standard_output.find("owner " + string_at(before, "owner")) != std::string::npos);
  // It is another file now than the one that was judged; the answer does not run it.
  REQUIRE(resolve(scene, id, {"deny"}).status == 0);
  refusal_of(reply);
}

}  // namespace hostclaw::integration
