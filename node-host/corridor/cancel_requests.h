// SPDX-License-Identifier: Apache-2.0
// Runs that a person at this machine wants to end (hostclaw runs cancel). The command line writes the request
// into the database, as it writes answers; this looks for it while something runs.
//
// Most runs are over before the first look and cost no more than a timer. Later a look is one counter of the
// database, and one small row for each run when another process has written.
// Thread rule: the io_context thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "node-host/loop/store_thread.h"
#include "node-host/run/run_executor.h"

namespace hostclaw::node_host {

class CancelRequests {
 public:
  // How often it is looked while something runs.
  static constexpr std::chrono::milliseconds kEvery{250};

  // Requires: `store` outlives this object and every run.
  CancelRequests(boost::asio::any_io_executor executor, StoreThread& store);
  ~CancelRequests();
  CancelRequests(const CancelRequests&) = delete;
  CancelRequests& operator=(const CancelRequests&) = delete;

  // One run that can be asked to end for as long as this lives.
  class Run {
   public:
    Run(CancelRequests& requests, std::string run_id, RunCancellation cancellation);
    ~Run();
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // It can be asked for from now on.
    void begins(std::int64_t row_id);
    // Who ended it; empty: nobody here.
    const std::string& cancelled_by() const;

   private:
    friend class CancelRequests;
    struct State;
    CancelRequests& requests_;
    std::shared_ptr<State> state_;
  };

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // also held by a look that is under way
};

}  // namespace hostclaw::node_host
