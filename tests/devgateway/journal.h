// SPDX-License-Identifier: Apache-2.0
// What happened at the gateway, in order, for tests to wait on. Safe from any thread.
//
// A record is a JSON object with "kind" and "index". Kinds:
//   open          connection, target, headers, remote, tls
//   frame         connection, size, text (false when the message was not JSON), frame (absent when over 1
//   MiB) sent          connection, frame (requests for the node and answers to it) refused       connection,
//   code, detailsCode, reason, message, requestId, retryable connected     connection, nodeId, role,
//   authMethod, displayName closed        connection, nodeId, code, reason, afterHello, silent (dropped for
//   not answering pings) pong          connection, payload invoke        connection, invokeId, nodeId,
//   command, attempt result        connection, invokeId, nodeId, ok, accepted, ignored cancel invokeId,
//   nodeId event         connection, nodeId, event, payload, reply unauthorized  connection, method, count
//   approval      approvalId, status (requested | resolved | expired), decision
//   handshake-failed  why
//   http          target, status
// The journal holds whole frames, credentials included: it stays in memory and is never printed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace hostclaw::devgateway {

class Journal {
 public:
  using Predicate = std::function<bool(const Json&)>;

  void add(std::string kind, Json record);

  // The index of the next record: pass it to wait() to look only at what comes from now on.
  std::size_t mark() const;

  // The first record of `kind` at or after `from` for which `predicate` holds (empty: any). Waits for it.
  std::optional<Json> wait(const std::string& kind, std::chrono::milliseconds timeout,
                           const Predicate& predicate = {}, std::size_t from = 0) const;
  // The same without waiting, all of them.
  std::vector<Json> all(const std::string& kind, const Predicate& predicate = {}, std::size_t from = 0) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<Json> records_;
};

}  // namespace hostclaw::devgateway
