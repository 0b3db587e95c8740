// SPDX-License-Identifier: Apache-2.0
// From the gateway's request to the recorded run, on Windows: policy, opened files, spawn and store together.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "approvals/policy/policy_cache.h"
#include "base/text.h"
#include "node-host/corridor/corridor.h"
#include "node-host/doors/gateway/exec_approvals.h"
#include "node-host/doors/gateway/methods.h"
#include "node-host/doors/gateway/run_answers.h"
#include "windows_support.h"

namespace hostclaw::node_host {
namespace {

using namespace std::chrono_literals;

class Scene {
 public:
  Scene() {
    auto opened = approvals::Store::open(directory_ / "state", approvals::OpenMode::kReadWrite);
    REQUIRE(opened.has_value());
    store_ = std::make_unique<StoreThread>(context_.get_executor(), std::move(*opened));
    executor_ = std::make_unique<RunExecutor>(context_.get_executor(), RunExecutor::Settings{});
    Corridor::Settings settings;
    settings.host.environment = {{"SystemRoot", "C:\\windows"},
                                 {"Path", directory_ / "bin" + ";C:\\windows\\system32"},
                                 {"PATHEXT", ".COM;.EXE;.BAT;.CMD"}};
    settings.host.cwd = directory_.path();
    settings.host.home = directory_.path();
    corridor_ =
        std::make_unique<Corridor>(context_.get_executor(), *store_, *executor_, std::move(settings), clock_);
    methods_ = std::make_unique<GatewayMethods>(*store_, corridor_->store_side(), plans_, clock_);
    directory_.make_directory("bin");
    program_ = directory_.copy_of_test_child("bin\\A tool.exe");
  }

  const std::string& program() const { return program_; }
  const TemporaryDirectory& directory() const { return directory_; }

  void allow(const std::string& pattern) {
    const bool added = wait_for<bool>(store_->on_store([&](approvals::Store& store) {
      approvals::PolicyCache cache;
      return add_to_allowlist(store, cache, "main", pattern, std::nullopt, {"cli", ""}).has_value();
    }));
    REQUIRE(added);
  }

  gateway_proto::InvokeResult run(std::vector<std::string> command) {
    const Json params{{"command", std::move(command)}, {"agentId", "main"}, {"cwd", directory_.path()}};
    policy::RunParameters read = policy::read_run_parameters(params);
    ExecRequest request;
    request.origin.door = kGatewayDoor;
    request.origin.agent = std::move(read.agent_id);
    request.origin.may_carry_approval = true;
    request.id = "1";
    request.what = RunAsked{std::move(read.command), nullptr, false};
    return run_answer(wait_for<ExecOutcome>(corridor_->walk(std::move(request))));
  }

  // Of the newest run.
  std::string recorded_state() {
    return wait_for<std::string>(store_->on_store([](approvals::Store& store) {
      const auto rows = store.runs({.limit = 1});
      return rows && !rows->empty() ? rows->front().state : std::string("no row");
    }));
  }

  gateway_proto::InvokeResult which(const std::vector<std::string>& names) {
    return wait_for<gateway_proto::InvokeResult>(methods_->which(Json{{"bins", names}}));
  }

 private:
  template <class T>
  T wait_for(boost::asio::awaitable<T> task) {
    std::optional<T> result;
    boost::asio::co_spawn(context_, std::move(task), [&](const std::exception_ptr& failed, T value) {
      if (!failed) result = std::move(value);
    });
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    // The store's thread may take the last work away, and with it stop the context, at any time.
    while (!result && std::chrono::steady_clock::now() < give_up) {
      context_.restart();
      context_.run_one_until(give_up);
    }
    REQUIRE(result.has_value());
    return std::move(*result);
  }

  TemporaryDirectory directory_;
  boost::asio::io_context context_;
  std::unique_ptr<StoreThread> store_;
  std::unique_ptr<RunExecutor> executor_;
  const SystemClock clock_;
  std::unique_ptr<Corridor> corridor_;
  PreparedPlans plans_;
  std::unique_ptr<GatewayMethods> methods_;
  std::string program_;
};

Json payload_of(const gateway_proto::InvokeResult& result) {
  INFO(result.error_code << " " << result.error_message);
  REQUIRE(result.ok);
  return Json::parse(Json::parse(result.payload_string).get<std::string>());
}

TEST_CASE("a listed program runs and is recorded") {
  Scene corridor;
  corridor.allow(corridor.program());
  const auto reply = corridor.run({corridor.program(), "streams"});
  const Json payload = payload_of(reply);
  CHECK(payload.at("exitCode") == 7);
  CHECK(payload.at("stdout") == "out\n");
  CHECK(payload.at("stderr") == "err\n");
  CHECK(corridor.recorded_state() == "finished");
}

TEST_CASE("a listed program runs under each of its spellings, and by its name from the search path") {
  Scene corridor;
  corridor.allow(corridor.program());
  std::string forward = corridor.program();
  for (char& c : forward)
    if (c == '\\') c = '/';
  const std::string stem = corridor.program().substr(0, corridor.program().size() - 4);
  for (const std::string& word : {to_upper_ascii(corridor.program()), forward, stem, std::string("A tool"),
                                  std::string("a TOOL.exe")}) {
    INFO(word);
    const Json payload = payload_of(corridor.run({word, "exit", "5"}));
    CHECK(payload.at("exitCode") == 5);
  }
}

TEST_CASE("arguments reach the program as they were asked for") {
  Scene corridor;
  corridor.allow(corridor.program());
  const Json payload = payload_of(corridor.run({corridor.program(), "arguments", "a b", "\"", "\\\"", ""}));
  const std::string& output = payload.at("stdout").get_ref<const std::string&>();
  CHECK(output.ends_with("\n3:a b\n1:\"\n2:\\\"\n0:\n"));
}

TEST_CASE("what is not listed does not run, whatever it is called") {
  Scene corridor;
  corridor.allow(corridor.program());
  corridor.directory().copy_of_test_child("bin\\other.exe");
  for (const std::string& word :
       {corridor.directory() / "bin\\other.exe", corridor.program() + ":other.exe", corridor.program() + ".",
        corridor.program() + " .", std::string("other"), std::string("cmd.exe")}) {
    INFO(word);
    const auto reply = corridor.run({word, "streams"});
    CHECK_FALSE(reply.ok);
    CHECK(corridor.recorded_state() == "decided");
  }
}

TEST_CASE("a file that is being written does not run, and nothing else does in its place") {
  Scene corridor;
  corridor.allow(corridor.program());
  const UniqueFd writer = open_for_writing(corridor.program());
  REQUIRE(writer);
  const auto reply = corridor.run({corridor.program(), "streams"});
  CHECK_FALSE(payload_of(reply).at("success").get<bool>());
  CHECK(corridor.recorded_state() == "launch-failed");
}

TEST_CASE("what the gateway asks about is found as Windows finds it") {
  Scene corridor;
  const auto found = corridor.which({"A tool", "a tool.exe", "nothing here"});
  REQUIRE(found.ok);
  const Json bins = payload_of(found).at("bins");
  CHECK(bins.size() == 2);
  REQUIRE(bins.contains("A tool"));
  CHECK(to_lower_ascii(bins.at("A tool").get<std::string>()).ends_with("a tool.exe"));
}

}  // namespace
}  // namespace hostclaw::node_host
