// SPDX-License-Identifier: Apache-2.0
// The corridor: the one path from a request to a spawn, whatever door it came in by. It knows no door.
//
//   admission -> judge -> (desk: a person is asked, and judged anew) -> journal: a row -> run -> journal: the
//   end -> outcome
//
// Each phase is a thing of its own with one thread: admission, waiting and deliveries on the io_context
// thread, judge, desk and journal on the store's (StoreSide). walk() is the coroutine that owns a request and
// names them in order.
//
// The decision is made with the policy as it is at that moment; nothing is cached across a change. Its row is
// written right behind it, while what was judged is opened for the spawn, which waits for the row. A run
// whose caller has gone is finished and recorded all the same. Thread rule: the io_context thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "node-host/corridor/admission.h"
#include "node-host/corridor/cancel_requests.h"
#include "node-host/corridor/deliveries.h"
#include "node-host/corridor/exec_request.h"
#include "node-host/corridor/store_side.h"
#include "node-host/corridor/waiting.h"
#include "node-host/loop/store_thread.h"
#include "node-host/run/run_executor.h"

namespace hostclaw::node_host {

// A kept run that an earlier process of this program began.
struct TakenUp {
  explicit TakenUp(const boost::asio::any_io_executor& executor) : changed(executor) {
    changed.expires_at(boost::asio::steady_timer::time_point::max());
  }
  RunCancellation cancellation;
  bool over = false;
  RunOutcome outcome;     // when it is over
  bool recorded = false;  // its end is on record
  std::int64_t row_id = 0;
  boost::asio::steady_timer changed;  // a condition: cancelled when it is over
};

class Corridor {
 public:
  struct Settings {
    HostFacts host;
    OutputLimits output;
    std::string hash_key;  // see approvals::argv_hash
    Admission::Limits admission;
  };

  // Requires: all outlive this object; `runner` takes as many runs at once as admission lets in.
  Corridor(boost::asio::any_io_executor executor, StoreThread& store, Runner& runner, Settings settings,
           const Clock& clock);

  // Never throws; every outcome but a cancelled wait and a full queue is a row.
  boost::asio::awaitable<ExecOutcome> walk(ExecRequest request);

  // The outcome of that row reached its caller. Recorded within a moment, together with others.
  boost::asio::awaitable<void> delivered(std::int64_t row_id) { return deliveries_.mark(row_id); }
  // A run that went on while no node was there: waits for its end and records it.
  std::shared_ptr<TakenUp> take_up(KeptRun run);
  // The one of that name that was taken up since this node started; null: none was.
  std::shared_ptr<TakenUp> taken_up(const std::string& run_id) const;
  // The door has told the end of a kept run, which is on record (`recorded` of its outcome): nothing of it is
  // to be found again. Otherwise the next start finds it, and records its end.
  void forget_kept(const std::string& run_id);
  // Ends that the store did not take when they came; call it from a timer and before the end.
  boost::asio::awaitable<void> write_late_ends();
  // One line for the log: the effective policy and how much is listed.
  boost::asio::awaitable<std::string> describe_policy();

  // For a door's other methods: what holds on this node, and the journal.
  StoreOwned<StoreSide>& store_side() { return store_side_; }
  const Admission& admission() const { return admission_; }

 private:
  struct Beginning;
  struct Decided;

  boost::asio::awaitable<Decided> decide(const ExecRequest& request, const Asking& asking);
  boost::asio::awaitable<bool> ask(const ExecRequest& request, const Judged& judged, Asking& asking,
                                   Admission::Place& place);
  boost::asio::awaitable<RunOutcome> act(const ExecRequest& request, const FileAsked& asked,
                                         Decided& decided);
  boost::asio::awaitable<RunOutcome> perform(const ExecRequest& request, Decided& decided);
  boost::asio::awaitable<void> end(const ExecRequest& request, ExecOutcome& outcome);
  boost::asio::awaitable<void> follow(std::shared_ptr<TakenUp> taken, KeptRun run);
  ExecOutcome deny(const ExecRequest& request, const Decided& decided, std::optional<Error> record_failure);

  const boost::asio::any_io_executor executor_;
  const std::string hash_key_;
  StoreOwned<StoreSide> store_side_;
  Runner& runner_;
  const OutputLimits output_;
  const Clock& clock_;
  Admission admission_;
  Waiting waiting_;
  CancelRequests cancel_requests_;
  Deliveries deliveries_;
  std::map<std::string, std::shared_ptr<TakenUp>> taken_up_;
};

}  // namespace hostclaw::node_host
