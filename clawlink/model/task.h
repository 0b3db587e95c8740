// SPDX-License-Identifier: Apache-2.0
// What a task can be, and what may follow: the one table that every door goes by.
//
//   submitted -> working | input_required | any end      working <-> input_required
//   working, input_required -> any end                   an end: nothing follows, ever
//
// Ends are completed, failed, rejected and cancelled. Pure; safe from any thread.
// Source: clawlink contract, status words; A2A 1.0, task states.
#pragma once

#include <optional>
#include <string_view>

namespace hostclaw::clawlink {

enum class TaskState { kSubmitted, kWorking, kInputRequired, kCompleted, kFailed, kRejected, kCancelled };

std::string_view to_string(TaskState state);  // "submitted", ... "input_required"
std::optional<TaskState> task_state_from(std::string_view word);

constexpr bool is_end(TaskState state) { return state >= TaskState::kCompleted; }
// A state may follow itself, except an end.
bool may_follow(TaskState from, TaskState to);

// The status of an answer, a free word of the original's protocol. What is not known means that somebody is
// at work.
struct StatusWord {
  TaskState state = TaskState::kWorking;
  bool known = false;
};
StatusWord read_status_word(std::string_view word);

// The smaller, the sooner. A word that is none of the four counts as normal.
enum class Priority { kUrgent = 0, kHigh = 1, kNormal = 2, kLow = 3 };
inline constexpr int kPriorities = 4;
Priority read_priority(std::string_view word);

}  // namespace hostclaw::clawlink
