// SPDX-License-Identifier: Apache-2.0
#include "clawlink/push/push_sender.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "clawlink/a2a/notifications.h"
#include "clawlink/client/url_peer.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMostPushes = 32;
constexpr int kMostPushesOfOne = 8;
// Others may change the store too, and do not ring.
constexpr std::chrono::seconds kLookAgain{30};
// Then others have their turn.
constexpr int kMostInARow = 20;

// When the store cannot say what became of one, the next ones would be said again and again.
constexpr std::chrono::seconds kStorePause{10};

using PushTime = std::chrono::steady_clock::time_point;

// Shared by the loop and what it has started: at the end they may go in any order.
struct PushWork {
  UrlPeers peers;
  PushPatience patience;
  std::set<std::int64_t> under_way;
  std::map<std::string, int> of_caller;
  PushTime not_before;

  bool has_room_for(const DuePush& due) const {
    const auto known = of_caller.find(due.caller);
    return !under_way.contains(due.push_id) && (known == of_caller.end() || known->second < kMostPushesOfOne);
  }
  void begin(const DuePush& due) {
    under_way.insert(due.push_id);
    ++of_caller[due.caller];
  }
  void finish(const DuePush& due) {
    under_way.erase(due.push_id);
    if (--of_caller[due.caller] == 0) of_caller.erase(due.caller);
  }
  void store_failed() { not_before = std::chrono::steady_clock::now() + kStorePause; }
};

std::string post_bytes(const Notification& notification, const PushUrl& url, const std::string& version) {
  const PushConfig& config = notification.config;
  std::string text = "POST " + url.target + " HTTP/1.1\r\nHost: " + url.authority +
                     "\r\nUser-Agent: hostclaw-clawlink/" + version +
                     "\r\nContent-Type: application/a2a+json\r\nAccept: */*\r\nConnection: close";
  if (!config.token.empty()) text += "\r\nX-A2A-Notification-Token: " + config.token;
  if (!config.scheme.empty() && !config.credentials.empty())
    text += "\r\nAuthorization: " + config.scheme + " " + config.credentials;
  return text + "\r\nContent-Length: " + std::to_string(notification.body.size()) + "\r\n\r\n" +
         notification.body;
}

PushFailure final_failure(const Error& error) {
  return {error.code + ": " + error.message + (error.next.empty() ? "" : ": " + error.next), true, 0};
}
PushFailure passing_failure(std::string why) { return {std::move(why), false, 0}; }

// nullopt: acknowledged.
std::optional<PushFailure> judge_attempt(const HttpAttempt& attempt) {
  switch (attempt.step) {
    case HttpStep::kConnect:
      return passing_failure("no connection: " + attempt.failed.message());
    case HttpStep::kTls:
      return passing_failure("no TLS: " + attempt.failed.message());
    case HttpStep::kTalk:
      return passing_failure("no answer: " + attempt.failed.message());
    case HttpStep::kDone:
      break;
  }
  if (attempt.status >= 200 && attempt.status < 300) return std::nullopt;
  PushFailure failure;
  failure.why = "HTTP " + std::to_string(attempt.status);
  if (attempt.status >= 300 && attempt.status < 400) failure.why += ", and redirects are not followed";
  failure.is_final = (attempt.status >= 300 && attempt.status < 400) || attempt.status == 410;
  failure.retry_after_ms = attempt.retry_after.count() * kSecond;
  return failure;
}

asio::awaitable<std::optional<PushFailure>> post_one(const RelayService& service, PushWork& work,
                                                     const Notification& notification) {
  const PushRules& rules = service.config().routes.push;
  const Result<PushUrl> url = read_push_url(notification.config.url);
  if (!url) co_return final_failure(url.error());
  // The owner may list less than when the config was made.
  if (const Result<void> may = check_push_url(rules, *url); !may) co_return final_failure(may.error());
  const Result<Addresses> found = co_await work.peers.addresses_of(*url);
  if (!found) co_return passing_failure(found.error().message);
  const Result<Addresses> allowed = check_push_addresses(rules, *url, *found);
  if (!allowed) co_return final_failure(allowed.error());
  const Result<HttpPeer> peer = work.peers.peer_at(*url, *allowed);
  if (!peer) co_return passing_failure(peer.error().message);
  const HttpPatience patience{work.patience.connect, work.patience.answer, 0};
  const std::string bytes = post_bytes(notification, *url, service.config().routes.version);
  const HttpAttempt attempt = co_await exchange_http(*peer, bytes, patience);
  co_return judge_attempt(attempt);
}

// nullopt: there is nothing to tell.
asio::awaitable<std::optional<Notification>> take_next(RelayService& service, PushWork& pushes,
                                                       std::int64_t push_id) {
  std::optional<Notification> next;
  CommitWriter::Work work = [&service, &next, push_id](StoreSession& session) {
    auto found = next_notification(session, service.config().routes.access, push_id);
    if (!found) return error_reply(found.error());
    next = std::move(*found);
    return Reply();
  };
  const Reply reply = co_await service.run(std::move(work));
  if (reply.status != 200) {
    pushes.store_failed();
    next.reset();
  }
  co_return next;
}

// True: given up. Otherwise it was told, or it comes again.
asio::awaitable<bool> write_down(RelayService& service, PushWork& pushes, const Notification& notification,
                                 const std::optional<PushFailure>& failure) {
  bool given_up = false;
  CommitWriter::Work work = [&](StoreSession& session) {
    const std::int64_t push_id = notification.config.push_id;
    if (!failure) {
      const Result<void> told = push_told(session, push_id, notification.tells);
      return told ? Reply() : error_reply(told.error());
    }
    const Result<bool> done = push_failed(session, push_id, *failure);
    if (!done) return error_reply(done.error());
    given_up = *done;
    return Reply();
  };
  const Reply reply = co_await service.run(std::move(work));
  if (reply.status != 200) pushes.store_failed();
  co_return given_up;
}

asio::awaitable<void> tell_one(RelayService& service, std::shared_ptr<PushWork> pushes,
                               std::int64_t push_id) {
  const Counted counted(service.counts(), &RelayCounts::pushing);
  const std::shared_ptr<RelayCounts> counts = service.counts();
  for (int i = 0; i < kMostInARow && !service.stopped(); ++i) {
    const std::optional<Notification> next = co_await take_next(service, *pushes, push_id);
    if (!next) co_return;
    const std::optional<PushFailure> failure = co_await post_one(service, *pushes, *next);
    ++(failure ? counts->push_failures : counts->pushed);
    const bool given_up = co_await write_down(service, *pushes, *next, failure);
    if (given_up) {
      ++counts->pushes_given_up;
      service.log("push notifications of task " + next->config.task_id + " to " + next->config.where +
                  " were given up: " + failure->why);
    }
    if (failure || std::chrono::steady_clock::now() < pushes->not_before) co_return;
  }
}

asio::awaitable<DuePushes> take_due(RelayService& service) {
  DuePushes due;
  CommitWriter::Work work = [&due](StoreSession& session) {
    Result<DuePushes> found = due_pushes(session);
    if (!found) return error_reply(found.error());
    due = std::move(*found);
    return Reply();
  };
  const Reply reply = co_await service.run(std::move(work));
  if (reply.status != 200) due = {};
  co_return due;
}

void start_pushes(RelayService& service, const std::shared_ptr<PushWork>& pushes, const DuePushes& due) {
  for (const DuePush& one : due.now) {
    if (pushes->under_way.size() >= kMostPushes) return;
    if (!pushes->has_room_for(one)) continue;
    pushes->begin(one);
    asio::co_spawn(service.executor(), tell_one(service, pushes, one.push_id),
                   [&service, pushes, one](const std::exception_ptr& thrown) {
                     pushes->finish(one);
                     if (thrown) {
                       pushes->store_failed();
                       service.log("a push notification ended with an unexpected error");
                     }
                     service.push_bell()->ring();
                   });
  }
}

}  // namespace

asio::awaitable<void> send_pushes(RelayService& service, NameLookup look, PushPatience patience) {
  const auto pushes =
      std::make_shared<PushWork>(PushWork{UrlPeers(std::move(look), patience.lookup), patience, {}, {}, {}});
  const std::shared_ptr<Bell> bell = service.push_bell();
  while (!service.stopped()) {
    const auto now = std::chrono::steady_clock::now();
    if (now < pushes->not_before) {
      co_await bell->wait_until(pushes->not_before);
      continue;
    }
    const DuePushes due = co_await take_due(service);
    if (service.stopped()) co_return;
    start_pushes(service, pushes, due);
    std::chrono::milliseconds pause = kLookAgain;
    if (due.next_ms != 0)
      pause = std::clamp(std::chrono::milliseconds(due.next_ms - service.clock().unix_ms()),
                         std::chrono::milliseconds(1), pause);
    co_await bell->wait_until(std::chrono::steady_clock::now() + pause);
  }
}

}  // namespace hostclaw::clawlink
