// SPDX-License-Identifier: Apache-2.0
#include "node-host/corridor/waiting.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hostclaw::node_host {

namespace asio = boost::asio;

asio::awaitable<bool> Waiting::answered(Asking& asking, const ExecRequest& request) {
  asio::steady_timer look(co_await asio::this_coro::executor);
  const CancelListener listener(request.cancellation, [&look] { look.cancel(); });
  const std::uint64_t joined = answers_.join();
  for (;;) {
    if (request.cancellation.cancelled()) co_return false;
    if (request.sinks.caller_left && request.sinks.caller_left()) co_return false;
    const std::int64_t now = clock_.unix_ms();
    asking.out_of_patience = now >= asking.patience_ms && now < asking.deadline_ms;
    if (now >= asking.patience_ms) co_return true;
    if (co_await answers_.settled(asking.question_id, joined)) co_return true;
    look.expires_after(AnswerWatch::kEvery);
    co_await look.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace hostclaw::node_host
