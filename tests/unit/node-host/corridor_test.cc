// SPDX-License-Identifier: Apache-2.0
// The corridor from one end to the other: real policy, real store, a clock that stands still, and a runner
// that runs nothing. Order of the phases, each way in which one of them can fail, cancel at each point, and
// doors that leave.
#include "node-host/corridor/corridor.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <deque>

#include "approvals/audit/audit_chain.h"
#include "approvals/database/sqlite.h"
#include "node-host/doors/gateway/exec_approvals.h"
#include "test_support.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_runner.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using approvals::Answer;
using approvals::Question;
using approvals::Questions;

constexpr const char* kListed = "/usr/bin/true";
constexpr const char* kUnlisted = "/usr/bin/false";

Origin gateway() {
  Origin origin;
  origin.door = kGatewayDoor;
  origin.principal.name = "wss://gateway.example:443";
  origin.agent = "main";
  origin.session = "agent:main:main";
  origin.may_carry_approval = true;
  return origin;
}

// A door whose callers may not say what was approved.
Origin container(const std::string& name = "tokens/ci") {
  Origin origin;
  origin.door = kHostlinkDoor;
  origin.principal = {name, {{"uid", "1000"}, {"container", "build-7"}}};
  origin.agent = "main";
  return origin;
}

struct Scene {
  // A request under way, and what became of it.
  struct Walk {
    RunCancellation cancellation;
    bool left = false;
    std::vector<std::string> told;  // by the sink
    std::optional<ExecOutcome> outcome;

    const policy::Decision& denial() const {
      REQUIRE(outcome.has_value());
      REQUIRE(outcome->denied() != nullptr);
      return outcome->denied()->decision;
    }
  };

  explicit Scene(Admission::Limits limits = {}) : person(open()) {
    thread = std::make_unique<StoreThread>(io.get_executor(), open());
    Corridor::Settings settings;
    settings.host.environment = {{"PATH", "/usr/bin:/bin"}};
    settings.host.cwd = settings.host.home = directory.path();
    settings.admission = limits;
    corridor = std::make_unique<Corridor>(io.get_executor(), *thread, runner, std::move(settings), clock);
    allow(kListed);
    runner.answers.exit_code = 0;
  }

  std::unique_ptr<approvals::Store> open() {
    approvals::StoreOptions options;
    options.busy_timeout = std::chrono::milliseconds(20);
    auto opened = approvals::Store::open(directory / "state", approvals::OpenMode::kReadWrite, options);
    REQUIRE(opened.has_value());
    return std::move(*opened);
  }
  void allow(const std::string& program) {
    approvals::PolicyCache cache;
    REQUIRE(add_to_allowlist(*person, cache, "main", program, std::nullopt, {"cli", ""}).has_value());
  }
  void ask_here() { REQUIRE(approvals::put_exec_setting(*person, "exec.askVia", "local").has_value()); }

  ExecRequest request(const std::vector<std::string>& argv, const Origin& origin) {
    ExecRequest request;
    request.origin = origin;
    request.id = "invoke-1";
    RunAsked asked;
    asked.command.argv = argv;
    asked.command.cwd = directory.path();
    request.what = std::move(asked);
    return request;
  }
  Walk& start(ExecRequest request) {
    Walk& walk = walks.emplace_back();
    request.cancellation = walk.cancellation;
    request.sinks.caller_left = [&walk] { return walk.left; };
    request.sinks.ended = [&walk](const ExecOutcome& outcome) {
      walk.told.push_back(outcome.finished() != nullptr
                              ? "finished"
                              : std::string(to_string(outcome.denied()->decision.code)));
    };
    asio::co_spawn(
        io,
        [this, &walk, request = std::move(request)]() mutable -> asio::awaitable<void> {
          walk.outcome = co_await corridor->walk(std::move(request));
        },
        asio::detached);
    return walk;
  }
  Walk& start(const std::string& program, const Origin& origin = gateway()) {
    return start(request({program}, origin));
  }
  Walk& finish(Walk& walk) {
    until([&] { return walk.outcome.has_value(); });
    return walk;
  }

  // Lets the loop run until it holds.
  void until(const std::function<bool()>& holds) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      REQUIRE(std::chrono::steady_clock::now() < give_up);
      io.restart();
      io.run_one_for(std::chrono::milliseconds(10));
    }
  }

  // Nobody else can write until unlock().
  void lock() { REQUIRE(person->database().execute("BEGIN IMMEDIATE").has_value()); }
  void unlock() { REQUIRE(person->database().execute("ROLLBACK").has_value()); }

  std::vector<approvals::RunRow> rows() {
    auto rows = person->runs({100, "", ""});
    REQUIRE(rows.has_value());
    return std::move(*rows);
  }
  std::string newest_state() {
    const auto all = rows();
    return all.empty() ? "no row" : all.front().state;
  }
  std::vector<Json> decisions() { return recorded("decision"); }
  std::vector<Json> recorded(const std::string& kind) {
    std::vector<Json> out;
    auto query = person->database().statement("SELECT body FROM audit WHERE kind = ? ORDER BY sequence");
    query.bind(kind);
    while (*query.step()) out.push_back(Json::parse(query.text(0)));
    return out;
  }

  std::vector<Question> open_questions() {
    auto pending = Questions(*person).pending(clock.unix_ms());
    REQUIRE(pending.has_value());
    return std::move(*pending);
  }
  Question asked_question() {
    until([&] { return !open_questions().empty(); });
    return open_questions().front();
  }
  void answer(const std::string& id, Answer::Decision decision) {
    Answer answer;
    answer.decision = decision;
    answer.by = {"cli", "alice"};
    const auto answered = Questions(*person).answer(id, answer, clock.unix_ms());
    REQUIRE(answered.has_value());
  }

  TemporaryDirectory directory;
  asio::io_context io{1};
  test::FakeClock clock;
  test::FakeRunner runner;
  std::unique_ptr<approvals::Store> person;  // what others than the node see and do
  std::unique_ptr<StoreThread> thread;
  std::unique_ptr<Corridor> corridor;
  std::deque<Walk> walks;
};

Admission::Limits one_at_a_time() {
  Admission::Limits limits;
  limits.max_running = 1;
  limits.own_places = 0;
  return limits;
}

}  // namespace

// ---- order

TEST_CASE("corridor: judged, opened, written down, spawned, told, ended, answered, in this order") {
  Scene scene;
  std::vector<std::string> order;
  scene.runner.on_opened = [&] { order.push_back("opened"); };
  scene.runner.on_permitted = [&] { order.push_back("spawned, row is " + scene.newest_state()); };
  ExecRequest request = scene.request({kListed}, gateway());
  Scene::Walk& walk = scene.start(std::move(request));
  scene.finish(walk);
  order.push_back("answered, row is " + scene.newest_state());
  CHECK(order == std::vector<std::string>{"opened", "spawned, row is running", "answered, row is finished"});
  CHECK(walk.told == std::vector<std::string>{"finished"});
  const ExecOutcome& outcome = *walk.outcome;
  REQUIRE(outcome.finished() != nullptr);
  CHECK(outcome.finished()->run.exit_code == 0);
  CHECK(outcome.run_id == scene.rows().front().run_id);
  CHECK(outcome.row_id == scene.rows().front().row_id);
  CHECK(scene.rows().front().started_at_ms == scene.clock.unix_ms());
  CHECK(scene.corridor->admission().running() == 0);
}

TEST_CASE("corridor: what was opened is held while it runs and let go before anybody has the answer") {
  Scene scene;
  scene.runner.holds = true;
  Scene::Walk& walk = scene.start(kListed);
  scene.until([&] { return scene.runner.running() == 1; });
  CHECK_FALSE(scene.runner.files.expired());
  scene.runner.release();
  scene.finish(walk);
  REQUIRE(walk.outcome->judged != nullptr);
  CHECK(scene.runner.files.expired());
}

TEST_CASE("corridor: what is refused is written down and never opened") {
  Scene scene;
  scene.runner.on_opened = [] { FAIL("a refused command was handed to the runner"); };
  const policy::Decision& denial = scene.finish(scene.start(kUnlisted)).denial();
  CHECK(denial.code == policy::DecisionCode::kAllowlistMiss);
  CHECK(scene.newest_state() == "decided");
  CHECK(scene.walks.front().told == std::vector<std::string>{"ALLOWLIST_MISS"});
  CHECK(scene.corridor->admission().running() == 0);
}

TEST_CASE("corridor: the result's arrival is marked, many together") {
  Scene scene;
  for (int i = 0; i < 3; ++i) scene.finish(scene.start(kListed));
  for (const auto& row : scene.rows()) {
    CHECK_FALSE(row.delivered);
    asio::co_spawn(scene.io, scene.corridor->delivered(row.row_id), asio::detached);
  }
  scene.until([&] {
    const auto rows = scene.rows();
    return std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.delivered; });
  });
}

// ---- who asks

TEST_CASE("corridor: door and principal are in the row, the record, the trace and the question") {
  Scene scene;
  scene.finish(scene.start(kListed, container()));
  const approvals::RunRow row = scene.rows().front();
  CHECK(row.door == "hostlink");
  CHECK(row.principal == "tokens/ci");
  const Json decision = scene.decisions().back();
  CHECK(decision["door"] == "hostlink");
  CHECK(decision["principal"] == "tokens/ci");
  CHECK(decision["caller"] == Json({{"uid", "1000"}, {"container", "build-7"}}));
  const auto& trace = std::get<JudgedRun>(scene.walks.front().outcome->judged->what).decided.evaluation.trace;
  CHECK(trace.front().text == "hostlink tokens/ci (uid 1000, container build-7)");

  scene.ask_here();
  scene.start(kUnlisted, container());
  const Question question = scene.asked_question();
  CHECK(question.asked.details["door"] == "hostlink");
  CHECK(question.asked.details["principal"] == "tokens/ci");
  CHECK(question.asked.details["caller"]["container"] == "build-7");
  CHECK(scene.recorded("question").back()["door"] == "hostlink");
  CHECK(scene.recorded("question").back()["principal"] == "tokens/ci");
  scene.answer(question.id, Answer::Decision::kDeny);
  scene.finish(scene.walks.back());
}

TEST_CASE(
    "corridor: a claim from a door that carries none is refused by name and recorded; a gateway's is not") {
  Scene scene;
  const policy::RunCommand claiming =
      policy::read_run_parameters(
          Json{
              {"command", {kListed}}, {"cwd", scene.directory.path()}, {"agentId", "other"}, {"runId", "r1"}})
          .command;
  ExecRequest request = scene.request({}, container());
  request.what = RunAsked{claiming, nullptr, false};
  Scene::Walk& refused = scene.finish(scene.start(std::move(request)));
  CHECK(refused.denial().code == policy::DecisionCode::kOriginMemberRefused);
  CHECK(refused.denial().layer == "origin");
  CHECK(refused.denial().next.find("agentId, runId") != std::string::npos);
  CHECK(scene.runner.spawned.empty());
  const approvals::RunRow row = scene.rows().front();
  CHECK(row.code == "ORIGIN_MEMBER_REFUSED");
  CHECK(row.door == "hostlink");
  CHECK(row.agent_id == "main");
  CHECK(row.run_id != "r1");
  CHECK(scene.decisions().back()["code"] == "ORIGIN_MEMBER_REFUSED");

  request = scene.request({}, gateway());
  request.what = RunAsked{claiming, nullptr, false};
  CHECK(scene.finish(scene.start(std::move(request))).outcome->finished() != nullptr);
  CHECK(scene.rows().front().run_id == "r1");
}

TEST_CASE("corridor: an approval in a container's request approves nothing, whoever filled it in") {
  Scene scene;
  ExecRequest request = scene.request({kUnlisted}, container());
  RunAsked asked = std::get<RunAsked>(request.what);
  asked.command.approved = true;
  request.what = asked;
  CHECK(scene.finish(scene.start(std::move(request))).denial().code ==
        policy::DecisionCode::kOriginMemberRefused);
  CHECK(scene.runner.spawned.empty());
}

// ---- a person ends a run

TEST_CASE("corridor: a run that a person ends is over, its caller is told, and the record says who") {
  Scene scene;
  scene.runner.holds = true;
  Scene::Walk& walk = scene.start(kListed);
  Scene::Walk& other = scene.start(kListed);
  scene.until([&] { return scene.runner.running() == 2; });
  const auto rows = scene.rows();
  const approvals::RunRow& first = rows.back();
  REQUIRE(scene.person->request_cancel(first, {"cli", "alice"}).has_value());
  scene.finish(walk);
  CHECK_FALSE(other.outcome.has_value());
  REQUIRE(walk.outcome->finished() != nullptr);
  const RunOutcome& run = walk.outcome->finished()->run;
  CHECK(run.cancelled);
  CHECK(run.cancelled_by == "cli alice");
  CHECK(run.launch_error.find("ended on the node by its operator (cli alice)") != std::string::npos);
  CHECK(walk.told == std::vector<std::string>{"finished"});
  CHECK(scene.rows().back().state == "cancelled");
  CHECK(scene.rows().back().output_tail.find("cli alice") != std::string::npos);
  CHECK(scene.recorded("cancel").back() == Json({{"run", first.run_id}, {"door", "cli"}, {"who", "alice"}}));
  CHECK(scene.recorded("end").back()["cancelledBy"] == "cli alice");
  // Used up.
  CHECK_FALSE(scene.person->cancel_request(first.row_id, first.run_id)->has_value());

  other.cancellation.cancel();
  scene.finish(other);
  CHECK(other.outcome->cancelled());
  CHECK(other.told.empty());
  CHECK_FALSE(scene.recorded("end").back().contains("cancelledBy"));
}

TEST_CASE("corridor: a request to end another run, or one of the same row long ago, ends nothing") {
  Scene scene;
  scene.runner.holds = true;
  Scene::Walk& walk = scene.start(kListed);
  scene.until([&] { return scene.runner.running() == 1; });
  approvals::RunRow row = scene.rows().front();
  row.run_id = "another";
  REQUIRE(scene.person->request_cancel(row, {"cli", "alice"}).has_value());
  const auto twice = std::chrono::steady_clock::now() + 3 * CancelRequests::kEvery;
  scene.until([&] { return std::chrono::steady_clock::now() > twice; });
  CHECK_FALSE(walk.outcome.has_value());
  scene.runner.release();
  CHECK(scene.finish(walk).outcome->finished()->run.exit_code == 0);
}

// ---- each way to fail

TEST_CASE("corridor: without its row nothing is spawned, and the refusal says why") {
  Scene scene;
  scene.finish(scene.start(kListed));  // the document is stored
  scene.runner.spawned.clear();
  scene.lock();
  Scene::Walk& walk = scene.finish(scene.start(kListed));
  CHECK(walk.denial().code == policy::DecisionCode::kRecordFailed);
  CHECK(walk.denial().explanation.find("STORE_LOCKED") != std::string::npos);
  CHECK(walk.outcome->row_id == 0);
  CHECK(walk.told == std::vector<std::string>{"RECORD_FAILED"});
  CHECK(scene.runner.spawned.empty());
  scene.unlock();
  CHECK(scene.finish(scene.start(kListed)).outcome->finished() != nullptr);
}

TEST_CASE("corridor: a refusal stays a refusal when it cannot be written down") {
  Scene scene;
  scene.finish(scene.start(kListed));
  scene.lock();
  CHECK(scene.finish(scene.start(kUnlisted)).denial().code == policy::DecisionCode::kAllowlistMiss);
  scene.unlock();
  CHECK(scene.rows().size() == 1);
}

TEST_CASE("corridor: an end that the store does not take is written later") {
  Scene scene;
  scene.runner.on_permitted = [&] { scene.lock(); };
  Scene::Walk& walk = scene.finish(scene.start(kListed));
  CHECK(walk.outcome->finished() != nullptr);
  CHECK(scene.newest_state() == "running");
  scene.unlock();
  CHECK(scene.newest_state() == "running");
  asio::co_spawn(scene.io, scene.corridor->write_late_ends(), asio::detached);
  scene.until([&] { return scene.newest_state() == "finished"; });
}

TEST_CASE("corridor: launch failures, time-outs and signals are ends like others") {
  Scene scene;
  scene.runner.answers = {};
  scene.runner.answers.launch_error = "Command failed during launch";
  CHECK(scene.finish(scene.start(kListed)).outcome->finished() != nullptr);
  CHECK(scene.newest_state() == "launch-failed");
  scene.runner.answers = {};
  scene.runner.answers.timed_out = true;
  scene.finish(scene.start(kListed));
  CHECK(scene.newest_state() == "timed-out");
  scene.runner.answers = {};
  scene.runner.answers.signal = 9;
  scene.finish(scene.start(kListed));
  CHECK(scene.newest_state() == "finished");
  CHECK(scene.rows().front().signal == 9);
}

TEST_CASE("corridor: the end of a long output is kept with its row") {
  Scene scene;
  scene.runner.answers.standard_output.text = std::string(40'000, 'x') + "last\n \n";
  scene.runner.answers.standard_error.text = "oops";
  scene.finish(scene.start(kListed));
  const std::string tail = scene.rows().front().output_tail;
  CHECK(tail.size() == 16'384);
  CHECK(tail.ends_with("xlast\n \n\noops"));
  scene.runner.answers.standard_error.text.clear();
  scene.finish(scene.start(kListed));
  CHECK(scene.rows().front().output_tail.ends_with("xlast"));
  CHECK(scene.rows().front().output_tail.size() == 16'384);
}

TEST_CASE("corridor: a full queue refuses with its own code and writes nothing") {
  Admission::Limits limits = one_at_a_time();
  limits.max_waiting = 0;
  Scene scene(limits);
  scene.runner.holds = true;
  Scene::Walk& first = scene.start(kListed);
  scene.until([&] { return scene.runner.running() == 1; });
  const policy::Decision& denial = scene.finish(scene.start(kListed)).denial();
  CHECK(denial.code == policy::DecisionCode::kAdmissionFull);
  CHECK(denial.layer == "admission");
  CHECK_FALSE(denial.next.empty());
  CHECK(scene.rows().size() == 1);
  scene.runner.release();
  CHECK(scene.finish(first).outcome->finished() != nullptr);
}

// ---- a person is asked

TEST_CASE("corridor: what a person allows runs once, and the record says who and how long it took") {
  Scene scene;
  scene.ask_here();
  Scene::Walk& walk = scene.start(kUnlisted);
  const Question question = scene.asked_question();
  CHECK(scene.runner.spawned.empty());
  CHECK(scene.rows().empty());
  scene.clock.advance(std::chrono::seconds(7));
  scene.answer(question.id, Answer::Decision::kAllowOnce);
  CHECK(scene.finish(walk).outcome->finished() != nullptr);
  CHECK(scene.runner.spawned == std::vector<std::string>{kUnlisted});
  const Json decision = scene.decisions().back();
  CHECK(decision["code"] == "ALLOWED_BY_ANSWER");
  CHECK(decision["answeredBy"] == "cli alice");
  CHECK(decision["question"] == question.id);
  CHECK(decision["waitedMs"] == 7000);
  // Used up: the same again is asked about again.
  scene.start(kUnlisted);
  CHECK(scene.asked_question().id != question.id);
}

TEST_CASE("corridor: a no and no answer at all are refusals of their own") {
  Scene scene;
  scene.ask_here();
  Scene::Walk& denied = scene.start(kUnlisted);
  scene.answer(scene.asked_question().id, Answer::Decision::kDeny);
  CHECK(scene.finish(denied).denial().code == policy::DecisionCode::kAnsweredDeny);
  Scene::Walk& unanswered = scene.start(kUnlisted);
  scene.asked_question();
  scene.clock.advance(std::chrono::minutes(11));
  CHECK(scene.finish(unanswered).denial().code == policy::DecisionCode::kUnanswered);
  CHECK(scene.runner.spawned.empty());
}

TEST_CASE("corridor: what is no longer what was asked about does not run") {
  Scene scene;
  scene.ask_here();
  const std::string program = scene.directory.write("tool", "#!/bin/sh\necho one\n", 0755);
  Scene::Walk& walk = scene.start(program);
  const Question question = scene.asked_question();
  scene.directory.write("tool", "#!/bin/sh\necho two\n", 0755);
  scene.answer(question.id, Answer::Decision::kAllowOnce);
  CHECK(scene.finish(walk).denial().code == policy::DecisionCode::kChangedSinceAsked);
  CHECK(scene.runner.spawned.empty());
}

TEST_CASE("corridor: where nobody can be asked, the refusal says why") {
  Scene scene;
  scene.ask_here();
  scene.finish(scene.start(kListed));
  scene.lock();
  Scene::Walk& walk = scene.finish(scene.start(kUnlisted));
  CHECK(walk.denial().code == policy::DecisionCode::kAllowlistMiss);
  REQUIRE(walk.outcome->denied()->nobody_asked.has_value());
  CHECK(walk.outcome->denied()->nobody_asked->code == "STORE_LOCKED");
  scene.unlock();
}

TEST_CASE("corridor: while a person thinks, its place is another's, and it waits for one again afterwards") {
  Scene scene(one_at_a_time());
  scene.ask_here();
  Scene::Walk& asking = scene.start(kUnlisted);
  const Question question = scene.asked_question();
  scene.until([&] { return scene.corridor->admission().running() == 0; });
  scene.runner.holds = true;
  Scene::Walk& other = scene.start(kListed);
  scene.until([&] { return scene.runner.running() == 1; });
  scene.answer(question.id, Answer::Decision::kAllowOnce);
  scene.until([&] { return scene.corridor->admission().waiting() == 1; });
  CHECK(scene.runner.spawned == std::vector<std::string>{kListed});
  scene.runner.release();
  scene.finish(other);
  scene.until([&] { return scene.runner.running() == 1; });
  scene.runner.release();
  CHECK(scene.finish(asking).outcome->finished() != nullptr);
  CHECK(scene.runner.spawned == std::vector<std::string>{kListed, kUnlisted});
}

TEST_CASE("corridor: what one caller may do once, another one with the same agent is asked about") {
  Scene scene;
  scene.ask_here();
  Scene::Walk& first = scene.start(kUnlisted, container("tokens/ci"));
  const Question question = scene.asked_question();
  Scene::Walk& second = scene.start(kUnlisted, container("tokens/other"));
  scene.until([&] { return scene.open_questions().size() == 2; });
  scene.answer(question.id, Answer::Decision::kAllowOnce);
  CHECK(scene.finish(first).outcome->finished() != nullptr);
  CHECK(scene.runner.spawned.size() == 1);
  CHECK_FALSE(second.outcome.has_value());
  CHECK(scene.asked_question().asked.details["principal"] == "tokens/other");
  scene.answer(scene.asked_question().id, Answer::Decision::kDeny);
  CHECK(scene.finish(second).denial().code == policy::DecisionCode::kAnsweredDeny);
  // The same caller's identical requests are one question, as ever.
  scene.start(kUnlisted, container("tokens/ci"));
  scene.start(kUnlisted, container("tokens/ci"));
  scene.until([&] { return scene.asked_question().asked_count == 2; });
  CHECK(scene.open_questions().size() == 1);
}

TEST_CASE(
    "corridor: where nobody was asked behind the door, this node asks, and the caller does not wait long") {
  Scene scene;  // exec.askVia is gateway
  ExecRequest request = scene.request({kUnlisted}, gateway());
  request.unasked = true;
  Scene::Walk& walk = scene.start(request);
  const Question question = scene.asked_question();
  scene.clock.advance(std::chrono::seconds(21));
  CHECK(scene.finish(walk).denial().code == policy::DecisionCode::kAllowlistMiss);
  CHECK(walk.outcome->denied()->open_question == question.id);
  CHECK_FALSE(scene.asked_question().caller_waits);
  CHECK(scene.rows().size() == 1);
  // What a person allows then serves the identical retry.
  scene.answer(question.id, Answer::Decision::kAllowOnce);
  CHECK(scene.finish(scene.start(request)).outcome->finished() != nullptr);
  // Without that, the gateway's own question is left to the gateway.
  CHECK(scene.finish(scene.start(kUnlisted)).denial().verdict == policy::Verdict::kAsk);
  CHECK(scene.open_questions().empty());
}

// ---- callers that go

TEST_CASE("corridor: cancelled before it came in, it leaves nothing") {
  Scene scene;
  ExecRequest request = scene.request({kListed}, gateway());
  Scene::Walk& walk = scene.start(std::move(request));
  walk.cancellation.cancel();  // the loop has not run yet
  CHECK(scene.finish(walk).outcome->cancelled());
  CHECK(scene.rows().empty());
  CHECK(walk.told.empty());
}

TEST_CASE("corridor: cancelled in the queue, it leaves nothing and the others go on") {
  Scene scene(one_at_a_time());
  scene.runner.holds = true;
  Scene::Walk& first = scene.start(kListed);
  scene.until([&] { return scene.runner.running() == 1; });
  Scene::Walk& second = scene.start(kListed);
  Scene::Walk& third = scene.start(kListed);
  scene.until([&] { return scene.corridor->admission().waiting() == 2; });
  second.cancellation.cancel();
  CHECK(scene.finish(second).outcome->cancelled());
  CHECK(second.told.empty());
  scene.runner.release();
  scene.finish(first);
  scene.until([&] { return scene.runner.running() == 1; });
  scene.runner.release();
  CHECK(scene.finish(third).outcome->finished() != nullptr);
  CHECK(scene.rows().size() == 2);
}

TEST_CASE("corridor: cancelled while it is judged, it does not spawn and is written down as cancelled") {
  Scene scene;
  Scene::Walk& walk = scene.start(kListed);
  scene.io.poll_one();  // it is being judged
  walk.cancellation.cancel();
  CHECK(scene.finish(walk).outcome->cancelled());
  CHECK(scene.runner.spawned.empty());
  CHECK(scene.newest_state() == "cancelled");
  CHECK(walk.told.empty());
}

TEST_CASE(
    "corridor: cancelled while it runs, it is ended and written down as cancelled, and nobody is told") {
  Scene scene;
  scene.runner.holds = true;
  Scene::Walk& walk = scene.start(kListed);
  scene.until([&] { return scene.runner.running() == 1; });
  walk.cancellation.cancel();
  CHECK(scene.finish(walk).outcome->cancelled());
  CHECK_FALSE(walk.outcome->run_id.empty());
  CHECK(scene.newest_state() == "cancelled");
  CHECK(walk.told.empty());
  CHECK(scene.corridor->admission().running() == 0);
}

TEST_CASE("corridor: cancelled while a person thinks, the question stays without its caller") {
  Scene scene;
  scene.ask_here();
  Scene::Walk& walk = scene.start(kUnlisted);
  const Question question = scene.asked_question();
  CHECK(question.caller_waits);
  walk.cancellation.cancel();
  CHECK(scene.finish(walk).outcome->cancelled());
  const Question left = scene.asked_question();
  CHECK(left.id == question.id);
  CHECK_FALSE(left.caller_waits);
  // The answer serves the identical retry.
  scene.answer(question.id, Answer::Decision::kAllowOnce);
  CHECK(scene.finish(scene.start(kUnlisted)).outcome->finished() != nullptr);
}

TEST_CASE("corridor: a door that leaves while a person thinks is noticed, and its question stays") {
  Scene scene;
  scene.ask_here();
  Scene::Walk& walk = scene.start(kUnlisted);
  const Question question = scene.asked_question();
  walk.left = true;
  CHECK(scene.finish(walk).outcome->cancelled());
  CHECK_FALSE(scene.asked_question().caller_waits);
  CHECK(scene.asked_question().id == question.id);
  CHECK(walk.told.empty());
}

TEST_CASE("corridor: of two that ask the same, one that leaves does not take the question's caller away") {
  Scene scene;
  scene.ask_here();
  Scene::Walk& first = scene.start(kUnlisted);
  scene.asked_question();
  Scene::Walk& second = scene.start(kUnlisted);
  scene.until([&] { return scene.asked_question().asked_count == 2; });
  first.left = true;
  CHECK(scene.finish(first).outcome->cancelled());
  CHECK(scene.asked_question().caller_waits);
  second.cancellation.cancel();
  CHECK(scene.finish(second).outcome->cancelled());
  CHECK_FALSE(scene.asked_question().caller_waits);
}

TEST_CASE("corridor: cancelled after the answer, while it waits for a place again, it does not run") {
  Scene scene(one_at_a_time());
  scene.ask_here();
  Scene::Walk& asking = scene.start(kUnlisted);
  const Question question = scene.asked_question();
  scene.until([&] { return scene.corridor->admission().running() == 0; });
  scene.runner.holds = true;
  Scene::Walk& other = scene.start(kListed);
  scene.until([&] { return scene.runner.running() == 1; });
  scene.answer(question.id, Answer::Decision::kAllowOnce);
  scene.until([&] { return scene.corridor->admission().waiting() == 1; });
  asking.cancellation.cancel();
  CHECK(scene.finish(asking).outcome->cancelled());
  CHECK(scene.runner.spawned == std::vector<std::string>{kListed});
  scene.runner.release();
  scene.finish(other);
}

TEST_CASE("corridor: one busy principal does not keep another one waiting") {
  Admission::Limits limits;
  limits.max_running = 1;
  limits.own_places = 1;
  Scene scene(limits);
  scene.runner.holds = true;
  Scene::Walk& busy = scene.start(kListed, container("busy"));
  scene.until([&] { return scene.runner.running() == 1; });
  Scene::Walk& more = scene.start(kListed, container("busy"));
  Scene::Walk& other = scene.start(kListed, gateway());
  scene.until([&] { return scene.runner.running() == 2; });
  CHECK(scene.corridor->admission().waiting() == 1);
  scene.runner.release();
  scene.runner.release();
  scene.finish(busy);
  scene.finish(other);
  scene.until([&] { return scene.runner.running() == 1; });
  scene.runner.release();
  scene.finish(more);
}

}  // namespace hostclaw::node_host
