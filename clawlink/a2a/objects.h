// SPDX-License-Identifier: Apache-2.0
// A2A 1.0's objects, made from what the relay keeps, and its errors. Pure.
// Source: a2a contract, sections 2, 3 and 6.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clawlink/model/task.h"
#include "clawlink/store/agents.h"
#include "clawlink/store/tasks.h"

namespace hostclaw::clawlink {

// "TASK_STATE_WORKING"
std::string_view a2a_state(TaskState state);
// nullopt: none that a task of this relay can have.
std::optional<TaskState> read_a2a_state(std::string_view word);
// The stream of a task ends here, and who waits for an answer has it.
bool is_settled(TaskState state);

struct TaskView {
  std::optional<std::int64_t> history;  // the newest so many; 0: none; absent: all
  bool artifacts = true;
};
Json a2a_task(const Task& task, const std::vector<TaskEvent>& events, const TaskView& view = {});
// {statusUpdate} or {artifactUpdate}; null for what a stream does not tell.
Json a2a_update(const Task& task, const TaskEvent& event);

// Members that were written as the proto spells them ("message_id") get their names of JSON, as every reader
// of ProtoJSON has it; what `data` and `metadata` hold is the caller's own and stays. A name that is there in
// both spellings keeps that of JSON.
void use_json_names(Json& params);

struct A2aError {
  int code = 0;  // of JSON-RPC
  int http_status = 400;
  std::string reason;  // "TASK_NOT_FOUND"; empty: JSON-RPC's own
  std::string message;
  std::string detail = {};  // the relay's own code, where the protocol has none
};
A2aError a2a_error(std::string_view reason, std::string message = {});
// What the store answered, in A2A's words.
A2aError a2a_error(const Error& error);
Json to_rpc(const A2aError& error);   // the `error` of a response
Json to_rest(const A2aError& error);  // the body of a refusal

// `base`: the relay as the caller reaches it, without a slash at its end.
struct CardWish {
  std::string version;
  bool wants_token = false;  // then those who have one get an extended card
  bool pushes = false;
};
// Where a relay that is reached at `base` serves the keys of its cards.
std::string key_set_url(const std::string& base);
Json agent_card(const Agent& agent, const std::string& base, const CardWish& wish);

}  // namespace hostclaw::clawlink
