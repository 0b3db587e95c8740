// SPDX-License-Identifier: Apache-2.0
#include "clawlink/client/name_lookup.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "clawlink/http/waiting.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kMostLookups = 16;
std::atomic<int> lookups{0};

// Shared by who waits and the thread that looks, whichever ends first.
struct SharedLookup {
  std::mutex mutex;
  std::function<void()> tell;  // empty: nobody waits any more
  bool done = false;
  Addresses found;
  error_code failed;
};

void look_on_thread(const std::shared_ptr<SharedLookup>& lookup, const NameLookup& look,
                    const std::string& host) {
  error_code failed;
  Addresses found = look(host, failed);
  --lookups;
  const std::lock_guard hold(lookup->mutex);
  lookup->done = true;
  lookup->found = std::move(found);
  lookup->failed = failed;
  if (lookup->tell) lookup->tell();
}

// The loop may be gone when the thread ends: then nothing of it is touched.
class Waiter {
 public:
  explicit Waiter(std::shared_ptr<SharedLookup> lookup) : lookup_(std::move(lookup)) {}
  ~Waiter() {
    const std::lock_guard hold(lookup_->mutex);
    lookup_->tell = nullptr;
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

 private:
  const std::shared_ptr<SharedLookup> lookup_;
};

Error lookup_failed(const std::string& host, const std::string& why) {
  return make_error("LOOKUP_FAILED", "the name " + host + " has no address: " + why);
}

}  // namespace

Addresses system_lookup(const std::string& host, error_code& failed) {
  asio::io_context io{1};
  asio::ip::tcp::resolver resolver(io);
  Addresses found;
  for (const auto& entry : resolver.resolve(host, "", failed)) {
    const auto address = entry.endpoint().address();
    if (std::find(found.begin(), found.end(), address) == found.end()) found.push_back(address);
  }
  return found;
}

asio::awaitable<Result<Addresses>> look_up(const NameLookup& look, const LookupWish& wish) {
  if (++lookups > kMostLookups) {
    --lookups;
    co_return lookup_failed(wish.host, "too many names are being looked up");
  }
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const auto bell = std::make_shared<Bell>(executor);
  const auto lookup = std::make_shared<SharedLookup>();
  lookup->tell = [executor, waiting = std::weak_ptr(bell)] {
    asio::post(executor, [waiting] {
      if (const auto there = waiting.lock()) there->ring();
    });
  };
  const Waiter waiter(lookup);
  try {
    std::thread(look_on_thread, lookup, look, wish.host).detach();
  } catch (const std::system_error& refused) {
    --lookups;
    co_return lookup_failed(wish.host, refused.what());
  }
  co_await bell->wait_until(wish.end);
  const std::lock_guard hold(lookup->mutex);
  if (!lookup->done) co_return lookup_failed(wish.host, "nobody has answered in time");
  if (lookup->failed) co_return lookup_failed(wish.host, lookup->failed.message());
  if (lookup->found.empty()) co_return lookup_failed(wish.host, "nothing was found");
  co_return std::move(lookup->found);
}

}  // namespace hostclaw::clawlink
