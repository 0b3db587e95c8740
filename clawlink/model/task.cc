// SPDX-License-Identifier: Apache-2.0
#include "clawlink/model/task.h"

#include <array>
#include <utility>

namespace hostclaw::clawlink {
namespace {

constexpr std::array kStateNames = {
    std::pair{TaskState::kSubmitted, std::string_view("submitted")},
    std::pair{TaskState::kWorking, std::string_view("working")},
    std::pair{TaskState::kInputRequired, std::string_view("input_required")},
    std::pair{TaskState::kCompleted, std::string_view("completed")},
    std::pair{TaskState::kFailed, std::string_view("failed")},
    std::pair{TaskState::kRejected, std::string_view("rejected")},
    std::pair{TaskState::kCancelled, std::string_view("cancelled")},
};

// Other spellings that workers use.
constexpr std::array kStatusWords = {
    std::pair{std::string_view("in_progress"), TaskState::kWorking},
    std::pair{std::string_view("in-progress"), TaskState::kWorking},
    std::pair{std::string_view("input-required"), TaskState::kInputRequired},
    std::pair{std::string_view("canceled"), TaskState::kCancelled},
};

constexpr std::array kPriorityNames = {
    std::pair{std::string_view("urgent"), Priority::kUrgent},
    std::pair{std::string_view("high"), Priority::kHigh},
    std::pair{std::string_view("low"), Priority::kLow},
};

}  // namespace

std::string_view to_string(TaskState state) {
  for (const auto& [value, name] : kStateNames) {
    if (value == state) return name;
  }
  return "submitted";
}

std::optional<TaskState> task_state_from(std::string_view word) {
  for (const auto& [value, name] : kStateNames) {
    if (name == word) return value;
  }
  return std::nullopt;
}

bool may_follow(TaskState from, TaskState to) {
  if (is_end(from)) return false;
  return to != TaskState::kSubmitted || from == TaskState::kSubmitted;
}

StatusWord read_status_word(std::string_view word) {
  for (const auto& [name, state] : kStatusWords) {
    if (name == word) return {state, true};
  }
  const std::optional<TaskState> state = task_state_from(word);
  // Nobody who answers puts a task back into the queue.
  if (!state || *state == TaskState::kSubmitted) return {};
  return {*state, true};
}

Priority read_priority(std::string_view word) {
  for (const auto& [name, priority] : kPriorityNames) {
    if (name == word) return priority;
  }
  return Priority::kNormal;
}

}  // namespace hostclaw::clawlink
