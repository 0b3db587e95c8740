// SPDX-License-Identifier: Apache-2.0
#include "clawlink/discovery/avahi_library.h"

#include <dlfcn.h>

namespace hostclaw::clawlink {
namespace {

// Functions of one of the two libraries.
class OpenedLibrary {
 public:
  explicit OpenedLibrary(const char* name) : handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL)) {}

  template <class Function>
  void take(const char* name, Function& function) {
    function = handle_ == nullptr ? nullptr : reinterpret_cast<Function>(::dlsym(handle_, name));
    complete_ = complete_ && function != nullptr;
  }
  bool opened() const { return handle_ != nullptr; }
  bool complete() const { return complete_; }

 private:
  void* handle_;
  bool complete_ = true;
};

Result<AvahiLibrary> open_avahi() {
  AvahiLibrary all{};
  OpenedLibrary common("libavahi-common.so.3");
  common.take("avahi_simple_poll_new", all.simple_poll_new);
  common.take("avahi_simple_poll_free", all.simple_poll_free);
  common.take("avahi_simple_poll_get", all.simple_poll_get);
  common.take("avahi_simple_poll_iterate", all.simple_poll_iterate);
  common.take("avahi_strerror", all.strerror);
  common.take("avahi_free", all.free);
  common.take("avahi_alternative_service_name", all.alternative_service_name);
  common.take("avahi_address_snprint", all.address_snprint);
  common.take("avahi_string_list_new_from_array", all.string_list_new_from_array);
  common.take("avahi_string_list_free", all.string_list_free);
  common.take("avahi_string_list_get_next", all.string_list_get_next);
  common.take("avahi_string_list_get_text", all.string_list_get_text);
  common.take("avahi_string_list_get_size", all.string_list_get_size);
  OpenedLibrary client("libavahi-client.so.3");
  client.take("avahi_client_new", all.client_new);
  client.take("avahi_client_free", all.client_free);
  client.take("avahi_client_errno", all.client_errno);
  client.take("avahi_entry_group_new", all.entry_group_new);
  client.take("avahi_entry_group_reset", all.entry_group_reset);
  client.take("avahi_entry_group_commit", all.entry_group_commit);
  client.take("avahi_entry_group_add_service_strlst", all.entry_group_add_service_strlst);
  client.take("avahi_service_browser_new", all.service_browser_new);
  client.take("avahi_service_resolver_new", all.service_resolver_new);
  client.take("avahi_service_resolver_free", all.service_resolver_free);
  if (!common.opened() || !client.opened())
    return make_error("MDNS_UNAVAILABLE", "Avahi's client library (libavahi-client.so.3) is not installed",
                      "apt-get install avahi-daemon libavahi-client3");
  if (!common.complete() || !client.complete())
    return make_error("MDNS_UNAVAILABLE", "Avahi's client library is of a version that is not known here");
  return all;
}

}  // namespace

Result<const AvahiLibrary*> avahi_library() {
  // For ever: a thread that was left behind may still use it while the process ends.
  static const auto* const opened = new Result<AvahiLibrary>(open_avahi());
  if (!*opened) return opened->error();
  return &**opened;
}

}  // namespace hostclaw::clawlink
