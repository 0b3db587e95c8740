// SPDX-License-Identifier: Apache-2.0
// The desk where a person is asked: finds the answer to a question, or the grant that makes it needless, or
// asks. Knows nothing of what is asked about but the question.
//
// The question is stored before anyone is asked; the answer is a grant, and the request is decided anew with
// it. The grant is used up in the transaction that writes the run's row (see journal.h).
// Thread rule: the store's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "approvals/questions/questions.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "node-host/corridor/origin.h"
#include "node-host/questions/local_questions.h"

namespace hostclaw::node_host {

// The question of one request, from the first decision to the last. A value: handed from phase to phase.
struct Asking {
  std::string question_id;  // empty: none yet
  std::string key;
  std::int64_t asked_at_ms = 0;
  std::int64_t deadline_ms = 0;
  std::int64_t patience_ms = 0;  // until when the caller waits; at most the deadline
  bool out_of_patience = false;  // it does not wait longer, but takes what holds now
};

// What is brought to the desk.
struct DeskCase {
  const Origin& origin;
  const std::string& request_id;
  std::int64_t caller_deadline_ms = 0;  // 0: never
  Askable askable;
  bool asks_here = false;        // this node asks; else only a grant is looked for
  std::int64_t wait_ms = 0;      // how long the question stays open
  std::int64_t patience_ms = 0;  // how long the caller waits for it; 0: as long
  std::function<Json()> files;   // what is told of the files, looked up when a question is really asked
};

struct DeskAnswer {
  enum class Kind {
    kNobody,      // there is no answer, and nobody was asked
    kWaits,       // a question is open
    kGranted,     // a person allowed this very request
    kCovered,     // a standing grant covers it
    kDenied,      // a person said no
    kUnanswered,  // nobody answered in time
    kOpen,        // nobody has answered yet, and the caller does not wait longer
    kChanged,     // allowed, but it is not what was asked about
  };
  Kind kind = Kind::kNobody;
  std::string answered_by;             // door and who
  std::vector<std::string> grant_ids;  // to be used up
  std::optional<approvals::GrantRequest> consumes;
  std::optional<Error> failure;  // nobody could be asked, or the store cannot say what was answered
};

class Desk {
 public:
  explicit Desk(const Clock& clock) : clock_(clock) {}

  // `asking` is the question so far and becomes the one that is waited for.
  DeskAnswer seek(approvals::Store& store, DeskCase what, Asking& asking);

  // The request is decided: it waits no more.
  void settled(const Asking& asking) { (void)stop_waiting(asking); }
  // Its caller does not wait any more. The question stays: an answer then serves the identical retry.
  Result<void> caller_left(approvals::Store& store, const Asking& asking);

 private:
  bool stop_waiting(const Asking& asking);
  std::optional<DeskAnswer> look_at_question(approvals::Questions& questions, const DeskCase& what,
                                             const Asking& asking, DeskAnswer& answer);

  const Clock& clock_;
  std::map<std::string, int> waiting_callers_;  // by question
};

}  // namespace hostclaw::node_host
