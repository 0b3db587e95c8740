// SPDX-License-Identifier: Apache-2.0
#include "clawlink/forward/forwarder.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "clawlink/client/http_exchange.h"
#include "clawlink/forward/foreign_task.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/queue.h"
#include "clawlink/store/tasks.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMostForwarded = 256;
constexpr std::size_t kMostForwardedOfOne = 64;
constexpr std::int64_t kForwardTries = 12;
constexpr std::int64_t kForwardLease = 2 * kMinute;
constexpr std::size_t kMostCalledBytes = 4 * 1024 * 1024;
// The owner's command line lists agents beside the relay, and does not ring; what was given back comes due.
constexpr std::chrono::seconds kLookForWork{2};
constexpr std::chrono::seconds kLookForForwards{15};
constexpr int kTaskNotFound = -32001;

// Shared by the loop and what it has started: at the end they may go in any order.
struct ForwardWork {
  NameLookup look;
  ForwardPatience patience;
  std::string state_directory;
  std::unique_ptr<asio::ssl::context> tls;
  std::map<std::string, std::size_t> of_agent;
  std::size_t under_way = 0;
};

// What became of one call of an endpoint's method.
struct Called {
  std::optional<Json> result;
  int error = 0;       // JSON-RPC's code
  bool later = false;  // it may be otherwise in a while
  std::string why;     // unless there is a result
};

Called not_now(std::string why) { return {std::nullopt, 0, true, std::move(why)}; }
Called never(std::string why, int error = 0) { return {std::nullopt, error, false, std::move(why)}; }

// What it says is a peer's text: bounded, and marked as the endpoint's words.
std::string words_of(const Json& error) {
  return "the endpoint says: " + std::string(utf8_prefix(text_member(error, "message"), 300));
}

Called read_called(const HttpAttempt& attempt) {
  if (attempt.step != HttpStep::kDone) return not_now("no answer: " + attempt.failed.message());
  const Result<Json> body = parse_json(attempt.body, {kMostCalledBytes, kMostDepth});
  if (body && body->is_object() && body->contains("error") && (*body)["error"].is_object()) {
    const Json& error = (*body)["error"];
    const Json code = error.value("code", Json());
    const int number = code.is_number_integer() ? code.get<int>() : 0;
    // Internal errors, and OpenClaw's word for too many requests.
    if (number == -32603 || number == -32000) return not_now(words_of(error));
    return never(words_of(error), number);
  }
  const std::string status = "HTTP " + std::to_string(attempt.status);
  if (attempt.status == 408 || attempt.status == 429 || attempt.status >= 500) return not_now(status);
  if (attempt.status != 200) return never(status);
  if (!body || !body->is_object() || !body->contains("result"))
    return never("the endpoint does not answer as A2A's JSON-RPC does");
  return {(*body)["result"], 0, false, {}};
}

std::string token_of(const ForwardWork& work, const Forward& forward) {
  if (forward.token_file.empty()) return {};
  std::ifstream file(work.state_directory + "/" + forward.token_file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return std::string(trim(text));
}

std::string call_bytes(const PushUrl& url, const std::string& token, const std::string& body,
                       const std::string& version) {
  std::string text = "POST " + url.target + " HTTP/1.1\r\nHost: " + url.authority +
                     "\r\nUser-Agent: hostclaw-clawlink/" + version +
                     "\r\nContent-Type: application/json\r\nAccept: application/json\r\nA2A-Version: 1.0"
                     "\r\nConnection: close";
  if (!token.empty()) text += "\r\nAuthorization: Bearer " + token;
  return text + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

asio::awaitable<Called> call_endpoint(RelayService& service, ForwardWork& work, const Forward& forward,
                                      const char* method, const Json& params) {
  const Result<PushUrl> url = read_forward_url(forward.url, true);
  if (!url) co_return never(url.error().message);
  Addresses addresses;
  if (url->address) {
    addresses = {*url->address};
  } else {
    const LookupWish wish{url->host, std::chrono::steady_clock::now() + work.patience.lookup};
    Result<Addresses> found = co_await look_up(work.look, wish);
    if (!found) co_return not_now(found.error().message);
    addresses = std::move(*found);
  }
  if (url->tls && !work.tls) {
    auto context = client_tls("");
    if (!context) co_return not_now(context.error().message);
    work.tls = std::move(*context);
  }
  HttpPeer peer;
  for (const auto& address : addresses) peer.endpoints.emplace_back(address, url->port);
  peer.host = url->host;
  peer.tls = url->tls ? work.tls.get() : nullptr;
  const HttpPatience patience{work.patience.connect, work.patience.answer, kMostCalledBytes};
  const std::string body =
      dump_json(Json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}});
  const std::string bytes = call_bytes(*url, token_of(work, forward), body, service.config().routes.version);
  const HttpAttempt attempt = co_await exchange_http(peer, bytes, patience);
  co_return read_called(attempt);
}

// Work on the database whose failure leaves things as they were: the lease ends, and the message comes again.
using StoreWork = std::function<Result<void>(StoreSession& session)>;
asio::awaitable<bool> in_store(RelayService& service, const StoreWork& what) {
  CommitWriter::Work work = [&what](StoreSession& session) {
    const Result<void> done = what(session);
    return done ? Reply() : error_reply(done.error());
  };
  const Reply reply = co_await service.run(std::move(work));
  co_return reply.status == 200;
}

ForeignTask::Settled settled_as(const char* status, std::string said) { return {status, std::move(said)}; }

// One leased message, from here to its end.
class Carried {
 public:
  Carried(RelayService& service, std::shared_ptr<ForwardWork> work, Forward forward, Leased message)
      : service_(service),
        work_(std::move(work)),
        forward_(std::move(forward)),
        message_(std::move(message)) {}

  asio::awaitable<void> run() {
    const Result<Json> body = parse_json(message_.body, {message_.body.size() + 1, kMostDepth});
    if (message_.kind == "task_cancel") co_return co_await cancel_there();
    // What is told to everybody is not carried out of this relay.
    if (message_.kind != "task_delegation" || !body || !body->is_object()) co_return co_await take_away();
    delegation_ = *body;
    if (std::string why = why_not_forwarded(delegation_); !why.empty())
      co_return co_await answer(settled_as("rejected", std::move(why)));
    co_await load();
    if (known_ && known_->delivery_id == message_.delivery_id) co_return co_await follow();
    co_await send();
  }

 private:
  asio::awaitable<void> load() {
    const StoreWork work = [this](StoreSession& session) -> Result<void> {
      Result<std::optional<Forwarded>> found = find_forwarded(session, message_.task_id);
      if (!found) return found.error();
      known_ = std::move(*found);
      return {};
    };
    co_await in_store(service_, work);
  }

  asio::awaitable<void> send() {
    const std::string message_id = message_.task_id + "-" + std::to_string(message_.delivery_id);
    // What the endpoint has forgotten is sent as if it were new.
    const Json params = params_for_endpoint(delegation_, message_id, forgotten_ ? std::nullopt : known_);
    const Called called = co_await call_endpoint(service_, *work_, forward_, "SendMessage", params);
    if (!called.result) co_return co_await failed(called);
    const std::optional<ForeignTask> task = read_foreign_task(*called.result);
    if (!task) co_return co_await answer(settled_as("failed", "the endpoint's answer is no task of A2A"));
    co_await heard(*task);
    if (task->settled) co_return co_await answer(*task->settled);
    co_await follow();
  }

  // The endpoint has answered: it is there, and so it calls the task.
  asio::awaitable<void> heard(const ForeignTask& task) {
    const StoreWork work = [this, &task](StoreSession& session) -> Result<void> {
      if (const Result<bool> there = heard_of(session, forward_.agent_id); !there) return there.error();
      if (task.task_id.empty()) return {};
      known_ = Forwarded{message_.task_id, message_.delivery_id, task.task_id, task.context_id};
      if (Result<void> kept = put_forwarded(session, *known_); !kept) return kept;
      return session.record("forwarded", {{"task", message_.task_id},
                                          {"to", forward_.agent_id},
                                          {"foreignTask", std::string(utf8_prefix(task.task_id, 128))}});
    };
    co_await in_store(service_, work);
  }

  asio::awaitable<void> follow() {
    asio::steady_timer pause(service_.executor());
    // What is quickly done is quickly told.
    std::chrono::milliseconds until_next = work_->patience.first_look;
    while (!service_.stopped()) {
      pause.expires_after(until_next);
      until_next = std::min(2 * until_next, work_->patience.between_looks);
      co_await pause.async_wait(kTuple);
      const bool still_ours = co_await keep_lease();
      if (!still_ours) co_return co_await end_there();
      const Json params{{"id", known_->foreign_task_id}};
      const Called called = co_await call_endpoint(service_, *work_, forward_, "GetTask", params);
      if (called.error == kTaskNotFound && !forgotten_) {
        forgotten_ = true;
        co_return co_await send();
      }
      // An endpoint that is not there for a while is asked again: the task is there, or will be sent again.
      if (!called.result && called.later) continue;
      if (!called.result) co_return co_await answer(settled_as("failed", called.why));
      const std::optional<ForeignTask> task = read_foreign_task(*called.result);
      if (!task) co_return co_await answer(settled_as("failed", "the endpoint's answer is no task of A2A"));
      if (task->settled) co_return co_await answer(*task->settled);
    }
  }

  // False: the task has ended here, or somebody has taken the message away.
  asio::awaitable<bool> keep_lease() {
    bool stale = false;
    const StoreWork work = [this, &stale](StoreSession& session) -> Result<void> {
      const Result<std::int64_t> until = extend_lease(session, message_.lease, kForwardLease);
      stale = !until && until.error().code == "LEASE_STALE";
      if (stale) return {};
      if (!until) return until.error();
      const Result<std::optional<Task>> task = find_task(session, message_.task_id);
      if (!task) return task.error();
      if (!*task || is_end((*task)->state)) {
        stale = true;
        return acknowledge(session, message_.lease);
      }
      return {};
    };
    co_await in_store(service_, work);
    co_return !stale;
  }

  asio::awaitable<void> end_there() {
    if (!known_) co_return;
    const Json params{{"id", known_->foreign_task_id}};
    co_await call_endpoint(service_, *work_, forward_, "CancelTask", params);
  }

  asio::awaitable<void> cancel_there() {
    co_await load();
    co_await end_there();
    co_await take_away();
  }

  asio::awaitable<void> failed(const Called& called) {
    if (!called.later) co_return co_await answer(settled_as("failed", called.why));
    if (message_.tries >= kForwardTries)
      co_return co_await answer(
          settled_as("failed", "tried " + std::to_string(message_.tries) + " times, at last: " + called.why));
    service_.log("a task for " + forward_.agent_id + " could not be carried there (" + called.why +
                 "); it is tried again");
    const StoreWork work = [this](StoreSession& session) {
      return give_back(session, message_.lease, backoff_ms(session.limits, message_.tries));
    };
    co_await in_store(service_, work);
  }

  asio::awaitable<void> answer(const ForeignTask::Settled& settled) {
    const StoreWork work = [this, &settled](StoreSession& session) -> Result<void> {
      // Who was too slow has nothing to say any more.
      if (Result<void> done = acknowledge(session, message_.lease); !done)
        return done.error().code == "LEASE_STALE" ? Result<void>() : done;
      Response response;
      response.from_agent = forward_.agent_id;
      response.message_id = text_member(delegation_, "message_id");
      response.result = settled.result;
      response.status = settled.status;
      response.verified = true;
      if (const Result<Responded> done = respond(session, response); !done) return done.error();
      return {};
    };
    co_await in_store(service_, work);
  }

  asio::awaitable<void> take_away() {
    const StoreWork work = [this](StoreSession& session) -> Result<void> {
      const Result<void> done = acknowledge(session, message_.lease);
      return done || done.error().code == "LEASE_STALE" ? Result<void>() : done;
    };
    co_await in_store(service_, work);
  }

  RelayService& service_;
  const std::shared_ptr<ForwardWork> work_;
  const Forward forward_;
  const Leased message_;
  Json delegation_;
  std::optional<Forwarded> known_;
  bool forgotten_ = false;
};

struct Taken {
  Forward forward;
  std::vector<Leased> messages;
};

// What the loop knows when it looks, for the thread of the database.
struct Round {
  std::map<std::string, std::size_t> of_agent;
  std::size_t room = 0;
  std::vector<Forward> forwards;
  std::vector<Taken> taken;
};

Result<void> take_of(StoreSession& session, const Forward& forward, Round& round) {
  const std::size_t of_one = round.of_agent[forward.agent_id];
  LeaseWish wish;
  wish.agent = forward.agent_id;
  wish.most = std::min(kMostForwardedOfOne - std::min(of_one, kMostForwardedOfOne), round.room);
  wish.lease_ms = kForwardLease;
  if (wish.most == 0) return {};
  Result<std::vector<Leased>> messages = lease_messages(session, wish);
  if (!messages) return messages.error();
  round.room -= messages->size();
  if (!messages->empty()) round.taken.push_back({forward, std::move(*messages)});
  return {};
}

Result<void> take_all(StoreSession& session, Round& round) {
  Result<std::vector<Forward>> found = list_forwards(session);
  if (!found) return found.error();
  round.forwards = std::move(*found);
  for (const Forward& forward : round.forwards) {
    if (Result<void> done = take_of(session, forward, round); !done) return done;
  }
  return {};
}

void start_carrying(RelayService& service, const std::shared_ptr<ForwardWork>& work, const Taken& taken,
                    const std::shared_ptr<Bell>& bell) {
  const std::string agent = taken.forward.agent_id;
  for (const Leased& message : taken.messages) {
    ++work->under_way;
    ++work->of_agent[agent];
    const auto carried = std::make_shared<Carried>(service, work, taken.forward, message);
    asio::co_spawn(service.executor(), carried->run(),
                   [&service, work, agent, carried, bell](const std::exception_ptr& thrown) {
                     --work->under_way;
                     if (--work->of_agent[agent] == 0) work->of_agent.erase(agent);
                     if (thrown) service.log("a task that was carried elsewhere met an unexpected error");
                     bell->ring();
                   });
  }
}

}  // namespace

Result<PushUrl> read_forward_url(const std::string& text, bool plain) {
  Result<PushUrl> url = read_push_url(text);
  if (!url)
    return make_error("FORWARD_URL_INVALID",
                      "this is no http or https URL of an A2A endpoint, such as https://host/a2a/v1");
  const bool here = url->host == "localhost" || (url->address && url->address->is_loopback());
  if (!url->tls && !here && !plain)
    return make_error("FORWARD_PLAIN_REFUSED",
                      "tasks and the token would cross the network as plain text: name an https URL, or say "
                      "--insecure");
  return url;
}

asio::awaitable<void> forward_tasks(RelayService& service, NameLookup look, ForwardPatience patience,
                                    std::string state_directory) {
  const auto work = std::make_shared<ForwardWork>();
  work->look = std::move(look);
  work->patience = patience;
  work->state_directory = std::move(state_directory);
  const auto bell = std::make_shared<Bell>(service.executor());
  while (!service.stopped()) {
    Round round;
    round.of_agent = work->of_agent;
    round.room = kMostForwarded - work->under_way;
    const bool looked =
        co_await in_store(service, [&round](StoreSession& session) { return take_all(session, round); });
    if (service.stopped()) co_return;
    // Of what could not be written nothing is leased.
    if (!looked) round.taken.clear();
    for (const Taken& one : round.taken) start_carrying(service, work, one, bell);
    std::vector<std::unique_ptr<Hub::Place>> places;
    for (const Forward& forward : round.forwards)
      places.push_back(std::make_unique<Hub::Place>(service.hub(), Hub::of_agent(forward.agent_id), *bell));
    const std::chrono::milliseconds pause = round.forwards.empty() ? kLookForForwards : kLookForWork;
    co_await bell->wait_until(std::chrono::steady_clock::now() + pause);
  }
}

}  // namespace hostclaw::clawlink
