// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <optional>

#include "base/utf8.h"
#include "clawlink/discovery/announcement.h"
#include "clawlink/discovery/avahi_thread.h"
#include "clawlink/discovery/link_of_address.h"

namespace hostclaw::clawlink {
namespace {

constexpr std::chrono::seconds kAvahiFirstPause{1};
constexpr std::chrono::seconds kAvahiMostPause{60};
constexpr int kQuickRenames = 8;
constexpr const char* kAllTheSame = "; everything else works, give clients --relay";

std::string silence(const std::string& why) { return "not announced by mDNS: " + why + kAllTheSame; }

// In the thread of the announcement, for as long as that is.
class Announcer {
 public:
  Announcer(AvahiLoop& loop, const AnnouncedRelay& relay, const Announcement::Log& log)
      : loop_(loop),
        library_(loop.library()),
        relay_(relay),
        log_(log),
        name_(instance_name(relay.hostname)) {}

  void run() {
    do {
      const auto now = AvahiClock::now();
      if (client_ == nullptr && now >= next_try_) connect();
      if (client_ != nullptr && publish_at_ && now >= *publish_at_) publish();
      if (!lost_.empty()) disconnect();
    } while (loop_.step(next_turn()));
    // The daemon takes back what belongs to a client that has gone.
    if (client_ != nullptr) library_.client_free(client_);
  }

 private:
  void connect() {
    int error = 0;
    client_ = library_.client_new(loop_.poll(), AVAHI_CLIENT_NO_FAIL, on_client, this, &error);
    if (client_ == nullptr && lost_.empty()) lost_ = library_.strerror(error);
  }

  // Nothing may be freed while the library calls: what follows is done between two steps.
  static void on_client(AvahiClient* client, AvahiClientState state, void* self) {
    static_cast<Announcer*>(self)->client_is(client, state);
  }
  void client_is(AvahiClient* client, AvahiClientState state) {
    switch (state) {
      case AVAHI_CLIENT_S_RUNNING:
        publish_at_ = AvahiClock::now();
        break;
      case AVAHI_CLIENT_S_REGISTERING:
      case AVAHI_CLIENT_S_COLLISION:
        // The machine's own name is being settled: the daemon says when it runs again.
        publish_at_.reset();
        if (group_ != nullptr) library_.entry_group_reset(group_);
        break;
      case AVAHI_CLIENT_CONNECTING:
        tell_silence("avahi-daemon does not run (as soon as it does, the relay is)");
        break;
      case AVAHI_CLIENT_FAILURE:
        lost_ = library_.strerror(library_.client_errno(client));
        break;
    }
  }

  static void on_group(AvahiEntryGroup*, AvahiEntryGroupState state, void* self) {
    static_cast<Announcer*>(self)->group_is(state);
  }
  void group_is(AvahiEntryGroupState state) {
    if (state == AVAHI_ENTRY_GROUP_ESTABLISHED) tell_announced();
    if (state == AVAHI_ENTRY_GROUP_COLLISION) rename();
    if (state == AVAHI_ENTRY_GROUP_FAILURE) lose();
  }

  void publish() {
    publish_at_.reset();
    if (group_ == nullptr) {
      group_ = library_.entry_group_new(client_, on_group, this);
      if (group_ == nullptr) return lose();
    } else {
      library_.entry_group_reset(group_);
    }
    const int failed = add_service();
    if (failed == AVAHI_ERR_COLLISION) return rename();
    if (failed < 0 || library_.entry_group_commit(group_) < 0) lose();
  }

  int add_service() {
    const std::vector<std::string> records = txt_records(relay_);
    std::vector<const char*> texts;
    for (const std::string& record : records) texts.push_back(record.c_str());
    AvahiStringList* const txt =
        library_.string_list_new_from_array(texts.data(), static_cast<int>(texts.size()));
    boost::system::error_code ignored;
    const auto address = boost::asio::ip::make_address(relay_.address, ignored);
    const auto protocol = address.is_v4()
                              ? AVAHI_PROTO_INET
                              : (address.is_unspecified() ? AVAHI_PROTO_UNSPEC : AVAHI_PROTO_INET6);
    const int failed = library_.entry_group_add_service_strlst(
        group_, link_of_address(address).value_or(AVAHI_IF_UNSPEC), protocol, AvahiPublishFlags{},
        name_.c_str(), kServiceType, nullptr, nullptr, relay_.port, txt);
    library_.string_list_free(txt);
    return failed;
  }

  void rename() {
    if (char* const next = library_.alternative_service_name(name_.c_str())) {
      name_ = next;
      library_.free(next);
    }
    // Somebody may take every name that is tried.
    publish_at_ =
        AvahiClock::now() + (++renames_ > kQuickRenames ? kAvahiMostPause : std::chrono::seconds(0));
  }

  void lose() { lost_ = library_.strerror(library_.client_errno(client_)); }

  void disconnect() {
    tell_silence("Avahi says `" + lost_ + "` (it is tried again)");
    lost_.clear();
    if (client_ != nullptr) library_.client_free(client_);
    client_ = nullptr;
    group_ = nullptr;  // went with it
    publish_at_.reset();
    next_try_ = AvahiClock::now() + pause_;
    pause_ = std::min<std::chrono::seconds>(pause_ * 2, kAvahiMostPause);
  }

  AvahiClock::time_point next_turn() const {
    if (client_ == nullptr) return next_try_;
    return publish_at_.value_or(AvahiClock::now() + kAvahiMostPause);
  }

  void tell_announced() {
    silent_ = false;
    pause_ = kAvahiFirstPause;
    log("announced by mDNS as `" + show_unseen(name_) + "`");
  }
  void tell_silence(const std::string& why) {
    if (silent_) return;
    silent_ = true;
    log(silence(why));
  }
  void log(const std::string& line) {
    if (!loop_.stopped()) log_(line);
  }

  AvahiLoop& loop_;
  const AvahiLibrary& library_;
  const AnnouncedRelay& relay_;
  const Announcement::Log& log_;
  std::string name_;
  AvahiClient* client_ = nullptr;
  AvahiEntryGroup* group_ = nullptr;  // the client's
  std::string lost_;                  // why the connection is of no use any more
  std::optional<AvahiClock::time_point> publish_at_;
  AvahiClock::time_point next_try_{};
  std::chrono::seconds pause_ = kAvahiFirstPause;
  int renames_ = 0;
  bool silent_ = false;  // and has said so
};

}  // namespace

struct Announcement::Impl {
  std::unique_ptr<AvahiThread> thread;
};

Announcement::Announcement(AnnouncedRelay relay, Log log) : impl_(std::make_unique<Impl>()) {
  const Result<const AvahiLibrary*> library = avahi_library();
  if (!library) {
    log(silence(library.error().message));
    return;
  }
  impl_->thread = std::make_unique<AvahiThread>(
      **library, [relay = std::move(relay), log](AvahiLoop& loop) { Announcer(loop, relay, log).run(); });
  if (!impl_->thread->started()) log(silence("there is no room for another thread"));
}

Announcement::~Announcement() = default;

}  // namespace hostclaw::clawlink
