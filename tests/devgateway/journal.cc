// SPDX-License-Identifier: Apache-2.0
#include "tests/devgateway/journal.h"

namespace hostclaw::devgateway {

void Journal::add(std::string kind, Json record) {
  {
    const std::lock_guard lock(mutex_);
    record["kind"] = std::move(kind);
    record["index"] = records_.size();
    records_.push_back(std::move(record));
  }
  changed_.notify_all();
}

std::size_t Journal::mark() const {
  const std::lock_guard lock(mutex_);
  return records_.size();
}

std::optional<Json> Journal::wait(const std::string& kind, std::chrono::milliseconds timeout,
                                  const Predicate& predicate, std::size_t from) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::unique_lock lock(mutex_);
  std::size_t next = from;
  for (;;) {
    for (; next < records_.size(); ++next) {
      const Json& record = records_[next];
      if (record["kind"] == kind && (!predicate || predicate(record))) return record;
    }
    if (changed_.wait_until(lock, deadline) == std::cv_status::timeout && next >= records_.size()) {
      return std::nullopt;
    }
  }
}

std::vector<Json> Journal::all(const std::string& kind, const Predicate& predicate, std::size_t from) const {
  std::vector<Json> out;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = from; i < records_.size(); ++i) {
    if (records_[i]["kind"] == kind && (!predicate || predicate(records_[i]))) out.push_back(records_[i]);
  }
  return out;
}

}  // namespace hostclaw::devgateway
