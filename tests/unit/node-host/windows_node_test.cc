// SPDX-License-Identifier: Apache-2.0
// A whole node on Windows: its link to a gateway, commands over it, and the end its supervisor asks for.
#include <future>
#include <mutex>
#include <thread>

#include "approvals/policy/policy_cache.h"
#include "node-host/app/node_host.h"
#include "node-host/doors/gateway/exec_approvals.h"
#include "tests/devgateway/dev_gateway.h"
#include "windows_support.h"

namespace hostclaw::node_host {
namespace {

constexpr std::chrono::seconds kPatience{30};
constexpr const char* kToken = "shared-token-of-the-tests";

// What the node told it, and its way to ask for the end.
struct Told {
  std::mutex mutex;
  std::function<void()> stop;
  bool ready = false;
  bool stopping = false;
  std::string status;

  void ask_for_the_end() {
    const std::lock_guard hold(mutex);
    if (stop) stop();
  }
};

class RecordingSupervisor final : public Supervisor {
 public:
  explicit RecordingSupervisor(Told& told) : told_(told) {}
  void ready() override {
    set([&] { told_.ready = true; });
  }
  void status(std::string_view text) override {
    set([&] { told_.status = text; });
  }
  void stopping() override {
    set([&] { told_.stopping = true; });
  }
  std::optional<std::chrono::milliseconds> watchdog_interval() const override { return std::nullopt; }
  void alive() override {}
  void on_stop_request(std::function<void()> stop) override {
    set([&] { told_.stop = std::move(stop); });
  }

 private:
  template <class Change>
  void set(Change change) {
    const std::lock_guard hold(told_.mutex);
    change();
  }
  Told& told_;
};

void allow(const std::string& state_directory, const std::string& pattern) {
  auto store = approvals::Store::open(state_directory, approvals::OpenMode::kReadWrite);
  REQUIRE(store.has_value());
  approvals::PolicyCache cache;
  REQUIRE(add_to_allowlist(**store, cache, "main", pattern, std::nullopt, {"cli", ""}).has_value());
}

TEST_CASE("a node serves its gateway until the supervisor asks for the end") {
  TemporaryDirectory directory;
  const auto program = directory.copy_of_test_child("A tool.exe");
  const auto state_directory = directory / "state";
  allow(state_directory, program);
  devgateway::GatewaySettings settings;
  settings.shared_token = kToken;
  settings.auto_approve = true;
  auto gateway = std::move(*devgateway::DevGateway::start(settings));
  REQUIRE(::SetEnvironmentVariableW(L"OPENCLAW_GATEWAY_TOKEN", wide(kToken).c_str()) != 0);

  NodeOptions options;
  options.state_directory = state_directory;
  options.version = "0.0.0";
  options.host = "127.0.0.1";
  options.port = gateway->port();
  Told told;
  auto node = std::async(std::launch::async,
                         [&] { return run_node(options, std::make_unique<RecordingSupervisor>(told)); });
  const auto connected = gateway->journal().wait("connected", kPatience);
  REQUIRE(connected.has_value());
  const auto node_id = connected->at("nodeId").get<std::string>();
  const auto run = [&](const std::vector<std::string>& argv, const Json& extra) {
    Json params{{"command", argv}, {"agentId", "main"}, {"sessionKey", "agent:main:test"}};
    params.update(extra);
    return gateway->call("node.invoke", {{"nodeId", node_id}, {"command", "system.run"}, {"params", params}},
                         kPatience);
  };

  const auto done = run({program, "streams"}, Json::object());
  REQUIRE(done.ok);
  const Json result = done.payload.at("payload");
  CHECK(result.at("exitCode") == 7);
  CHECK(result.at("stdout") == "out\n");
  CHECK(result.at("stderr") == "err\n");

  Signal started;
  const auto late = run({program, "say-and-sleep", "part", started.name()}, {{"timeoutMs", 1000}});
  REQUIRE(late.ok);
  CHECK(late.payload.at("payload").at("timedOut") == true);
  CHECK(late.payload.at("payload").at("stdout") == "part");

  CHECK_FALSE(run({"C:\\windows\\system32\\cmd.exe", "/c", "ver"}, Json::object()).ok);

  told.ask_for_the_end();
  REQUIRE(node.wait_for(kPatience) == std::future_status::ready);
  CHECK(node.get() == 0);
  ::SetEnvironmentVariableW(L"OPENCLAW_GATEWAY_TOKEN", nullptr);
  CHECK(told.ready);
  CHECK(told.stopping);
  CHECK_FALSE(told.stop);
}

}  // namespace
}  // namespace hostclaw::node_host
