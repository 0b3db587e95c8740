// SPDX-License-Identifier: Apache-2.0
// What becomes of memory that this process has freed. Thread rule: any thread.
#pragma once

namespace hostclaw::node_host {

// Keeps a few MiB for the next result instead of giving it back to the system at once: a result passes
// through buffers of some hundred kB, and new pages for each of them cost more than what is done in them.
// Call once.
void keep_freed_memory();

// Gives back what is kept. For moments when nothing runs.
void give_back_freed_memory();

}  // namespace hostclaw::node_host
