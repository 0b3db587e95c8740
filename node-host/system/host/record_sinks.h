// SPDX-License-Identifier: Apache-2.0
// Where rows of the record go beside the database: local datagram sockets and a file. None ever waits for
// longer than it is told.
// Thread rule: one thread at a time for each object.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hostclaw::node_host {

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // Sends one row, waiting at most `patience` for a receiver that is behind. Errors: SINK_TOO_LONG (nothing
  // was sent, a shorter one may go), SINK_FAILED with the system's reason.
  virtual Result<void> send(std::string_view row, std::chrono::milliseconds patience) = 0;
};

// A datagram socket of this machine. A receiver that was started again is found again.
std::unique_ptr<RecordSink> datagram_sink(std::string path);

// A file of lines, appended to. It is created with mode 0600; one that somebody else owns or may read or
// write, a link or anything but a file is refused. When the path leads to another file than before (it was
// rotated), that one is opened. A line that the disk takes in part only is taken back.
std::unique_ptr<RecordSink> line_file_sink(std::string path);

}  // namespace hostclaw::node_host
