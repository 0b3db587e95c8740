// SPDX-License-Identifier: Apache-2.0
// How a node is told of a door (node-host/app/door.h) by whoever knows the door but needs nothing else of it.
#pragma once

#include <functional>
#include <memory>

namespace hostclaw::node_host {

class Door;
struct DoorContext;

// Null: this door is switched off.
using DoorMaker = std::function<std::unique_ptr<Door>(const DoorContext&)>;

}  // namespace hostclaw::node_host
