// SPDX-License-Identifier: Apache-2.0
// What becomes of a request. A door turns it into its own words.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/result.h"
#include "node-host/run/run_executor.h"
#include "policy/model/types.h"

namespace hostclaw::node_host {

struct Judged;

// Nobody waits for it any more: nothing is to be sent.
struct Cancelled {};

// Not done. Every one has a code, the layer that denied and the next command to type.
struct Denied {
  policy::Decision decision;
  // The decision asks for a person, and this is why none could be asked.
  std::optional<Error> nobody_asked;
  // A question that a person can still answer here; what they allow then serves the identical retry. Empty:
  // none.
  std::string open_question;
};

// A run that was allowed and has ended, well or not.
struct Finished {
  RunOutcome run;
};

struct ExecOutcome {
  std::variant<Cancelled, Denied, Finished> end;
  std::shared_ptr<const Judged> judged;  // null when the request was not judged at all
  std::string run_id;                    // in the record; empty when there is none
  std::int64_t row_id = 0;               // of the record, for delivered(); 0 when there is none
  bool end_recorded = false;             // of a run; else it is recorded later

  bool cancelled() const { return std::holds_alternative<Cancelled>(end); }
  const Denied* denied() const { return std::get_if<Denied>(&end); }
  const Finished* finished() const { return std::get_if<Finished>(&end); }
};

}  // namespace hostclaw::node_host
