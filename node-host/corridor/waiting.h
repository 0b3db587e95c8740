// SPDX-License-Identifier: Apache-2.0
// Waiting for the answer to a question, with everybody else who waits.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "base/clock.h"
#include "node-host/corridor/desk.h"
#include "node-host/corridor/exec_request.h"
#include "node-host/questions/answer_watch.h"

namespace hostclaw::node_host {

class Waiting {
 public:
  Waiting(StoreThread& store, const Clock& clock) : answers_(store), clock_(clock) {}

  // True when there is something new to decide on: an answer, or the question's time or the caller's patience
  // is over (the latter is noted in `asking`). False when the caller does not wait any more: cancelled, or it
  // has left.
  boost::asio::awaitable<bool> answered(Asking& asking, const ExecRequest& request);

 private:
  AnswerWatch answers_;
  const Clock& clock_;
};

}  // namespace hostclaw::node_host
