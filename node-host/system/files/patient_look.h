// SPDX-License-Identifier: Apache-2.0
// Looks at files that may never answer: of a network, or of a file system that a program of some user serves.
// Such a look is made on a thread of its own, and waited for only so long; a thread that the system does not
// give back is left alone. Where nothing of the kind is mounted, a look costs one system call more than the
// look itself. Linux. Thread rule: safe from any thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace hostclaw::node_host {

// Whether anything is mounted that may never answer; asked of the kernel anew when mounts have changed.
bool mounts_may_hang();

// Runs `look`, which is about `path`. False: not in time; it may go on meanwhile, so it owns all it works on.
// False at once where a look at the same mount, or at too many, is still out.
bool look_in_time(const std::string& path, std::chrono::milliseconds at_most, std::function<void()> look);

}  // namespace hostclaw::node_host
