// SPDX-License-Identifier: Apache-2.0
// A door that a node opens beside the gateway's, or instead of it. The room of the door implements it;
// whoever starts the node brings it along (NodeOptions::doors), so that node-host knows no such room. Thread
// rule: the io_context thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "node-host/app/door_maker.h"
#include "node-host/corridor/corridor.h"
#include "node-host/loop/store_thread.h"

namespace hostclaw::node_host {

// What a door lives on. All of it outlives the door.
struct DoorContext {
  boost::asio::any_io_executor executor;
  StoreThread& store;
  Corridor& corridor;
  const Clock& clock;
  std::string state_directory;
  std::uint64_t descriptors = 0;  // that the node may need beside the door's own
};

class Door {
 public:
  virtual ~Door() = default;
  // Reads its settings and begins to take callers. An error ends a node that has no other way in, and is
  // logged by one that has.
  virtual boost::asio::awaitable<Result<void>> open() = 0;
  // Takes nobody in any more; what is under way goes on.
  virtual void close() = 0;
  // Settings that may change while it is open are read again (SIGHUP).
  virtual void reload() = 0;
  // Requests under way.
  virtual std::size_t in_flight() const = 0;
  // Waits until there are none, or that time is over.
  virtual boost::asio::awaitable<void> wait_idle(std::chrono::milliseconds at_most) = 0;
  // Ends what is under way and waits until nothing of it is left. After close().
  virtual boost::asio::awaitable<void> finish() = 0;
};

}  // namespace hostclaw::node_host
