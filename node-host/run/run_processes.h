// SPDX-License-Identifier: Apache-2.0
// The processes of one run: the programs it started (children of this process) and everything below them.
// Thread rule: the executor's thread. Handlers keep the object alive; abandon() ends them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "node-host/run/run_wakeup.h"
#include "node-host/system/process/control_group.h"
#include "node-host/system/process/resource_use.h"
#include "node-host/system/process/spawn.h"

namespace hostclaw::node_host {

struct ExitStatus {
  std::optional<int> code;
  std::optional<int> signal;
  // As a shell counts: the code, or 128 + signal.
  int shell_status() const { return code ? *code : 128 + signal.value_or(0); }
};

class RunProcesses : public std::enable_shared_from_this<RunProcesses> {
 public:
  // `wakeup` outlives the object's handlers or abandon() is called first.
  // `give_up`: how long end_tree() and end_groups() kill what does not end.
  // `groups`: where the programs get a control group of their own; null: nowhere.
  RunProcesses(const boost::asio::any_io_executor& executor, Wakeup& wakeup, std::string marker,
               bool use_pidfd, std::chrono::milliseconds give_up,
               std::shared_ptr<ControlGroups> groups = nullptr);
  ~RunProcesses();

  // Starts a program; returns its index. Errors: those of spawn().
  Result<std::size_t> start(SpawnRequest request);
  const ExitStatus* status(std::size_t index) const;  // nullptr while it runs
  bool all_ended() const;
  std::int64_t pid(std::size_t index) const;
  std::int64_t first_pid() const;  // 0 when none was started

  // Ends every process of the run: SIGTERM, after `grace` SIGKILL, until two looks one after the other find
  // none. `alone`: no other run and nothing left by one was there since this one began. Windows: Ctrl-C in
  // the consoles of the run, after `grace` (three seconds at least) the end of all that is in its job object;
  // a program that was ended so has the status of SIGINT or SIGKILL.
  boost::asio::awaitable<void> end_tree(std::chrono::milliseconds grace, bool alone);
  // The same for the process groups of the programs only. Requires: all_ended(). With a control group, and on
  // Windows: for all that is left.
  boost::asio::awaitable<void> end_groups(std::chrono::milliseconds grace);

  // To the process group of each program that still runs. Windows: nothing.
  void signal_groups(int number);
  // What the consoles of the programs showed when end_tree() came; nobody else sees them. Windows only.
  const std::string& console_text() const { return console_text_; }

  // How many processes were alive when the last end_tree() or end_groups() gave up; 0: none.
  std::size_t left_alive() const { return left_alive_; }

  // Of the programs that have ended, or of the whole control group or job. Requires: before reap().
  ResourceUse use() const;

  // Reaps the programs that have ended. Their groups can no longer be ended safely afterwards.
  void reap();
  // Ends what is still running at once and without waiting; for a run that is given up.
  void abandon();

 private:
  struct Native;
  struct Program;
  void watch(const std::shared_ptr<Program>& program);
  bool look(Program& program);

  boost::asio::any_io_executor executor_;
  Wakeup* wakeup_;
  std::unique_ptr<Native> native_;
  std::vector<std::shared_ptr<Program>> programs_;
  std::chrono::milliseconds give_up_;
  std::size_t left_alive_ = 0;
  std::string console_text_;
};

}  // namespace hostclaw::node_host
