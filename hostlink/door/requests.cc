// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/requests.h"

#include "hostlink/door/file_service.h"

namespace hostclaw::hostlink {

namespace asio = boost::asio;

std::string refusal(ReplyHead head, ReplyStatus status, std::string_view text) {
  head.status = status;
  head.error_msg = std::string(text);
  return build_failure(head);
}

std::optional<std::string> fault_of(const DoorCore& core, const Request& request) {
  if (core.closing) return refusal(core.head(request.id), ReplyStatus::kError, kStopping);
  const auto wrong = request_fault(request);
  if (!wrong) return std::nullopt;
  // Who asks for what does not exist is not told the name of their request: as the original.
  const bool unknown = request.type == RequestType::kUnknown || request.type == RequestType::kHello;
  return refusal(core.head(unknown ? "" : request.id), ReplyStatus::kBadRequest, *wrong);
}

asio::awaitable<std::optional<std::string>> serve_request(DoorCore& core, Jobs& jobs, Caller caller,
                                                          Request request,
                                                          std::shared_ptr<TransferChannel> channel,
                                                          std::int64_t& row_id) {
  switch (request.type) {
    case RequestType::kPing: {
      const auto up = std::chrono::steady_clock::now() - core.started;
      co_return build_pong(core.head(request.id),
                           std::chrono::duration_cast<std::chrono::seconds>(up).count());
    }
    case RequestType::kExec:
      if (request.detach) co_return co_await jobs.detach(std::move(caller), std::move(request), row_id);
      co_return refusal(core.head(request.id), ReplyStatus::kBadRequest,
                        "a command has a stream of its own kind");
    case RequestType::kJob:
      co_return co_await jobs.serve(caller, request);
    default:
      co_return co_await serve_file(core, caller, std::move(request), std::move(channel), row_id);
  }
}

}  // namespace hostclaw::hostlink
