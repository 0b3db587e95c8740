// SPDX-License-Identifier: Apache-2.0
// Where push notifications may go, what of a task is told and when it is given up, and how it is posted.
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <future>

#include "clawlink/a2a/notifications.h"
#include "clawlink/http/metrics.h"
#include "clawlink/push/address_kind.h"
#include "clawlink/push/push_sender.h"
#include "clawlink/store/audit.h"
#include "clawlink/store/push.h"
#include "tests/unit/clawlink/relay_database.h"

namespace hostclaw::clawlink::testing {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

PushConfig config_of(const Task& task, const std::string& id = "c") {
  PushConfig config;
  config.task_id = task.task_id;
  config.config_id = id;
  config.caller = "a";
  config.url = "http://receiver.test:80/hook?key=hidden";
  config.where = "receiver.test:80";
  config.token = "the-token";
  config.scheme = "Bearer";
  config.credentials = "the-credentials";
  return config;
}

class PushDatabase : public RelayDatabase {
 public:
  PushDatabase() { task = delegate("a", "b", "work"); }

  std::string put(const PushConfig& config) {
    return code_of(in([&](StoreSession& session) -> Result<int> {
      if (Result<void> done = put_push_config(session, config); !done) return done.error();
      return 0;
    }));
  }
  std::vector<DuePush> due() {
    return must(in([](StoreSession& session) { return due_pushes(session); })).now;
  }
  std::optional<Notification> next(std::int64_t push_id) {
    return must(in([&](StoreSession& session) { return next_notification(session, access, push_id); }));
  }
  // The next notification of the only config that is due.
  Notification only_next() {
    const std::vector<DuePush> now = due();
    REQUIRE(now.size() == 1);
    auto found = next(now[0].push_id);
    REQUIRE(found);
    return *found;
  }
  void told(const Notification& notification) {
    must(in([&](StoreSession& session) {
      return push_told(session, notification.config.push_id, notification.tells);
    }));
  }
  bool failed(const Notification& notification, const PushFailure& failure) {
    return must(in(
        [&](StoreSession& session) { return push_failed(session, notification.config.push_id, failure); }));
  }
  void answer(const std::string& status, const std::string& text) {
    Response response;
    response.from_agent = "b";
    response.message_id = task.message_id;
    response.status = status;
    response.result = text;
    must(in([&](StoreSession& session) { return respond(session, response); }));
  }
  Json letters() {
    return must(in([](StoreSession& session) { return dead_letters(session, 10); }));
  }

  Task task;
  AccessRules access;
};

}  // namespace

TEST_CASE("addresses that mean something only here are told from those of the internet") {
  struct Row {
    const char* address;
    AddressKind kind;
  };
  const std::vector<Row> rows{
      {"8.8.8.8", AddressKind::kPublic},
      {"0.0.0.0", AddressKind::kUnspecified},
      {"0.1.2.3", AddressKind::kUnspecified},
      {"1.0.0.0", AddressKind::kPublic},
      {"9.255.255.255", AddressKind::kPublic},
      {"10.0.0.0", AddressKind::kPrivate},
      {"10.255.255.255", AddressKind::kPrivate},
      {"11.0.0.0", AddressKind::kPublic},
      {"100.63.255.255", AddressKind::kPublic},
      {"100.64.0.0", AddressKind::kPrivate},
      {"100.127.255.255", AddressKind::kPrivate},
      {"100.128.0.0", AddressKind::kPublic},
      {"126.255.255.255", AddressKind::kPublic},
      {"127.0.0.1", AddressKind::kLoopback},
      {"127.255.255.255", AddressKind::kLoopback},
      {"128.0.0.0", AddressKind::kPublic},
      {"168.63.129.16", AddressKind::kPrivate},
      {"168.63.129.17", AddressKind::kPublic},
      {"169.253.255.255", AddressKind::kPublic},
      {"169.254.169.254", AddressKind::kLinkLocal},
      {"169.255.0.0", AddressKind::kPublic},
      {"172.15.255.255", AddressKind::kPublic},
      {"172.16.0.1", AddressKind::kPrivate},
      {"172.31.255.255", AddressKind::kPrivate},
      {"172.32.0.0", AddressKind::kPublic},
      {"192.0.0.8", AddressKind::kReserved},
      {"192.0.1.0", AddressKind::kPublic},
      {"192.0.2.1", AddressKind::kReserved},
      {"192.88.99.1", AddressKind::kReserved},
      {"192.167.255.255", AddressKind::kPublic},
      {"192.168.1.1", AddressKind::kPrivate},
      {"192.169.0.0", AddressKind::kPublic},
      {"198.17.255.255", AddressKind::kPublic},
      {"198.18.0.1", AddressKind::kReserved},
      {"198.19.255.255", AddressKind::kReserved},
      {"198.20.0.0", AddressKind::kPublic},
      {"198.51.100.7", AddressKind::kReserved},
      {"203.0.113.7", AddressKind::kReserved},
      {"223.255.255.255", AddressKind::kPublic},
      {"224.0.0.1", AddressKind::kMulticast},
      {"239.255.255.255", AddressKind::kMulticast},
      {"240.0.0.1", AddressKind::kReserved},
      {"255.255.255.255", AddressKind::kReserved},
      {"::", AddressKind::kUnspecified},
      {"::1", AddressKind::kLoopback},
      {"::2", AddressKind::kEmbedded},
      {"::127.0.0.1", AddressKind::kEmbedded},
      {"::ffff:127.0.0.1", AddressKind::kEmbedded},
      {"::ffff:8.8.8.8", AddressKind::kEmbedded},
      {"::ffff:0:127.0.0.1", AddressKind::kEmbedded},
      {"64:ff9b::8.8.8.8", AddressKind::kPublic},
      {"64:ff9b::127.0.0.1", AddressKind::kLoopback},
      {"64:ff9b::10.0.0.1", AddressKind::kPrivate},
      {"64:ff9b:1::8.8.8.8", AddressKind::kReserved},
      {"100::1", AddressKind::kReserved},
      {"2000::1", AddressKind::kPublic},
      {"2001::1", AddressKind::kEmbedded},
      {"2001:1::1", AddressKind::kReserved},
      {"2001:20::1", AddressKind::kReserved},
      {"2001:200::1", AddressKind::kPublic},
      {"2001:4860:4860::8888", AddressKind::kPublic},
      {"2001:db8::1", AddressKind::kReserved},
      {"2001:db9::1", AddressKind::kPublic},
      {"2002:7f00:1::", AddressKind::kEmbedded},
      {"2003::1", AddressKind::kPublic},
      {"3fff::1", AddressKind::kReserved},
      {"3fff:1000::1", AddressKind::kPublic},
      {"4000::1", AddressKind::kReserved},
      {"5f00::1", AddressKind::kReserved},
      {"fc00::1", AddressKind::kPrivate},
      {"fdff::1", AddressKind::kPrivate},
      {"fe80::1", AddressKind::kLinkLocal},
      {"febf::1", AddressKind::kLinkLocal},
      {"fec0::1", AddressKind::kPrivate},
      {"ff02::1", AddressKind::kMulticast},
  };
  for (const Row& row : rows) {
    INFO(row.address);
    CHECK(to_string(kind_of(asio::ip::make_address(row.address))) == to_string(row.kind));
  }
}

TEST_CASE("a URL for push notifications is read as whoever connects to it would read it") {
  const PushUrl usual = must(read_push_url("https://Hooks.Example.COM/a/b?c=d"));
  CHECK(usual.tls);
  CHECK(usual.host == "hooks.example.com");
  CHECK(usual.where() == "hooks.example.com:443");
  CHECK(usual.authority == "Hooks.Example.COM");
  CHECK(usual.target == "/a/b?c=d");
  CHECK(must(read_push_url("HTTP://h.example:8080?x")).target == "/?x");
  CHECK(must(read_push_url("https://h.example./")).host == "h.example");
  const PushUrl six = must(read_push_url("https://[2001:0DB8::1]:8443"));
  CHECK(six.where() == "[2001:db8::1]:8443");
  CHECK(six.address);
  CHECK(six.target == "/");
  for (const std::string url : {"",
                                "hooks.example/a",
                                "//hooks.example",
                                "ftp://hooks.example/",
                                "https:/hooks.example",
                                "https://",
                                "https:///a",
                                "https://user@hooks.example/",
                                "https://user:pass@hooks.example/",
                                "https://hooks.example/#a",
                                "https://hooks.example:0/",
                                "https://hooks.example:65536/",
                                "https://hooks.example:x/",
                                "https://hooks.example:/",
                                "https://a b/",
                                "https://hooks.example/\r\nX: y",
                                "https://h\xC3\xBCks.example/",
                                "https://hooks.example\\@10.0.0.1/",
                                "https://[::1/",
                                "https://[h]/",
                                "https://::1/",
                                "https://[fe80::1%25eth0]x/",
                                "https://a%2e.example/"}) {
    INFO(url);
    CHECK(code_of(read_push_url(url)) == "PUSH_URL_INVALID");
  }
  CHECK(code_of(read_push_url("https://h/" + std::string(2048, 'a'))) == "PUSH_URL_INVALID");
}

TEST_CASE("push notifications go to the internet by https, and where the owner lists a host") {
  PushRules rules;
  const auto verdict = [&rules](const std::string& url) {
    const Result<void> may = check_push_url(rules, must(read_push_url(url)));
    return may ? std::string("ok") : may.error().code;
  };
  for (const char* list :
       {"http://127.0.0.1:9000", "[fd00::5]", "Hooks.Internal:8443", "http://plain.example"})
    rules.exceptions.push_back(must(read_push_exception(list)));
  struct Row {
    const char* url;
    const char* expect;
  };
  for (const Row& row : std::vector<Row>{
           {"https://hooks.example/", "ok"},
           {"http://hooks.example/", "PUSH_PLAIN_REFUSED"},
           {"https://8.8.8.8/", "ok"},
           {"https://127.0.0.1/", "PUSH_ADDRESS_REFUSED"},
           {"https://127.0.0.1:9000/", "ok"},
           {"http://127.0.0.1:9000/", "ok"},
           {"http://127.0.0.1:9001/", "PUSH_PLAIN_REFUSED"},
           {"https://localhost:9000/", "PUSH_ADDRESS_REFUSED"},
           {"https://a.localhost/", "PUSH_ADDRESS_REFUSED"},
           {"https://localhost.example/", "ok"},
           {"https://[::1]/", "PUSH_ADDRESS_REFUSED"},
           {"https://[::ffff:10.0.0.1]/", "PUSH_ADDRESS_REFUSED"},
           {"https://[fd00::5]:1/", "ok"},
           {"https://[fd00:0::5]:1/", "ok"},
           {"http://[fd00::5]:1/", "PUSH_PLAIN_REFUSED"},
           {"https://[fd00::6]/", "PUSH_ADDRESS_REFUSED"},
           {"https://169.254.169.254/", "PUSH_ADDRESS_REFUSED"},
           {"http://plain.example:81/", "ok"},
       }) {
    INFO(row.url);
    CHECK(verdict(row.url) == row.expect);
  }
  // A name that nobody lists is what its addresses are at the moment.
  const auto addresses = [](std::initializer_list<const char*> texts) {
    std::vector<asio::ip::address> out;
    for (const char* text : texts) out.push_back(asio::ip::make_address(text));
    return out;
  };
  const PushUrl named = must(read_push_url("https://hooks.example/"));
  CHECK(must(check_push_addresses(rules, named, addresses({"127.0.0.1", "8.8.8.8", "fd00::5"}))) ==
        addresses({"8.8.8.8"}));
  const auto refused = check_push_addresses(rules, named, addresses({"10.0.0.1", "::1"}));
  CHECK(code_of(refused) == "PUSH_ADDRESS_REFUSED");
  CHECK(refused.error().next == "hostclaw clawlink serve --push-to hooks.example:443");
  const PushUrl listed = must(read_push_url("https://hooks.internal:8443/"));
  CHECK(must(check_push_addresses(rules, listed, addresses({"10.0.0.1"}))) == addresses({"10.0.0.1"}));
  for (const char* wrong : {"", "http://", "https://a.example", "a.example/x", "a.example:0", "a b", "*"}) {
    INFO(wrong);
    CHECK(code_of(read_push_exception(wrong)) == "CONFIG_INVALID");
  }
}

TEST_CASE("a task is told first as it is, then what becomes of it, in order and to its end") {
  PushDatabase relay;
  REQUIRE(relay.put(config_of(relay.task)) == "ok");
  CHECK(relay.effects.pushes);
  const Notification first = relay.only_next();
  CHECK(Json::parse(first.body)["task"]["status"]["state"] == "TASK_STATE_SUBMITTED");
  // What happens while it is on its way is not lost.
  relay.answer("in_progress", "half");
  relay.told(first);
  const Notification second = relay.only_next();
  CHECK(Json::parse(second.body)["statusUpdate"]["status"]["state"] == "TASK_STATE_WORKING");
  relay.told(second);
  CHECK(relay.due().empty());
  // What the client says itself is not told it, and does not stand in the way.
  relay.task = relay.RelayDatabase::task(relay.task.task_id);
  FollowUp more;
  more.by = "a";
  more.text = "faster";
  must(relay.in([&](StoreSession& session) { return continue_task(session, relay.task, more); }));
  CHECK_FALSE(relay.next(second.config.push_id));
  CHECK(relay.due().empty());
  relay.answer("completed", "built");
  CHECK(relay.effects.pushes);
  const Notification third = relay.only_next();
  CHECK(Json::parse(third.body).contains("artifactUpdate"));
  relay.told(third);
  const Notification last = relay.only_next();
  CHECK(Json::parse(last.body)["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED");
  relay.told(last);
  CHECK(relay.due().empty());
  // The end was told: nothing that opens the receiver is kept.
  const auto kept = must(
      relay.in([&](StoreSession& session) { return find_push_config(session, relay.task.task_id, "c"); }));
  REQUIRE(kept);
  CHECK(kept->finished);
  CHECK(kept->url == config_of(relay.task).url);
  CHECK(kept->token.empty());
  CHECK(kept->credentials.empty());
  relay.later(relay.limits.keep_tasks_ms + 1);
  CHECK(must(relay.in([&](StoreSession& session) {
          return list_push_configs(session, relay.task.task_id);
        })).empty());
}

TEST_CASE(
    "a notification that fails is tried again, later each time, and given up with what waits behind it") {
  PushDatabase relay;
  relay.limits.push_tries = 3;
  REQUIRE(relay.put(config_of(relay.task)) == "ok");
  const PushFailure failure{"HTTP 503", false, 0};
  std::int64_t pause = relay.limits.push_backoff_ms;
  for (int i = 0; i < 2; ++i) {
    CHECK_FALSE(relay.failed(relay.only_next(), failure));
    CHECK(relay.due().empty());
    relay.clock.advance(std::chrono::milliseconds(pause - 1));
    CHECK(relay.due().empty());
    relay.clock.advance(std::chrono::milliseconds(1));
    pause *= 2;
  }
  relay.open();  // a relay that begins anew knows it all
  relay.answer("in_progress", "half");
  CHECK(relay.failed(relay.only_next(), failure));
  CHECK(relay.due().empty());
  const Json letters = relay.letters();
  REQUIRE(letters.size() == 1);
  CHECK(letters[0]["kind"] == "push");
  CHECK(letters[0]["to_agent"] == "a");
  CHECK(letters[0]["reason"] == "receiver.test:80: tried 3 times, at last: HTTP 503 (events: 2)");
  const auto rows = must(relay.in([](StoreSession& session) { return newest_rows(session, 1); }));
  CHECK(Json::parse(rows.at(0).body) == Json{{"task", relay.task.task_id},
                                             {"config", "c"},
                                             {"to", "receiver.test:80"},
                                             {"givenUp", 2},
                                             {"why", "tried 3 times, at last: HTTP 503"}});
  // What comes later is told, with all its tries.
  relay.answer("completed", "built");
  const Notification later = relay.only_next();
  CHECK(Json::parse(later.body).contains("artifactUpdate"));
  CHECK(later.config.tries == 0);
  CHECK(relay.failed(later, {"HTTP 410", true, 0}));
  CHECK(relay.letters().size() == 2);
}

TEST_CASE("where no further try could end otherwise a config is over, and takes no place of others") {
  PushDatabase relay;
  relay.limits.push_configs_of_caller = relay.limits.push_configs = 1;
  REQUIRE(relay.put(config_of(relay.task, "1")) == "ok");
  CHECK(relay.put(config_of(relay.task, "2")) == "PUSH_CONFIGS_FULL");
  CHECK(relay.failed(relay.only_next(), {"PUSH_ADDRESS_REFUSED", true, 0}));
  const auto over = must(
      relay.in([&](StoreSession& session) { return find_push_config(session, relay.task.task_id, "1"); }));
  REQUIRE(over);
  CHECK(over->finished);
  CHECK(over->token.empty());
  relay.answer("in_progress", "half");
  CHECK(relay.due().empty());
  CHECK(relay.letters().size() == 1);
  CHECK(relay.put(config_of(relay.task, "2")) == "ok");
}

TEST_CASE("a receiver that asks for time gets it, up to a bound") {
  PushDatabase relay;
  REQUIRE(relay.put(config_of(relay.task)) == "ok");
  CHECK_FALSE(relay.failed(relay.only_next(), {"HTTP 429", false, 60 * kSecond}));
  relay.clock.advance(std::chrono::milliseconds(60 * kSecond - 1));
  CHECK(relay.due().empty());
  relay.clock.advance(std::chrono::milliseconds(1));
  CHECK_FALSE(relay.failed(relay.only_next(), {"HTTP 429", false, kHour}));
  relay.clock.advance(std::chrono::milliseconds(relay.limits.push_backoff_most_ms));
  CHECK(relay.due().size() == 1);
}

TEST_CASE("a config that was replaced on the way starts anew, and the old one's answer does not move it") {
  PushDatabase relay;
  REQUIRE(relay.put(config_of(relay.task)) == "ok");
  const Notification old = relay.only_next();
  REQUIRE(relay.put(config_of(relay.task)) == "ok");
  relay.told(old);
  CHECK_FALSE(relay.failed(old, {"HTTP 410", true, 0}));
  CHECK(Json::parse(relay.only_next().body).contains("task"));
  CHECK(relay.letters().empty());
}

TEST_CASE("of one task, of one caller and of all there are so many configs and no more") {
  PushDatabase relay;
  relay.limits.push_configs_of_task = 2;
  relay.limits.push_configs_of_caller = 3;
  relay.limits.push_configs = 4;
  CHECK(relay.put(config_of(relay.task, "1")) == "ok");
  CHECK(relay.put(config_of(relay.task, "2")) == "ok");
  CHECK(relay.put(config_of(relay.task, "3")) == "PUSH_CONFIGS_FULL");
  CHECK(relay.put(config_of(relay.task, "2")) == "ok");
  const Task other = relay.delegate("a", "b", "more");
  CHECK(relay.put(config_of(other, "1")) == "ok");
  CHECK(relay.put(config_of(other, "2")) == "PUSH_CONFIGS_FULL");
  PushConfig of_another = config_of(other, "2");
  of_another.caller = "z";
  CHECK(relay.put(of_another) == "ok");
  const Task third = relay.delegate("a", "b", "more");
  of_another.task_id = third.task_id;
  CHECK(relay.put(of_another) == "PUSH_CONFIGS_FULL");
}

TEST_CASE("a config ends with the right that it was made with") {
  PushDatabase relay;
  relay.join("a");
  const NewCredential made =
      must(relay.in([](StoreSession& session) { return make_credential(session, "a", "a"); }));
  PushConfig config = config_of(relay.task);
  config.key_id = made.key_id;
  REQUIRE(relay.put(config) == "ok");
  CHECK(relay.only_next().body.size() > 0);
  must(relay.in([&](StoreSession& session) { return revoke_credentials(session, made.key_id, "owner"); }));
  CHECK_FALSE(relay.next(relay.due().at(0).push_id));
  CHECK(relay.due().empty());
  // Without a credential it is as good as the relay lets those be who have none.
  REQUIRE(relay.put(config_of(relay.task)) == "ok");
  CHECK(relay.only_next().body.size() > 0);
  relay.access.require_credentials = true;
  CHECK_FALSE(relay.next(relay.due().at(0).push_id));
  CHECK(relay.due().empty());
}

TEST_CASE("tasks are counted by state as they come, move and go") {
  PushDatabase relay;
  const auto counted = [&relay](TaskState state) {
    return must(relay.in([](StoreSession& session) { return count_all(session); }))
        .tasks.at(static_cast<std::size_t>(state));
  };
  relay.delegate("a", "b", "more");
  CHECK(counted(TaskState::kSubmitted) == 2);
  relay.answer("in_progress", "half");
  CHECK(counted(TaskState::kSubmitted) == 1);
  CHECK(counted(TaskState::kWorking) == 1);
  relay.answer("completed", "built");
  CHECK(counted(TaskState::kWorking) == 0);
  CHECK(counted(TaskState::kCompleted) == 1);
  relay.later(relay.limits.keep_tasks_ms + 1);
  CHECK(counted(TaskState::kCompleted) == 0);
}

TEST_CASE("metrics are Prometheus' text, and hold no word of a peer") {
  RelayNumbers numbers;
  numbers.agents = 3;
  numbers.agents_online = 1;
  numbers.tasks.at(static_cast<std::size_t>(TaskState::kFailed)) = 7;
  RelayCounts counts;
  counts.answered(200);
  counts.answered(401);
  counts.answered(401);
  const std::string text = metrics_text(numbers, counts, "1.2.3");
  for (const char* line :
       {"# TYPE clawlink_agents gauge\n", "clawlink_agents{state=\"offline\"} 2\n",
        "clawlink_tasks{state=\"failed\"} 7\n", "# TYPE clawlink_refused_requests_total counter\n",
        "clawlink_refused_requests_total{status=\"401\"} 2\n", "clawlink_info{version=\"1.2.3\"} 1\n"}) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
  CHECK(text.find("status=\"200\"") == std::string::npos);
  CHECK(text.ends_with("\n"));
}

namespace {

// Answers every request on loopback with the next of `statuses`, then with 200.
struct TestReceiver {
  explicit TestReceiver(asio::io_context& io) : acceptor(io, {asio::ip::address_v4::loopback(), 0}) {
    asio::co_spawn(io, serve(), asio::detached);
  }
  asio::awaitable<void> serve() {
    for (;;) {
      auto [refused, socket] = co_await acceptor.async_accept(kTuple);
      if (refused) co_return;
      ++connections;
      std::string text;
      const auto [failed, head] =
          co_await asio::async_read_until(socket, asio::dynamic_buffer(text), "\r\n\r\n", kTuple);
      if (failed) continue;
      const std::size_t length = std::stoul(text.substr(text.find("Content-Length: ") + 16));
      const std::size_t missing = head + length > text.size() ? head + length - text.size() : 0;
      co_await asio::async_read(socket, asio::dynamic_buffer(text), asio::transfer_exactly(missing), kTuple);
      requests.push_back(text);
      const std::string status = statuses.empty() ? "200" : statuses.front();
      if (!statuses.empty()) statuses.erase(statuses.begin());
      const std::string answer = "HTTP/1.1 " + status + " .\r\nContent-Length: 0\r\n\r\n";
      co_await asio::async_write(socket, asio::buffer(answer), kTuple);
    }
  }
  std::string port() const { return std::to_string(acceptor.local_endpoint().port()); }

  tcp::acceptor acceptor;
  int connections = 0;
  std::vector<std::string> requests;
  std::vector<std::string> statuses;
};

// The sender on the database of `relay`, which gets it back at the end.
struct SenderScene {
  explicit SenderScene(PushDatabase& of) : relay(of) {}
  void start() {
    ServiceConfig config;
    config.limits = relay.limits;
    config.routes.push = rules;
    config.log = [this](const std::string& line) { log += line + "\n"; };
    service = std::make_unique<RelayService>(io.get_executor(), relay.release(), config, relay.clock);
    const NameLookup look = [this](const std::string& host, boost::system::error_code& failed) {
      ++lookups;
      return lookup(host, failed);
    };
    const PushPatience patience;
    asio::co_spawn(io, send_pushes(*service, look, patience), asio::detached);
  }
  template <class Condition>
  void run_until(Condition condition) {
    while (!condition()) REQUIRE(io.run_one_for(std::chrono::seconds(30)) > 0);
  }
  void stop() {
    service->stop();
    io.poll();
    relay.open();
  }

  PushDatabase& relay;
  asio::io_context io{1};
  PushRules rules;
  std::atomic<int> lookups{0};
  std::function<Addresses(const std::string&, boost::system::error_code&)> lookup;
  std::string log;
  std::unique_ptr<RelayService> service;
};

}  // namespace

TEST_CASE("a name is looked up once for a notification, and the connection goes to what was judged") {
  PushDatabase relay;
  SenderScene scene(relay);
  TestReceiver receiver(scene.io);
  PushConfig config = config_of(relay.task);
  config.url = "http://receiver.test:" + receiver.port() + "/hook?key=hidden";
  REQUIRE(relay.put(config) == "ok");
  scene.rules.exceptions.push_back(must(read_push_exception("http://receiver.test:" + receiver.port())));
  // Asked a second time, the name would lead elsewhere.
  scene.lookup = [&](const std::string& host, boost::system::error_code&) {
    CHECK(host == "receiver.test");
    return Addresses{asio::ip::make_address(scene.lookups == 1 ? "127.0.0.1" : "127.9.9.9")};
  };
  scene.start();
  scene.run_until([&] { return scene.service->counts()->pushed == 1; });
  CHECK(scene.lookups == 1);
  REQUIRE(receiver.requests.size() == 1);
  const std::string& request = receiver.requests[0];
  CHECK(request.starts_with("POST /hook?key=hidden HTTP/1.1\r\nHost: receiver.test:" + receiver.port() +
                            "\r\n"));
  CHECK(request.find("\r\nX-A2A-Notification-Token: the-token\r\n") != std::string::npos);
  CHECK(request.find("\r\nAuthorization: Bearer the-credentials\r\n") != std::string::npos);
  CHECK(request.find("\r\nContent-Type: application/a2a+json\r\n") != std::string::npos);
  scene.stop();
  CHECK(relay.due().empty());
}

TEST_CASE("a name that leads to this machine is not connected to, and that is said without its secrets") {
  PushDatabase relay;
  SenderScene scene(relay);
  TestReceiver receiver(scene.io);
  PushConfig config = config_of(relay.task);
  config.url = "https://rebound.test:" + receiver.port() + "/hook?key=hidden";
  config.where = "rebound.test:" + receiver.port();
  REQUIRE(relay.put(config) == "ok");
  scene.lookup = [](const std::string&, boost::system::error_code&) {
    return Addresses{asio::ip::make_address("127.0.0.1"), asio::ip::make_address("::1")};
  };
  scene.start();
  scene.run_until([&] { return scene.service->counts()->pushes_given_up == 1; });
  scene.stop();
  CHECK(receiver.connections == 0);
  const std::string told = relay.letters().dump() + scene.log;
  CHECK(told.find("PUSH_ADDRESS_REFUSED") != std::string::npos);
  CHECK(scene.log.find("rebound.test:" + receiver.port()) != std::string::npos);
  for (const char* secret : {"hidden", "the-token", "the-credentials"})
    CHECK(told.find(secret) == std::string::npos);
}

TEST_CASE("slow receivers of one caller leave room for another's") {
  PushDatabase relay;
  SenderScene scene(relay);
  TestReceiver receiver(scene.io);
  relay.limits.push_configs_of_task = 100;
  for (int i = 0; i < 40; ++i) {
    PushConfig slow = config_of(relay.task, "slow " + std::to_string(i));
    slow.url = "https://slow.test/";
    REQUIRE(relay.put(slow) == "ok");
  }
  relay.clock.advance(std::chrono::milliseconds(1));
  PushConfig other = config_of(relay.delegate("z", "b", "work"));
  other.caller = "z";
  other.url = "http://127.0.0.1:" + receiver.port() + "/";
  REQUIRE(relay.put(other) == "ok");
  scene.rules.exceptions.push_back(must(read_push_exception("http://127.0.0.1:" + receiver.port())));
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  scene.lookup = [gate](const std::string&, boost::system::error_code& failed) {
    gate.wait();
    failed = asio::error::host_not_found;
    return Addresses();
  };
  scene.start();
  scene.run_until([&] { return scene.service->counts()->pushed == 1; });
  CHECK(receiver.requests.size() == 1);
  CHECK(scene.lookups <= 8);
  go.set_value();
  scene.run_until([&] { return scene.service->counts()->push_failures >= 40; });
  scene.stop();
}

}  // namespace hostclaw::clawlink::testing
