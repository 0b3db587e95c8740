// SPDX-License-Identifier: Apache-2.0
// The environment of one run, as children get it. Thread rule: one thread at a time.
#pragma once

#include <string>
#include <vector>

namespace hostclaw::node_host {

// NAME=value, as children get it.
class RunEnvironment {
 public:
  const std::vector<std::string>& entries() const { return entries_; }
  // Replaces the first entry of that name and removes others.
  void set(const std::string& name, const std::string& value);
  void add(const std::string& name, const std::string& value) { entries_.push_back(name + "=" + value); }
  std::string get(const std::string& name) const;  // empty when absent

 private:
  std::vector<std::string> entries_;
};

}  // namespace hostclaw::node_host
