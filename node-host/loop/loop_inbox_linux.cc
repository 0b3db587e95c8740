// SPDX-License-Identifier: Apache-2.0
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <vector>

#include "node-host/loop/loop_inbox.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

int open_event() {
  const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event < 0) throw boost::system::system_error(error_code(errno, boost::system::system_category()));
  return event;
}

}  // namespace

struct LoopInbox::Native : std::enable_shared_from_this<LoopInbox::Native> {
  explicit Native(const asio::any_io_executor& executor) : event(executor, open_event()) {}

  void wait() {
    event.async_wait(asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](const error_code& stopped) {
                       if (!stopped) self->take();
                     });
  }

  void take() {
    std::uint64_t count = 0;
    (void)!::read(event.native_handle(), &count, sizeof count);
    std::vector<std::function<void()>> taken;
    {
      const std::lock_guard lock(mutex);
      taken.swap(posted);
    }
    expected -= taken.size();
    if (expected > 0) wait();
    for (const auto& function : taken) function();
  }

  asio::posix::stream_descriptor event;
  std::size_t expected = 0;  // the io_context thread's
  std::mutex mutex;
  std::vector<std::function<void()>> posted;
};

LoopInbox::LoopInbox(asio::any_io_executor executor) : native_(std::make_shared<Native>(executor)) {}

LoopInbox::~LoopInbox() {
  error_code ignored;
  native_->event.close(ignored);
}

void LoopInbox::expect() {
  if (native_->expected++ == 0) native_->wait();
}

void LoopInbox::post(std::function<void()> function) {
  {
    const std::lock_guard lock(native_->mutex);
    native_->posted.push_back(std::move(function));
    if (native_->posted.size() > 1) return;  // it is being woken
  }
  const std::uint64_t one = 1;
  (void)!::write(native_->event.native_handle(), &one, sizeof one);
}

}  // namespace hostclaw::node_host
