// SPDX-License-Identifier: Apache-2.0
// What the parts of the door share: its configuration, its places, the pool for work on files.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/sha256.h"
#include "hostlink/door/caller.h"
#include "hostlink/door/door_config.h"
#include "hostlink/door/on_pool.h"
#include "hostlink/proto/replies.h"
#include "node-host/app/door.h"
#include "node-host/corridor/exec_request.h"
#include "node-host/run/run_wakeup.h"
#include "node-host/system/files/files_beneath.h"
#include "node-host/system/host/random_bytes.h"

namespace hostclaw::hostlink {

inline constexpr std::string_view kStopping = "this daemon is being stopped";

// What came of an upload until its connection broke.
struct PartialUpload {
  std::string token;
  std::string name;       // the client's
  std::string real_path;  // where it goes
  std::uint64_t size = 0;
  node_host::ReplacementFile file;
  std::unique_ptr<Sha256> hash;
  std::uint64_t taken = 0;
  std::chrono::steady_clock::time_point kept_until;
};

// An amount of something, and what part of it is whose token's.
struct Tally {
  std::size_t all = 0;
  std::map<std::string, std::size_t> of;
  std::size_t of_token(const std::string& token) const {
    const auto found = of.find(token);
    return found == of.end() ? 0 : found->second;
  }
};

struct DoorCore {
  DoorCore(const node_host::DoorContext& given, DoorConfig read)
      : context(given),
        config(std::move(read)),
        callers(given.store, given.state_directory, given.clock),
        idle(given.executor),
        ended(given.executor) {}

  const node_host::DoorContext context;
  DoorConfig config;
  Callers callers;
  boost::asio::thread_pool files{2};
  std::size_t commands = 0;          // under way, detached ones not counted
  std::size_t transfers = 0;         // the same of files
  std::size_t streams = 0;           // of protocol 2; they may outlive their connection
  Tally unsent;                      // bytes of answers that their callers have not taken yet
  Tally arriving;                    // bytes of long requests, as they were announced
  Tally connections;                 // of the known that stay: of protocol 2, and with a long request
  std::size_t most_connections = 0;  // of strangers and everybody
  // One waits for each.
  node_host::Wakeup idle;                    // notified when a command or a transfer has ended
  node_host::Wakeup ended;                   // notified when a stream, a connection or a listener has
  std::list<PartialUpload> partial_uploads;  // the oldest first
  bool closing = false;
  // Of this process: what a key that does not exist is answered with.
  const std::string unknown_key_secret = node_host::random_bytes(32);
  std::set<std::string> told_of_policy;  // tokens whose first refusal has named the way to a looser policy
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

  ReplyHead head(const std::string& id) const {
    ReplyHead head;
    head.id = id;
    head.node = config.node_name;
    return head;
  }
};

// Long answers that wait for their callers, together: so much memory, whatever they do.
inline constexpr std::size_t kMostUnsentAnswers = 512 * 1'048'576;
// One token's part of it: who does not read keeps nobody else from being served.
inline constexpr std::size_t kMostUnsentOfToken = kMostUnsentAnswers / 4;
// Long requests that are on their way in, by what their headers claim; and one token's part of it.
inline constexpr std::size_t kMostArriving = 8 * kMaxFramePayload;
inline constexpr std::size_t kMostArrivingOfToken = kMostArriving / 2;

// Counts in a tally for as long as it lives.
class Tallied {
 public:
  Tallied(Tally& tally, std::string token, std::size_t amount)
      : tally_(tally), token_(std::move(token)), amount_(amount) {
    tally_.all += amount_;
    tally_.of[token_] += amount_;
  }
  Tallied(const Tallied&) = delete;
  Tallied& operator=(const Tallied&) = delete;
  ~Tallied() {
    tally_.all -= amount_;
    const auto of_token = tally_.of.find(token_);
    if ((of_token->second -= amount_) == 0) tally_.of.erase(of_token);
  }

 private:
  Tally& tally_;
  const std::string token_;
  const std::size_t amount_;
};

// A place among commands or transfers; given back when it goes, before an answer is written.
class DoorPlace {
 public:
  // nullopt: all are taken, or too much waits for callers that do not read.
  static std::optional<DoorPlace> take(DoorCore& core, std::size_t DoorCore::*taken, std::int64_t most,
                                       const std::string& token) {
    if (core.*taken >= static_cast<std::size_t>(most) || core.unsent.all > kMostUnsentAnswers ||
        core.unsent.of_token(token) > kMostUnsentOfToken)
      return std::nullopt;
    return DoorPlace(core, taken);
  }
  DoorPlace(DoorPlace&& other) noexcept
      : core_(other.core_), taken_(other.taken_), held_(std::exchange(other.held_, false)) {}
  DoorPlace& operator=(DoorPlace&&) = delete;
  ~DoorPlace() { leave(); }
  void leave() {
    if (!std::exchange(held_, false)) return;
    --(core_.*taken_);
    core_.idle.notify();
  }
  // Of one that was let in before: beyond the limit, if need be.
  void take_again() {
    if (!std::exchange(held_, true)) ++(core_.*taken_);
  }

 private:
  DoorPlace(DoorCore& core, std::size_t DoorCore::*taken) : core_(core), taken_(taken) { take_again(); }
  DoorCore& core_;
  std::size_t DoorCore::*taken_;
  bool held_ = false;
};

// On the pool for files.
template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> on_files(DoorCore& core, Work work) {
  co_return co_await on_pool(core.files, std::move(work));
}

// Whether one more connection of this token may stay: one token leaves room to others, and all of them to who
// has not shown one yet. A token that has none yet is let in.
inline bool has_room_for_connection(const DoorCore& core, const std::string& token) {
  const std::size_t own = core.connections.of_token(token);
  return own == 0 ||
         (own < core.most_connections / 2 && core.connections.all < core.most_connections / 4 * 3);
}

enum class Busy { kCommands, kTransfers, kJobs, kTokenChecks, kStreams, kConnections, kRequests };
// Error for want of room, with its code and what to do: nothing was done, and it may be sent again as it is.
void tell_busy(Busy with, ReplyHead& head);
std::string busy_reply(Busy with, ReplyHead head);

// Error with the texts of a refusal: what a model or a person can act on, in one message and in members.
void tell_denial(DoorCore& core, const Caller& caller, const node_host::Denied& denied, ReplyHead& head);

}  // namespace hostclaw::hostlink
