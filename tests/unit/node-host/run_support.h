// SPDX-License-Identifier: Apache-2.0
// Runs plans on an executor and waits for what children report.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <string>
#include <vector>

#include "run_harness.h"
#include "test_support.h"

namespace hostclaw::node_host {

using policy::Builtin;

PlannedCommand child(std::vector<std::string> arguments);  // of the test program
PlannedCommand shell(const std::string& text);             // /bin/sh -c text
PlannedCommand builtin(Builtin which, std::vector<std::string> argv);
PlannedCommand missing(const std::string& name);  // what PATH does not hold

// A fifo in which children report a line, usually their pid.
class Reports {
 public:
  explicit Reports(Harness& harness);
  const std::string& path() const { return path_; }
  std::string next();
  std::int64_t next_pid() { return std::strtoll(next().c_str(), nullptr, 10); }

 private:
  Harness& harness_;
  TemporaryDirectory directory_;
  std::string path_;
  boost::asio::posix::stream_descriptor stream_;
  std::string buffered_;
};

}  // namespace hostclaw::node_host
