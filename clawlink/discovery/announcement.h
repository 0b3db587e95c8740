// SPDX-License-Identifier: Apache-2.0
// Announces a relay on the local network by mDNS, through Avahi where its daemon runs. A relay serves just
// as well without: whatever is missing is said once to the log, never an error.
//
//   - the library, the bus or the daemon is not there: tried again, at first after a second, later once a
//     minute; a daemon that starts later is seen at once;
//   - the daemon was restarted: announced again;
//   - the name is taken: another one with a number, at once eight times, then once a minute.
//
// Thread rule: one thread makes and ends it; a thread of its own does the work and calls the log.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "clawlink/discovery/relay_names.h"

namespace hostclaw::clawlink {

class Announcement {
 public:
  // A line without its newline, from another thread: which name is announced, or why none is.
  using Log = std::function<void(const std::string& line)>;

  Announcement(AnnouncedRelay relay, Log log);
  // Withdraws it; waits at most 2 s for a daemon that hangs. Afterwards the log is not called any more.
  ~Announcement();
  Announcement(const Announcement&) = delete;
  Announcement& operator=(const Announcement&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostclaw::clawlink
