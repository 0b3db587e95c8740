// SPDX-License-Identifier: Apache-2.0
// What a relay costs beside what it cannot be without.
//   clawlink_bench HOSTCLAW [--sdk PROJECT] [GROUP...]
//
// The executable, of a release build, and the npm project that has the A2A SDK (tests/e2e/.packages/a2a-sdk,
// once tests/e2e/setup.mjs has made it); without it there is nothing beside what A2A does. A group of figures
// is one of delegations, a2a, leases, kills and waiting; without one all are measured. Relays
// of `hostclaw clawlink serve` run with their state on the disk, in $TMPDIR, where each answer waits for a
// flush (synchronous=FULL), and, for what `unflushed` is about, in /dev/shm, where flushing costs nothing:
// what the relay itself takes. Prints a line of JSON for each figure, and takes turns with what it is
// compared with, `beside`:
//   figure                beside
//   delegate              one client, p50                               a bare commit of one row, p50
//   at_once               64 clients, delegations per second            bare commits of one row, per second
//   at_once_grouped       the same                                      rows in bare commits of 100
//   round_trip            delegate, poll, respond, poll, p50            four bare commits
//   wake_up, wake_up_p99  from the delegator's answer to the poll's
//   lease_in_long_queue   a poll, 100 000 messages waiting, p50         100 messages waiting
//   lost                  acknowledged delegations, after 50 SIGKILLs under load
//   restart               from its start to its first answer, 100 000   `hostclaw --version`
//                         messages waiting, p50
//   send_message          A2A, 16 clients, per second                   the SDK's server, in its memory
//   get_task              the same                                      the same
//   idle_memory           of a relay that has just begun                the SDK's server
//   polls_memory, streams_memory, polls_cpu     1 000 agents that wait
//   many_memory, many_cpu                       10 000 agents that wait
//   many_told             a broadcast, until the last of them has it
// On a busy machine both are worse: read `ratio`, figure / beside. A target that is no ratio needs a quiet
// one. There is no JetStream store, so there is no figure of one. Exit status 0 when all could be measured,
// met or not.
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "bench/bare_rows.h"
#include "bench/clawlink/http_client.h"
#include "bench/programs.h"
#include "bench/side_by_side.h"
#include "clawlink/store/agents.h"
#include "clawlink/store/schema.h"
#include "clawlink/store/tasks.h"

namespace {

using namespace hostclaw;
using namespace hostclaw::bench;
using bench::Clock;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::size_t kBareRowBytes = 400;  // a delegation of this bench is stored as several rows of these
constexpr std::size_t kClients = 64;
constexpr std::size_t kA2aClients = 16;
constexpr std::size_t kLongQueue = 100'000;
constexpr std::size_t kShortQueue = 100;
constexpr int kKills = 50;
constexpr double kFlushesOfRoundTrip = 4;  // delegate, lease, respond, lease

double milliseconds(Clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

// A directory that goes with its owner.
class Directory {
 public:
  explicit Directory(const fs::path& parent) : path_((parent / "clawlink-bench.XXXXXX").string()) {
    must(::mkdtemp(path_.data()) != nullptr, "cannot make a directory at " + path_);
  }
  ~Directory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// A relay with its state in a directory, always on the same port.
class RelayProgram {
 public:
  RelayProgram(std::string hostclaw, std::string state)
      : hostclaw_(std::move(hostclaw)), state_(std::move(state)), port_(free_port()) {
    start();
  }

  // Answers the time until it answers.
  Clock::duration start() {
    const auto begin = Clock::now();
    ::setenv("HOSTCLAW_STATE_DIR", state_.c_str(), 1);
    child_ = std::make_unique<Child>(std::vector<std::string>{hostclaw_, "clawlink", "serve", "--port",
                                                              std::to_string(port_), "--no-mdns"},
                                     Ends{"/dev/null", state_ + ".log"});
    for (;;) {
      try {
        (void)connect().ask(get_request("/"));
        return Clock::now() - begin;
      } catch (const Trouble&) {
        if (stopped != 0) throw Trouble("stopped");
        if (child_->ended() || Clock::now() - begin > 60s)
          throw Trouble("no relay:\n" + last_words(state_ + ".log"));
        std::this_thread::sleep_for(1ms);
      }
    }
  }
  void kill() {
    ::kill(child_->pid(), SIGKILL);
    (void)child_->wait();
  }

  HttpLine connect() const { return HttpLine(port_); }
  std::uint16_t port() const { return port_; }
  pid_t pid() const { return child_->pid(); }
  const std::string& state() const { return state_; }

 private:
  const std::string hostclaw_;
  const std::string state_;
  const std::uint16_t port_;
  std::unique_ptr<Child> child_;
};

std::string agent_named(std::size_t number) { return "agent-" + std::to_string(number); }

std::string registration(const std::string& agent) {
  return post_request("/register", R"({"agent_id": ")" + agent + R"(", "name": ")" + agent + "\"}");
}
std::string delegation(const std::string& from, const std::string& to) {
  return post_request("/delegate", R"({"from_agent": ")" + from + R"(", "to_agent": ")" + to +
                                       R"(", "task": "build main and tell what came of it", "context": )"
                                       R"({"branch": "main", "commit": "5f2c9d0a"}})");
}
std::string poll_request(const std::string& agent, const std::string& query) {
  return get_request("/poll/" + agent + "?" + query);
}

void register_agents(const RelayProgram& relay, std::size_t agents) {
  Swarm swarm(relay.port(), std::min(agents, kClients));
  std::size_t next = 0;
  (void)swarm.ask(agents, [&](std::size_t) { return registration(agent_named(next++)); });
}

// ---- delegations

void measure_one_client(const RelayProgram& disk, const RelayProgram& memory, BareRows& bare) {
  HttpLine flushed = disk.connect();
  HttpLine unflushed = memory.connect();
  const std::string request = delegation("boss", agent_named(0));
  const auto times = take_turns(500, {timed([&] { bare.add(); }), timed([&] { (void)flushed.ask(request); }),
                                      timed([&] { (void)unflushed.ask(request); })});
  report("delegate", "us", times[1], times[0], Judged::kMoreAtMost, 400);
  report("delegate_unflushed", "us", times[2], 0, Judged::kFigureAtMost, 400);
}

void measure_many_clients(const RelayProgram& disk, BareRows& bare) {
  constexpr std::size_t kDelegations = 2000;
  constexpr int kCommits = 100;
  constexpr int kGroup = 100;
  Swarm swarm(disk.port(), kClients);
  const Timed single = timed([&] {
    for (int i = 0; i < kCommits; ++i) bare.add();
  });
  const Timed grouped = timed([&] {
    for (int i = 0; i < 20; ++i) bare.add_together(kGroup);
  });
  const Timed relay = [&] {
    return swarm.ask(kDelegations, [](std::size_t i) { return delegation("boss", agent_named(i)); });
  };
  const auto times = take_turns(5, {single, grouped, relay});
  const double rate = kDelegations / times[2] * 1e6;
  report("at_once", "per_second", rate, kCommits / times[0] * 1e6, Judged::kRatioAtLeast, 8);
  report("at_once_grouped", "per_second", rate, 20 * kGroup / times[1] * 1e6, Judged::kTold);
}

// ---- from the delegator to the worker and back

struct RoundTrips {
  Figures whole;
  Figures wake_up;
};

RoundTrips round_trips(const RelayProgram& relay, int rounds) {
  const std::string boss = "boss-" + std::to_string(rounds);
  const std::string worker = "worker-" + std::to_string(rounds);
  HttpLine delegator = relay.connect();
  HttpLine delegators_poll = relay.connect();
  HttpLine workers_poll = relay.connect();
  HttpLine works = relay.connect();
  (void)delegator.ask(registration(boss));
  (void)delegator.ask(registration(worker));
  RoundTrips out;
  for (int round = -rounds / 10; round < rounds; ++round) {
    if (stopped != 0) throw Trouble("stopped");
    workers_poll.send(poll_request(worker, "wait=60"));
    delegators_poll.send(poll_request(boss, "wait=60"));
    // Behind both in the relay's queue, so that both wait by then.
    (void)delegator.ask(get_request("/tasks?limit=1"));
    std::this_thread::sleep_for(500us);
    const auto begin = Clock::now();
    (void)delegator.ask(delegation(boss, worker));
    const auto delegated = Clock::now();
    const Json told = must(parse_json(workers_poll.receive()));
    const auto woken = Clock::now();
    (void)works.ask(
        post_request("/respond", dump_json(Json{{"from_agent", worker},
                                                {"to_agent", boss},
                                                {"message_id", told["messages"].at(0)["message_id"]},
                                                {"result", "built"}})));
    if (must(parse_json(delegators_poll.receive()))["count"] != 1) throw Trouble("no answer for the boss");
    if (round < 0) continue;
    out.whole.add(Clock::now() - begin);
    out.wake_up.add(woken - delegated);
  }
  return out;
}

void measure_round_trips(const RelayProgram& disk, const RelayProgram& memory, double bare_us) {
  RoundTrips flushed = round_trips(disk, 100);
  RoundTrips unflushed = round_trips(memory, 1000);
  report("round_trip", "us", flushed.whole.p50_us(), kFlushesOfRoundTrip * bare_us, Judged::kTold);
  report("round_trip_unflushed", "us", unflushed.whole.p50_us(), 0, Judged::kFigureAtMost, 1500);
  report("wake_up", "us", flushed.wake_up.p50_us(), bare_us, Judged::kTold);
  report("wake_up_unflushed", "us", unflushed.wake_up.p50_us(), 0, Judged::kFigureAtMost, 1000);
  report("wake_up_p99_unflushed", "us", unflushed.wake_up.p99_us(), 0, Judged::kFigureAtMost, 10'000);
}

void measure_delegations(const RelayProgram& disk, const RelayProgram& memory, const Directory& directory) {
  BareRows bare(directory.at("bare.sqlite"), "FULL", kBareRowBytes);
  measure_one_client(disk, memory, bare);
  measure_many_clients(disk, bare);
  measure_round_trips(disk, memory, take_turns(300, {timed([&] { bare.add(); })})[0]);
}

// ---- a long queue, and the end of a relay

// A relay's state in which so many delegations wait for agent-0.
void fill(const std::string& state, std::size_t messages) {
  const auto database = must(clawlink::open_relay_database(state));
  clawlink::RelayLimits limits;
  limits.queue_rows = static_cast<std::int64_t>(messages) + 1;
  limits.queue_bytes = std::int64_t{1} << 40;
  constexpr std::size_t kLot = 2000;
  for (std::size_t done = 0; done < messages;) {
    if (stopped != 0) throw Trouble("stopped");
    must(database->transaction([&]() -> Result<void> {
      clawlink::StoreSession session{*database, limits, unix_ms_now()};
      clawlink::Agent agent;
      agent.agent_id = agent.name = agent_named(0);
      if (Result<void> put = clawlink::put_agent(session, agent); !put) return put;
      for (std::size_t i = 0; i < kLot && done < messages; ++i, ++done) {
        clawlink::NewTask task;
        task.from_agent = "boss";
        task.to_agent = agent.agent_id;
        task.text = "build main and tell what came of it";
        if (const auto made = clawlink::create_task(session, task); !made) return made.error();
      }
      return {};
    }));
  }
}

void copy_state(const std::string& from, const std::string& to) {
  fs::create_directory(to);
  fs::permissions(to, fs::perms::owner_all);
  fs::copy(from, to);
}

void measure_leases(const std::string& hostclaw, const Directory& memory) {
  fill(memory.at("short"), kShortQueue);
  const RelayProgram few(hostclaw, memory.at("short"));
  const RelayProgram many(hostclaw, memory.at("long"));
  const auto poll_of = [](HttpLine& line) {
    return [&line] {
      const auto begin = Clock::now();
      const Json polled = must(parse_json(line.ask(poll_request(agent_named(0), "lease=60&max=1"))));
      const auto time = Clock::now() - begin;
      const Json lease{{"lease", polled["messages"].at(0)["lease"]}};
      (void)line.ask(post_request("/nack", dump_json(lease)));
      return time;
    };
  };
  HttpLine to_few = few.connect();
  HttpLine to_many = many.connect();
  const auto times = take_turns(1000, {poll_of(to_few), poll_of(to_many)});
  report("lease_in_long_queue_unflushed", "us", times[1], times[0], Judged::kRatioAtMost, 2);
}

// Delegates until the relay has gone; the message ids of which it has said that it has them.
std::vector<std::string> delegate_until_killed(const RelayProgram& relay, std::atomic<std::size_t>& count) {
  std::vector<std::string> acknowledged;
  try {
    Swarm swarm(relay.port(), kA2aClients);
    (void)swarm.ask(
        std::size_t{1} << 40, [](std::size_t i) { return delegation("boss", agent_named(i + 1)); },
        [&](std::size_t, const std::string& body) {
          acknowledged.push_back(must(parse_json(body))["message_id"].get<std::string>());
          ++count;
        });
  } catch (const Trouble&) {
    // The relay was killed; what it had answered until then counts.
  }
  return acknowledged;
}

std::set<std::string> stored_message_ids(const std::string& state) {
  const auto database = must(clawlink::open_relay_database_for_reading(state));
  approvals::Statement query = database->statement("SELECT message_id FROM tasks");
  std::set<std::string> ids;
  while (must(query.step())) ids.insert(query.text(0));
  return ids;
}

void measure_kills(const std::string& hostclaw, const Directory& disk) {
  constexpr std::size_t kAcknowledgedBetween = 30;
  RelayProgram relay(hostclaw, disk.at("long"));
  register_agents(relay, kA2aClients + 1);
  std::vector<std::string> acknowledged;
  Figures restarts;
  Figures bare_starts;
  for (int kill = 0; kill < kKills; ++kill) {
    std::atomic<std::size_t> count{0};
    std::vector<std::string> more;
    std::thread load([&] { more = delegate_until_killed(relay, count); });
    for (const auto until = Clock::now() + 30s; count < kAcknowledgedBetween && Clock::now() < until;)
      std::this_thread::sleep_for(1ms);
    relay.kill();
    load.join();
    if (more.size() < kAcknowledgedBetween) throw Trouble("the relay took no delegations");
    acknowledged.insert(acknowledged.end(), more.begin(), more.end());
    restarts.add(relay.start());
    bare_starts.add(timed([&] { (void)Child({hostclaw, "--version"}, {"/dev/null", ""}).wait(); })());
  }
  const std::set<std::string> stored = stored_message_ids(relay.state());
  const auto lost = std::count_if(acknowledged.begin(), acknowledged.end(),
                                  [&](const std::string& id) { return !stored.contains(id); });
  std::printf("{\"kills\": %d, \"acknowledged\": %zu}\n", kKills, acknowledged.size());
  report("lost", "delegations", static_cast<double>(lost), 0, Judged::kFigureAtMost, 0);
  report("restart", "ms", restarts.p50_us() / 1000, bare_starts.p50_us() / 1000, Judged::kFigureAtMost, 500);
  report("restart_p99", "ms", restarts.p99_us() / 1000, 0, Judged::kTold);
}

// ---- A2A

// The SDK's server, where it is installed.
class SdkServer {
 public:
  SdkServer(const std::string& project, const Directory& directory) {
    const std::string said = directory.at("sdk.out");
    child_ = std::make_unique<Child>(std::vector<std::string>{"node", CLAWLINK_BENCH_SDK_SERVER, project},
                                     Ends{said, directory.at("sdk.log")});
    for (const auto until = Clock::now() + 20s;; std::this_thread::sleep_for(10ms)) {
      std::string line;
      if (std::getline(std::ifstream(said), line) && !line.empty()) {
        port_ = static_cast<std::uint16_t>(std::stoi(line));
        return;
      }
      if (child_->ended() || Clock::now() > until)
        throw Trouble("the SDK's server does not start:\n" + last_words(directory.at("sdk.log")));
    }
  }
  std::uint16_t port() const { return port_; }
  double memory_mib() const { return bench::memory_mib(child_->pid(), "VmRSS"); }

 private:
  std::unique_ptr<Child> child_;
  std::uint16_t port_ = 0;
};

class A2aClients {
 public:
  A2aClients(std::uint16_t port, bool of_relay) : of_relay_(of_relay), swarm_(port, kA2aClients) {
    (void)swarm_.ask(
        1, [&](std::size_t i) { return send_message(i); },
        [&](std::size_t, const std::string& body) {
          const Json answer = must(parse_json(body));
          if (!answer.contains("result")) throw Trouble("no task: " + body);
          task_ = answer["result"]["task"]["id"].get<std::string>();
        });
  }
  Clock::duration send(std::size_t messages) {
    return swarm_.ask(
        messages, [&](std::size_t i) { return send_message(i); }, refuse_errors);
  }
  Clock::duration get(std::size_t requests) {
    const Json params{{"id", task_}};
    const std::string request = rpc("GetTask", params, 0);
    return swarm_.ask(
        requests, [&](std::size_t) { return request; }, refuse_errors);
  }

 private:
  std::string rpc(const char* method, const Json& params, std::size_t agent) const {
    const Json body{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}};
    return post_request(of_relay_ ? "/a2a/agents/" + agent_named(agent) : "/", dump_json(body));
  }
  // To an agent of each client's own, so that no queue is full; the first task is agent-0's.
  std::string send_message(std::size_t client) {
    const Json message{{"messageId", "m-" + std::to_string(++messages_)},
                       {"role", "ROLE_USER"},
                       {"parts", Json::array({Json{{"text", "build main and tell what came of it"}}})}};
    return rpc("SendMessage", {{"message", message}, {"configuration", {{"returnImmediately", true}}}},
               client);
  }
  static void refuse_errors(std::size_t, const std::string& body) {
    if (body.find("\"result\"") == std::string::npos) throw Trouble("refused: " + body);
  }

  const bool of_relay_;
  Swarm swarm_;
  std::string task_;
  std::size_t messages_ = 0;
};

void measure_a2a(const RelayProgram& disk, const RelayProgram& memory, const SdkServer* sdk) {
  constexpr std::size_t kAsked = 400;
  std::unique_ptr<A2aClients> to_sdk;
  if (sdk != nullptr) to_sdk = std::make_unique<A2aClients>(sdk->port(), false);
  A2aClients flushed(disk.port(), true);
  A2aClients unflushed(memory.port(), true);
  std::vector<Timed> all{[&] { return flushed.send(kAsked); }, [&] { return unflushed.send(kAsked); },
                         [&] { return unflushed.get(kAsked); }};
  if (to_sdk) {
    all.insert(all.end(), {[&] { return to_sdk->send(kAsked); }, [&] { return to_sdk->get(kAsked); }});
  }
  const auto times = take_turns(10, all);
  const auto rate = [&](std::size_t i) { return i < times.size() ? kAsked / times[i] * 1e6 : 0.0; };
  const auto judged = [&](Judged wanted) { return to_sdk ? wanted : Judged::kTold; };
  report("send_message", "per_second", rate(0), rate(3), Judged::kTold);
  report("send_message_unflushed", "per_second", rate(1), rate(3), judged(Judged::kRatioAtLeast), 6);
  report("get_task_unflushed", "per_second", rate(2), rate(4), judged(Judged::kRatioAtLeast), 4);
}

// ---- agents that wait

double processor_seconds(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  // Behind the name in brackets: the state is the 3rd field, user and system time are the 14th and 15th.
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::string word;
  double ticks = 0;
  for (int field = 3; fields >> word && field <= 15; ++field)
    if (field >= 14) ticks += std::stod(word);
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct Waiting {
  double memory_mib = 0;
  double cpu_percent = 0;
  std::vector<HttpLine> lines;
};

// So many agents that wait: what the relay has of memory, and uses of a processor, meanwhile.
Waiting let_wait(const RelayProgram& relay, std::size_t agents, const std::string& route,
                 const std::string& query) {
  Waiting waiting;
  waiting.lines.reserve(agents);
  for (std::size_t i = 0; i < agents; ++i) {
    if (stopped != 0) throw Trouble("stopped");
    waiting.lines.push_back(relay.connect());
    waiting.lines.back().send(get_request("/" + route + "/" + agent_named(i) + query));
  }
  // A request behind theirs, then the noise of their coming is over.
  (void)relay.connect().ask(get_request("/"));
  std::this_thread::sleep_for(2s);
  const double before = processor_seconds(relay.pid());
  const auto begin = Clock::now();
  std::this_thread::sleep_for(5s);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  waiting.cpu_percent = (processor_seconds(relay.pid()) - before) / seconds * 100;
  waiting.memory_mib = memory_mib(relay.pid(), "VmRSS");
  return waiting;
}

void must_all_wait(const Waiting& waiting) {
  for (const HttpLine& line : waiting.lines)
    if (line.has_input()) throw Trouble("an agent that should wait was answered");
}

void measure_waiting(const std::string& hostclaw, const Directory& disk, double sdk_memory) {
  constexpr std::size_t kSome = 1000;
  constexpr std::size_t kMany = 10'000;
  RelayProgram relay(hostclaw, disk.at("waiting"));
  report("idle_memory", "MiB", memory_mib(relay.pid(), "VmRSS"), sdk_memory, Judged::kFigureAtMost, 15);
  register_agents(relay, kMany);
  // Anew, so that what the registrations took is not counted.
  const auto again = [&] {
    relay.kill();
    (void)relay.start();
  };
  again();
  {
    const Waiting polls = let_wait(relay, kSome, "poll", "?wait=60");
    must_all_wait(polls);
    report("polls_memory", "MiB", polls.memory_mib, 0, Judged::kFigureAtMost, 60);
    report("polls_cpu", "percent", polls.cpu_percent, 0, Judged::kFigureAtMost, 1);
  }
  again();
  {
    const Waiting streams = let_wait(relay, kSome, "events", "");
    report("streams_memory", "MiB", streams.memory_mib, 0, Judged::kFigureAtMost, 60);
  }
  again();
  Waiting many = let_wait(relay, kMany, "poll", "?wait=60");
  must_all_wait(many);
  report("many_memory", "MiB", many.memory_mib, 0, Judged::kFigureAtMost, 250);
  report("many_cpu", "percent", many.cpu_percent, 0, Judged::kTold);
  const auto begin = Clock::now();
  HttpLine boss = relay.connect();
  boss.send(post_request("/broadcast", R"({"from_agent": "boss", "content": "all of you"})"));
  for (HttpLine& line : many.lines)
    if (line.receive().find("all of you") == std::string::npos) throw Trouble("an agent was not told");
  report("many_told", "ms", milliseconds(Clock::now() - begin), 0, Judged::kTold);
}

void allow_many_connections() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < 10'500) throw Trouble("10 000 connections want `ulimit -Hn 10500` at least");
}

struct Wish {
  std::string hostclaw;
  std::string sdk;  // empty: none
  std::set<std::string> groups;
  bool has(const std::string& group) const { return groups.empty() || groups.contains(group); }
};

Wish read_words(int argc, char** argv) {
  const std::set<std::string> known{"delegations", "a2a", "leases", "kills", "waiting"};
  Wish wish;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--sdk" && i + 1 < argc) {
      wish.sdk = fs::absolute(argv[++i]).string();
    } else if (wish.hostclaw.empty()) {
      wish.hostclaw = fs::absolute(word).string();
    } else if (known.contains(word)) {
      wish.groups.insert(word);
    } else {
      wish.hostclaw.clear();
      break;
    }
  }
  if (wish.hostclaw.empty())
    throw Trouble("usage: clawlink_bench HOSTCLAW [--sdk PROJECT] [delegations|a2a|leases|kills|waiting]...");
  return wish;
}

void measure(const Wish& wish) {
  const Directory disk(fs::temp_directory_path());
  const Directory memory("/dev/shm");
  ::setenv("HOME", disk.at("home").c_str(), 1);
  std::unique_ptr<SdkServer> sdk;
  if (!wish.sdk.empty()) sdk = std::make_unique<SdkServer>(wish.sdk, disk);
  const double sdk_memory = sdk ? sdk->memory_mib() : 0;
  if (wish.has("delegations") || wish.has("a2a")) {
    const RelayProgram on_disk(wish.hostclaw, disk.at("state"));
    const RelayProgram in_memory(wish.hostclaw, memory.at("state"));
    for (const RelayProgram* relay : {&on_disk, &in_memory}) register_agents(*relay, kClients);
    if (wish.has("delegations")) measure_delegations(on_disk, in_memory, disk);
    if (wish.has("a2a")) measure_a2a(on_disk, in_memory, sdk.get());
  }
  if (wish.has("leases") || wish.has("kills")) {
    fill(memory.at("long"), kLongQueue);
    copy_state(memory.at("long"), disk.at("long"));
    if (wish.has("leases")) measure_leases(wish.hostclaw, memory);
    if (wish.has("kills")) measure_kills(wish.hostclaw, disk);
  }
  if (wish.has("waiting")) measure_waiting(wish.hostclaw, disk, sdk_memory);
}

}  // namespace

int main(int argc, char** argv) {
  stop_on_signals();
  ::umask(077);
  try {
    const Wish wish = read_words(argc, argv);
    allow_many_connections();
    const char* const path = ::getenv("PATH");
    const std::string programs = path != nullptr ? path : "/usr/bin:/bin";
    ::clearenv();
    ::setenv("PATH", programs.c_str(), 1);
    measure(wish);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "clawlink_bench: %s\n", error.what());
    return 1;
  }
}
