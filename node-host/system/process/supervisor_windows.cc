// SPDX-License-Identifier: Apache-2.0
// Nobody supervises a process that was started by hand. The Service Control Manager's side is passed in by
// whoever talks to it (run_node).
#include "node-host/system/process/supervisor.h"

namespace hostclaw::node_host {
namespace {

class Nobody final : public Supervisor {
 public:
  void ready() override {}
  void status(std::string_view) override {}
  void stopping() override {}
  std::optional<std::chrono::milliseconds> watchdog_interval() const override { return std::nullopt; }
  void alive() override {}
};

}  // namespace

std::unique_ptr<Supervisor> supervisor_of_this_process() { return std::make_unique<Nobody>(); }

std::string supervised_secret(std::string_view) { return {}; }

bool standard_error_is_journal() { return false; }

}  // namespace hostclaw::node_host
