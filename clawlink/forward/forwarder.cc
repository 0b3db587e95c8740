// SPDX-License-Identifier: Apache-2.0
#include "clawlink/forward/forwarder.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/beast/http/error.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/json_shape.h"
#include "base/text.h"
#include "base/utf8.h"
#include "clawlink/client/url_peer.h"
#include "clawlink/forward/foreign_task.h"
#include "clawlink/model/wire_text.h"
#include "clawlink/store/queue.h"
#include "clawlink/store/tasks.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMostCalls = 64;
constexpr std::size_t kMostCallsOfOne = 8;
constexpr std::int64_t kForwardLease = 2 * kMinute;
constexpr std::size_t kMostCalledBytes = 1024 * 1024;
constexpr std::size_t kMostCalledValues = 20'000;
// OpenClaw takes 30 calls a minute of one peer, polls included.
constexpr std::int64_t kBetweenCalls = 2'500;
constexpr std::int64_t kMostForwardPause = 5 * kMinute;
constexpr std::int64_t kMostSilence = kHour;
constexpr std::int64_t kFewestLooks = 16;  // while it is silent, in powers of two
// A message that waits for another one is brought up when its turn comes.
constexpr std::int64_t kBehindAnother = kMinute;
// In one go: others wait for the same thread.
constexpr int kMostPostponed = 64;
// When the store cannot say what became of one, the next ones would be said again and again.
constexpr std::chrono::seconds kForwardStorePause{10};
// Of an endpoint that says that it is asked too often: all of it, and the message that it did not take.
constexpr std::chrono::seconds kBusyPause{10};
constexpr std::int64_t kBusyMessagePause = 30 * kSecond;
// The owner's command line lists agents beside the relay, and does not ring.
constexpr std::chrono::seconds kLookForWork{2};
constexpr std::chrono::seconds kLookForForwards{5};
constexpr int kTaskNotFound = -32001;

// Shared by the loop and what it has started: at the end they may go in any order.
struct ForwardWork {
  UrlPeers peers;
  ForwardPatience patience;
  std::string state_directory;
  std::map<std::string, std::size_t> of_agent;  // calls
  std::set<std::string> tasks;                  // that a call is about
  std::chrono::steady_clock::time_point not_before;
  std::map<std::string, std::chrono::steady_clock::time_point> busy_until;  // of an agent's endpoint

  void store_failed() { not_before = std::chrono::steady_clock::now() + kForwardStorePause; }
  void is_busy(const std::string& agent) {
    busy_until[agent] = std::chrono::steady_clock::now() + kBusyPause;
  }
};

// What became of one call of an endpoint's method.
struct Called {
  std::optional<Json> result;
  int error = 0;       // JSON-RPC's code
  bool later = false;  // it may be otherwise in a while
  bool busy = false;   // and that is because it is asked too often
  std::string why;     // unless there is a result
  bool too_large = false;
};

Called not_now(std::string why) { return {std::nullopt, 0, true, false, std::move(why)}; }
Called too_often(std::string why) { return {std::nullopt, 0, true, true, std::move(why)}; }
Called never(std::string why, int error = 0) { return {std::nullopt, error, false, false, std::move(why)}; }
Called too_large(std::string why) { return {std::nullopt, 0, false, false, std::move(why), true}; }

// What it says is a peer's text: bounded, without what a terminal would obey, and marked as the endpoint's.
std::string words_of(const Json& error) {
  return "the endpoint says: " + show_unseen(to_valid_utf8(utf8_prefix(text_member(error, "message"), 300)));
}

// -32000 is a server's own word for anything; OpenClaw says with it that there are too many requests.
bool speaks_of_rate(const Json& error) {
  const std::string text = to_lower_ascii(text_member(error, "message"));
  for (const char* const word : {"rate", "too many", "busy", "quota", "limit", "later"})
    if (text.find(word) != std::string::npos) return true;
  return false;
}

Called read_error(const Json& error, int code) {
  if (code == -32000) return speaks_of_rate(error) ? too_often(words_of(error)) : not_now(words_of(error));
  return code == -32603 ? not_now(words_of(error)) : never(words_of(error), code);
}

Called read_called(const HttpAttempt& attempt) {
  if (attempt.failed == boost::beast::http::error::body_limit)
    return too_large("the endpoint's answer is larger than 1 MiB");
  if (attempt.step != HttpStep::kDone) return not_now("no answer: " + attempt.failed.message());
  const std::string status = "HTTP " + std::to_string(attempt.status);
  // What stands before the endpoint has words of its own.
  if (attempt.status == 429) return too_often(status);
  if (attempt.status == 408 || attempt.status >= 500) return not_now(status);
  if (holds_more_values_than(attempt.body, kMostCalledValues))
    return too_large("the endpoint's answer has more than 20 000 values");
  Result<Json> body = parse_json(attempt.body, {kMostCalledBytes, kMostDepth});
  const bool is_rpc = body && body->is_object() && text_member(*body, "jsonrpc") == "2.0";
  if (is_rpc && body->contains("error")) {
    const Json& error = (*body)["error"];
    const Json code = error.is_object() ? error.value("code", Json()) : Json();
    if (code.is_number_integer()) return read_error(error, code.get<int>());
  }
  if (attempt.status != 200) return never(status);
  if (!is_rpc || !body->contains("result"))
    return never("the endpoint does not answer as A2A's JSON-RPC does");
  return {std::move((*body)["result"]), 0, false, false, {}};
}

// nullopt: there is one, and it cannot be read.
std::optional<std::string> token_of(const ForwardWork& work, const Forward& forward) {
  if (forward.token_file.empty()) return std::string();
  std::ifstream file(work.state_directory + "/" + forward.token_file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string token(trim(text));
  if (!is_header_text(token)) return std::nullopt;
  return token;
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
  const std::optional<std::string> token = token_of(work, forward);
  if (!token) co_return not_now("the token of this endpoint cannot be read");
  const Result<Addresses> found = co_await work.peers.addresses_of(*url);
  if (!found) co_return not_now(found.error().message);
  const Result<HttpPeer> peer = work.peers.peer_at(*url, *found);
  if (!peer) co_return not_now(peer.error().message);
  const HttpPatience patience{work.patience.connect, work.patience.answer, kMostCalledBytes};
  const std::string body =
      dump_json(Json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}});
  const std::string bytes = call_bytes(*url, *token, body, service.config().routes.version);
  const HttpAttempt attempt = co_await exchange_http(*peer, bytes, patience);
  co_return read_called(attempt);
}

// Work on the database. What could not be written comes again: leases end, and rows stay due.
using StoreWork = std::function<Result<void>(StoreSession& session)>;
asio::awaitable<bool> in_store(RelayService& service, const StoreWork& what) {
  CommitWriter::Work work = [&what](StoreSession& session) {
    const Result<void> done = what(session);
    return done ? Reply() : error_reply(done.error());
  };
  const Reply reply = co_await service.run(std::move(work));
  co_return reply.status == 200;
}

// The answer of the agent. A queue of the delegator's that has no room loses its message and not the answer,
// which the task keeps.
Result<void> answer_task(StoreSession& session, const Forward& forward, const std::string& task_id,
                         const ForeignTask::Settled& settled) {
  const Result<std::optional<Task>> task = find_task(session, task_id);
  if (!task) return task.error();
  if (!*task || is_end((*task)->state)) return {};
  Response response;
  response.from_agent = forward.agent_id;
  response.message_id = (*task)->message_id;
  response.result = settled.result;
  response.status = settled.status;
  response.verified = true;
  const Result<Responded> done = respond(session, response);
  if (done || done.error().code == "QUEUE_FULL" || done.error().code == "QUEUES_FULL") return {};
  return done.error();
}

ForeignTask::Settled settled_as(const char* status, std::string said) {
  return {status, std::move(said), false, {}};
}
bool ends_there(const ForeignTask::Settled& settled) {
  return !settled.goes_on && settled.status != "input_required";
}

// False: its owner has named another endpoint meanwhile, or none: what this one said is nothing any more.
Result<bool> is_still_there(StoreSession& session, const Forward& forward) {
  const Result<std::optional<Forward>> now = find_forward(session, forward.agent_id);
  if (!now) return now.error();
  return *now && (*now)->url == forward.url;
}

// What the endpoint says of a task, written down: an answer, the next look, or both.
Result<void> take_down(StoreSession& session, const ForwardPatience& patience, const Forward& forward,
                       Forwarded row, const ForeignTask& task) {
  if (const Result<bool> there = heard_of(session, forward.agent_id); !there) return there.error();
  const Result<bool> same = is_still_there(session, forward);
  if (!same) return same.error();
  if (!*same) return {};
  if (task.settled && ends_there(*task.settled)) {
    if (Result<void> done = answer_task(session, forward, row.task_id, *task.settled); !done) return done;
    return remove_forwarded(session, row.task_id);
  }
  const Result<std::optional<Task>> here = find_task(session, row.task_id);
  if (!here) return here.error();
  if (!task.task_id.empty()) row.foreign_task_id = task.task_id;
  if (!task.context_id.empty()) row.foreign_context_id = task.context_id;
  row.failing_since_ms = 0;
  row.asks = task.settled.has_value();
  const Result<std::int64_t> followed = count_followed(session, forward.agent_id);
  if (!followed) return followed.error();
  // One that asks is answered from here, or there.
  const std::int64_t most =
      row.asks ? kMostForwardPause
               : std::max<std::int64_t>(patience.between_looks.count(), *followed * kBetweenCalls);
  row.wait_ms = std::clamp<std::int64_t>(2 * row.wait_ms, patience.first_look.count(), most);
  row.due_ms = session.now_ms + row.wait_ms;
  if (!task.settled) {
    row.told.clear();
    return put_forwarded(session, row);
  }
  // Told once: not again because its time is another one, nor while the answer to it is on its way.
  const std::string question = "\n" + dump_json(task.settled->result);
  const std::string said = task.settled->at + question;
  const bool waits_here = *here && (*here)->state == TaskState::kInputRequired;
  if (said != row.told && !(waits_here && row.told.ends_with(question))) {
    if (Result<void> done = answer_task(session, forward, row.task_id, *task.settled); !done) return done;
    row.told = said;
  }
  if (Result<void> put = put_forwarded(session, row); !put) return put;
  return bring_up(session, row.task_id);
}

// One message on its way to the endpoint.
struct Sending {
  Forward forward;
  Leased message;
  Json delegation;
  std::optional<Forwarded> known;
  bool is_whole = true;  // it can be understood without what was said before
};

// False: the lease is over, and the message is somebody else's by now.
Result<bool> take_away(StoreSession& session, const Sending& one) {
  const Result<void> gone = acknowledge(session, one.message.lease);
  if (!gone && gone.error().code != "LEASE_STALE") return gone.error();
  return gone.has_value();
}

Result<void> stop_sending(StoreSession& session, const Sending& one, const ForeignTask::Settled& settled) {
  const Result<bool> ours = take_away(session, one);
  if (!ours) return ours.error();
  return *ours ? answer_task(session, one.forward, one.message.task_id, settled) : Result<void>();
}

// The endpoint refused a message about a task that it has: the task itself goes on, and is asked about.
Result<void> leave_out(StoreSession& session, const Sending& one, const std::string& why) {
  const Result<bool> ours = take_away(session, one);
  if (!ours) return ours.error();
  if (!*ours) return {};
  Forwarded row = *one.known;
  row.due_ms = session.now_ms + kSecond;
  row.told.clear();  // what it asks is told again
  if (Result<void> put = put_forwarded(session, row); !put) return put;
  return session.record("forward-refused", {{"task", row.task_id}, {"to", row.agent_id}, {"why", why}});
}

Result<void> sent(StoreSession& session, const ForwardPatience& patience, const Sending& one,
                  const std::string& message_id, const ForeignTask& task) {
  const Result<bool> same = is_still_there(session, one.forward);
  if (!same) return same.error();
  // It is to go to another endpoint.
  if (!*same) return postpone(session, one.message, 0);
  // The endpoint has it, whoever holds the lease by now, or nobody.
  if (Result<void> gone = take_out(session, one.message); !gone) return gone;
  Forwarded row;
  row.task_id = one.message.task_id;
  row.agent_id = one.forward.agent_id;
  row.message_id = message_id;
  row.body = one.message.body;
  if (one.known) row.told = one.known->told;
  if (Result<void> done = take_down(session, patience, one.forward, row, task); !done) return done;
  return session.record("forwarded", {{"task", row.task_id},
                                      {"to", row.agent_id},
                                      {"foreignTask", std::string(utf8_prefix(task.task_id, 128))}});
}

asio::awaitable<void> send_one(RelayService& service, std::shared_ptr<ForwardWork> work, Sending one) {
  const ForwardPatience patience = work->patience;
  const std::string message_id = one.message.task_id + "-" + std::to_string(one.message.delivery_id);
  Json params = params_for_endpoint(one.delegation, message_id, one.known);
  Called called = co_await call_endpoint(service, *work, one.forward, "SendMessage", params);
  if (called.error == kTaskNotFound && one.known && one.is_whole) {
    // It has forgotten the task: then this begins a new one there.
    one.known.reset();
    params = params_for_endpoint(one.delegation, message_id, one.known);
    called = co_await call_endpoint(service, *work, one.forward, "SendMessage", params);
  }
  const std::optional<ForeignTask> task = called.result ? read_foreign_task(*called.result) : std::nullopt;
  if (called.result && !task) called = never("the endpoint's answer is no task of A2A");
  if (called.busy) work->is_busy(one.forward.agent_id);
  const bool again = called.later && one.message.tries < kForwardTries;
  if (!called.result)
    service.log("a task for " + one.forward.agent_id + " could not be carried to " + one.forward.where +
                " (" + called.why + ")" + (again ? "; it is tried again" : ""));
  const StoreWork done = [&](StoreSession& session) -> Result<void> {
    if (task) return sent(session, patience, one, message_id, *task);
    if (called.busy) return postpone(session, one.message, kBusyMessagePause);
    if (again) {
      const Result<void> back =
          give_back(session, one.message.lease, backoff_ms(session.limits, one.message.tries));
      return back || back.error().code == "LEASE_STALE" ? Result<void>() : back;
    }
    if (one.known && called.error != kTaskNotFound) return leave_out(session, one, called.why);
    return stop_sending(
        session, one,
        settled_as("failed",
                   (called.later ? "tried " + std::to_string(kForwardTries) + " times, at last: " : "") +
                       called.why));
  };
  const bool written = co_await in_store(service, done);
  if (!written) work->store_failed();
}

// One look at a task that the endpoint has.
struct Following {
  Forward forward;
  Forwarded row;
  bool has_ended = false;  // here
};

// It did not answer, or has no time.
Result<void> look_later(StoreSession& session, Following one, const std::string& why, bool busy) {
  Forwarded& row = one.row;
  if (const Result<bool> same = is_still_there(session, one.forward); !same || !*same)
    return same ? Result<void>() : same.error();
  if (busy && !one.has_ended) {
    row.failing_since_ms = 0;
    row.due_ms =
        session.now_ms + std::max<std::int64_t>(row.wait_ms, std::chrono::milliseconds(kBusyPause).count());
    return put_forwarded(session, row);
  }
  if (row.failing_since_ms == 0) {
    row.failing_since_ms = session.now_ms;
    row.wait_ms = std::min(row.wait_ms, kMostForwardPause / kFewestLooks);
  }
  // A clock that jumps, or a machine that slept, is no silence: it has to be met again and again, too.
  if (session.now_ms - row.failing_since_ms > kMostSilence && row.wait_ms >= kMostForwardPause) {
    if (!one.has_ended) {
      const ForeignTask::Settled lost = settled_as("failed", "no answer for an hour, at last: " + why);
      if (Result<void> done = answer_task(session, one.forward, row.task_id, lost); !done) return done;
    }
    return remove_forwarded(session, row.task_id);
  }
  row.wait_ms = std::max(row.wait_ms, std::clamp<std::int64_t>(2 * row.wait_ms, kSecond, kMostForwardPause));
  row.due_ms = session.now_ms + row.wait_ms;
  return put_forwarded(session, row, one.has_ended);
}

// `was_sent`: the message again, not a question about the task.
Result<void> looked(StoreSession& session, const ForwardPatience& patience, Following one, bool was_sent,
                    const Called& called) {
  if (called.later) return look_later(session, std::move(one), called.why, called.busy);
  // Cancelled there, as far as that is possible; a word of HTTP is none of the endpoint's.
  if (one.has_ended) {
    const bool unheard = !called.result && called.error == 0 && !one.row.foreign_task_id.empty();
    if (unheard) return look_later(session, std::move(one), called.why, false);
    return remove_forwarded(session, one.row.task_id);
  }
  if (called.error == kTaskNotFound && !one.row.sent_again) {
    one.row.sent_again = true;
    one.row.foreign_task_id.clear();
    one.row.due_ms = session.now_ms;
    const Result<bool> whole = has_one_message(session, one.row.task_id);
    if (!whole) return whole.error();
    if (*whole) return put_forwarded(session, one.row);
  }
  const std::optional<ForeignTask> task = called.result ? read_foreign_task(*called.result) : std::nullopt;
  // Who has taken the task is asked again, whatever stands in the way of the answer: a token that changes, a
  // proxy, a page.
  const bool is_look = !was_sent && called.error != kTaskNotFound && !called.too_large;
  if (is_look && (!task || !task->is_known))
    return look_later(session, std::move(one),
                      !called.result ? called.why : "the endpoint's answer is no task of A2A", false);
  if (task) return take_down(session, patience, one.forward, one.row, *task);
  const ForeignTask::Settled lost =
      settled_as("failed", called.result ? "the endpoint's answer is no task of A2A" : called.why);
  if (Result<void> done = answer_task(session, one.forward, one.row.task_id, lost); !done) return done;
  return remove_forwarded(session, one.row.task_id);
}

asio::awaitable<void> look_at_one(RelayService& service, std::shared_ptr<ForwardWork> work, Following one) {
  const char* method = one.has_ended ? "CancelTask" : "GetTask";
  Json params{{"id", one.row.foreign_task_id}};
  if (!one.has_ended) params["historyLength"] = 0;
  Called called;
  const bool was_sent = one.row.foreign_task_id.empty() && !one.has_ended;
  if (was_sent) {
    method = "SendMessage";
    const Result<Json> body = parse_json(one.row.body, {one.row.body.size() + 1, kMostDepth});
    params = params_for_endpoint(body ? *body : Json::object(), one.row.message_id, std::nullopt);
  }
  // What it never had is not cancelled there.
  if (!one.has_ended || !one.row.foreign_task_id.empty())
    called = co_await call_endpoint(service, *work, one.forward, method, params);
  const ForwardPatience patience = work->patience;
  if (called.busy) work->is_busy(one.forward.agent_id);
  const StoreWork done = [&](StoreSession& session) {
    return looked(session, patience, one, was_sent, called);
  };
  const bool written = co_await in_store(service, done);
  if (!written) work->store_failed();
}

// What the loop knows when it looks, for the thread of the database.
struct Round {
  std::map<std::string, std::size_t> of_agent;
  std::set<std::string> tasks;
  std::set<std::string> busy;  // agents whose endpoint is let alone for a while
  std::vector<Forward> forwards;
  std::vector<Sending> sendings;
  std::vector<Following> followings;
  std::int64_t next_ms = 0;
  int postponed = 0;

  std::size_t under_way = 0;
  bool has_room_for(const std::string& agent) {
    return under_way < kMostCalls && of_agent[agent] < kMostCallsOfOne;
  }
  void take(const std::string& agent, const std::string& task) {
    ++under_way;
    ++of_agent[agent];
    tasks.insert(task);
  }
};

// A message as something to send; what is none of the kind is taken away.
Result<void> prepare(StoreSession& session, const Forward& forward, Leased message, Round& round) {
  const Result<Json> body = parse_json(message.body, {message.body.size() + 1, kMostDepth});
  // That a task was cancelled is seen by its own state; what is told to everybody stays here.
  if (message.kind != "task_delegation" || !body || !body->is_object())
    return acknowledge(session, message.lease);
  const Result<std::optional<Task>> task = find_task(session, message.task_id);
  if (!task) return task.error();
  if (!*task || is_end((*task)->state)) return acknowledge(session, message.lease);
  const Result<bool> behind = has_earlier_message(session, message);
  if (!behind) return behind.error();
  Result<std::optional<Forwarded>> known = find_forwarded(session, message.task_id);
  if (!known) return known.error();
  // While the endpoint works on the task it gets no more of it: OpenClaw would make another task of that, and
  // the answer of the first one would be lost.
  const bool works = *known && !(*known)->asks;
  if (*behind || works || round.tasks.contains(message.task_id)) {
    ++round.postponed;
    return postpone(session, message, kBehindAnother);
  }
  Sending one{forward, std::move(message), *body, std::move(*known)};
  const Result<bool> whole = has_one_message(session, one.message.task_id);
  if (!whole) return whole.error();
  one.is_whole = *whole;
  if (one.known && one.known->foreign_task_id.empty()) one.known.reset();
  if (std::string why = why_not_forwarded(one.delegation); !why.empty()) {
    const char* const status = one.known ? "input_required" : "rejected";
    return stop_sending(session, one, settled_as(status, std::move(why)));
  }
  round.take(forward.agent_id, one.message.task_id);
  round.sendings.push_back(std::move(one));
  return {};
}

Result<void> take_messages(StoreSession& session, const Forward& forward, Round& round) {
  round.postponed = 0;
  while (round.has_room_for(forward.agent_id) && round.postponed < kMostPostponed) {
    LeaseWish wish;
    wish.agent = forward.agent_id;
    wish.lease_ms = kForwardLease;
    Result<std::vector<Leased>> messages = lease_messages(session, wish);
    if (!messages) return messages.error();
    if (messages->empty()) return {};
    if (Result<void> done = prepare(session, forward, std::move(messages->front()), round); !done)
      return done;
  }
  return {};
}

Result<void> take_looks(StoreSession& session, const Forward& forward, Round& round) {
  Result<std::vector<Forwarded>> due = due_forwarded(session, forward.agent_id, 2 * kMostCallsOfOne);
  if (!due) return due.error();
  for (Forwarded& row : *due) {
    if (round.tasks.contains(row.task_id) || !round.has_room_for(row.agent_id)) continue;
    const Result<std::optional<Task>> task = find_task(session, row.task_id);
    if (!task) return task.error();
    round.take(row.agent_id, row.task_id);
    const bool has_ended = !*task || is_end((*task)->state);
    round.followings.push_back({forward, std::move(row), has_ended});
  }
  return {};
}

Result<void> take_all(StoreSession& session, Round& round) {
  Result<std::vector<Forward>> found = list_forwards(session);
  if (!found) return found.error();
  round.forwards = std::move(*found);
  for (const Forward& forward : round.forwards) {
    if (round.busy.contains(forward.agent_id)) continue;
    if (Result<void> done = take_looks(session, forward, round); !done) return done;
    if (Result<void> done = take_messages(session, forward, round); !done) return done;
    const Result<std::int64_t> next = next_forwarded_ms(session, forward.agent_id);
    if (!next) return next.error();
    if (*next != 0 && (round.next_ms == 0 || *next < round.next_ms)) round.next_ms = *next;
  }
  return {};
}

struct Call {
  std::string agent_id;
  std::string task_id;
};
void start(RelayService& service, const std::shared_ptr<ForwardWork>& work, const Call& call,
           asio::awaitable<void> what, const std::shared_ptr<Bell>& bell) {
  ++work->of_agent[call.agent_id];
  work->tasks.insert(call.task_id);
  asio::co_spawn(service.executor(), std::move(what),
                 [&service, work, call, bell](const std::exception_ptr& thrown) {
                   if (--work->of_agent[call.agent_id] == 0) work->of_agent.erase(call.agent_id);
                   work->tasks.erase(call.task_id);
                   if (thrown) {
                     work->store_failed();
                     service.log("a task that is carried elsewhere met an unexpected error");
                   }
                   bell->ring();
                 });
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
  const auto work = std::make_shared<ForwardWork>(ForwardWork{
      UrlPeers(std::move(look), patience.lookup), patience, std::move(state_directory), {}, {}, {}, {}});
  const auto bell = std::make_shared<Bell>(service.executor());
  while (!service.stopped()) {
    const auto now = std::chrono::steady_clock::now();
    if (now < work->not_before) {
      co_await bell->wait_until(work->not_before);
      continue;
    }
    std::erase_if(work->busy_until, [now](const auto& one) { return one.second <= now; });
    Round round;
    for (const auto& [agent, until] : work->busy_until) round.busy.insert(agent);
    round.of_agent = work->of_agent;
    round.tasks = work->tasks;
    round.under_way = work->tasks.size();
    const StoreWork look_for_work = [&round](StoreSession& session) { return take_all(session, round); };
    const bool looked_at = co_await in_store(service, look_for_work);
    if (service.stopped()) co_return;
    // Of what could not be written nothing is leased, and nothing would be written down.
    if (!looked_at) {
      work->store_failed();
      continue;
    }
    for (Sending& one : round.sendings) {
      const Call call{one.forward.agent_id, one.message.task_id};
      start(service, work, call, send_one(service, work, std::move(one)), bell);
    }
    for (Following& one : round.followings) {
      const Call call{one.forward.agent_id, one.row.task_id};
      start(service, work, call, look_at_one(service, work, std::move(one)), bell);
    }
    std::vector<std::unique_ptr<Hub::Place>> places;
    for (const Forward& forward : round.forwards)
      places.push_back(std::make_unique<Hub::Place>(service.hub(), Hub::of_agent(forward.agent_id), *bell));
    std::chrono::milliseconds pause = round.forwards.empty() ? kLookForForwards : kLookForWork;
    if (round.next_ms != 0)
      pause = std::clamp(std::chrono::milliseconds(round.next_ms - service.clock().unix_ms()),
                         std::chrono::milliseconds(250), pause);
    co_await bell->wait_until(std::chrono::steady_clock::now() + pause);
  }
}

}  // namespace hostclaw::clawlink
