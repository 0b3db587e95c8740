// SPDX-License-Identifier: Apache-2.0
#include "clawlink/discovery/search.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "clawlink/discovery/avahi_thread.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::size_t kMostResolved = 2 * kMostFoundRelays;

Error no_search(const std::string& why, const std::string& next = {}) {
  return make_error("MDNS_UNAVAILABLE", "no relay can be looked for by mDNS: " + why,
                    next.empty() ? "hostclaw clawlink --relay URL info" : next);
}

// What the thread has found so far; it may outlive the search.
struct SearchResult {
  std::mutex mutex;
  FoundRelays found;           // guarded by mutex
  std::optional<Error> error;  // guarded by mutex
  bool begun = false;          // guarded by mutex
};

// In the thread of the search.
class Searcher {
 public:
  Searcher(AvahiLoop& loop, SearchResult& result) : loop_(loop), library_(loop.library()), result_(result) {}

  void run(AvahiClock::time_point end) {
    int error = 0;
    AvahiClient* const client =
        library_.client_new(loop_.poll(), AvahiClientFlags{}, on_client, this, &error);
    if (client == nullptr) return fail(error);
    client_ = client;
    // Everything that is made below goes with the client.
    if (library_.service_browser_new(client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC, kServiceType, nullptr,
                                     AvahiLookupFlags{}, on_service, this) == nullptr) {
      fail(library_.client_errno(client));
    } else {
      const std::lock_guard lock(result_.mutex);
      result_.begun = true;
    }
    while (!failed_ && AvahiClock::now() < end && loop_.step(end)) {
    }
    library_.client_free(client);
  }

 private:
  void fail(int error) {
    failed_ = true;
    const std::lock_guard lock(result_.mutex);
    const bool absent = error == AVAHI_ERR_NO_DAEMON || error == AVAHI_ERR_DISCONNECTED;
    result_.error = absent ? no_search("avahi-daemon does not run", "sudo systemctl start avahi-daemon")
                           : no_search(library_.strerror(error));
  }

  static void on_client(AvahiClient* client, AvahiClientState state, void* self) {
    auto& searcher = *static_cast<Searcher*>(self);
    if (state == AVAHI_CLIENT_FAILURE) searcher.fail(searcher.library_.client_errno(client));
  }

  static void on_service(AvahiServiceBrowser*, AvahiIfIndex link, AvahiProtocol protocol,
                         AvahiBrowserEvent event, const char* name, const char* type, const char* domain,
                         AvahiLookupResultFlags flags, void* self) {
    auto& searcher = *static_cast<Searcher*>(self);
    if (event == AVAHI_BROWSER_FAILURE) searcher.fail(searcher.library_.client_errno(searcher.client_));
    if (event != AVAHI_BROWSER_NEW) return;
    if (searcher.resolved_ == kMostResolved) {
      const std::lock_guard lock(searcher.result_.mutex);
      return searcher.result_.found.more_exist();
    }
    ++searcher.resolved_;
    AvahiServiceResolver* const resolver =
        searcher.library_.service_resolver_new(searcher.client_, link, protocol, name, type, domain,
                                               AVAHI_PROTO_UNSPEC, AvahiLookupFlags{}, on_resolved, self);
    if (resolver != nullptr) searcher.of_this_machine_[resolver] = (flags & AVAHI_LOOKUP_RESULT_LOCAL) != 0;
  }

  static void on_resolved(AvahiServiceResolver* resolver, AvahiIfIndex, AvahiProtocol,
                          AvahiResolverEvent event, const char* name, const char*, const char*,
                          const char* host, const AvahiAddress* address, std::uint16_t port,
                          AvahiStringList* txt, AvahiLookupResultFlags, void* self) {
    auto& searcher = *static_cast<Searcher*>(self);
    if (event == AVAHI_RESOLVER_FOUND && address != nullptr) {
      Sighting sighting;
      sighting.name = name == nullptr ? "" : name;
      sighting.host = host == nullptr ? "" : host;
      char text[AVAHI_ADDRESS_STR_MAX];
      if (searcher.library_.address_snprint(text, sizeof text, address) != nullptr) sighting.address = text;
      sighting.port = port;
      sighting.txt = searcher.texts(txt);
      sighting.this_machine = searcher.of_this_machine_[resolver];
      const std::lock_guard lock(searcher.result_.mutex);
      searcher.result_.found.add(sighting);
    }
    searcher.of_this_machine_.erase(resolver);
    searcher.library_.service_resolver_free(resolver);
  }

  std::vector<std::string> texts(AvahiStringList* txt) const {
    std::vector<std::string> out;
    for (; txt != nullptr && out.size() < kMostTxtRecords; txt = library_.string_list_get_next(txt))
      out.emplace_back(reinterpret_cast<const char*>(library_.string_list_get_text(txt)),
                       library_.string_list_get_size(txt));
    return out;
  }

  AvahiLoop& loop_;
  const AvahiLibrary& library_;
  SearchResult& result_;
  AvahiClient* client_ = nullptr;
  std::map<AvahiServiceResolver*, bool> of_this_machine_;
  std::size_t resolved_ = 0;
  bool failed_ = false;
};

}  // namespace

Result<FoundRelays> find_relays(std::chrono::milliseconds how_long) {
  const Result<const AvahiLibrary*> library = avahi_library();
  if (!library) return no_search(library.error().message, library.error().next);
  const auto result = std::make_shared<SearchResult>();
  const AvahiClock::time_point end = AvahiClock::now() + how_long;
  AvahiThread thread(**library, [result, end](AvahiLoop& loop) { Searcher(loop, *result).run(end); });
  if (!thread.started()) return no_search("there is no room for another thread");
  thread.wait(how_long);
  const std::lock_guard lock(result->mutex);
  if (result->error) return *result->error;
  if (!result->begun) return no_search("avahi-daemon does not answer");
  return result->found;
}

}  // namespace hostclaw::clawlink
