// SPDX-License-Identifier: Apache-2.0
// Avahi's client library, opened when it is first wanted: the program neither links nor needs it. Its types
// are those of Debian's libavahi-client-dev, its functions have their names without `avahi_`.
//
// Thread rule: any thread gets it; what it makes belongs to the thread that made it.
#pragma once

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-client/publish.h>
#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-common/simple-watch.h>
#include <avahi-common/strlst.h>

#include "base/result.h"

namespace hostclaw::clawlink {

struct AvahiLibrary {
  decltype(&::avahi_simple_poll_new) simple_poll_new;
  decltype(&::avahi_simple_poll_free) simple_poll_free;
  decltype(&::avahi_simple_poll_get) simple_poll_get;
  decltype(&::avahi_simple_poll_iterate) simple_poll_iterate;
  decltype(&::avahi_strerror) strerror;
  decltype(&::avahi_free) free;
  decltype(&::avahi_alternative_service_name) alternative_service_name;
  decltype(&::avahi_address_snprint) address_snprint;
  decltype(&::avahi_string_list_new_from_array) string_list_new_from_array;
  decltype(&::avahi_string_list_free) string_list_free;
  decltype(&::avahi_string_list_get_next) string_list_get_next;
  decltype(&::avahi_string_list_get_text) string_list_get_text;
  decltype(&::avahi_string_list_get_size) string_list_get_size;

  decltype(&::avahi_client_new) client_new;
  decltype(&::avahi_client_free) client_free;
  decltype(&::avahi_client_errno) client_errno;
  decltype(&::avahi_entry_group_new) entry_group_new;
  decltype(&::avahi_entry_group_reset) entry_group_reset;
  decltype(&::avahi_entry_group_commit) entry_group_commit;
  decltype(&::avahi_entry_group_add_service_strlst) entry_group_add_service_strlst;
  decltype(&::avahi_service_browser_new) service_browser_new;
  decltype(&::avahi_service_resolver_new) service_resolver_new;
  decltype(&::avahi_service_resolver_free) service_resolver_free;
};

// Never closed again. MDNS_UNAVAILABLE: it is not installed, or not one of this kind.
Result<const AvahiLibrary*> avahi_library();

}  // namespace hostclaw::clawlink
