// SPDX-License-Identifier: Apache-2.0
// A control group for each run, where the service manager has delegated the group of this service to us
// (systemd: Delegate=). Then nothing that a run starts can leave it by forking: neither setsid nor a double
// fork nor a wiped environment leads out, and one write ends all of it. What it used is counted for all of
// it.
//
// The honest limit: a process of the same account may write itself into another group of the delegated tree.
// It is then found as where there are no groups (process_tree.h), and ends with the service at the latest.
//
// The layout below the group of the service: `node` holds this process, `run-N` a run, `job-RUN-N` one that
// is kept by a process of its own. Requires version 2 of
// the control groups (also beside version 1); ending by one write needs Linux 5.14, the peak of memory 5.19
// and the memory controller. Where something of that is missing, so is only what needs it. Windows: there are
// no such groups, a job object does their work.
//
// Thread rule: one thread at a time. Cost: two system calls and about 50 microseconds to make and remove one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "node-host/system/files/file_handles.h"
#include "node-host/system/process/resource_use.h"

namespace hostclaw::node_host {

// The group, below that of the service, that this process moves into.
inline constexpr const char* kNodeGroupName = "node";

class ControlGroups;

// Of one run. Removed with the object, or, while something still runs in it, once that has ended.
class ControlGroup {
 public:
  ~ControlGroup();
  ControlGroup(const ControlGroup&) = delete;
  ControlGroup& operator=(const ControlGroup&) = delete;

  NativeHandle descriptor() const { return directory_.get(); }  // for SpawnRequest::tree

  // Living processes in it and in groups below it.
  std::vector<std::int64_t> members() const;
  bool empty() const;
  // Ends every one of them at once, also those that are being born. False: this kernel cannot, or nothing was
  // written; then members() are to be ended one by one.
  bool kill_all() const;
  ResourceUse use() const;  // of everything that ever was in it

 private:
  friend class ControlGroups;
  struct Shared;
  ControlGroup(std::shared_ptr<Shared> shared, std::string path, UniqueFd directory);
  std::shared_ptr<Shared> shared_;
  std::string path_;
  UniqueFd directory_;
};

class ControlGroups {
 public:
  // The delegated group of this service, into whose `node` this process has then moved. Null: there is none,
  // or somebody else is in it too. Requires: no other thread yet.
  static std::shared_ptr<ControlGroups> of_this_service();
  // Groups below `directory`, which nobody else uses; for tests.
  explicit ControlGroups(std::string directory);
  // Groups of one kept run beside those of others.
  ControlGroups(std::string directory, std::string prefix);
  // How the names of a kept run's groups begin.
  static std::string prefix_of(const std::string& run_id) { return "job-" + run_id + "-"; }

  // Null when the system refuses; a run then goes without.
  std::unique_ptr<ControlGroup> make();
  const std::string& directory() const;
  // Ends whatever is left in groups of runs, kept ones excepted.
  void end_all() const;
  // Removes the groups with such names, and ends what is in them where `end` says so.
  void remove_those(const std::string& prefix, bool end) const;
  // Groups of runs that have ended while something of theirs runs on.
  std::size_t left() const;

 private:
  std::shared_ptr<ControlGroup::Shared> shared_;
};

}  // namespace hostclaw::node_host
