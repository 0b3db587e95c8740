// SPDX-License-Identifier: Apache-2.0
// The built `hostlink` against a daemon of the contract's words, in both protocols: what it prints, what it
// exits with, what goes over the socket.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "tests/integration/host_process.h"
#include "tests/support/fake_hostlink_daemon.h"

using namespace hostclaw;
using namespace hostclaw::hostlink;
using namespace hostclaw::integration;

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

constexpr std::chrono::seconds kPatience{20};

std::string client() { return std::string(HOSTCLAW_BINARY_DIR) + "/hostlink"; }

Environment environment_for(const FakeHostLinkDaemon& daemon, Environment more = {}) {
  Environment environment{{"HOSTLINK_SOCKET", daemon.socket()},
                          {"HOSTLINK_TOKEN", "s3cret"},
                          {"HOSTLINK", client()},
                          {"HOME", "/nonexistent"},
                          {"PATH", "/usr/bin:/bin"}};
  for (auto& [name, value] : more) environment[name] = value;
  return environment;
}

Finished run(const Words& words, const Environment& environment, const std::string& program = client()) {
  HostProcess process(program, words, environment);
  auto finished = process.wait_exit(kPatience);
  REQUIRE(finished);
  return *finished;
}

// A line of a shell in which "$HOSTLINK" is the client.
Finished shell(const std::string& line, const Environment& environment) {
  return run({"-c", line}, environment, "/bin/sh");
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

FakeDaemonNature v2_nature() {
  FakeDaemonNature nature;
  nature.speaks_v2 = true;
  return nature;
}

}  // namespace

TEST_CASE("ping and targets print the lines that users know") {
  FakeHostLinkDaemon daemon({});
  const Finished ping = run({"ping"}, environment_for(daemon));
  CHECK(ping.status == 0);
  CHECK(ping.standard_output == "[box] pong - uptime 42s\n");
  const Finished json = run({"-j", "ping"}, environment_for(daemon));
  CHECK(parse_json(json.standard_output)->at("uptime_s") == 42);
  CHECK(std::count(json.standard_output.begin(), json.standard_output.end(), '\n') == 1);
  const TemporaryDirectory folder;
  write(folder.path() + "/targets.conf",
        "# ours\n[near]\ntransport = unix\nsocket = " + daemon.socket() +
            "\ntoken = s3cret\n[far]\ntransport=tcp\naddress=127.0.0.1\nport=1\nlater = x\n");
  const Environment with = environment_for(daemon, {{"HOSTLINK_TARGETS", folder.path() + "/targets.conf"}});
  CHECK(run({"targets"}, with).standard_output ==
        "near  unix  " + daemon.socket() + "\nfar  tcp  127.0.0.1:1\n");
  const Finished pinged = run({"targets", "-P", "-j"}, with);
  const auto list = parse_json(pinged.standard_output);
  REQUIRE(list.has_value());
  CHECK(list->at(0).at("reachable") == true);
  CHECK(list->at(1).at("reachable") == false);
  CHECK(pinged.status == 2);
}

TEST_CASE("exec prints both outputs and a line about its end, by either protocol") {
  FakeHostLinkDaemon old({});
  const Finished text = run({"exec", "say", "hello", "there"}, environment_for(old));
  CHECK(text.status == 0);
  CHECK(text.standard_output == "hello there\n");
  CHECK(text.standard_error == "[box] exit=0 time=12ms\n");
  REQUIRE(old.requests().size() == 1);
  CHECK(old.requests()[0].command == "say hello there");
  CHECK(old.requests()[0].timeout_ms == 30000);
  FakeHostLinkDaemon daemon(v2_nature());
  const Finished live = run({"exec", "both"}, environment_for(daemon));
  CHECK(live.status == 0);
  CHECK(live.standard_output == "to out\n");
  CHECK(live.standard_error == "to err\n[box] exit=0 time=0ms\n");
  CHECK(daemon.requests().empty());
  CHECK_FALSE(daemon.token_crossed());
  CHECK(daemon.runs()[0].command == "both");
  CHECK(daemon.runs()[0].timeout_ms == 30000);
  CHECK_FALSE(daemon.runs()[0].has_stdin);
}

TEST_CASE("options of exec arrive as they were given") {
  FakeHostLinkDaemon daemon({});
  run({"-e", "A=1", "--env=B=x=y", "-w", "/srv", "-T", "500", "-m", "2K", "--max-stderr", "7", "-O", "exec",
       "--", "say", "-j"},
      environment_for(daemon));
  REQUIRE(daemon.requests().size() == 1);
  const Request request = daemon.requests()[0];
  CHECK(request.env == std::map<std::string, std::string>{{"A", "1"}, {"B", "x=y"}});
  CHECK(request.workdir == "/srv");
  CHECK(request.timeout_ms == 500);
  CHECK(request.max_stdout_bytes == 2048);
  CHECK(request.max_stderr_bytes == 7);
  CHECK(request.output_to_file);
  CHECK(request.command == "say -j");
}

TEST_CASE("exit statuses are those of the skill, and the command's own where they are asked for") {
  FakeHostLinkDaemon daemon({});
  struct Row {
    Words words;
    Environment more;
    int classic;
    int remote;
  };
  for (const Row& row : {
           Row{{"exec", "exit 0"}, {}, 0, 0},
           Row{{"exec", "exit 77"}, {}, 1, 77},
           Row{{"exec", "exit 300"}, {}, 1, 255},
           Row{{"ping"}, {{"HOSTLINK_SOCKET", "/nonexistent/socket"}}, 2, 125},
           Row{{"ping"}, {{"HOSTLINK_TOKEN", "wrong"}}, 3, 125},
           Row{{"exec", "refused"}, {}, 4, 125},
           Row{{"exec", "slow"}, {}, 5, 124},
           Row{{"exec", "hangup"}, {}, 6, 125},
           Row{{"exec", "garbage"}, {}, 6, 125},
           Row{{"exec"}, {}, 7, 125},
           Row{{"reboot"}, {}, 7, 125},
           Row{{"--nonsense", "ping"}, {}, 7, 125},
           Row{{"-t", "nowhere", "ping"}, {}, 7, 125},
           Row{{"ping"}, {{"HOSTLINK_TOKEN", ""}}, 7, 125},
           Row{{"-a", "192.0.2.1", "ping"}, {}, 7, 125},
       }) {
    CAPTURE(row.words, row.more);
    CHECK(run(row.words, environment_for(daemon, row.more)).status == row.classic);
    Environment remote = environment_for(daemon, row.more);
    remote["HOSTLINK_EXIT_CODES"] = "remote";
    CHECK(run(row.words, remote).status == row.remote);
  }
  // With -j by the same table.
  const Finished json = run({"-j", "exec", "exit 77"}, environment_for(daemon));
  CHECK(json.status == 1);
  CHECK(parse_json(json.standard_output)->at("exit_code") == 77);
  const Finished wrong = run({"-j", "ping"}, environment_for(daemon, {{"HOSTLINK_TOKEN", "wrong"}}));
  CHECK(wrong.status == 3);
  CHECK(parse_json(wrong.standard_output)->at("status") == "auth_failed");
  CHECK(run({"--exit-codes=remote", "exec", "exit 9"}, environment_for(daemon)).status == 9);
}

TEST_CASE("under the name of the newer client the status is the command's own") {
  FakeHostLinkDaemon daemon({});
  const TemporaryDirectory folder;
  fs::create_symlink(client(), folder.path() + "/hostlink-cli");
  const std::string newer = folder.path() + "/hostlink-cli";
  CHECK(run({"exec", "exit 77"}, environment_for(daemon), newer).status == 77);
  CHECK(run({"--exit-codes", "classic", "exec", "exit 77"}, environment_for(daemon), newer).status == 1);
}

TEST_CASE("a refusal says code and next step") {
  for (const bool v2 : {false, true}) {
    FakeDaemonNature nature;
    nature.speaks_v2 = v2;
    FakeHostLinkDaemon daemon(nature);
    const Finished refused = run({"exec", "refused"}, environment_for(daemon));
    CHECK(refused.status == 4);
    CHECK(refused.standard_error.find("not allowed: refused (RULE_DENIED") != std::string::npos);
    CHECK(refused.standard_error.find("next: hostclaw policy allow refused") != std::string::npos);
  }
}

TEST_CASE("where the daemon and its token come from has an order") {
  FakeHostLinkDaemon daemon({});
  const TemporaryDirectory folder;
  write(folder.path() + "/targets.conf",
        "[near]\ntransport=unix\nsocket=" + daemon.socket() + "\ntoken=s3cret\n");
  write(folder.path() + "/token", "s3cret\n");
  const std::string elsewhere = "/nonexistent/socket";
  const std::string targets = folder.path() + "/targets.conf";
  // A target beats HOSTLINK_SOCKET, and its token the one of the environment.
  CHECK(run({"-t", "near", "-F", targets, "ping"},
            environment_for(daemon, {{"HOSTLINK_SOCKET", elsewhere}, {"HOSTLINK_TOKEN", "wrong"}}))
            .status == 0);
  CHECK(run({"ping"}, environment_for(daemon, {{"HOSTLINK_SOCKET", elsewhere},
                                               {"HOSTLINK_TARGET", "near"},
                                               {"HOSTLINK_TARGETS", targets}}))
            .status == 0);
  // -s beats a target, -k everything.
  CHECK(run({"-s", elsewhere, "-t", "near", "-F", targets, "ping"}, environment_for(daemon)).status == 2);
  CHECK(run({"-k", "wrong", "-t", "near", "-F", targets, "ping"}, environment_for(daemon)).status == 3);
  CHECK(run({"--token-file", folder.path() + "/token", "ping"},
            environment_for(daemon, {{"HOSTLINK_TOKEN", "wrong"}}))
            .status == 0);
  CHECK(run({"ping"}, environment_for(daemon, {{"HOSTLINK_TOKEN", ""},
                                               {"HOSTLINK_TOKEN_FILE", folder.path() + "/token"}}))
            .status == 0);
}

TEST_CASE("bytes that are no text arrive as they were written") {
  FakeHostLinkDaemon daemon({});
  CHECK(run({"exec", "binary"}, environment_for(daemon)).standard_output == std::string("a\0\xFF", 3));
}

TEST_CASE("a file goes to the host and comes back, whole and in pieces") {
  const TemporaryDirectory folder;
  const std::string local = folder.path() + "/file";
  for (const std::size_t size : {std::size_t{0}, std::size_t{3000}, std::size_t{5'000'001}}) {
    CAPTURE(size);
    FakeHostLinkDaemon daemon({});
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
    write(local, bytes);
    ::chmod(local.c_str(), 0750);
    for (const Words& put : {Words{"put", local, "/far/file"}, Words{"put-stream", local, "/far/file"}}) {
      CHECK(run(put, environment_for(daemon)).status == 0);
      CHECK(daemon.file("/far/file") == bytes);
      CHECK(daemon.mode("/far/file") == 0750);
    }
    CHECK(run({"put", "--mode", "600", local, "/far/"}, environment_for(daemon)).status == 0);
    CHECK(daemon.mode("/far/file") == 0600);
    const std::string back = folder.path() + "/back";
    CHECK(run({"get", "/far/file", back}, environment_for(daemon)).status == 0);
    CHECK(read(back) == bytes);
    CHECK(run({"get", "/far/file", "-"}, environment_for(daemon)).standard_output == bytes);
  }
}

TEST_CASE("a transfer that fails leaves what was there") {
  const TemporaryDirectory folder;
  const std::string local = folder.path() + "/file";
  write(local, "before");
  FakeDaemonNature nature;
  nature.files = {{"/far/file", "after"}};
  nature.breaks_digests = true;
  FakeHostLinkDaemon daemon(nature);
  const Finished get = run({"get", "/far/file", local}, environment_for(daemon));
  CHECK(get.status == 4);
  CHECK(get.standard_error.find("SHA-256") != std::string::npos);
  CHECK(read(local) == "before");
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
  CHECK(run({"get", "/far/missing", local}, environment_for(daemon)).status == 4);
  CHECK(read(local) == "before");
  CHECK(run({"put", folder.path() + "/missing", "/far/x"}, environment_for(daemon)).status == 4);
  CHECK(run({"put", "-r", local, "/far/x"}, environment_for(daemon)).status == 7);
}

TEST_CASE("folders are copied as a whole, but for what is excluded") {
  const TemporaryDirectory folder;
  fs::create_directories(folder.path() + "/tree/a/b");
  write(folder.path() + "/tree/one", "1");
  write(folder.path() + "/tree/a/b/two", "2");
  write(folder.path() + "/tree/a/skip.o", "x");
  fs::create_symlink("/etc/passwd", folder.path() + "/tree/link");
  FakeHostLinkDaemon daemon({});
  CHECK(run({"put", "--exclude", "*.o", folder.path() + "/tree", "/far"}, environment_for(daemon)).status ==
        0);
  CHECK(daemon.file("/far/one") == "1");
  CHECK(daemon.file("/far/a/b/two") == "2");
  CHECK_FALSE(daemon.file("/far/a/skip.o"));
  CHECK_FALSE(daemon.file("/far/link"));
  CHECK(run({"get", "/far", folder.path() + "/back"}, environment_for(daemon)).status == 0);
  CHECK(read(folder.path() + "/back/a/b/two") == "2");
  // Without room nothing is begun.
  FakeDaemonNature full;
  full.free_bytes = 20'000'000;
  FakeHostLinkDaemon small(full);
  write(folder.path() + "/tree/large", std::string(17'000'000, 'x'));
  CHECK(run({"put", folder.path() + "/tree", "/far"}, environment_for(small)).status == 4);
  CHECK_FALSE(small.file("/far/one"));
}

TEST_CASE("a daemon cannot make the client write outside of the folder") {
  for (const char* name : {"../escaped", "/tmp/escaped", "a/../../escaped", ""}) {
    CAPTURE(name);
    const TemporaryDirectory folder;
    FakeDaemonNature nature;
    nature.files = {{"/far/one", "1"}};
    nature.extra_file = *name == 0 ? std::string("a//b") : name;
    FakeHostLinkDaemon daemon(nature);
    CHECK(run({"get", "/far", folder.path() + "/deep/in"}, environment_for(daemon)).status == 6);
    CHECK_FALSE(fs::exists(folder.path() + "/deep/escaped"));
    CHECK_FALSE(fs::exists("/tmp/escaped"));
  }
}

TEST_CASE("daemons of every age are served with what they know") {
  const TemporaryDirectory folder;
  const std::string local = folder.path() + "/file";
  write(local, std::string(2'000'000, 'x'));
  FakeDaemonNature nature;
  nature.unknown = {RequestType::kGetStat, RequestType::kStatFs, RequestType::kPutStream,
                    RequestType::kGetStream, RequestType::kJob};
  nature.knows_job_ids = false;
  FakeHostLinkDaemon daemon(nature);
  CHECK(run({"put", local, "/far/file"}, environment_for(daemon)).status == 0);
  CHECK(daemon.file("/far/file")->size() == 2'000'000);
  CHECK(run({"get", "/far/file", folder.path() + "/back"}, environment_for(daemon)).status == 0);
  CHECK(read(folder.path() + "/back").size() == 2'000'000);
  CHECK(run({"job", "list"}, environment_for(daemon)).status == 4);
  const Finished detached = run({"-D", "exec", "make"}, environment_for(daemon));
  CHECK(detached.status == 0);
  CHECK(detached.standard_output.empty());
  CHECK(detached.standard_error.find("launched, no id") != std::string::npos);
}

TEST_CASE("jobs are started, looked at, followed, waited for and cancelled") {
  {
    FakeHostLinkDaemon daemon({});
    CHECK(run({"-D", "-T", "60000", "exec", "make"}, environment_for(daemon)).standard_output ==
          "0123456789ab\n");
    CHECK(daemon.requests()[0].job_timeout_ms == 60000);
    const Finished list = run({"job", "list"}, environment_for(daemon));
    CHECK(list.standard_output.find("0123456789ab  running") == 0);
    const Finished status = run({"job", "status", "0123456789ab"}, environment_for(daemon));
    CHECK(status.standard_output.find("exit code: 3") != std::string::npos);
    CHECK(status.status == 0);
    CHECK(run({"job", "cancel", "0123456789ab"}, environment_for(daemon)).status == 4);
    CHECK(run({"job", "status", "ffffffffffff"}, environment_for(daemon)).status == 4);
    CHECK(run({"job", "status", "../x"}, environment_for(daemon)).status == 7);
  }
  FakeHostLinkDaemon tailed({});
  const Finished tail =
      run({"job", "tail", "-f", "--interval", "50", "0123456789ab"}, environment_for(tailed));
  CHECK(tail.standard_output == "line one\nline two\n");
  FakeHostLinkDaemon waited({});
  const Finished wait = run({"--exit-codes=remote", "job", "wait", "--interval", "50", "-o", "0123456789ab"},
                            environment_for(waited));
  CHECK(wait.status == 3);
  CHECK(wait.standard_output == "line one\nline two\n");
  FakeHostLinkDaemon cancelled({});
  CHECK(run({"job", "cancel", "--kill", "0123456789ab"}, environment_for(cancelled)).status == 0);
  CHECK(cancelled.requests()[0].kill);
  FakeDaemonNature nature;
  nature.job_runs_on = true;
  FakeHostLinkDaemon still(nature);
  const Finished given_up =
      run({"job", "wait", "--wait-timeout", "60", "0123456789ab"}, environment_for(still));
  CHECK(given_up.status == 5);
  CHECK(given_up.standard_error.find("still running") != std::string::npos);
}

TEST_CASE("run sends words as they are, and passes stdin and status on") {
  FakeHostLinkDaemon daemon(v2_nature());
  const Finished words =
      run({"run", "--", "words", "a b", "$(x)", "-j", "", "\xFF"}, environment_for(daemon));
  CHECK(words.standard_output == "[a b][$(x)][-j][][\xFF]");
  CHECK(words.status == 0);
  CHECK(run({"run", "status", "42"}, environment_for(daemon)).status == 42);
  CHECK(run({"exec", "--argv", "status", "42"}, environment_for(daemon)).status == 42);
  const Finished cat =
      shell("head -c 3000000 /dev/zero | \"$HOSTLINK\" run cat | sha256sum", environment_for(daemon));
  const Finished sum = shell("head -c 3000000 /dev/zero | sha256sum", environment_for(daemon));
  CHECK(cat.standard_output == sum.standard_output);
  // exec takes no stdin unless it is asked to: a loop over lines keeps its lines.
  const Finished loop =
      shell("printf '1\\n2\\n' | while read n; do \"$HOSTLINK\" exec words $n 2>/dev/null; done",
            environment_for(daemon));
  CHECK(loop.standard_output == "[1][2]");
  CHECK(
      shell("printf abc | \"$HOSTLINK\" -i exec cat 2>/dev/null", environment_for(daemon)).standard_output ==
      "abc");
  CHECK(run({"run", "slow"}, environment_for(daemon)).status == 124);
  CHECK(run({"run", "drop"}, environment_for(daemon)).status == 125);
  CHECK_FALSE(daemon.token_crossed());
}

TEST_CASE("what needs protocol 2 says so to an older daemon") {
  FakeHostLinkDaemon old({});
  const Finished run_old = run({"run", "docker", "ps"}, environment_for(old));
  CHECK(run_old.status == 125);
  CHECK(run_old.standard_error.find("protocol 2") != std::string::npos);
  CHECK(run({"-i", "exec", "cat"}, environment_for(old)).status == 7);
  CHECK(old.requests().empty());
}

TEST_CASE("a slow reader bounds what is sent, and one that leaves ends the run") {
  FakeHostLinkDaemon daemon(v2_nature());
  const Finished all = shell("\"$HOSTLINK\" run flood 20000000 | wc -c", environment_for(daemon));
  CHECK(all.standard_output.find("20000000") != std::string::npos);
  shell("\"$HOSTLINK\" run flood 200000000 | head -c 1000 >/dev/null", environment_for(daemon));
  CHECK(daemon.await("signal PIPE"));
}

TEST_CASE("signals go to the run, and a third one cancels it") {
  FakeHostLinkDaemon daemon(v2_nature());
  HostProcess once(client(), {"run", "signal"}, environment_for(daemon));
  REQUIRE(daemon.await("started"));
  once.signal(SIGTERM);
  const auto ended = once.wait_exit(kPatience);
  REQUIRE(ended);
  CHECK(ended->status == 143);
  FakeHostLinkDaemon stubborn(v2_nature());
  HostProcess thrice(client(), {"run", "wait"}, environment_for(stubborn));
  REQUIRE(stubborn.await("started"));
  thrice.signal(SIGINT);
  REQUIRE(stubborn.await("signal INT"));
  thrice.signal(SIGTERM);
  REQUIRE(stubborn.await("signal TERM"));
  thrice.signal(SIGINT);
  REQUIRE(stubborn.await("cancelled"));
  const auto cancelled = thrice.wait_exit(kPatience);
  REQUIRE(cancelled);
  CHECK(cancelled->status == 137);
}

TEST_CASE("a client that is killed leaves a closed connection, whatever it was doing") {
  FakeHostLinkDaemon daemon(v2_nature());
  HostProcess process(client(), {"run", "wait"}, environment_for(daemon));
  REQUIRE(daemon.await("started"));
  process.signal(SIGKILL);
  CHECK(daemon.await("gone"));
}

TEST_CASE("what a daemon says before it has proven itself commands no terminal") {
  FakeDaemonNature nature = v2_nature();
  nature.refuses_with = "\x1b]0;title\x07 busy";
  FakeHostLinkDaemon daemon(nature);
  const Finished refused = run({"exec", "both"}, environment_for(daemon));
  CHECK(refused.status == 4);
  CHECK(refused.standard_error.find('\x1b') == std::string::npos);
  CHECK(refused.standard_error.find("]0;title") != std::string::npos);
  CHECK(refused.standard_error.find("next: ") != std::string::npos);
}

TEST_CASE("a daemon that does not know the token learns no command") {
  FakeDaemonNature nature = v2_nature();
  nature.lies_about_token = true;
  FakeHostLinkDaemon liar(nature);
  const Finished lied = run({"exec", "both"}, environment_for(liar));
  CHECK(lied.status == 6);
  CHECK(lied.standard_error.find("somebody else") != std::string::npos);
  CHECK(liar.runs().empty());
  FakeHostLinkDaemon honest(v2_nature());
  CHECK(run({"exec", "both"}, environment_for(honest, {{"HOSTLINK_TOKEN", "wrong"}})).status == 3);
  CHECK(honest.runs().empty());
}

TEST_CASE("a shim runs the program of its name with its words, and never itself") {
  FakeHostLinkDaemon daemon(v2_nature());
  const TemporaryDirectory folder;
  const Environment environment = environment_for(daemon, {{"HOSTLINK_SHIM_DIR", folder.path()}});
  CHECK(run({"shim", "install", "words", "cat", "status"}, environment).status == 0);
  CHECK(run({"shim", "list"}, environment).standard_output.find("words  " + folder.path() + "/words\n") !=
        std::string::npos);
  const std::string words = folder.path() + "/words";
  CHECK(run({"a b", "--help", "-k", "x", "", "\xFE"}, environment, words).standard_output ==
        "[a b][--help][-k][x][][\xFE]");
  CHECK(run({"42"}, environment, folder.path() + "/status").status == 42);
  CHECK(shell("printf abc | " + folder.path() + "/cat", environment).standard_output == "abc");
  CHECK(daemon.runs()[0].env.at("HOSTLINK_SHIM") == "words");
  // Started on the host by itself.
  Environment again = environment;
  again["HOSTLINK_SHIM"] = "words";
  const std::size_t before = daemon.runs().size();
  CHECK(run({}, again, words).status == 125);
  CHECK(daemon.runs().size() == before);
  again["HOSTLINK_SHIM"] = "cat";
  CHECK(run({"x"}, again, words).status == 0);
  // What is no shim is left alone.
  write(folder.path() + "/mine", "#!/bin/sh\n");
  CHECK(run({"shim", "install", "mine"}, environment).status == 4);
  CHECK(run({"shim", "remove", "mine"}, environment).status == 4);
  CHECK(read(folder.path() + "/mine") == "#!/bin/sh\n");
  CHECK(run({"shim", "install", "hostlink-x"}, environment).status == 7);
  CHECK(run({"shim", "install", "../x"}, environment).status == 7);
  CHECK(run({"shim", "remove", "words"}, environment).status == 0);
  CHECK_FALSE(fs::exists(words));
  CHECK(run({"shim", "remove", "words"}, environment).status == 4);
}

TEST_CASE("a token on the command line is not left where others can read it") {
  FakeHostLinkDaemon daemon(v2_nature());
  HostProcess process(client(), {"-k", "s3cret", "run", "wait"},
                      environment_for(daemon, {{"HOSTLINK_TOKEN", ""}}));
  REQUIRE(daemon.await("started"));
  const std::string seen = read("/proc/" + std::to_string(process.pid()) + "/cmdline");
  CHECK(seen.find("s3cret") == std::string::npos);
  CHECK(seen.find("xxxxxx") != std::string::npos);
}
