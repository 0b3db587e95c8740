// SPDX-License-Identifier: Apache-2.0
// The replies of HostLink's protocol 1, for both ends. Pure; safe from any thread.
//
// Output of a command is carried as text. Where it is not valid UTF-8 or holds a NUL, the text has U+FFFD in
// those places (peers read texts up to the first NUL) and a member more, `stdout_base64` or `stderr_base64`,
// has the bytes themselves; older peers leave it alone. A reply always fits into one frame: output whose
// escapes would not is cut and counts as truncated. Source: HostLink contract, section 3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "hostlink/proto/frame.h"

namespace hostclaw::hostlink {

enum class ReplyStatus { kOk, kError, kTimeout, kAuthFailed, kBadRequest, kNotFound };

inline constexpr std::string_view kAuthenticationFailed = "authentication failed";
inline constexpr std::string_view kUnknownMessageType = "unknown message type";
inline constexpr std::string_view kInvalidJson = "invalid JSON";
inline constexpr std::string_view kBusyCommands = "server busy, max concurrent commands reached";
inline constexpr std::string_view kBusyTransfers = "server busy, max concurrent I/O transfers reached";
inline constexpr std::string_view kBusyTokenChecks = "server busy, max concurrent token checks reached";
inline constexpr std::string_view kBusyStreams = "server busy, max streams of a connection reached";
inline constexpr std::string_view kBusyConnections = "server busy, max connections of a token reached";
inline constexpr std::string_view kBusyRequests = "server busy, max bytes of long requests reached";
// The code of all of these, additive: nothing was done, and the same request may be sent again.
inline constexpr std::string_view kBusyCode = "HOSTLINK_BUSY";
inline constexpr std::string_view kWorkdirNotAccessible = "workdir not accessible: ";

inline constexpr std::int64_t kExitTimeout = -2;     // exit_code of a reply with status timeout
inline constexpr std::int64_t kExitNotStarted = -1;  // exit_code of a reply with status error

std::string_view reply_status_name(ReplyStatus status);

// What every reply has. The members behind error_msg are additive: a refusal's code, layer, explanation and
// next.
struct ReplyHead {
  std::string id;
  std::string node;
  ReplyStatus status = ReplyStatus::kOk;
  std::string error_msg;  // "" on success
  std::string code;
  std::string layer;
  std::string explanation;
  std::string next;
};

struct OutputOfStream {
  std::string bytes;
  std::string file;  // instead of the bytes, for output_to_file
  bool truncated = false;
  std::uint64_t original_bytes = 0;
};

struct ExecReply {
  ReplyHead head;
  std::int64_t exit_code = 0;
  OutputOfStream out;
  OutputOfStream err;
  std::int64_t duration_ms = 0;
  // Both only when what was asked for was clamped.
  std::optional<std::int64_t> timeout_requested_ms;
  std::optional<std::int64_t> timeout_effective_ms;
  std::string run_id;  // additive; "" leaves it out
};

struct JobRecord {
  std::string job_id;
  std::string state;  // starting, running, exited, timeout, error, lost
  bool done = false;
  std::string command;
  std::int64_t created_at = 0;
  std::int64_t ended_at = 0;    // 0 while it lives
  std::int64_t exit_code = -1;  // -1 while it lives
  std::int64_t duration_ms = 0;
  std::uint64_t stdout_bytes = 0;
  std::uint64_t stderr_bytes = 0;
  std::uint64_t stdout_original_bytes = 0;
  std::uint64_t stderr_original_bytes = 0;
  bool stdout_truncated = false;
  bool stderr_truncated = false;
  std::int64_t timeout_ms = 0;
  std::int64_t pid = 0;
  std::string workdir;    // "" leaves it out
  std::string error_msg;  // "" leaves it out

  friend bool operator==(const JobRecord&, const JobRecord&) = default;
};

struct StatFile {
  std::string path;
  std::uint64_t size = 0;
};

struct StatReply {
  ReplyHead head;
  std::string path;
  bool is_directory = false;
  std::uint64_t size = 0;
  std::vector<StatFile> files;
  bool truncated = false;  // with an error_msg, and status ok
};

struct SpaceReply {
  ReplyHead head;
  std::string path;
  std::string resolved;  // the ancestor that was asked
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t block_size = 0;
};

struct TailReply {
  ReplyHead head;
  JobRecord record;
  bool is_stderr = false;
  std::string data;  // bytes of the spool from offset on
  std::uint64_t offset = 0;
  std::uint64_t next_offset = 0;
};

// Each makes the payload of one frame.
std::string build_failure(const ReplyHead& head);
std::string build_pong(const ReplyHead& head, std::int64_t uptime_s);
std::string build_exec_reply(const ExecReply& reply, std::size_t max_payload = kMaxFramePayload);
std::string build_detached_reply(const ReplyHead& head, std::string_view job_id);
std::string build_put_reply(const ReplyHead& head, std::string_view path, std::uint64_t bytes_written);
std::string build_get_reply(const ReplyHead& head, std::string_view path, std::string_view bytes);
std::string build_stat_reply(const StatReply& reply);
std::string build_space_reply(const SpaceReply& reply);
// `offset`: where the data begins, of a transfer that goes on.
std::string build_get_stream_begin(const ReplyHead& head, std::string_view path, std::uint64_t size,
                                   std::uint64_t offset = 0);
std::string build_get_stream_end(const ReplyHead& head, std::string_view sha256, std::uint64_t size);
std::string build_put_stream_ready(const ReplyHead& head, std::uint64_t offset = 0);
std::string build_put_stream_end(const ReplyHead& head, std::string_view path, std::uint64_t size,
                                 std::string_view sha256);
std::string build_job_reply(const ReplyHead& head, const JobRecord& record);
std::string build_job_list(const ReplyHead& head, const std::vector<JobRecord>& newest_first);
std::string build_tail_reply(const TailReply& reply);
// Not signalled: the reason is the head's error_msg, while its status stays ok.
std::string build_cancel_reply(const ReplyHead& head, const JobRecord& record, bool signalled);

// A reply as a client reads it: the object as a whole, and what every one has.
struct Reply {
  ReplyHead head;
  Json object;
};

// Errors: those of parse_json, and REPLY_INVALID (no object, or no status that is known).
Result<Reply> parse_reply(std::string_view payload);
ExecReply exec_reply_from(const Reply& reply);  // out.bytes come from the base64 member where there is one
JobRecord job_record_from(const Json& object);
StatReply stat_reply_from(const Reply& reply);
SpaceReply space_reply_from(const Reply& reply);
TailReply tail_reply_from(const Reply& reply);
// The bytes of a text member, from its `_base64` twin where there is one that can be read.
std::string bytes_member(const Json& object, const std::string& name);

}  // namespace hostclaw::hostlink
