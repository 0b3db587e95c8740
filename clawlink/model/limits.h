// SPDX-License-Identifier: Apache-2.0
// What the relay keeps, at most and for how long. Tests make them smaller.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hostclaw::clawlink {

inline constexpr std::int64_t kSecond = 1000;
inline constexpr std::int64_t kMinute = 60 * kSecond;
inline constexpr std::int64_t kHour = 60 * kMinute;
inline constexpr std::int64_t kDay = 24 * kHour;

// Of what a peer writes. Less than what is read elsewhere: it is stored and sent as a part of something else.
inline constexpr std::size_t kMostDepth = 48;

struct RelayLimits {
  // Bodies of requests; the original took 1 MiB of everything.
  std::size_t body_bytes = 1024 * 1024;
  std::size_t file_body_bytes = 6 * 1024 * 1024;  // holds 4 MiB as base64

  std::int64_t queue_rows = 10'000;  // of one agent
  std::int64_t queue_bytes = 64 * 1024 * 1024;
  std::int64_t unregistered_queues = 1'000;  // ids that something waits for, though nobody has them
  std::int64_t unregistered_rows = 1'000;    // of one of them
  std::int64_t unregistered_bytes = 8 * 1024 * 1024;
  std::int64_t agents = 10'000;
  std::int64_t files = 10'000;
  std::int64_t files_bytes = std::int64_t{1024} * 1024 * 1024;
  std::int64_t file_bytes = 4 * 1024 * 1024;
  std::int64_t file_versions = 20;   // whose content is kept
  std::int64_t task_events = 1'000;  // of one task
  std::int64_t task_event_bytes = 8 * 1024 * 1024;

  std::int64_t online_ms = 120 * kSecond;    // an agent that was not heard of for so long is not listed
  std::int64_t forget_agent_ms = 30 * kDay;  // and leaves after this
  std::int64_t delivery_ttl_ms = 7 * kDay;
  std::int64_t broadcast_ttl_ms = kDay;
  // After their end; what waits still about one keeps it. 0: for ever, and any number.
  std::int64_t keep_tasks_ms = 30 * kDay;
  std::int64_t keep_ended_tasks = 100'000;
  std::int64_t keep_dead_letters_ms = 30 * kDay;
  std::int64_t keep_record_ms = 0;  // 0: for ever
  std::int64_t keep_record_rows = 0;
  std::int64_t guard_id_ms = 30 * kDay;  // of a guarded agent that has left, and while its tasks are kept
  std::int64_t keep_requests_ms = kDay;  // idempotency keys
  std::int64_t keep_events_ms = kHour;   // what a stream has sent, for who resumes
  std::int64_t keep_events = 1'000;      // of one agent
  std::int64_t dead_letters = 1'000;

  std::int64_t push_configs_of_task = 10;
  std::int64_t push_configs_of_caller = 1'000;  // whose tasks have not ended
  std::int64_t push_configs = 10'000;
  std::int64_t push_tries = 12;  // of one notification, in about a quarter of an hour
  std::int64_t push_backoff_ms = kSecond;
  std::int64_t push_backoff_most_ms = 5 * kMinute;

  int deliveries = 5;  // of one message, before it is a dead letter
  std::int64_t backoff_ms = 2 * kSecond;
  std::int64_t backoff_most_ms = 5 * kMinute;
  std::int64_t connection_lease_ms = 30 * kSecond;  // while an answer is being written
  std::int64_t lease_most_ms = kHour;
};

}  // namespace hostclaw::clawlink
