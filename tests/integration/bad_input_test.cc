// SPDX-License-Identifier: Apache-2.0
// What a peer, a file or a program may do wrong: the node says what was wrong and lives on.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/text.h"
#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

std::string hex(const std::string& bytes) {
  return to_hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

bool answers(Scene& scene) { return scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok; }

}  // namespace

TEST_CASE("frames that make no sense are survived on the same connection or the next one") {
  Scene scene;
  scene.connect_host();
  const int pid = scene.host->pid();
  const std::size_t from = scene.mark();
  bool must_stay = false;
  SECTION("not JSON") { scene.fault({{"kind", "raw-text"}, {"text", "hello"}}); }
  SECTION("empty") { scene.fault({{"kind", "raw-text"}, {"text", ""}}); }
  SECTION("too deep") { scene.fault({{"kind", "raw-text"}, {"text", std::string(100'000, '[')}}); }
  SECTION("a number") { scene.fault({{"kind", "raw-text"}, {"text", "17"}}); }
  SECTION("wrong types") {
    scene.fault({{"kind", "raw-text"}, {"text", R"({"type":"event","event":5,"payload":"x"})"}});
  }
  SECTION("an invocation without an id is dropped") {
    must_stay = true;
    scene.fault(
        {{"kind", "event"}, {"event", "node.invoke.request"}, {"payload", {{"command", "system.which"}}}});
  }
  SECTION("an invocation that is a string is dropped") {
    must_stay = true;
    scene.fault({{"kind", "event"}, {"event", "node.invoke.request"}, {"payload", "run"}});
  }
  SECTION("a cancel of nothing is ignored") {
    must_stay = true;
    scene.fault({{"kind", "event"}, {"event", "node.invoke.cancel"}, {"payload", {{"invokeId", "none"}}}});
    scene.fault({{"kind", "event"}, {"event", "node.invoke.cancel"}});
  }
  SECTION("a binary message") { scene.fault({{"kind", "raw-binary"}, {"hex", "00ff10"}}); }
  SECTION("text that is not UTF-8") {
    scene.fault({{"kind", "raw-bytes"}, {"hex", hex("\x81\x02\xC3\x28")}});
    scene.await("closed", {}, from);
  }
  SECTION("a reserved opcode") {
    scene.fault({{"kind", "raw-bytes"}, {"hex", hex(std::string("\x83\x00", 2))}});
    scene.await("closed", {}, from);
  }
  SECTION("a header that announces thirty megabytes") {
    scene.fault(
        {{"kind", "raw-bytes"}, {"hex", hex(std::string("\x81\x7F\x00\x00\x00\x00\x01\xC9\xC3\x80", 10))}});
    scene.await("closed", {}, from);
  }
  if (must_stay) CHECK(scene.gateway->journal().all("closed").empty());
  if (!scene.gateway->journal().all("closed").empty()) scene.await("connected", {}, from);
  // A frame that closes the line may do so only now; then the answer comes over the next connection.
  if (!answers(scene)) {
    scene.await("connected", {}, from);
    CHECK(answers(scene));
  }
  CHECK(scene.host->pid() == pid);
  CHECK_FALSE(scene.host->wait_exit(std::chrono::milliseconds(0)).has_value());
}

TEST_CASE("an invocation for another node is never run") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const std::string file = scene.directory.path() + "/touched";
  Json invoke = {{"nodeId", scene.node_id},
                 {"command", "system.run"},
                 {"asNodeId", std::string(64, 'b')},
                 {"params", {{"command", Json::array({"/usr/bin/touch", file})}}},
                 {"timeoutMs", 2000}};
  CHECK_FALSE(scene.gateway->call("dev.invoke", invoke).ok);
  CHECK(answers(scene));
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("broken parameters are answered with the official sentences") {
  Scene scene;
  scene.connect_host();
  const auto raw = [&](const Json& extra) {
    Json invoke = {{"nodeId", scene.node_id}, {"command", "system.run"}};
    invoke.update(extra);
    return node_error(scene.gateway->call("dev.invoke", invoke));
  };
  CHECK(raw(Json::object()) ==
        Json{{"code", "INVALID_REQUEST"}, {"message", "Error: INVALID_REQUEST: paramsJSON required"}});
  CHECK(raw({{"paramsJSON", ""}})["message"] == "Error: INVALID_REQUEST: paramsJSON required");
  CHECK(raw({{"paramsJSON", "{"}})["message"] == "Error: INVALID_REQUEST: paramsJSON malformed JSON");
  CHECK(raw({{"paramsJSON", "null"}})["code"] == "INVALID_REQUEST");
  CHECK(raw({{"paramsJSON", "[]"}})["code"] == "INVALID_REQUEST");
  CHECK(raw({{"paramsJSON", R"({"command":"ls"})"}}) ==
        Json{{"code", "INVALID_REQUEST"}, {"message", "command required"}});
  CHECK(raw({{"paramsJSON", std::string(R"({"command":)") + std::string(5000, '[')}})["code"] ==
        "INVALID_REQUEST");
  CHECK(raw({{"command", "no.such.command"}, {"paramsJSON", "{}"}}) ==
        Json{{"code", "UNAVAILABLE"}, {"message", "command not supported"}});
}

TEST_CASE("an invoke id that is under way is not run a second time") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  Fifo fifo(scene.directory.path() + "/held");
  const std::string marker = scene.directory.path() + "/go";
  const std::string touched = scene.directory.path() + "/touched";
  const std::string script = "exec 3>'" + fifo.path() + "'; echo x >&3; until [ -e '" + marker +
                             "' ]; do sleep 0.05; done; echo first";
  const Json invoke = {
      {"nodeId", scene.node_id}, {"command", "system.run"}, {"invokeId", "same"}, {"timeoutMs", 20'000}};
  Json first = invoke;
  first["params"] = {{"command", Json::array({"/bin/sh", "-c", script})}};
  auto replaced = scene.gateway->call_async("dev.invoke", first);
  REQUIRE(fifo.wait_opened(kPatience));
  Json second = invoke;
  second["params"] = {{"command", Json::array({"/usr/bin/touch", touched})}};
  auto answer = scene.gateway->call_async("dev.invoke", second);
  CHECK(scene.host->wait_line("already under way: same", kPatience));
  write_file(marker, "");
  // The gateway matches by id: the one result answers whoever asked last.
  CHECK(pick(answer.get().payload, "/payload/stdout") == "first\n");
  CHECK_FALSE(std::filesystem::exists(touched));
  CHECK(scene.gateway->journal().all("result").size() == 1);
}

TEST_CASE("programs that cannot start are results with an error, not failures of the node") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const std::string here = scene.directory.path();
  write_file(here + "/plain", "text", 0644);
  write_file(here + "/no-interpreter", "#!/no/such/interpreter\n", 0755);
  std::vector<std::string> argv;
  SECTION("missing") { argv = {here + "/missing"}; }
  SECTION("missing by name") { argv = {"no-such-program-anywhere"}; }
  SECTION("a directory") { argv = {here}; }
  SECTION("not executable") { argv = {here + "/plain"}; }
  SECTION("a script without its interpreter") { argv = {here + "/no-interpreter"}; }
  SECTION("a NUL in an argument") { argv = {"/bin/echo", std::string("a\0b", 3)}; }
  SECTION("an empty program name") { argv = {""}; }
  const Json result = scene.run(argv);
  INFO(result.dump());
  const bool refused =
      pick(result, "/error").is_object();  // a host may refuse some of these before it spawns
  if (!refused) {
    CHECK(pick(result, "/success") == false);
    CHECK(string_at(result, "error").size() > 3);
  }
  CHECK(answers(scene));
}

TEST_CASE("unusual arguments arrive as they were sent") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  CHECK(pick(scene.run({"/usr/bin/printf", "[%s]", "", "a b", "\"", "é😀", "-"}), "/stdout") ==
        "[][a b][\"][é😀][-]");
}

TEST_CASE("an argument of two megabytes is a launch error, not the end") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const Json result = scene.run({"/bin/echo", std::string(2U << 20, 'x')});
  CHECK(result.value("success", false) == false);
  CHECK(answers(scene));
}

TEST_CASE("a working directory that is none is named") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const std::string here = scene.directory.path();
  write_file(here + "/plain", "text");
  std::string cwd;
  SECTION("missing") { cwd = here + "/missing"; }
  SECTION("a file") { cwd = here + "/plain"; }
  const Json result = scene.run({"/bin/pwd"}, {{"cwd", cwd}});
  INFO(result.dump());
  CHECK(result.dump().find(cwd) != std::string::npos);
  CHECK(result.value("success", false) == false);
  CHECK(answers(scene));
}

TEST_CASE("a symbolic link is no working directory for a listed command") {
  Scene scene;
  scene.allow(std::filesystem::canonical("/bin/pwd").string());
  scene.connect_host();
  const std::string link = scene.directory.path() + "/link";
  std::filesystem::create_directory_symlink("/usr", link);
  const Json answer = scene.run({"pwd"}, {{"cwd", link}});
  INFO(answer.dump());
  CHECK(node_error(answer)["code"] == "SYSTEM_RUN_DENIED");
}

TEST_CASE("a store that cannot be used ends the start with its reason, and is left as it was") {
  Scene scene;
  scene.connect_host();
  scene.stop_host();
  std::string database;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(scene.state_directory())) {
    if (entry.path().extension() == ".sqlite" || entry.path().extension() == ".db")
      database = entry.path().string();
  }
  REQUIRE_FALSE(database.empty());
  std::string bytes = read_file(database);
  SECTION("not a database") { bytes = std::string(8192, 'x'); }
  // Bytes 60 to 63 of a SQLite file hold user_version, big-endian.
  SECTION("of a newer version") { bytes.replace(60, 4, std::string("\x00\x00\x27\x0F", 4)); }
  std::filesystem::remove(database + "-wal");
  std::filesystem::remove(database + "-shm");
  write_file(database, bytes, 0600);
  HostProcess& host = scene.start_host();
  const auto finished = host.wait_exit(kPatience);
  REQUIRE(finished.has_value());
  INFO(finished->standard_error);
  CHECK(finished->status != 0);
  CHECK(finished->standard_error.find(database) != std::string::npos);
  CHECK(read_file(database) == bytes);
}

TEST_CASE("a gateway that answers hello with nonsense is tried again and never trusted") {
  Scene scene;
  scene.gateway->call("dev.fault", {{"kind", "refuse-connects"},
                                    {"count", 1},
                                    {"error", {{"code", 7}, {"message", {{"a", 1}}}}},
                                    {"closeCode", 1008}});
  scene.start_host();
  scene.await("connected");
}

}  // namespace hostclaw::integration
