// SPDX-License-Identifier: Apache-2.0
// The link from a running node to whoever supervises it (systemd, the Service Control Manager, or nobody).
// Thread rule: the io_context thread; the constructor before any other thread exists.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hostclaw::node_host {

class Supervisor {
 public:
  virtual ~Supervisor() = default;
  // The node serves, or honestly waits for a person. Only the first call counts.
  virtual void ready() = 0;
  // One line for `systemctl status` and the like.
  virtual void status(std::string_view text) = 0;
  virtual void stopping() = 0;
  // How often alive() is expected; nullopt: nobody watches.
  virtual std::optional<std::chrono::milliseconds> watchdog_interval() const = 0;
  virtual void alive() = 0;
  // For a supervisor that does not send signals: `stop` asks the node to end, as SIGTERM does. It may be
  // called at any time and from any thread until this is called again with an empty function, which happens
  // before run_node returns; that call must not return while another thread is inside `stop`.
  virtual void on_stop_request(std::function<void()> /*stop*/) {}
  // What it keeps for the node where supervised_secret() knows nothing: "gateway-token", "gateway-password".
  virtual std::string secret(std::string_view /*name*/) const { return {}; }
};

// By the environment of this process, from which the supervisor's own variables are removed: commands must
// not see them. Without a supervisor, one that says nothing.
std::unique_ptr<Supervisor> supervisor_of_this_process();

// A secret that the service manager handed over (systemd credentials): "gateway-token", "gateway-password".
// Empty when there is none. Requires: called before supervisor_of_this_process().
std::string supervised_secret(std::string_view name);

// True when standard error goes to systemd's journal, which then wants a priority before each line. Requires:
// as supervised_secret().
bool standard_error_is_journal();

}  // namespace hostclaw::node_host
