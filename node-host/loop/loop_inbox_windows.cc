// SPDX-License-Identifier: Apache-2.0
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <optional>

#include "node-host/loop/loop_inbox.h"

namespace hostclaw::node_host {

namespace asio = boost::asio;

// A completion port takes what is posted without a lock.
struct LoopInbox::Native {
  asio::any_io_executor executor;
  std::size_t expected = 0;  // the io_context thread's
  std::optional<asio::executor_work_guard<asio::any_io_executor>> work;
};

LoopInbox::LoopInbox(asio::any_io_executor executor)
    : native_(std::make_shared<Native>(Native{std::move(executor), 0, std::nullopt})) {}

LoopInbox::~LoopInbox() { native_->work.reset(); }

void LoopInbox::expect() {
  if (native_->expected++ == 0) native_->work.emplace(native_->executor);
}

void LoopInbox::post(std::function<void()> function) {
  asio::post(native_->executor, [native = native_, function = std::move(function)] {
    if (--native->expected == 0) native->work.reset();
    function();
  });
}

}  // namespace hostclaw::node_host
