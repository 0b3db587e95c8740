// SPDX-License-Identifier: Apache-2.0
// The link: signature, frames, both pairing stages, tokens, setup codes, TLS, liveness, reconnecting, exit
// statuses. Source: transport contract sections 1 to 4, 7, 9.1, 10 and 11.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <set>

#include "tests/devgateway/websocket_client.h"
#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

// Loopback pairs silently, the surface waits for an operator: what a fresh machine meets.
GatewaySettings fresh_machine_settings(int protocol = 4) {
  GatewaySettings settings = approving_settings(protocol);
  settings.auto_approve = false;
  return settings;
}

Json connect_params_of(const Json& frame_record) { return frame_record["frame"]["params"]; }

bool is_connect(const Json& record) {
  return record.contains("frame") && record["frame"].value("method", "") == "connect";
}

bool is_node_connect(const Json& record) {
  return is_connect(record) && record["frame"]["params"].value("role", "") == "node";
}

Json status_of(Scene& scene) {
  const auto parsed = parse_json(scene.hostclaw({"status", "--json"}).standard_output);
  return parsed ? *parsed : Json();
}

// Until the running node says so of itself; it writes its state at every change.
void await_status(Scene& scene, const std::string& pointer, const std::string& value) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  Json seen;
  do {
    seen = pick(status_of(scene), pointer);
  } while (seen != value && std::chrono::steady_clock::now() < until);
  CHECK(seen == value);
}

// Members that are null or empty strings, as JSON pointers.
void find_empty(const Json& value, const std::string& at, std::vector<std::string>& found) {
  if (value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty()))
    found.push_back(at);
  if (!value.is_structured()) return;
  for (const auto& [key, item] : value.items()) find_empty(item, at + '/' + key, found);
}

std::set<std::string> member_names(const Json& value, const std::string& at = "") {
  std::set<std::string> out;
  if (!value.is_object()) return out;
  for (const auto& [key, item] : value.items()) {
    out.insert(at + '/' + key);
    out.merge(member_names(item, at + '/' + key));
  }
  return out;
}

}  // namespace

TEST_CASE("one connect frame pairs with both gateway generations") {
  std::vector<Json> frames;
  for (const int protocol : {3, 4}) {
    Scene scene(approving_settings(protocol));
    scene.connect_host({"--display-name", "build-box"});
    frames.push_back(connect_params_of(scene.await("frame", is_connect)));
    CHECK(scene.host->wait_line("node host gateway connected: " + scene.gateway->url(), kPatience));
  }
  CHECK(member_names(frames[0]) == member_names(frames[1]));
  for (const Json& params : frames) {
    CHECK(params["minProtocol"] == 3);
    CHECK(params["maxProtocol"] == 4);
    CHECK(params["client"]["id"] == "node-host");
    CHECK(params["client"]["mode"] == "node");
    CHECK(params["client"]["displayName"] == "build-box");
    CHECK(params["client"]["platform"] == "linux");
    CHECK(params["client"]["deviceFamily"] == "Linux");
    CHECK(params["role"] == "node");
    CHECK(params["scopes"] == Json::array());
    std::set<std::string> commands;
    for (const Json& command : params["commands"]) commands.insert(command.get<std::string>());
    for (const char* command : {"system.run", "system.run.prepare", "system.which",
                                "system.execApprovals.get", "system.execApprovals.set"}) {
      CHECK(commands.contains(command));
    }
  }
}

TEST_CASE("a gateway that knows no machine without a family holds all commands") {
  GatewaySettings settings = approving_settings();
  settings.family_required = true;
  Scene scene(settings);
  scene.connect_host();
  CHECK(scene.host->wait_line("the gateway holds this node's commands", kPatience));
  CHECK(scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok);
  const Json status = status_of(scene);
  CHECK(pick(status, "/pairing/surface") == "done");
}

TEST_CASE("a node that no operator's token tells more is unconfirmed until an agent's command arrives") {
  const int protocol = GENERATE(3, 4);
  Scene scene(approving_settings(protocol));
  scene.connect_host();
  scene.stop_host();
  const std::size_t from = scene.mark();
  scene.start_host({}, {}, false);
  scene.await("connected", {}, from);
  const auto line = scene.host->wait_line("unconfirmed", kPatience);
  REQUIRE(line.has_value());
  CHECK(line->find("openclaw nodes describe --node " + scene.node_id) != std::string::npos);
  await_status(scene, "/pairing/surface", "unconfirmed");
  CHECK(string_at(status_of(scene)["pairing"], "next").find("openclaw nodes describe") != std::string::npos);
  const Finished doctor = scene.hostclaw({"doctor", "--only", "surface"});
  CHECK(doctor.standard_output.find("SURFACE_UNCONFIRMED") != std::string::npos);
  // A gateway drops names one by one: another one says nothing about runs.
  CHECK(scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok);
  CHECK(pick(status_of(scene), "/pairing/surface") == "unconfirmed");
  (void)scene.invoke("system.run", {{"command", Json::array({"/bin/true"})}, {"agentId", "main"}});
  await_status(scene, "/pairing/surface", "done");
}

TEST_CASE("a gateway that holds none of the commands is never called done") {
  GatewaySettings settings = approving_settings();
  settings.denied_commands = {"system.run",
                              "system.run.prepare",
                              "system.which",
                              "system.execApprovals.get",
                              "system.execApprovals.set",
                              "mcp.tools.call.v1"};
  Scene scene(settings);
  scene.connect_host();
  CHECK(scene.host->wait_line("the gateway holds none of this node's commands", kPatience));
  await_status(scene, "/pairing/surface", "none");
  CHECK(scene.hostclaw({"doctor", "--only", "surface"}).standard_output.find("SURFACE_NONE") !=
        std::string::npos);
}

TEST_CASE("a gateway that holds all but system.run is not called done either") {
  GatewaySettings settings = approving_settings();
  settings.denied_commands = {"system.run"};
  Scene scene(settings);
  scene.connect_host();
  CHECK(scene.host->wait_line("does not hold system.run", kPatience));
  await_status(scene, "/pairing/surface", "none");
}

TEST_CASE("commands outside of what a gateway takes are not missing") {
  GatewaySettings settings = approving_settings();
  settings.denied_commands = {"system.execApprovals.get", "system.execApprovals.set"};
  Scene scene(settings);
  scene.connect_host();
  await_status(scene, "/pairing/surface", "done");
}

TEST_CASE("newly declared commands wait for their approval while the old ones keep working") {
  Scene scene(fresh_machine_settings());
  scene.start_host({"--commands", "system.which"});
  const Json first = scene.await("connected");
  scene.node_id = string_at(first, "nodeId");
  const auto approve = [&](const std::string& request) {
    CHECK(scene.gateway->call("node.pair.approve", {{"requestId", request}}).ok);
  };
  approve(string_at(first, "surfaceRequestId"));
  await_status(scene, "/pairing/surface", "done");
  scene.stop_host();
  const std::size_t from = scene.mark();
  scene.start_host({"--all-commands"});
  const Json second = scene.await("connected", {}, from);
  const auto line = scene.host->wait_line("waiting for approval, beside those that work", kPatience);
  REQUIRE(line.has_value());
  CHECK(line->find("system.run") != std::string::npos);
  CHECK(line->find("openclaw nodes approve " + string_at(second, "surfaceRequestId")) != std::string::npos);
  CHECK(scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok);
  CHECK(scene.hostclaw({"doctor", "--only", "surface"}).standard_output.find("SURFACE_PARTLY") !=
        std::string::npos);
  approve(string_at(second, "surfaceRequestId"));
  CHECK(scene.host->wait_line("the gateway holds this node's commands", kPatience));
  CHECK(scene.hostclaw({"doctor", "--only", "surface"}).standard_output.find("SURFACE_APPROVED") !=
        std::string::npos);
}

TEST_CASE(
    "a machine that was paired under the old name of its system stays paired, and the gateway's choice is "
    "kept") {
  Scene scene;
  const auto family_of = [&](std::size_t from) {
    const Json client = connect_params_of(scene.await("frame", is_node_connect, from))["client"];
    return client.value("deviceFamily", std::string());
  };
  scene.gateway->call("dev.fault", {{"kind", "refuse-connects"}, {"as", "metadata-upgrade"}, {"count", 1}});
  scene.connect_host();
  CHECK(scene.host->wait_line("under the old name of its system", kPatience));
  CHECK(family_of(0) == "Linux");
  scene.stop_host();

  std::size_t from = scene.mark();
  scene.connect_host();
  CHECK(family_of(from).empty());
  scene.stop_host();

  // Another release of the gateway may want the current form.
  scene.gateway->call("dev.fault", {{"kind", "server-version"}, {"version", "2026.10.1"}});
  from = scene.mark();
  scene.start_host();
  const Json old_form = scene.await("connected", {}, from);
  scene.await("connected", {}, old_form["index"].get<std::size_t>() + 1);
  CHECK(family_of(old_form["index"].get<std::size_t>() + 1) == "Linux");
  scene.stop_host();
  from = scene.mark();
  scene.connect_host();
  CHECK(family_of(from) == "Linux");
}

TEST_CASE("where neither form is what was paired, an operator is asked about the current one") {
  Scene scene;
  scene.gateway->call("dev.fault", {{"kind", "refuse-connects"}, {"as", "metadata-upgrade"}, {"count", 3}});
  scene.start_host();
  const auto line = scene.host->wait_line("waiting for device pairing", kPatience);
  REQUIRE(line.has_value());
  CHECK(line->find("openclaw devices approve ") != std::string::npos);
  std::vector<std::string> families;
  for (const Json& record : scene.gateway->journal().all("frame", is_node_connect))
    families.push_back(connect_params_of(record)["client"].value("deviceFamily", std::string()));
  CHECK(families == std::vector<std::string>{"Linux", "", "Linux"});
}

TEST_CASE("the upgrade request carries no origin, no proxy header and no extension") {
  Scene scene;
  scene.connect_host();
  const Json headers = scene.await("open")["headers"];
  for (const char* name : {"origin", "forwarded", "x-forwarded-for", "x-real-ip", "sec-websocket-protocol",
                           "sec-websocket-extensions", "authorization", "cookie"}) {
    INFO(name);
    CHECK_FALSE(headers.contains(name));
  }
  CHECK(headers["host"] == "127.0.0.1:" + std::to_string(scene.gateway->port()));
}

TEST_CASE("no request holds a null or an empty string") {
  const int protocol = GENERATE(3, 4);
  Scene scene(approving_settings(protocol));
  scene.allow("/usr/bin/true");
  scene.connect_host();
  scene.invoke("system.which", {{"bins", Json::array({"true"})}});
  scene.run({"/usr/bin/true"});
  scene.run({"/usr/bin/false"});
  scene.invoke("system.run", Json::object());
  const std::vector<Json> records = scene.gateway->journal().all("frame");
  CHECK(records.size() >= 5);
  for (const Json& record : records) {
    std::vector<std::string> found;
    find_empty(record["frame"], "", found);
    CHECK(found == std::vector<std::string>{});
  }
  for (const Json& sent : scene.gateway->journal().all("sent")) {
    INFO(sent.dump());
    CHECK(sent["frame"].value("/error/code"_json_pointer, "") != "INVALID_REQUEST");
  }
}

TEST_CASE("stats are sent to a protocol 4 gateway and nothing optional to a protocol 3 gateway") {
  SECTION("protocol 4") {
    Scene scene;
    scene.connect_host();
    const Json stats = scene.await("event", with("event", "node.host.stats"));
    CHECK(pick(stats, "/reply/reason") == "updated");
    CHECK(pick(stats, "/payload/cpuCount").get<int>() >= 1);
  }
  SECTION("protocol 3") {
    Scene scene(approving_settings(3));
    scene.connect_host();
    // A full round trip after hello: whatever the host wanted to publish has been sent before its answer.
    CHECK(scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok);
    CHECK(scene.gateway->journal().all("event").empty());
    CHECK(scene.gateway->journal().all("unauthorized").empty());
  }
}

TEST_CASE("both pairing stages are followed to the end by one process") {
  Scene scene(asking_settings());
  HostProcess& host = scene.start_host();

  const Json refused = scene.await("refused", with("detailsCode", "PAIRING_REQUIRED"));
  const std::string device_request = string_at(refused, "requestId");
  const auto device_line = host.wait_line(device_request, kPatience);
  REQUIRE(device_line.has_value());
  CHECK(device_line->find("openclaw devices approve " + device_request) != std::string::npos);
  CHECK(scene.gateway->call("device.pair.approve", {{"requestId", device_request}}).ok);

  const Json connected = scene.await("connected");
  scene.node_id = string_at(connected, "nodeId");
  const std::string surface_request = string_at(connected, "surfaceRequestId");
  const auto surface_line = host.wait_line(surface_request, kPatience);
  REQUIRE(surface_line.has_value());
  CHECK(surface_line->find("openclaw nodes approve " + surface_request) != std::string::npos);
  CHECK_FALSE(scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok);

  CHECK(scene.gateway->call("node.pair.approve", {{"requestId", surface_request}}).ok);
  CHECK(host.wait_line("node host gateway connected: ", kPatience));
  CHECK(scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok);
  CHECK(scene.gateway->journal().all("connected").size() == 1);
  CHECK(scene.gateway->journal().all("closed", with("afterHello", true)).empty());
}

TEST_CASE("a pending device keeps one request id over its retries") {
  Scene scene(asking_settings());
  scene.start_host();
  const Json first = scene.await("refused");
  const Json second = scene.await("refused", {}, pick(first, "/index").get<std::size_t>() + 1);
  CHECK(pick(first, "/requestId") == pick(second, "/requestId"));
}

TEST_CASE("the device token is kept and used instead of the shared one after a restart of the node") {
  Scene scene;
  scene.connect_host();
  scene.stop_host();
  const std::size_t from = scene.mark();
  scene.start_host({}, {}, false);
  CHECK(scene.await("connected", {}, from)["authMethod"] == "device-token");
  const Json auth = connect_params_of(scene.await("frame", is_connect, from))["auth"];
  CHECK(auth.size() == 1);
  CHECK(string_at(auth, "deviceToken").size() == 43);
}

TEST_CASE("a rotated token is replaced when there is a shared one") {
  Scene scene;
  scene.connect_host();
  const std::size_t from = scene.mark();
  CHECK(scene.gateway->call("device.token.rotate", {{"deviceId", scene.node_id}, {"role", "node"}}).ok);
  CHECK(scene.host->wait_line("node host gateway closed (4001): device removed", kPatience));
  scene.await("connected", {}, from);
  scene.stop_host();
  const std::size_t again = scene.mark();
  scene.start_host({}, {}, false);
  CHECK(scene.await("connected", {}, again)["authMethod"] == "device-token");
}

TEST_CASE("a rotated token without a shared one is dropped, and the node says what is needed") {
  Scene scene;
  scene.connect_host();
  scene.stop_host();
  std::size_t from = scene.mark();
  scene.start_host({}, {}, false);
  scene.await("connected", {}, from);
  from = scene.mark();
  CHECK(scene.gateway->call("device.token.rotate", {{"deviceId", scene.node_id}, {"role", "node"}}).ok);
  scene.await("refused", with("detailsCode", "AUTH_DEVICE_TOKEN_MISMATCH"), from);
  CHECK(scene.host->wait_line("no longer valid", kPatience));
}

TEST_CASE("after a revocation the node asks for its role again and returns when it gets it") {
  Scene scene(fresh_machine_settings());
  scene.connect_host();
  const std::size_t from = scene.mark();
  CHECK(scene.gateway->call("device.token.revoke", {{"deviceId", scene.node_id}, {"role", "node"}}).ok);
  const Json refused = scene.await("refused", with("reason", "role-upgrade"), from);
  CHECK(scene.gateway->call("device.pair.approve", {{"requestId", pick(refused, "/requestId")}}).ok);
  scene.await("connected", {}, from);
}

TEST_CASE("a removed device pairs again and a removed node asks for its surface again") {
  Scene scene(fresh_machine_settings());
  scene.connect_host();
  const std::string method = GENERATE(as<std::string>{}, "device.pair.remove", "node.pair.remove");
  const std::size_t from = scene.mark();
  CHECK(scene.gateway->call(method, {{"deviceId", scene.node_id}, {"nodeId", scene.node_id}}).ok);
  scene.await("closed", with("nodeId", scene.node_id), from);
  const Json connected = scene.await("connected", {}, from);
  CHECK_FALSE(string_at(connected, "surfaceRequestId").empty());
}

TEST_CASE("a setup code pairs device and surface at once, without any other credential") {
  Scene scene(asking_settings());
  const Json setup = scene.gateway->call("device.pair.setupCode", {{"joinUrl", true}}).payload;
  std::string target = string_at(setup, "setupCode");
  SECTION("as it is") {}
  SECTION("with its prefix, in any case") { target = "OC-PAIR://" + target; }
  SECTION("as a join URL") { target = string_at(setup, "joinUrl"); }
  scene.start_host({"--pair", target}, {}, false);
  CHECK(scene.await("connected")["authMethod"] == "bootstrap-token");
  CHECK(scene.host->wait_line("node host gateway connected: ", kPatience));
  CHECK(scene.gateway->call("node.pair.list").payload["pending"].empty());

  scene.stop_host();
  const std::size_t from = scene.mark();
  scene.start_host({}, {}, false);
  CHECK(scene.await("connected", {}, from)["authMethod"] == "device-token");
}

TEST_CASE("a used setup code ends the node with status 1") {
  Scene scene(asking_settings());
  const std::string code = string_at(scene.gateway->call("device.pair.setupCode").payload, "setupCode");
  scene.start_host({"--pair", code}, {}, false);
  scene.await("connected");
  scene.stop_host();
  HostProcess& again = scene.start_host({"--pair", code}, {}, false);
  const auto finished = again.wait_exit(kPatience);
  REQUIRE(finished.has_value());
  CHECK(finished->status == 1);
}

TEST_CASE("a setup code that expired is refused without a connection") {
  Scene scene(asking_settings());
  const Json setup = scene.gateway->call("device.pair.setupCode", {{"ttlMs", -1000}}).payload;
  HostProcess& host = scene.start_host({"--pair", string_at(setup, "setupCode")}, {}, false);
  const auto finished = host.wait_exit(kPatience);
  REQUIRE(finished.has_value());
  CHECK(finished->status != 0);
  CHECK(finished->standard_error.find("expired") != std::string::npos);
  CHECK(scene.gateway->journal().all("open").empty());
}

TEST_CASE("the addresses of a setup code are tried in order") {
  Scene scene(asking_settings());
  // Port 9 (discard) of loopback: nothing listens there.
  const Json setup =
      scene.gateway
          ->call("device.pair.setupCode", {{"publicUrl", "ws://127.0.0.1:9"},
                                           {"urls", Json::array({"ws://127.0.0.1:9", scene.gateway->url()})}})
          .payload;
  scene.start_host({"--pair", string_at(setup, "setupCode")}, {}, false);
  CHECK(scene.await("connected")["authMethod"] == "bootstrap-token");
}

TEST_CASE("a pinned certificate is checked before any byte of HTTP") {
  TemporaryDirectory directory;
  ListenSettings listen;
  listen.tls = make_certificate(directory.path());
  Scene scene(approving_settings(), listen);
  SECTION("the right pin, in any spelling") {
    const std::string pin = "sha256:" + scene.gateway->tls_fingerprint();
    scene.start_host({"--tls", "--tls-fingerprint", pin});
    scene.await("connected");
    CHECK(scene.await("open")["tls"] == true);
  }
  SECTION("another pin") {
    scene.start_host({"--tls", "--tls-fingerprint", std::string(64, 'a')});
    const Json first = scene.await("handshake-failed");
    scene.await("handshake-failed", {}, pick(first, "/index").get<std::size_t>() + 1);  // it is tried again
    CHECK(scene.gateway->journal().all("open").empty());
    CHECK(scene.gateway->journal().all("http").empty());
  }
  SECTION("no pin: the certificate is not trusted") {
    scene.start_host({"--tls"});
    scene.await("handshake-failed");
    CHECK(scene.gateway->journal().all("open").empty());
  }
}

TEST_CASE("configuration errors end the node with status 78 and name the trouble") {
  Scene scene;
  std::vector<std::string> arguments;
  SECTION("a pin without TLS") { arguments = {"--no-tls", "--tls-fingerprint", std::string(64, 'a')}; }
  SECTION("a malformed pin") { arguments = {"--tls", "--tls-fingerprint", "abc"}; }
  SECTION("plaintext to a public address") { arguments = {"--host", "192.0.2.10"}; }
  std::vector<std::string> words = {"node", "run"};
  if (arguments[0] != "--host") {
    words.insert(words.end(), {"--host", "127.0.0.1", "--port", std::to_string(scene.gateway->port())});
  }
  words.insert(words.end(), arguments.begin(), arguments.end());
  const Finished finished = scene.hostclaw(words, {{"OPENCLAW_GATEWAY_TOKEN", kSharedToken}});
  INFO(finished.standard_error);
  CHECK(finished.status == 78);
  CHECK(finished.standard_error.size() > 10);
  CHECK(scene.gateway->journal().all("open").empty());
}

TEST_CASE("wrong credentials end the node with status 1 and never show them") {
  Scene scene;
  Environment extra;
  SECTION("a wrong token") { extra["OPENCLAW_GATEWAY_TOKEN"] = "not-the-token"; }
  SECTION("a wrong password") { extra["OPENCLAW_GATEWAY_PASSWORD"] = "not-the-password"; }
  HostProcess& host = scene.start_host({}, extra, false);
  const auto finished = host.wait_exit(kPatience);
  REQUIRE(finished.has_value());
  CHECK(finished->status == 1);
  CHECK(finished->standard_error.find("not-the-") == std::string::npos);
}

TEST_CASE("signals end the node with their conventional status and a close frame without a code") {
  const auto [number, status] = GENERATE(std::pair{SIGINT, 130}, std::pair{SIGTERM, 143});
  Scene scene;
  HostProcess& host = scene.connect_host();
  host.signal(number);
  const auto finished = host.wait_exit(kPatience);
  REQUIRE(finished.has_value());
  CHECK(finished->status == status);
  CHECK(scene.await("closed")["code"] == 1005);
}

// Listens and never answers.
class SilentPeer {
 public:
  SilentPeer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd_, 4) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~SilentPeer() { ::close(fd_); }
  SilentPeer(const SilentPeer&) = delete;
  SilentPeer& operator=(const SilentPeer&) = delete;
  std::string port() const { return std::to_string(port_); }
  // Somebody connects and says something: an upgrade or the beginning of TLS.
  void await_words() const {
    const int peer = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    REQUIRE(peer >= 0);
    char byte = 0;
    REQUIRE(::recv(peer, &byte, 1, MSG_PEEK) == 1);
    // Left open: the other side must not see an end.
  }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

TEST_CASE("a signal is answered within a second while the gateway is silent") {
  const bool tls = GENERATE(false, true);
  const auto [number, status] =
      GENERATE(std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}, std::pair{SIGHUP, 129});
  SilentPeer peer;
  TemporaryDirectory directory;
  std::vector<std::string> arguments{"node", "run", "--host", "127.0.0.1", "--port", peer.port()};
  if (tls) arguments.push_back("--tls");
  HostProcess host(hostclaw_program(), arguments,
                   {{"HOME", directory.path()}, {"HOSTCLAW_STATE_DIR", directory.path() + "/state"}});
  peer.await_words();
  const auto asked = std::chrono::steady_clock::now();
  host.signal(number);
  const auto ended = host.wait_exit(kPatience);
  REQUIRE(ended.has_value());
  CHECK(ended->status == status);
  CHECK(std::chrono::steady_clock::now() - asked < std::chrono::seconds(1));
}

TEST_CASE("a signal is answered within a second while a setup code is redeemed") {
  SilentPeer peer;
  TemporaryDirectory directory;
  HostProcess host(hostclaw_program(),
                   {"node", "run", "--pair", "http://127.0.0.1:" + peer.port() + "/j/abcdefghijklmnopqrstuv"},
                   {{"HOME", directory.path()}, {"HOSTCLAW_STATE_DIR", directory.path() + "/state"}});
  peer.await_words();
  const auto asked = std::chrono::steady_clock::now();
  host.signal(SIGTERM);
  const auto ended = host.wait_exit(kPatience);
  REQUIRE(ended.has_value());
  CHECK(ended->status == 143);
  CHECK(std::chrono::steady_clock::now() - asked < std::chrono::seconds(1));
}

TEST_CASE("a planned restart of the gateway is survived by the same process") {
  Scene scene(fresh_machine_settings());
  scene.connect_host();
  const std::size_t from = scene.mark();
  scene.gateway->call("dev.shutdown", {{"downMs", 1200}});
  const auto line = scene.host->wait_line("node host gateway closed (1012): service restart", kPatience);
  REQUIRE(line.has_value());
  CHECK(line->find("the gateway is restarting; ") != std::string::npos);
  CHECK(line->find("; tried again in ") != std::string::npos);
  scene.await("connected", {}, from);
}

TEST_CASE("a gateway that is still starting is tried again soon") {
  Scene scene;
  scene.gateway->call(
      "dev.fault",
      {{"kind", "refuse-connects"}, {"as", "startup-sidecars"}, {"count", 4}, {"retryAfterMs", 100}});
  scene.start_host();
  const auto begin = std::chrono::steady_clock::now();
  scene.await("connected");
  // Ordinary backoff would need 1 + 2 + 4 + 8 seconds for the same four refusals.
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
}

TEST_CASE("refusals that end by themselves are waited out") {
  Scene scene;
  Json refusal = {{"kind", "refuse-connects"}, {"count", 1}};
  SECTION("a rate limit") { refusal.update({{"as", "rate-limited"}, {"retryAfterMs", 300}}); }
  SECTION("a pairing in flight") { refusal["as"] = "pairing-in-flight"; }
  SECTION("an internal error") {
    refusal.update({{"error", {{"code", "UNAVAILABLE"}, {"message", "internal"}}}, {"closeCode", 1011}});
  }
  scene.gateway->call("dev.fault", refusal);
  scene.start_host();
  scene.await("connected");
}

TEST_CASE("a refused upgrade and a broken challenge are tried again") {
  Scene scene;
  SECTION("503") {
    scene.gateway->call("dev.fault", {{"kind", "http-refusal"}, {"status", 503}, {"body", "{}"}});
  }
  SECTION("a blank nonce") {
    scene.gateway->call("dev.fault", {{"kind", "challenge"}, {"as", "blank-nonce"}});
  }
  SECTION("no payload") { scene.gateway->call("dev.fault", {{"kind", "challenge"}, {"as", "no-payload"}}); }
  scene.start_host();
  scene.await("connected");
}

TEST_CASE("a gateway that never sends its challenge is left") {
  Scene scene;
  scene.gateway->call("dev.fault", {{"kind", "challenge"}, {"as", "none"}});
  scene.start_host({}, {{"OPENCLAW_CONNECT_CHALLENGE_TIMEOUT_MS", "500"}});
  CHECK(scene.await("closed")["afterHello"] == false);
  scene.await("connected");
}

TEST_CASE("whatever closes an established connection, the node comes back") {
  Scene scene;
  scene.connect_host();
  const std::size_t from = scene.mark();
  SECTION("a policy close") { scene.fault({{"kind", "close"}, {"code", 1008}, {"reason", "slow consumer"}}); }
  SECTION("an ordinary close") { scene.fault({{"kind", "close"}, {"code", 1000}}); }
  SECTION("a private code") {
    scene.fault({{"kind", "close"}, {"code", 4001}, {"reason", "gateway auth changed"}});
  }
  SECTION("a dropped line") { scene.fault({{"kind", "drop"}}); }
  scene.await("connected", {}, from);
}

TEST_CASE("a silent gateway is noticed by its missing ticks") {
  GatewaySettings settings = approving_settings();
  settings.tick_interval = std::chrono::milliseconds(300);
  settings.ping_interval = std::chrono::milliseconds(0);
  // hello-ok announces the tick interval; no tick ever comes.
  Scene scene(settings);
  scene.gateway->call("dev.fault", {{"kind", "mute-ticks"}});
  scene.connect_host();
  const Json closed = scene.await("closed", with("afterHello", true));
  CHECK(closed["code"] == 4000);
}

TEST_CASE("a ping is answered with its payload while fifty commands run") {
  GatewaySettings settings = approving_settings();
  settings.ping_interval = std::chrono::seconds(1);
  Scene scene(settings);
  scene.allow("/usr/bin/sleep");
  scene.connect_host();
  std::vector<std::future<Reply>> answers;
  for (int i = 0; i < 50; ++i) {
    answers.push_back(scene.invoke_async(
        "system.run", {{"command", Json::array({"/usr/bin/sleep", "8"})}, {"agentId", "main"}},
        {{"timeoutMs", 60'000}}));
  }
  scene.await("invoke", [count = 0](const Json&) mutable { return ++count == 50; });
  std::size_t from = scene.mark();
  for (int i = 0; i < 3; ++i) {
    from = scene.await("pong", {}, from)["index"].get<std::size_t>() + 1;
    CHECK(scene.gateway->journal().all("result", {}, 0).empty());
  }
  for (std::future<Reply>& answer : answers) CHECK(answer.get().ok);
  CHECK(scene.gateway->journal().all("closed").empty());
}

TEST_CASE("unknown events, members and responses are ignored") {
  Scene scene;
  scene.connect_host();
  scene.fault(
      {{"kind", "event"}, {"event", "voicewake.changed"}, {"payload", {{"triggers", Json::array()}}}});
  scene.fault({{"kind", "event"}, {"event", "no.such.event"}});
  scene.fault({{"kind", "raw-text"}, {"text", R"({"type":"res","id":"999","ok":true,"payload":{}})"}});
  scene.fault(
      {{"kind", "raw-text"}, {"text", R"({"type":"event","event":"tick","payload":{"ts":1},"future":[1]})"}});
  scene.fault({{"kind", "raw-text"}, {"text", R"({"type":"req","id":"1","method":"node.describe"})"}});
  scene.fault({{"kind", "raw-text"}, {"text", R"({"type":"sonnet","lines":14})"}});
  CHECK(scene.invoke("system.which", {{"bins", Json::array({"sh"})}}).ok);
  CHECK(scene.gateway->journal().all("unauthorized").empty());
  CHECK(scene.gateway->journal().all("closed").empty());
}

TEST_CASE("a second node with the same state is refused while the first one runs") {
  Scene scene;
  scene.connect_host();
  const Finished second =
      scene.hostclaw({"node", "run", "--host", "127.0.0.1", "--port", std::to_string(scene.gateway->port())},
                     {{"OPENCLAW_GATEWAY_TOKEN", kSharedToken}});
  CHECK(second.status != 0);
  CHECK(scene.gateway->journal().all("connected").size() == 1);
}

TEST_CASE("identity is one line of JSON, and an error before there is one") {
  Scene scene;
  const Finished none = scene.hostclaw({"node", "identity", "--json"});
  CHECK(none.status == 1);
  CHECK(none.standard_output.find("deviceId") == std::string::npos);
  scene.connect_host();
  const Finished identity = scene.hostclaw({"node", "identity", "--json"});
  CHECK(identity.status == 0);
  CHECK(std::count(identity.standard_output.begin(), identity.standard_output.end(), '\n') == 1);
  CHECK(parse_json(identity.standard_output)->at("deviceId") == scene.node_id);
}

TEST_CASE("node run takes every official flag") {
  Scene scene;
  scene.connect_host({"--context-path", "/openclaw-gw", "--no-tls", "--node-id",
                      "b3c0f2e1-d2e0-48ab-890a-50fbb121d387", "--display-name", "wrapped", "--all-commands",
                      "--no-share-installed-apps", "--ephemeral", "--no-desktop-sharing", "--auth-from-env"});
  CHECK(scene.await("open")["target"] == "/openclaw-gw");
  const Json client = connect_params_of(scene.await("frame", is_connect))["client"];
  CHECK(client["instanceId"] == "b3c0f2e1-d2e0-48ab-890a-50fbb121d387");
}

TEST_CASE("--commands announces exactly what is named") {
  Scene scene;
  scene.connect_host({"--commands", "system.which"});
  CHECK(connect_params_of(scene.await("frame", is_connect))["commands"] == Json::array({"system.which"}));
}

TEST_CASE("state is private and never uses the names of an official state directory") {
  Scene scene;
  scene.allow("/usr/bin/true");
  scene.connect_host();
  scene.run({"/usr/bin/true"});
  scene.stop_host();
  namespace fs = std::filesystem;
  CHECK((fs::status(scene.state_directory()).permissions() & fs::perms::mask) == fs::perms(0700));
  const std::set<std::string> forbidden = {"node.json", "device.json", "device-auth.json",
                                           "exec-approvals.json", "openclaw.sqlite"};
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(scene.state_directory())) {
    INFO(entry.path().string());
    CHECK_FALSE(forbidden.contains(entry.path().filename().string()));
    if (!entry.is_regular_file()) continue;
    ++files;
    CHECK((entry.status().permissions() & fs::perms(0077)) == fs::perms::none);
  }
  CHECK(files > 0);
}

TEST_CASE("no secret reaches the log") {
  Scene scene;
  scene.connect_host({"--verbose"});
  const Json hello = scene.await("sent", [](const Json& record) {
    return record["frame"].value("/payload/type"_json_pointer, "") == "hello-ok";
  });
  scene.stop_host();
  const std::string log = scene.host->standard_error();
  CHECK(log.find(kSharedToken) == std::string::npos);
  CHECK(log.find(hello["frame"]["payload"]["auth"]["deviceToken"].get<std::string>()) == std::string::npos);
}

}  // namespace hostclaw::integration
