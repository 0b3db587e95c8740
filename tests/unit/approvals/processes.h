// SPDX-License-Identifier: Apache-2.0
// For tests that need more than one process, another user, or a file system of their own. POSIX only.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace hostclaw::approvals::testing {

// Runs `body` in a forked child and answers its exit status, or 128 + signal.
pid_t start_child(const std::function<int()>& body);
int wait_for_child(pid_t pid);
int in_child(const std::function<int()>& body);

// As another user, when this process may become one. False: the test must say that it is skipped.
bool can_change_user();
constexpr unsigned kOtherUser = 65534;
void become_other_user();

// A small file system of its own, in a child that may mount: the mount lives and dies with the child.
bool can_mount();
void mount_small_file_system(const std::string& directory, const std::string& options);
void remount_read_only(const std::string& directory);

unsigned mode_of(const std::string& path);

}  // namespace hostclaw::approvals::testing
