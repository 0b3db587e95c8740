// SPDX-License-Identifier: Apache-2.0
#include "approvals/store/store.h"
#include "base/file_names.h"
#include "base/profile.h"
#include "clawlink/http/relay.h"
#include "cli/relay_service.h"
#include "node-host/system/host/host_facts.h"
#include "service-linux/systemd_relay.h"

namespace hostclaw::cli {
namespace {

using node_host::ServiceScope;
using service_linux::SystemdRelay;

// Empty: the scope's own place.
Result<std::string> state_of_service(ServiceScope scope) {
  const bool named = !environment_variable("HOSTCLAW_STATE_DIR").value_or("").empty();
  if (!named && scope == ServiceScope::kSystem) return std::string();
  return approvals::default_state_directory();
}

// It speaks of `serve`, and here nothing serves yet.
Error said_of_enable(Error error) {
  constexpr std::string_view kServe = "clawlink serve";
  if (const std::size_t at = error.next.find(kServe); at != std::string::npos)
    error.next.replace(at, kServe.size(), "clawlink enable");
  return error;
}

}  // namespace

Result<node_host::ServiceChange> enable_relay(ServiceScope scope, const RelaySettings& settings,
                                              const std::string& token, bool start) {
  const SystemdRelay service(scope);
  const auto directory = state_of_service(scope);
  if (!directory) return directory.error();
  if (const auto push = push_rules(settings); !push) return said_of_enable(push.error());
  clawlink::RelayOptions options;
  options.host = settings.host;
  options.tls_certificate = settings.tls_certificate;
  options.tls_key = settings.tls_key;
  options.insecure = settings.insecure;
  options.service.routes.access.shared_token =
      token.empty() && service.keeps_token(*directory) ? "kept" : token;
  if (const auto may = clawlink::check_relay_options(options); !may) return said_of_enable(may.error());
  service_linux::RelaySpec spec;
  spec.executable = node_host::executable_path();
  spec.serve_arguments = serve_words(settings);
  spec.state_directory = *directory;
  if (const std::string name = profile(); !name.empty())
    spec.environment.emplace_back("HOSTCLAW_PROFILE", name);
  spec.token = token;
  if (settings.tls()) spec.files = {settings.tls_certificate, settings.tls_key};
  spec.start = start;
  return service.enable(spec);
}

Result<node_host::ServiceChange> disable_relay(ServiceScope scope) { return SystemdRelay(scope).disable(); }

ServiceScope scope_of_relay() { return service_linux::relay_scope(); }

std::optional<RelayServiceLook> look_at_relay_service() {
  const SystemdRelay service(service_linux::relay_scope());
  const auto state = service.query();
  if (!state.installed || !state.unit.of_relay) return std::nullopt;
  RelayServiceLook look;
  look.settings = settings_from_words(state.unit.program_arguments);
  for (const auto& [name, path] : state.unit.credentials) {
    look.settings.token_source = TokenSource::kService;
    look.settings.token_file = path;
  }
  look.status = state.status;
  look.configuration_error = state.configuration_error;
  look.start_command = service.command("start");
  look.restart_command = service.command("restart");
  look.log_command = service.log_command();
  return look;
}

}  // namespace hostclaw::cli
