// SPDX-License-Identifier: Apache-2.0
// The requests of HostLink's protocol 1, for both ends. Pure; safe from any thread.
//
// Reading is as tolerant as the original daemon: `version` is never looked at, a member of a wrong kind
// counts as absent, a number that is not above zero is the default, unknown members are left alone. What
// parse_request cannot read is invalid JSON; everything that is wrong with a readable request is said by
// request_fault, because whoever has not authenticated is told nothing else. Source: HostLink contract,
// section 3.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hostclaw::hostlink {

enum class RequestType {
  kUnknown,
  kPing,
  kExec,
  kPut,
  kGet,
  kGetStat,
  kStatFs,
  kGetStream,
  kPutStream,
  kJob,
  kHello,  // the first frame of protocol 2: hostlink/proto/v2_hello.h
};

std::string_view request_type_name(RequestType type);  // "" for kUnknown

enum class JobAction { kUnknown, kList, kStatus, kTail, kCancel };

inline constexpr std::uint32_t kDefaultFileMode = 0644;
inline constexpr std::uint64_t kDefaultTailBytes = 65'536;
inline constexpr std::uint64_t kMaxTailBytes = 4'194'304;
inline constexpr std::size_t kMaxPathBytes = 4095;
inline constexpr std::size_t kMaxEnvironmentEntries = 256;
inline constexpr std::size_t kMaxResumeName = 64;
inline constexpr std::size_t kMaxCommandBytes = 131'072;  // what one argument of a program may have on Linux

struct Request {
  RequestType type = RequestType::kUnknown;
  std::string id;     // "" when absent
  std::string token;  // "" when absent, which authenticates nobody

  // exec
  std::string command;
  std::optional<std::int64_t> timeout_ms;
  std::optional<std::int64_t> job_timeout_ms;
  std::optional<std::int64_t> max_stdout_bytes;
  std::optional<std::int64_t> max_stderr_bytes;
  bool output_to_file = false;
  bool detach = false;
  std::optional<std::string> workdir;
  std::map<std::string, std::string> env;

  // put, get, get_stat, stat_fs, get_stream, put_stream
  std::string path;
  std::optional<std::string> content;  // put: still base64
  std::uint32_t mode = kDefaultFileMode;
  bool mode_given = false;  // read only: `mode` was there and above zero
  bool mkdir = false;
  std::optional<std::int64_t> size;  // put_stream: absent when it is no number of at least 0
  std::string resume;  // put_stream: what the same upload was called before its connection broke; "" for none

  // job
  JobAction action = JobAction::kUnknown;
  std::string job_id;
  bool tail_stderr = false;
  std::uint64_t offset = 0;  // of get_stream as well: what the client has already
  std::uint64_t max_bytes = kDefaultTailBytes;
  bool kill = false;  // cancel: KILL instead of TERM

  // hello
  std::string key;
  std::string nonce;

  // Members that protocol 1 does not know, by name, at most 64: a door refuses those that claim authority.
  std::vector<std::string> other_members;
};

// Errors: JSON_TOO_LARGE, JSON_TOO_DEEP, JSON_MALFORMED, REQUEST_INVALID (not an object); a daemon says
// `invalid JSON` to all of them.
Result<Request> parse_request(std::string_view payload);

// What a daemon answers to an authenticated request that cannot be served as it stands, with status
// bad_request; nothing when there is no such fault. The texts are the original's where clients know them.
std::optional<std::string> request_fault(const Request& request);

bool is_job_id(std::string_view text);  // twelve lower-case hexadecimal digits

// The value of a text member of the top-level object whose beginning this is, when it stands completely in
// it; for the token of a request that has not arrived yet. The first member of that name, while parse_request
// takes the last: what is authenticated by this has to be authenticated again when the request is whole.
std::optional<std::string> peek_text_member(std::string_view payload_prefix, std::string_view name);

// The payload of a request, as a client sends it: the members that its type has, defaults left out. Texts are
// made valid UTF-8.
std::string build_request(const Request& request);

// What follows the data frames of put_stream.
struct StreamTrailer {
  std::string id;
  std::string sha256;  // "" when absent: the same to a daemon as a wrong one
  bool stream_end = false;
};
Result<StreamTrailer> parse_stream_trailer(std::string_view payload);
std::string build_stream_trailer(const StreamTrailer& trailer);

}  // namespace hostclaw::hostlink
