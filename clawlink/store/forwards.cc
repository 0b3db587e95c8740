// SPDX-License-Identifier: Apache-2.0
#include "clawlink/store/forwards.h"

#include "clawlink/model/wire_text.h"

namespace hostclaw::clawlink {
namespace {

using approvals::Statement;

Forward forward_in(const Statement& row) { return {row.text(0), row.text(1), row.text(2)}; }

}  // namespace

Result<void> put_forward(StoreSession& session, const Forward& forward, const Agent& agent,
                         const std::string& by) {
  if (!is_agent_id(forward.agent_id) || is_reserved_id(forward.agent_id))
    return make_error("AGENT_INVALID", "this is no id that an agent may have");
  const Result<std::optional<Forward>> before = find_forward(session, forward.agent_id);
  if (!before) return before.error();
  const Result<std::optional<Agent>> there = find_agent(session, forward.agent_id);
  if (!there) return there.error();
  if (*there && !*before)
    return make_error("AGENT_EXISTS", "an agent of that id is registered at this relay",
                      "hostclaw clawlink agents remove " + forward.agent_id);
  if (Result<void> put = put_agent(session, agent); !put) return put;
  if (Result<void> guarded = session.database.statement("UPDATE agents SET guarded = 1 WHERE agent_id = ?")
                                 .bind(forward.agent_id)
                                 .run();
      !guarded) {
    return guarded;
  }
  const Result<void> stored =
      session.database
          .statement(
              "INSERT INTO forwards (agent_id, url, token_file) VALUES (?, ?, ?) ON CONFLICT (agent_id) DO "
              "UPDATE SET url = excluded.url, token_file = excluded.token_file")
          .bind(forward.agent_id)
          .bind(forward.url)
          .bind(forward.token_file)
          .run();
  if (!stored) return stored;
  return session.record("forward", {{"agent", forward.agent_id}, {"to", forward.url}, {"by", by}});
}

Result<std::vector<Forward>> list_forwards(StoreSession& session) {
  Statement query =
      session.database.statement("SELECT agent_id, url, token_file FROM forwards ORDER BY agent_id");
  std::vector<Forward> out;
  for (;;) {
    const Result<bool> found = query.step();
    if (!found) return found.error();
    if (!*found) return out;
    out.push_back(forward_in(query));
  }
}

Result<std::optional<Forward>> find_forward(StoreSession& session, std::string_view agent_id) {
  Statement query =
      session.database.statement("SELECT agent_id, url, token_file FROM forwards WHERE agent_id = ?");
  const Result<bool> found = query.bind(agent_id).step();
  if (!found) return found.error();
  if (!*found) return std::optional<Forward>();
  return std::optional<Forward>(forward_in(query));
}

Result<Forward> remove_forward(StoreSession& session, const std::string& agent_id, const std::string& by) {
  Result<std::optional<Forward>> there = find_forward(session, agent_id);
  if (!there) return there.error();
  if (!*there)
    return make_error("FORWARD_UNKNOWN", "no agent " + agent_id + " lives elsewhere",
                      "hostclaw clawlink forward list");
  // The row goes with its agent.
  if (Result<void> gone = remove_agent(session, agent_id, by); !gone) return gone.error();
  return std::move(**there);
}

Result<void> put_forwarded(StoreSession& session, const Forwarded& forwarded) {
  return session.database
      .statement(
          "INSERT INTO forwarded (task_id, delivery_id, foreign_task_id, foreign_context_id) VALUES (?, ?, "
          "?, "
          "?) ON CONFLICT (task_id) DO UPDATE SET delivery_id = excluded.delivery_id, foreign_task_id = "
          "excluded.foreign_task_id, foreign_context_id = excluded.foreign_context_id")
      .bind(forwarded.task_id)
      .bind(forwarded.delivery_id)
      .bind(forwarded.foreign_task_id)
      .bind(forwarded.foreign_context_id)
      .run();
}

Result<std::optional<Forwarded>> find_forwarded(StoreSession& session, std::string_view task_id) {
  Statement query = session.database.statement(
      "SELECT task_id, delivery_id, foreign_task_id, foreign_context_id FROM forwarded WHERE task_id = ?");
  const Result<bool> found = query.bind(task_id).step();
  if (!found) return found.error();
  if (!*found) return std::optional<Forwarded>();
  return std::optional<Forwarded>(Forwarded{query.text(0), query.integer(1), query.text(2), query.text(3)});
}

}  // namespace hostclaw::clawlink
