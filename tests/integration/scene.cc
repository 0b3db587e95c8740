// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/scene.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/self_signed.h"

namespace hostclaw::integration {

GatewaySettings approving_settings(int protocol) {
  GatewaySettings settings;
  settings.protocol = protocol;
  settings.shared_token = kSharedToken;
  settings.auto_approve = true;
  return settings;
}

GatewaySettings asking_settings(int protocol) {
  GatewaySettings settings = approving_settings(protocol);
  settings.auto_approve = false;
  settings.loopback_is_remote = true;
  return settings;
}

Scene::Scene(const GatewaySettings& settings, const ListenSettings& listen)
    : gateway(*DevGateway::start(settings, listen)), state_directory_(directory.path() + "/state") {}

Json pick(const Json& value, const std::string& pointer) {
  const Json::json_pointer at(pointer);
  return value.contains(at) ? value.at(at) : Json();
}

Json node_error(const Reply& reply) { return pick(reply.error, "/details/nodeError"); }

Json node_error(const Json& answer) { return pick(answer, "/error/details/nodeError"); }

Environment Scene::environment() const {
  const char* path = std::getenv("PATH");
  return {{"PATH", path ? path : "/usr/bin:/bin"},
          {"HOME", directory.path()},
          {"HOSTCLAW_STATE_DIR", state_directory_}};
}

Finished Scene::hostclaw(const std::vector<std::string>& arguments, const Environment& extra) {
  Environment all = environment();
  for (const auto& [name, value] : extra) all[name] = value;
  HostProcess process(hostclaw_program(), arguments, all);
  const std::optional<Finished> finished = process.wait_exit(kPatience);
  REQUIRE(finished.has_value());
  return *finished;
}

void Scene::allow(const std::string& pattern) {
  const Finished finished = hostclaw({"approvals", "allowlist", "add", pattern, "--agent", "*"});
  INFO(finished.standard_error);
  REQUIRE(finished.status == 0);
}

void Scene::preset(const std::string& name) {
  const Finished finished = hostclaw({"exec-policy", "preset", name});
  INFO(finished.standard_error);
  REQUIRE(finished.status == 0);
}

HostProcess& Scene::start_host(const std::vector<std::string>& arguments, const Environment& extra,
                               bool with_token) {
  std::vector<std::string> words = {"node",      "run",    "--host",
                                    "127.0.0.1", "--port", std::to_string(gateway->port())};
  words.insert(words.end(), arguments.begin(), arguments.end());
  Environment all = environment();
  if (with_token) all["OPENCLAW_GATEWAY_TOKEN"] = kSharedToken;
  for (const auto& [name, value] : extra) all[name] = value;
  host = std::make_unique<HostProcess>(hostclaw_program(), words, all);
  return *host;
}

HostProcess& Scene::connect_host(const std::vector<std::string>& arguments) {
  const std::size_t from = mark();
  HostProcess& process = start_host(arguments);
  node_id = string_at(await("connected", {}, from), "nodeId");
  return process;
}

void Scene::stop_host() {
  host->signal(SIGTERM);
  REQUIRE(host->wait_exit(kPatience).has_value());
}

Json Scene::await(const std::string& kind, const devgateway::Journal::Predicate& predicate,
                  std::size_t from) {
  const std::optional<Json> record = gateway->journal().wait(kind, kPatience, predicate, from);
  INFO("waiting for: " << kind << "\nthe host said:\n" << (host ? host->standard_error() : std::string()));
  REQUIRE(record.has_value());
  return *record;
}

std::future<Reply> Scene::invoke_async(const std::string& command, const Json& params, const Json& extra) {
  Json all = {{"nodeId", node_id}, {"command", command}, {"params", params}};
  all.update(extra);
  return gateway->call_async("node.invoke", all);
}

Reply Scene::invoke(const std::string& command, const Json& params, const Json& extra) {
  std::future<Reply> answer = invoke_async(command, params, extra);
  REQUIRE(answer.wait_for(2 * kPatience) == std::future_status::ready);
  return answer.get();
}

Json Scene::run(const std::vector<std::string>& argv, const Json& extra) {
  Json params = {{"command", argv}, {"agentId", "main"}, {"sessionKey", "agent:main:test"}};
  params.update(extra);
  const Reply reply = invoke("system.run", params);
  return reply.ok ? reply.payload["payload"] : Json{{"error", reply.error}};
}

std::future<Reply> Scene::exec_async(const std::string& text, const Json& extra) {
  Json params = {{"command", text}, {"nodeId", node_id}, {"agentId", "main"}};
  params.update(extra);
  return gateway->call_async("dev.exec", params);
}

Json Scene::exec(const std::string& text, const Json& extra) {
  std::future<Reply> answer = exec_async(text, extra);
  REQUIRE(answer.wait_for(2 * kPatience) == std::future_status::ready);
  return answer.get().payload;
}

void Scene::fault(const Json& params) {
  Json all = {{"nodeId", node_id}};
  all.update(params);
  REQUIRE(gateway->call("dev.fault", all).ok);
}

devgateway::TlsFiles make_certificate(const std::string& directory) {
  devgateway::TlsFiles files{directory + "/certificate.pem", directory + "/key.pem"};
  const testing::SelfSigned made("hostclaw test");
  made.write_certificate(files.certificate_chain);
  made.write_key(files.private_key);
  return files;
}

Fifo::Fifo(const std::string& path) : path_(path) {
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  fd_ = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(fd_ >= 0);
}

Fifo::~Fifo() { close(fd_); }

bool Fifo::wait_opened(std::chrono::milliseconds timeout) {
  pollfd watched{fd_, POLLIN, 0};
  if (poll(&watched, 1, static_cast<int>(timeout.count())) != 1) return false;
  char byte = 0;
  return read(fd_, &byte, 1) == 1;
}

bool Fifo::wait_closed(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd watched{fd_, POLLIN, 0};
    if (left.count() <= 0 || poll(&watched, 1, static_cast<int>(left.count())) != 1) return false;
    char byte = 0;
    if (read(fd_, &byte, 1) == 0) return true;
  }
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void write_file(const std::string& path, const std::string& text, unsigned mode) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
  chmod(path.c_str(), mode);
}

}  // namespace hostclaw::integration
