// SPDX-License-Identifier: Apache-2.0
#include "node-host/doors/gateway/gateway_link.h"

#include <algorithm>
#include <boost/asio/use_awaitable.hpp>
#include <random>

#include "base/text.h"
#include "node-host/doors/gateway/held_commands_question.h"
#include "node-host/loop/background.h"
#include "node-host/loop/log.h"
#include "node-host/loop/use_tuple.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using gateway_proto::ConnectAdvice;
using gateway_proto::ConnectRefusal;
using gateway_proto::Credentials;
using gateway_proto::GatewayEndpoint;
using gateway_proto::HostClass;
using gateway_proto::PeerError;
using gateway_proto::SystemForm;

constexpr std::chrono::seconds kStatsInterval{60};
constexpr std::chrono::seconds kSurfacePoll{20};
// Some releases do not tell a node that it was approved; whoever has just paired it is about to.
constexpr std::chrono::seconds kSurfacePollAtFirst{3};
constexpr int kPollsAtFirst = 40;
constexpr std::chrono::seconds kCredentialPoll{3};
// Setups that lead to this machine's own loopback while the gateway is another machine.
constexpr const char* kGatewayElsewhere =
    "start the gateway here, or name the machine it runs on: hostclaw node run --host GATEWAY";
constexpr const char* kCodeOfLoopback =
    "start the gateway here; when it runs on another machine, its code is for that machine alone: there, "
    "openclaw config set gateway.bind lan, restart it, and make a new code (openclaw devices join-code)";
// Right after a connect the gateway may call a pairing changed that is not; a pending surface stays refused.
constexpr int kStatsTries = 3;
// A reverse proxy that strips attribution refuses every upgrade; trying for ever would hide it.
constexpr int kMaxProxyRefusals = 3;
// A gateway that said it goes, or closed with "service restart", is expected back for so long.
constexpr std::chrono::seconds kRestartPatience{120};
constexpr std::uint16_t kServiceRestart = 1012;
constexpr int kExitCredentials = 1;
constexpr int kExitConfiguration = 78;

bool trusted(const GatewayEndpoint& endpoint) {
  return gateway_proto::classify_host(endpoint.host) == HostClass::kLoopback ||
         (endpoint.tls && !endpoint.tls_fingerprint.empty());
}

// The first UUID in a text of the gateway; some refusals name the request only in their sentence.
std::string first_uuid(std::string_view text) {
  constexpr std::size_t kLength = 36;
  for (std::size_t at = 0; at + kLength <= text.size(); ++at) {
    bool matches = true;
    for (std::size_t i = 0; i < kLength && matches; ++i) {
      const char c = text[at + i];
      const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
      const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      matches = dash ? c == '-' : hex;
    }
    if (matches) return std::string(text.substr(at, kLength));
  }
  return {};
}

std::string request_id_of(const PeerError& error) {
  if (error.details.is_object()) {
    if (const auto it = error.details.find("requestId"); it != error.details.end() && it->is_string()) {
      return it->get<std::string>();
    }
  }
  return first_uuid(error.message);
}

Json empty_inventory() { return Json{{"protocolFeatures", Json::array()}}; }

// GCC 12 destroys aggregate temporaries of a co_await expression twice (GCC bug 102217 and its kin), so
// coroutines here await named objects only.
LinkStatus status_of(LinkState state, std::string url) {
  LinkStatus status;
  status.state = state;
  status.url = std::move(url);
  return status;
}

// Never "0 s": it is not tried at once.
std::string seconds_text(std::chrono::milliseconds pause) {
  return std::to_string(std::max<std::int64_t>(1, (pause.count() + 999) / 1000)) + " s";
}

// What the first look at the gateway's commands adds to `connected`.
std::string about_commands(const LinkStatus& status) {
  if (!status.detail.empty()) return status.detail;
  return status.commands == CommandsState::kHeld ? "the gateway holds this node's commands" : "";
}

std::string sentence(const LinkStatus& status) {
  switch (status.state) {
    case LinkState::kStarting:
      return "starting";
    case LinkState::kConnecting:
      return "connecting to " + status.url;
    case LinkState::kWaitingForDevicePairing:
      return "waiting for device pairing (step 1 of 2): " + status.detail;
    case LinkState::kWaitingForCredentials:
      return "waiting for credentials: " + status.detail;
    case LinkState::kWaitingForSurfaceApproval:
      return "connected, waiting for approval of the node's commands (step 2 of 2): " + status.detail;
    case LinkState::kConnected:
      return "node host gateway connected: " + status.url + " (gateway " + status.server_version +
             ", protocol " + std::to_string(status.protocol) + ")";
    case LinkState::kReconnecting:
      return status.detail;
    case LinkState::kStopped:
      return "stopped";
  }
  return {};
}

bool leads_here(const std::vector<GatewayEndpoint>& candidates) {
  return std::all_of(candidates.begin(), candidates.end(), [](const GatewayEndpoint& candidate) {
    return gateway_proto::classify_host(candidate.host) == gateway_proto::HostClass::kLoopback;
  });
}

}  // namespace

std::string_view to_string(CommandsState state) {
  switch (state) {
    case CommandsState::kUnknown:
      return "unknown";
    case CommandsState::kUnconfirmed:
      return "unconfirmed";
    case CommandsState::kHeld:
      return "held";
    case CommandsState::kNone:
      return "none";
  }
  return "unknown";
}

std::string_view to_string(LinkState state) {
  switch (state) {
    case LinkState::kStarting:
      return "starting";
    case LinkState::kConnecting:
      return "connecting";
    case LinkState::kWaitingForDevicePairing:
      return "waiting-for-device-pairing";
    case LinkState::kWaitingForCredentials:
      return "waiting-for-credentials";
    case LinkState::kWaitingForSurfaceApproval:
      return "waiting-for-surface-approval";
    case LinkState::kConnected:
      return "connected";
    case LinkState::kReconnecting:
      return "reconnecting";
    case LinkState::kStopped:
      return "stopped";
  }
  return "unknown";
}

GatewayLink::GatewayLink(asio::any_io_executor executor, const gateway_proto::DeviceIdentity& identity,
                         LinkSettings settings, LinkMemory& memory, Handlers handlers)
    : executor_(executor),
      identity_(identity),
      settings_(std::move(settings)),
      memory_(memory),
      handlers_(std::move(handlers)),
      pause_(executor) {}

double GatewayLink::jitter() {
  static thread_local std::mt19937 engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

asio::awaitable<void> GatewayLink::set_status(LinkStatus status) {
  const bool another = status.state != status_.state || status.url != status_.url;
  const bool changed = another || status.detail != status_.detail ||
                       status.request_id != status_.request_id || status.next != status_.next ||
                       status.commands != status_.commands;
  status_ = std::move(status);
  if (!changed) {
    // Every attempt of an outage would be a line; when the next one comes is for `hostclaw status` alone.
    if (status_.tried_again_in.count() > 0) co_await memory_.publish(status_);
    co_return;
  }
  const bool connected = status_.state == LinkState::kConnected;
  // `connecting` comes before every attempt; only its outcome is news.
  if (status_.state != LinkState::kConnecting) {
    std::string line = sentence(status_);
    if (connected) {
      const std::string commands = about_commands(status_);
      line = another ? line + (commands.empty() ? "" : "; " + commands) : commands;
    }
    if (status_.tried_again_in.count() > 0)
      line += "; tried again in " + seconds_text(status_.tried_again_in);
    if (!status_.next.empty()) line += " -- next: " + status_.next;
    const bool fine =
        (connected && status_.waiting_commands.empty() && status_.commands != CommandsState::kNone) ||
        status_.state == LinkState::kStopped;
    if (!line.empty()) log(fine ? LogLevel::kInfo : LogLevel::kWarn, line);
  }
  co_await memory_.publish(status_);
  if (connected && status_.commands != CommandsState::kUnknown && settings_.stop_after_hello) stop();
}

void GatewayLink::expect_restart() {
  restarting_until_ = std::chrono::steady_clock::now() + kRestartPatience;
}

bool GatewayLink::restarting() const { return std::chrono::steady_clock::now() < restarting_until_; }

asio::awaitable<void> GatewayLink::wait(std::chrono::milliseconds pause) {
  if (stopping_) co_return;
  pause_.expires_after(std::min(pause, settings_.longest_pause));
  progress_ = pause_.expiry();
  co_await pause_.async_wait(kTuple);
}

std::chrono::steady_clock::time_point GatewayLink::last_progress() const {
  return session_ && session_->open() ? std::max(progress_, session_->last_received()) : progress_;
}

void GatewayLink::stop() {
  stopping_ = true;
  pause_.cancel();
  if (connecting_) connecting_->stop();
  if (session_) {
    start_background(executor_, "the close of a connection", [session = session_]() -> asio::awaitable<void> {
      // The official host closes without a status code.
      co_await session->close(0, "");
    });
  }
}

asio::awaitable<Credentials> GatewayLink::choose_credentials() {
  Credentials credentials;
  if (settings_.bootstrap_only && !settings_.bootstrap_token.empty()) {
    credentials.bootstrap_token = settings_.bootstrap_token;
    co_return credentials;
  }
  const std::string stored = co_await memory_.device_token();
  used_device_token_ = stored;
  credentials.token = settings_.shared_token;
  credentials.password = settings_.shared_password;
  const bool shared = !credentials.token.empty() || !credentials.password.empty();
  if (device_token_retry_ && !stored.empty()) {
    credentials.device_token = stored;
  } else if (!shared) {
    if (!stored.empty() && settings_.stored_token_usable) {
      credentials.device_token = stored;
    } else {
      credentials.bootstrap_token = settings_.bootstrap_token;
    }
  }
  device_token_retry_ = false;
  co_return credentials;
}

asio::awaitable<LinkEnd> GatewayLink::run() {
  while (!stopping_) {
    const GatewayEndpoint endpoint = settings_.candidates[candidate_];
    next_pause_ = std::chrono::milliseconds(0);
    std::optional<LinkEnd> end = co_await attempt(endpoint);
    if (end) {
      LinkStatus failed = status_of(LinkState::kStopped, endpoint.url());
      failed.detail = end->error.message;
      co_await set_status(std::move(failed));
      co_return std::move(*end);
    }
    co_await wait(next_pause_);
  }
  LinkStatus stopped = status_of(LinkState::kStopped, status_.url);
  co_await set_status(std::move(stopped));
  co_return LinkEnd{};
}

asio::awaitable<std::optional<LinkEnd>> GatewayLink::attempt(GatewayEndpoint endpoint) {
  progress_ = std::chrono::steady_clock::now();
  Credentials credentials = co_await choose_credentials();
  if (status_.state == LinkState::kWaitingForCredentials && credentials.empty()) {
    next_pause_ = kCredentialPoll;
    co_return std::nullopt;
  }
  co_await choose_form(endpoint);
  // While an operator is awaited, each retry only keeps the pending request fresh: that is no change of
  // state.
  if (status_.state == LinkState::kStarting) {
    LinkStatus connecting = status_of(LinkState::kConnecting, endpoint.url());
    co_await set_status(std::move(connecting));
  }
  WebSocketOptions web;
  web.extra_ca_file = settings_.extra_ca_file;
  web.stop = connecting_ = std::make_shared<ConnectStop>();
  if (stopping_) co_return std::nullopt;
  auto socket = co_await settings_.connect(endpoint, std::move(web));
  connecting_.reset();
  if (stopping_) co_return std::nullopt;
  if (!socket) co_return co_await after_failure(socket.error(), false);
  consecutive_proxy_refusals_ = 0;

  session_ = std::make_shared<GatewaySession>(executor_, std::move(*socket), settings_.timeouts);
  HandshakeOutcome outcome = co_await session_->handshake(settings_.client, credentials, identity_);
  if (outcome.hello) {
    co_await serve(endpoint, session_, std::move(credentials));
    session_.reset();
    co_return std::nullopt;
  }
  session_.reset();
  if (outcome.refusal) co_return co_await after_refusal(endpoint, *outcome.refusal, credentials);
  co_return co_await after_failure(*outcome.failure, outcome.connect_was_sent);
}

asio::awaitable<std::optional<LinkEnd>> GatewayLink::after_failure(const Error& error,
                                                                   bool connect_was_sent) {
  const std::string url = settings_.candidates[candidate_].url();
  if (error.code == "CONFIG_INVALID" || error.code == "PROTOCOL_UNSUPPORTED") {
    co_return LinkEnd{kExitConfiguration, error};
  }
  const bool proxy = error.code == "UPGRADE_REJECTED" &&
                     error.message.find("proxy_attribution_required") != std::string::npos;
  consecutive_proxy_refusals_ = proxy ? consecutive_proxy_refusals_ + 1 : 0;
  if (consecutive_proxy_refusals_ >= kMaxProxyRefusals) co_return LinkEnd{kExitCredentials, error};

  // Another address of the same setup code is tried only if this one never saw our connect request.
  if (!connect_was_sent && settings_.candidates.size() > 1)
    candidate_ = (candidate_ + 1) % settings_.candidates.size();
  next_pause_ = schedule_.after_loss(jitter());
  LinkStatus status = status_of(LinkState::kReconnecting, url);
  const bool expected = restarting() && error.code == "CONNECT_FAILED";
  status.detail =
      expected ? "the gateway is restarting" : "node host gateway connect failed: " + error.message;
  status.next = expected ? std::string() : error.next;
  const bool unreachable = error.code == "CONNECT_FAILED" || error.code == "CONNECT_TIMEOUT";
  // A gateway that was here before is only down.
  if (unreachable && !expected && !settings_.stored_token_usable && leads_here(settings_.candidates)) {
    status.detail += "; that is this machine, and no gateway listens there";
    status.next = settings_.bootstrap_token.empty() ? kGatewayElsewhere : kCodeOfLoopback;
  }
  status.tried_again_in = next_pause_;
  co_await set_status(std::move(status));
  co_return std::nullopt;
}

asio::awaitable<std::optional<LinkEnd>> GatewayLink::after_refusal(const GatewayEndpoint& endpoint,
                                                                   const PeerError& error,
                                                                   const Credentials& used) {
  const gateway_proto::CredentialState state{
      .used_device_token = !used.device_token.empty(),
      .used_shared = !used.token.empty() || !used.password.empty(),
      .used_bootstrap = !used.bootstrap_token.empty(),
      .have_device_token = !used_device_token_.empty(),
      .endpoint_trusted = trusted(endpoint),
      .retry_already_used = device_token_retry_used_,
      .may_try_old_form = form_ == SystemForm::kCurrent && !old_form_tried_,
  };
  const ConnectRefusal refusal = classify_connect_error(error, state);
  if (refusal.reason == "metadata-upgrade" && form_ == SystemForm::kOld) {
    // Neither form is what was paired: what an operator approves now shall be the current one.
    form_ = SystemForm::kCurrent;
    if (old_form_) co_await memory_.keep_old_form(std::nullopt);
    old_form_.reset();
    next_pause_ = gateway_proto::ReconnectSchedule::immediate();
    co_return std::nullopt;
  }
  LinkStatus status = status_of(LinkState::kReconnecting, endpoint.url());
  status.detail = "node host gateway connect failed: " + refusal.message + " (" + refusal.detail_code + ")";
  status.request_id = refusal.request_id;
  status.next = refusal.next;

  switch (refusal.advice) {
    case ConnectAdvice::kRetry:
      next_pause_ = schedule_.after_loss(jitter(), refusal.retry_after_ms);
      status.tried_again_in = next_pause_;
      co_await set_status(std::move(status));
      break;
    case ConnectAdvice::kRetrySoon:
      next_pause_ = std::chrono::milliseconds(refusal.retry_after_ms);
      status.detail = restarting() ? "the gateway is restarting" : "the gateway is starting";
      status.tried_again_in = next_pause_;
      co_await set_status(std::move(status));
      break;
    case ConnectAdvice::kRetrySlowly:
      if (refusal.detail_code == "PAIRING_REQUIRED") {
        status.state = LinkState::kWaitingForDevicePairing;
        status.detail = refusal.message + (refusal.reason.empty() ? "" : " (" + refusal.reason + ")");
      }
      co_await set_status(std::move(status));
      next_pause_ = schedule_.while_waiting_for_operator(jitter(), refusal.retry_after_ms);
      break;
    case ConnectAdvice::kRetryWithOldForm:
      form_ = SystemForm::kOld;
      old_form_tried_ = true;
      next_pause_ = gateway_proto::ReconnectSchedule::immediate();
      break;
    case ConnectAdvice::kRetryWithDeviceToken:
      device_token_retry_ = true;
      device_token_retry_used_ = true;
      next_pause_ = gateway_proto::ReconnectSchedule::immediate();
      break;
    case ConnectAdvice::kDropDeviceToken:
      co_await memory_.drop_device_token();
      if (state.used_shared || !settings_.bootstrap_token.empty()) {
        status.detail = "the stored device token is no longer valid and was dropped";
        co_await set_status(std::move(status));
        next_pause_ = schedule_.after_loss(jitter(), refusal.retry_after_ms);
      } else {
        status.state = LinkState::kWaitingForCredentials;
        status.detail =
            "the stored device token is no longer valid and was dropped; nothing else is left to log in with";
        co_await set_status(std::move(status));
        next_pause_ = kCredentialPoll;
      }
      break;
    case ConnectAdvice::kFatal: {
      Error fatal("AUTH_REFUSED",
                  "the gateway refused this node: " + refusal.message + " (" + refusal.detail_code + ")",
                  refusal.next);
      const bool version = refusal.detail_code == "PROTOCOL_MISMATCH";
      co_return LinkEnd{version ? kExitConfiguration : kExitCredentials, std::move(fatal)};
    }
  }
  co_return std::nullopt;
}

asio::awaitable<void> GatewayLink::choose_form(const GatewayEndpoint& endpoint) {
  if (!form_is_read_) {
    form_is_read_ = true;
    old_form_ = co_await memory_.old_form();
    if (old_form_ && old_form_->url == endpoint.url()) form_ = SystemForm::kOld;
  }
  gateway_proto::describe_system(settings_.client, settings_.platform, form_);
}

// Whether a gateway that took the old form is another release than the one that wanted it, so that the
// current one is worth an attempt: gateways between 2026.6 and 2026.7 keep no command of a node in the old
// form.
asio::awaitable<bool> GatewayLink::form_is_outdated(const GatewayEndpoint& endpoint,
                                                    const gateway_proto::HelloOk& hello) {
  if (form_ == SystemForm::kCurrent) co_return false;
  const OldFormMemory taken{endpoint.url(), hello.server_version};
  if (old_form_ == taken) co_return false;
  if (old_form_tried_) {
    old_form_ = taken;
    co_await memory_.keep_old_form(old_form_);
    log_info("this gateway has paired this machine under the old name of its system, which is used on");
    co_return false;
  }
  form_ = SystemForm::kCurrent;
  old_form_.reset();
  co_await memory_.keep_old_form(std::nullopt);
  co_return true;
}

asio::awaitable<void> GatewayLink::serve(GatewayEndpoint endpoint, std::shared_ptr<GatewaySession> session,
                                         Credentials used) {
  const gateway_proto::HelloOk& hello = session->hello();
  schedule_.connected();
  restarting_until_ = {};
  device_token_retry_used_ = false;
  arrived_ = false;
  const bool outdated = co_await form_is_outdated(endpoint, hello);
  old_form_tried_ = false;
  if (!hello.device_token.empty() && hello.device_token != used_device_token_) {
    co_await memory_.keep_device_token(hello.device_token, used_device_token_);
  }
  co_await memory_.keep_endpoint(endpoint);
  settings_.stored_token_usable = true;
  if (!used.bootstrap_token.empty()) {
    // Single use: from now on the device token speaks for us.
    settings_.bootstrap_token.clear();
    settings_.bootstrap_only = false;
    settings_.candidates = {endpoint};
    candidate_ = 0;
  }
  used = {};
  if (outdated) {
    co_await session->close(1012, "node manifest changed");
    next_pause_ = gateway_proto::ReconnectSchedule::immediate();
    co_return;
  }

  start_background(executor_, "the look at the surface",
                   [this, endpoint, session]() { return follow_surface(endpoint, session); });
  if (hello.takes_tools && !settings_.published_tools.empty()) {
    start_background(executor_, "the publication of tools",
                     [this, session]() { return publish_tools(session); });
  }
  if (handlers_.on_connected) handlers_.on_connected(session);

  GatewaySession::Handlers on;
  on.on_invoke = [this, session = std::weak_ptr(session)](gateway_proto::InvokeRequest request) {
    note_arrival(request.command);
    if (const auto alive = session.lock()) handlers_.on_invoke(alive, std::move(request));
  };
  on.on_cancel = [this](std::string invoke_id) { handlers_.on_cancel(std::move(invoke_id)); };
  on.on_pair_resolved = [this](gateway_proto::PairResolved resolved) {
    if (resolved.node_id != identity_.device_id()) return;
    log_info("the gateway says the node's pairing request was " + resolved.decision);
    pause_.cancel();  // follow_surface looks again at once
  };
  on.on_shutdown = [this](std::string reason) {
    expect_restart();
    log_info("the gateway is shutting down: " + reason);
  };
  const CloseInfo end = co_await session->serve(std::move(on));
  pause_.cancel();
  if (handlers_.on_closed) handlers_.on_closed(end);
  if (stopping_) co_return;

  if (end.code == kServiceRestart) expect_restart();
  next_pause_ = schedule_.after_loss(jitter());
  LinkStatus status = status_of(LinkState::kReconnecting, endpoint.url());
  status.detail = std::string(restarting() ? "the gateway is restarting; " : "") +
                  "node host gateway closed (" + std::to_string(end.code) + "): " + end.reason;
  status.tried_again_in = next_pause_;
  co_await set_status(std::move(status));
}

// Before the surface is approved the gateway keeps the list and shows it from then on.
asio::awaitable<void> GatewayLink::publish_tools(std::shared_ptr<GatewaySession> session) {
  const CallOutcome outcome =
      co_await session->call_with_retries("node.pluginTools.update", settings_.published_tools);
  if (!outcome.ok && outcome.error.code != "CLOSED")
    log_warn("the gateway did not take this node's tools: " + outcome.error.code + ": " +
             outcome.error.message);
}

asio::awaitable<bool> GatewayLink::publish_stats(std::shared_ptr<GatewaySession> session) {
  const Json stats = handlers_.host_stats ? handlers_.host_stats() : Json::object();
  const CallOutcome outcome = co_await session->call_with_retries(
      "node.event", gateway_proto::node_event_params("node.host.stats", json_string(dump_json(stats))),
      kStatsTries);
  // Any answer but a pairing complaint means that the gateway listens to this node.
  co_return outcome.ok || !outcome.error.retryable || outcome.error.code == "INVALID_REQUEST";
}

void GatewayLink::note_arrival(const std::string& command) {
  const auto& declared = settings_.client.commands;
  const auto declares = [&](std::string_view name) {
    return std::find(declared.begin(), declared.end(), name) != declared.end();
  };
  // Gateways drop names one by one: only a run shows that runs arrive.
  const bool shows = declares("system.run") ? command.starts_with("system.run") : declares(command);
  if (arrived_ || !shows) return;
  arrived_ = true;
  if (status_.state == LinkState::kConnected && status_.commands != CommandsState::kHeld) pause_.cancel();
}

// Fills in what is known of the commands that the gateway holds. An operator's answer is worth more than a
// command that came: it names what waits.
asio::awaitable<void> GatewayLink::look_for_commands(const GatewayEndpoint& endpoint, LinkStatus& status) {
  const bool may_ask =
      !operator_refused_ && !(settings_.shared_token.empty() && settings_.shared_password.empty());
  std::optional<gateway_proto::HeldCommands> held;
  if (may_ask) {
    if (status_.state != LinkState::kConnected) co_await set_status(status);
    HeldCommandsQuestion question;
    question.endpoint = endpoint;
    question.shared.token = settings_.shared_token;
    if (question.shared.token.empty()) question.shared.password = settings_.shared_password;
    question.node_id = identity_.device_id();
    question.declared = settings_.client.commands;
    question.version = settings_.client.version;
    question.platform = settings_.platform;
    question.extra_ca_file = settings_.extra_ca_file;
    question.timeouts = settings_.timeouts;
    auto answer = co_await ask_held_commands(std::move(question));
    if (answer) {
      held = std::move(*answer);
    } else if (answer.error().code == "OPERATOR_REFUSED") {
      operator_refused_ = true;
      log_debug("the gateway does not tell which commands it holds: " + answer.error().message);
    }
  }
  const std::string look = "on the gateway: openclaw nodes describe --node " + identity_.device_id();
  if (held) {
    status.waiting_commands = held->waiting;
    status.request_id = held->request_id;
    const auto has = [](const std::vector<std::string>& names, const char* name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    // Without it no command of an agent arrives, whatever else does.
    const bool lacks_run = has(settings_.client.commands, "system.run") && !has(held->usable, "system.run");
    if (!held->usable.empty() && (!lacks_run || has(held->waiting, "system.run"))) {
      status.commands = CommandsState::kHeld;
      if (!held->waiting.empty())
        status.detail = "waiting for approval, beside those that work: " + join(held->waiting, " ");
    } else if (!held->waiting.empty()) {
      status.state = LinkState::kWaitingForSurfaceApproval;
      status.detail = "the gateway dispatches nothing to this node before that";
    } else {
      status.commands = CommandsState::kNone;
      status.detail =
          held->usable.empty()
              ? "the gateway holds none of this node's commands, and no approval is pending: its "
                "configuration excludes them"
              : "the gateway does not hold system.run of this node, and no approval is pending: its "
                "configuration excludes it (it holds " +
                    join(held->usable, " ") + ")";
    }
    if (!held->request_id.empty()) {
      status.next = "on the gateway: openclaw nodes approve " + held->request_id;
    } else if (status.commands != CommandsState::kHeld) {
      status.next = look;
    }
  } else if (arrived_) {
    status.commands = CommandsState::kHeld;
  } else {
    status.commands = CommandsState::kUnconfirmed;
    status.detail =
        "unconfirmed: the gateway has not told whether it holds this node's commands; the first command of "
        "an agent will";
    status.next = look;
  }
}

// Connected is not usable: gateways of protocol 4 dispatch nothing until the surface is approved, and say so
// only to those who try. Runs as long as the session.
asio::awaitable<void> GatewayLink::follow_surface(GatewayEndpoint endpoint,
                                                  std::shared_ptr<GatewaySession> session) {
  const gateway_proto::HelloOk hello = session->hello();
  LinkStatus connected = status_of(LinkState::kConnected, endpoint.url());
  connected.server_version = hello.server_version;
  connected.protocol = hello.protocol;
  int polls = 0;
  while (session->open() && !stopping_) {
    bool accepted = true;
    if (hello.protocol >= 4) accepted = co_await publish_stats(session);
    if (!session->open()) co_return;
    if (accepted) {
      LinkStatus now = connected;
      const bool known = status_.state == LinkState::kConnected && status_.commands == CommandsState::kHeld &&
                         status_.waiting_commands.empty();
      if (known) {
        now = status_;
      } else {
        co_await look_for_commands(endpoint, now);
      }
      if (!session->open()) co_return;
      const bool waits = !now.waiting_commands.empty();
      co_await set_status(std::move(now));
      co_await wait(!waits ? kStatsInterval : ++polls < kPollsAtFirst ? kSurfacePollAtFirst : kSurfacePoll);
      continue;
    }
    if (restarting()) {
      // It refuses everything while it goes; that says nothing about an approval.
      LinkStatus going = status_of(LinkState::kReconnecting, endpoint.url());
      going.detail = "the gateway is restarting";
      co_await set_status(std::move(going));
      co_await wait(kSurfacePoll);
      continue;
    }
    const std::string method = "node.runnerInventory.update";
    const std::string nothing_to_run = dump_json(empty_inventory());
    const CallOutcome inventory = co_await session->call(method, nothing_to_run);
    if (!session->open()) co_return;
    LinkStatus pending = connected;
    pending.state = LinkState::kWaitingForSurfaceApproval;
    pending.detail = "the gateway dispatches nothing to this node yet";
    if (!inventory.ok) pending.request_id = request_id_of(inventory.error);
    pending.next = pending.request_id.empty()
                       ? "on the gateway: openclaw nodes pending"
                       : "on the gateway: openclaw nodes approve " + pending.request_id;
    co_await set_status(std::move(pending));
    co_await wait(kSurfacePoll);
  }
}

}  // namespace hostclaw::node_host
