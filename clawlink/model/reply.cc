// SPDX-License-Identifier: Apache-2.0
#include "clawlink/model/reply.h"

#include <array>
#include <string_view>

namespace hostclaw::clawlink {
namespace {

struct CodeStatus {
  std::string_view code;
  int status;
};

constexpr std::array kStatuses = {
    CodeStatus{"UNAUTHORIZED", 401},  CodeStatus{"FORBIDDEN", 403},          CodeStatus{"BAD_REQUEST", 400},
    CodeStatus{"AGENT_INVALID", 400}, CodeStatus{"AGENT_UNKNOWN", 404},      CodeStatus{"TASK_UNKNOWN", 404},
    CodeStatus{"TASK_ENDED", 409},    CodeStatus{"LEASE_STALE", 409},        CodeStatus{"FILE_CONFLICT", 409},
    CodeStatus{"FILE_UNKNOWN", 404},  CodeStatus{"FILE_TOO_LARGE", 413},     CodeStatus{"KEY_REUSED", 422},
    CodeStatus{"QUEUE_FULL", 429},    CodeStatus{"QUEUES_FULL", 429},        CodeStatus{"AGENTS_FULL", 429},
    CodeStatus{"FILES_FULL", 429},    CodeStatus{"TOO_LARGE", 413},          CodeStatus{"STORE_LOCKED", 503},
    CodeStatus{"STORE_FULL", 507},    CodeStatus{"CREDENTIAL_UNKNOWN", 404},
};

constexpr const char* kRetryAfterSeconds = "5";

int status_of(std::string_view code) {
  for (const CodeStatus& one : kStatuses) {
    if (one.code == code) return one.status;
  }
  return 500;
}

}  // namespace

Reply json_reply(const Json& body, int status) {
  Reply reply;
  reply.status = status;
  reply.body = dump_json(body);
  return reply;
}

Reply error_reply(int status, const std::string& message, const std::string& code) {
  Reply reply = json_reply({{"error", message}, {"code", code}}, status);
  reply.commits = false;
  if (status == 429 || status == 503) reply.headers.emplace_back("Retry-After", kRetryAfterSeconds);
  reply.is_refused_access = status == 401;
  return reply;
}

Reply error_reply(const Error& error) {
  const int status = status_of(error.code);
  // What the disk says is for the log of the relay, not for its peers.
  return error_reply(status, status >= 500 ? "the relay cannot store this at the moment" : error.message,
                     error.code);
}

Reply text_reply(int status, const std::string& text) {
  Reply reply;
  reply.status = status;
  reply.body = text;
  reply.content_type = "text/plain; charset=utf-8";
  reply.commits = false;
  return reply;
}

}  // namespace hostclaw::clawlink
