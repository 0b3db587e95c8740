// SPDX-License-Identifier: Apache-2.0
// `hostclaw clawlink` as people and agents type it, against a relay of this program.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "tests/integration/relay_process.h"

namespace hostclaw::integration {
namespace {

bool shows(const Finished& finished, const std::string& part) {
  return finished.standard_output.find(part) != std::string::npos;
}

Json json_of(const Finished& finished, int status = 0) {
  INFO(finished.standard_output << finished.standard_error);
  REQUIRE(finished.status == status);
  const Json parsed = Json::parse(finished.standard_output, nullptr, false);
  REQUIRE_FALSE(parsed.is_discarded());
  return parsed;
}

// Words of a line of shell with quotes, and nothing else of a shell.
std::vector<std::string> shell_words(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool begun = false;
  for (const char c : line + " ") {
    if (quote != 0 ? c == quote : c == '"' || c == '\'') {
      quote = quote != 0 ? 0 : c;
      begun = true;
    } else if (quote == 0 && c == ' ') {
      if (begun) words.push_back(word);
      word.clear();
      begun = false;
    } else {
      word += c;
      begun = true;
    }
  }
  return words;
}

// What a person sees who types this.
std::string at_a_terminal(const std::vector<std::string>& words) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(master >= 0);
  REQUIRE(grantpt(master) == 0);
  REQUIRE(unlockpt(master) == 0);
  const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(terminal >= 0);
  const std::string program = hostclaw_program();
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int standard : {0, 1, 2}) dup2(terminal, standard);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  close(terminal);
  std::string seen;
  char part[4096];
  for (ssize_t count; (count = read(master, part, sizeof part)) > 0;)
    seen.append(part, static_cast<std::size_t>(count));
  close(master);
  int status = 0;
  waitpid(child, &status, 0);
  return seen;
}

std::string join_as(const RelayProcess& relay, const std::string& home) {
  return json_of(
             relay.client(home, {"register", "--name", home, "--caps", "build, test"}))["agent"]["agent_id"]
      .get<std::string>();
}

}  // namespace

TEST_CASE("a task goes from one account to another and back, and what poll prints is enough to answer") {
  const RelayProcess relay;
  const std::string boss = join_as(relay, "boss");
  const std::string worker = join_as(relay, "worker");
  const Finished found = relay.client("boss", {"discover"});
  CHECK(shows(found, worker));
  CHECK(shows(found, "build, test"));
  const Json given = json_of(relay.client("boss", {"delegate", "--to", worker, "--task", "sweep", "--context",
                                                   R"({"room":7})", "--priority", "urgent"}));
  CHECK(given["sender_verified"] == true);
  const std::string id = given["message_id"].get<std::string>();
  const Finished polled = relay.client("worker", {"poll"});
  CHECK(shows(polled, "[task_delegation] from " + boss));
  for (const std::string& line : {"Id: " + id, std::string("Task: sweep"),
                                  std::string("Context: {\"room\":7}"), std::string("Priority: urgent")})
    CHECK(shows(polled, line));
  CHECK(json_of(relay.client("worker", {"poll", "--json"}))["count"] == 0);
  CHECK(json_of(relay.client("worker", {"respond", "--to", boss, "--msg-id", id, "--result",
                                        "clean"}))["task_state"] == "completed");
  CHECK(shows(relay.client("boss", {"poll", "--wait", "20"}), "Result: clean"));
  CHECK(shows(relay.client("boss", {"tasks"}), "completed"));
  const Json task = json_of(relay.client("boss", {"task", id, "--wait", "5", "--json"}));
  CHECK(task["state"] == "completed");
}

TEST_CASE("a client that is told of no relay goes where it is registered, or where the environment says") {
  const RelayProcess relay;
  const RelayProcess other;
  const std::string id = join_as(relay, "a");
  // No network is asked: there is no bus.
  Environment environment{{"HOME", relay.directory.path() + "/a"},
                          {"HOSTCLAW_STATE_DIR", relay.state()},
                          {"DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent"}};
  const auto type = [&environment](const std::vector<std::string>& words) {
    HostProcess process(hostclaw_program(), words, environment);
    const auto finished = process.wait_exit(std::chrono::seconds(60));
    REQUIRE(finished);
    return *finished;
  };
  CHECK(json_of(type({"clawlink", "discover", "--json"}))["agents"][0]["agent_id"] == id);
  CHECK(type({"clawlink", "heartbeat"}).status == 0);

  environment["CLAWLINK_RELAY"] = other.url() + "/";
  CHECK(json_of(type({"clawlink", "discover", "--json"}))["count"] == 0);
  CHECK(json_of(type({"clawlink", "heartbeat", "--json"}), 1)["error"]["code"] == "NOT_REGISTERED");
  CHECK(json_of(type({"clawlink", "--relay", relay.url(), "discover", "--json"}))["count"] == 1);

  environment.erase("CLAWLINK_RELAY");
  environment["HOME"] = relay.directory.path() + "/nobody";
  const Json error = json_of(type({"clawlink", "poll", "--json"}), 1)["error"];
  CHECK(error["code"] == "NOT_REGISTERED");
  CHECK(error["next"] == "hostclaw clawlink register --name NAME");
}

TEST_CASE("leased messages are acknowledged or given back by hand, and tasks are cancelled and continued") {
  const RelayProcess relay;
  join_as(relay, "boss");
  const std::string worker = join_as(relay, "worker");
  const std::string id =
      json_of(relay.client("boss", {"delegate", "--to", worker, "--task", "sweep"}))["message_id"]
          .get<std::string>();
  const std::string lease =
      json_of(relay.client("worker", {"poll", "--lease", "60", "--json"}))["messages"][0]["lease"]
          .get<std::string>();
  CHECK(relay.client("worker", {"extend", lease, "--seconds", "90"}).status == 0);
  CHECK(relay.client("worker", {"nack", lease}).status == 0);
  const Finished stale = relay.client("worker", {"ack", lease});
  CHECK(stale.status == 1);
  CHECK(stale.standard_error.find("LEASE_STALE") != std::string::npos);
  const std::string again =
      json_of(relay.client("worker", {"poll", "--lease", "60", "--json"}))["messages"][0]["lease"]
          .get<std::string>();
  CHECK(relay.client("worker", {"ack", again}).status == 0);
  CHECK(relay.client("boss", {"delegate", "--task-id", id, "--task", "and mop"}).status == 0);
  const Finished watched = relay.client("worker", {"watch", "--count", "1"});
  CHECK(watched.status == 0);
  CHECK(shows(watched, "and mop"));
  CHECK(relay.client("worker", {"cancel", id}).status == 1);
  CHECK(json_of(relay.client("boss", {"cancel", id}))["task"]["state"] == "cancelled");
  CHECK(shows(relay.client("worker", {"poll"}), "[task_cancel]"));
}

TEST_CASE("files of every kind go there and come back the same") {
  const RelayProcess relay;
  join_as(relay, "a");
  const std::string path = relay.directory.path() + "/binary";
  const std::string content("\0\xff\r\n\x1b[2J", 8);
  std::ofstream(path, std::ios::binary) << content;
  CHECK(json_of(relay.client("a", {"file-put", "--key", "a/b", "--file", path}))["version"] == 1);
  CHECK(relay.client("a", {"file-put", "--key", "a/b", "--file", path, "--expect", "0"}).status == 1);
  const std::string back = relay.directory.path() + "/back";
  CHECK(relay.client("a", {"file-get", "--key", "a/b", "--output", back}).status == 0);
  std::ifstream in(back, std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == content);
  CHECK(relay.client("a", {"file-get", "--key", "a/b"}).standard_output == content);
  CHECK(shows(relay.client("a", {"file-list"}), "a/b"));
  CHECK(json_of(relay.client("a", {"file-history", "--key", "a/b"}))["count"] == 1);
  CHECK(relay.client("a", {"file-get", "--key", "none"}).status == 1);
}

TEST_CASE("a file that is shown at a terminal does not command it") {
  const RelayProcess relay;
  const auto put = [&](const std::string& key, const std::string& content, const char* encoding) {
    const Json body{{"file_key", key}, {"agent_id", "a"}, {"content", content}, {"encoding", encoding}};
    REQUIRE(relay.post("/files", body).status == 200);
  };
  put("text", "one\n\x1b[2Jtwo\n", "utf-8");
  put("binary", "AP8=", "base64");
  const auto shown = [&](const std::string& key) {
    return at_a_terminal({"clawlink", "--relay", relay.url(), "file-get", "--key", key});
  };
  const std::string text = shown("text");
  CHECK(text.find("one\r\n") != std::string::npos);
  CHECK(text.find("\\u{1b}[2Jtwo") != std::string::npos);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(shown("binary").find("FILE_BINARY") != std::string::npos);
}

TEST_CASE("the code of an error that a relay tells does not command a terminal") {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(listen(listener, 1) == 0);
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  std::thread relay([listener] {
    const int peer = accept(listener, nullptr, nullptr);
    char request[4096];
    const std::string body = R"({"error":"no","code":"\u001b[2J"})";
    const std::string answer =
        "HTTP/1.1 400 Bad Request\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    if (recv(peer, request, sizeof request, 0) > 0) send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
    close(peer);
  });
  const TemporaryDirectory home;
  const std::string url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  HostProcess process(hostclaw_program(), {"clawlink", "--relay", url, "info"},
                      {{"PATH", "/usr/bin:/bin"}, {"HOME", home.path()}});
  const auto finished = process.wait_exit(std::chrono::seconds(30));
  relay.join();
  close(listener);
  REQUIRE(finished);
  CHECK(finished->standard_error.find("\\u{1b}[2J") != std::string::npos);
  CHECK(finished->standard_error.find('\x1b') == std::string::npos);
}

TEST_CASE("the state is the account's alone, holds the credential, and holds for its relay only") {
  const RelayProcess relay;
  const Finished registered = relay.client("a", {"register", "--name", "a"});
  CHECK(registered.standard_output.find("clk_") == std::string::npos);
  const std::string path = relay.directory.path() + "/a/.clawlink/agent_state.json";
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  std::ifstream in(path);
  const Json state = Json::parse(in);
  CHECK(state["relay_url"] == relay.url());
  CHECK(state["agent_token"].get<std::string>().starts_with("clk_"));
  // `localhost` is the same relay.
  const Finished other_name =
      relay.client("a", {"--relay", "http://localhost:" + std::to_string(relay.port()), "heartbeat"});
  CHECK(other_name.status == 0);
  const Finished elsewhere = relay.client("nobody", {"heartbeat", "--json"});
  CHECK(json_of(elsewhere, 1)["error"]["code"] == "NOT_REGISTERED");
  std::ofstream(path) << "no json";
  CHECK(relay.client("a", {"heartbeat"}).status == 1);
}

TEST_CASE("exit statuses are the original's, and an unreachable relay is named") {
  const RelayProcess relay({}, {{"CLAWLINK_TOKEN", "house-key"}});
  CHECK(relay.client("a", {}).status == 0);
  CHECK(relay.client("a", {"delegate"}).status == 2);
  CHECK(relay.client("a", {"delegate", "--to", "x", "--task", "y", "--priority", "soon"}).status == 2);
  const Finished refused = relay.client("a", {"info"});
  CHECK(refused.status == 1);
  CHECK(refused.standard_error.find("UNAUTHORIZED") != std::string::npos);
  CHECK(relay.client("a", {"info"}, {{"CLAWLINK_TOKEN", "house-key"}}).status == 0);
  CHECK(relay.client("a", {"--token", "house-key", "info"}).status == 0);
  const Finished nobody = relay.client("a", {"--relay", "http://127.0.0.1:1", "info"});
  CHECK(nobody.status == 1);
  CHECK(nobody.standard_error.find("RELAY_UNREACHABLE") != std::string::npos);
  CHECK(relay.client("a", {"--relay", "ftp://x", "info"}).status == 1);
  const Finished scanned =
      relay.client("a", {"scan", "--json"}, {{"DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent"}});
  CHECK(json_of(scanned, 1)["error"]["code"] == "MDNS_UNAVAILABLE");
}

TEST_CASE("a link that is called clawlink is the client") {
  const RelayProcess relay;
  const std::string link = relay.directory.path() + "/clawlink";
  REQUIRE(symlink(hostclaw_program().c_str(), link.c_str()) == 0);
  HostProcess process(link, {"--relay", relay.url(), "info"},
                      {{"PATH", "/usr/bin:/bin"}, {"HOME", relay.directory.path()}});
  const auto finished = process.wait_exit(std::chrono::seconds(30));
  REQUIRE(finished);
  CHECK(shows(*finished, "ClawLink Relay"));
}

TEST_CASE("the owner sees agents, makes and ends their tokens, and verifies the record") {
  RelayProcess relay;
  const std::string id = join_as(relay, "a");
  CHECK(relay.client("a", {"heartbeat"}).status == 0);
  const Json agents = json_of(relay.hostclaw({"clawlink", "agents", "list", "--json"}));
  CHECK(agents["agents"][0]["own_credential"] == true);
  const Json made = json_of(relay.hostclaw({"clawlink", "credentials", "rotate", id, "--json"}));
  CHECK(relay.client("a", {"heartbeat"}).status == 0);
  CHECK(relay.client("a", {"--token", made["agent_token"].get<std::string>(), "heartbeat"}).status == 0);
  CHECK(relay.hostclaw({"clawlink", "credentials", "revoke", made["key_id"].get<std::string>()}).status == 0);
  CHECK(relay.client("a", {"--token", made["agent_token"].get<std::string>(), "heartbeat"}).status == 1);
  CHECK(relay.client("a", {"heartbeat"}).status == 0);
  CHECK(json_of(relay.hostclaw({"clawlink", "credentials", "list", "--json"}))["credentials"].size() == 2);
  CHECK(relay.hostclaw({"clawlink", "audit", "verify"}).status == 0);
  CHECK(relay.hostclaw({"clawlink", "audit", "tail", "--limit", "3"}).status == 0);
  CHECK(relay.hostclaw({"clawlink", "dead-letters"}).status == 0);
  CHECK(relay.hostclaw({"clawlink", "agents", "remove", id}).status == 0);
  CHECK(relay.hostclaw({"clawlink", "agents", "remove", id}).status == 1);
  CHECK(relay.client("a", {"heartbeat"}).status == 1);
  const Finished ended = relay.end();
  CHECK(ended.status == 0);
}

TEST_CASE("every command of the skill does what it says, in the order in which it stands there") {
  const RelayProcess relay;
  std::ifstream skill(std::string(HOSTCLAW_SOURCE_DIR) + "/skills/clawlink/SKILL.md");
  const std::string plan = relay.directory.path() + "/plan";
  std::ofstream(plan) << "first things first\n";
  std::map<std::string, std::string> known{{"PLAN", plan}};
  bool is_command = false;
  int commands = 0;
  for (std::string line; std::getline(skill, line);) {
    if (line.starts_with("```")) is_command = line == "```sh";
    if (!is_command || !line.starts_with("clawlink ")) continue;
    INFO(line);
    std::vector<std::string> words = shell_words(line);
    words.erase(words.begin());
    for (std::string& word : words) {
      if (const auto value = known.find(word); value != known.end()) word = value->second;
    }
    const Finished done = relay.client("skilled", words);
    INFO(done.standard_output << done.standard_error);
    CHECK(done.status == 0);
    ++commands;
    const Json shown = Json::parse(done.standard_output, nullptr, false);
    if (!shown.is_object()) continue;
    if (shown.contains("agent")) known["AGENT"] = shown["agent"]["agent_id"].get<std::string>();
    if (shown.contains("message_id") && words[0] == "delegate")
      known["MESSAGE_ID"] = shown["message_id"].get<std::string>();
    if (shown.contains("messages") && !shown["messages"].empty() && shown["messages"][0].contains("lease"))
      known["LEASE"] = shown["messages"][0]["lease"].get<std::string>();
  }
  CHECK(commands >= 18);
}

}  // namespace hostclaw::integration
