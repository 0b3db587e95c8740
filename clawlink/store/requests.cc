// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/requests.h"

#include "base/sha256.h"

namespace hostclaw::clawlink {
namespace {

std::string hash_of(const RequestKey& request) {
  const Sha256Digest digest = sha256(request.content);
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

Result<std::optional<Reply>> answered_before(StoreSession& session, const RequestKey& request) {
  approvals::Statement query = session.database.statement(
      "SELECT request_hash, status, answer FROM requests WHERE caller = ? AND request_key = ?");
  const Result<bool> found = query.bind(request.caller).bind(request.key).step();
  if (!found) return found.error();
  if (!*found) return std::optional<Reply>();
  if (query.blob_view(0) != hash_of(request))
    return make_error("KEY_REUSED", "this Idempotency-Key was used for another request");
  Reply reply;
  reply.status = static_cast<int>(query.integer(1));
  reply.body = query.text(2);
  reply.headers.emplace_back("Idempotent-Replay", "true");
  return std::optional<Reply>(std::move(reply));
}

Result<void> remember_answer(StoreSession& session, const RequestKey& request, const Reply& reply) {
  return session.database
      .statement(
          "INSERT INTO requests (caller, request_key, request_hash, status, answer, at_ms) VALUES (?, ?, ?, "
          "?, ?, ?)")
      .bind(request.caller)
      .bind(request.key)
      .bind_blob(hash_of(request))
      .bind(static_cast<std::int64_t>(reply.status))
      .bind(reply.body)
      .bind(session.now_ms)
      .run();
}

}  // namespace hostclaw::clawlink
