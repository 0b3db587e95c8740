// SPDX-License-Identifier: Apache-2.0
// Keeps one node connected to its gateway for ever: chooses credentials, connects, follows both pairing
// stages, waits and tries again. Says one log line per state change, with the command the operator must type
// next. Thread rule: the io_context thread. Source: transport contract sections 1.9, 3 and 7.4.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "gateway-proto/connect.h"
#include "gateway-proto/endpoint.h"
#include "gateway-proto/reconnect.h"
#include "node-host/doors/gateway/gateway_session.h"

namespace hostclaw::node_host {

enum class LinkState {
  kStarting,
  kConnecting,
  kWaitingForDevicePairing,    // connect is refused until an operator approves the device
  kWaitingForCredentials,      // nothing left to log in with; `hostclaw connect CODE` heals it
  kWaitingForSurfaceApproval,  // connected, but no command is dispatched until the surface is approved
  kConnected,
  kReconnecting,
  kStopped,
};
std::string_view to_string(LinkState state);

// What is known of the commands that the gateway would dispatch to this node. A gateway drops what it does
// not take in silence, so that nothing short of an operator's answer, or of a command that comes, tells.
enum class CommandsState {
  kUnknown,      // not connected, not approved, or not looked at yet
  kUnconfirmed,  // nothing speaks against them
  kHeld,         // by an operator's answer, or because one arrived on this connection
  kNone,         // the gateway holds none of them
};
std::string_view to_string(CommandsState state);

struct LinkStatus {
  LinkState state = LinkState::kStarting;
  std::string url;
  std::string detail;                           // why, in the gateway's words
  std::string request_id;                       // of the pairing stage that is pending
  std::string next;                             // the command the operator must type next
  std::chrono::milliseconds tried_again_in{0};  // 0: not in an outage
  std::string server_version;
  int protocol = 0;
  CommandsState commands = CommandsState::kUnknown;
  std::vector<std::string> waiting_commands;  // declared, and not usable before they are approved
};

// The old form of describe_system() is what this gateway takes.
struct OldFormMemory {
  std::string url;
  std::string server_version;  // of the gateway that refused the current form
  bool operator==(const OldFormMemory&) const = default;
};

// What the link remembers between connections. Implemented over the store; calls come from the io_context
// thread and may take a few milliseconds.
class LinkMemory {
 public:
  virtual ~LinkMemory() = default;
  virtual boost::asio::awaitable<std::string> device_token() = 0;  // empty: none
  virtual boost::asio::awaitable<void> keep_device_token(std::string token, std::string expected) = 0;
  virtual boost::asio::awaitable<void> drop_device_token() = 0;
  virtual boost::asio::awaitable<void> keep_endpoint(gateway_proto::GatewayEndpoint endpoint) = 0;
  virtual boost::asio::awaitable<std::optional<OldFormMemory>> old_form() = 0;
  virtual boost::asio::awaitable<void> keep_old_form(std::optional<OldFormMemory> form) = 0;
  virtual boost::asio::awaitable<void> publish(LinkStatus status) = 0;  // for `hostclaw status`
};

struct LinkSettings {
  std::vector<gateway_proto::GatewayEndpoint> candidates;  // at least one; tried in order
  std::string shared_token;
  std::string shared_password;
  std::string bootstrap_token;              // from --pair or --pair-if-needed
  bool bootstrap_only = false;              // --pair: nothing stored is used until it succeeded
  bool stored_token_usable = false;         // the stored device token belongs to this endpoint
  gateway_proto::ClientDescription client;  // platform and family are filled in by the link
  std::string platform;                     // Node's name of it: linux, win32, darwin
  GatewaySession::Timeouts timeouts;
  std::string extra_ca_file;
  std::string published_tools;  // params of node.pluginTools.update, as JSON text; empty: none
  // For tests: how a connection is made, and a bound of every pause.
  std::function<boost::asio::awaitable<Result<std::unique_ptr<WebSocket>>>(gateway_proto::GatewayEndpoint,
                                                                           WebSocketOptions)>
      connect = WebSocket::connect;
  std::chrono::milliseconds longest_pause = std::chrono::hours(24);
  bool stop_after_hello = false;  // `connect --verify`: end with success once connected and approved
};

// Why run() returned.
struct LinkEnd {
  int exit_status = 0;  // 0 stopped; 1 credentials must change; 78 configuration must change
  Error error;
};

class GatewayLink {
 public:
  struct Handlers {
    std::function<void(std::shared_ptr<GatewaySession>)> on_connected;
    std::function<void(std::shared_ptr<GatewaySession>, gateway_proto::InvokeRequest)> on_invoke;
    std::function<void(std::string invoke_id)> on_cancel;
    std::function<void(CloseInfo)> on_closed;
    std::function<Json()> host_stats;
  };

  GatewayLink(boost::asio::any_io_executor executor, const gateway_proto::DeviceIdentity& identity,
              LinkSettings settings, LinkMemory& memory, Handlers handlers);

  // Until stop() or a terminal error.
  boost::asio::awaitable<LinkEnd> run();
  // Closes the connection gracefully; run() returns soon after.
  void stop();

  const LinkStatus& status() const { return status_; }
  // Steady time of the last step of this link: an attempt, the end of a planned pause, a frame from the
  // gateway. In health it is never more than a few minutes ago (connect and handshake have deadlines).
  std::chrono::steady_clock::time_point last_progress() const;

 private:
  boost::asio::awaitable<gateway_proto::Credentials> choose_credentials();
  boost::asio::awaitable<std::optional<LinkEnd>> attempt(gateway_proto::GatewayEndpoint endpoint);
  boost::asio::awaitable<std::optional<LinkEnd>> after_refusal(const gateway_proto::GatewayEndpoint& endpoint,
                                                               const gateway_proto::PeerError& error,
                                                               const gateway_proto::Credentials& used);
  boost::asio::awaitable<std::optional<LinkEnd>> after_failure(const Error& error, bool connect_was_sent);
  boost::asio::awaitable<void> serve(gateway_proto::GatewayEndpoint endpoint,
                                     std::shared_ptr<GatewaySession> session,
                                     gateway_proto::Credentials used);
  boost::asio::awaitable<void> choose_form(const gateway_proto::GatewayEndpoint& endpoint);
  boost::asio::awaitable<bool> form_is_outdated(const gateway_proto::GatewayEndpoint& endpoint,
                                                const gateway_proto::HelloOk& hello);
  void note_arrival(const std::string& command);
  boost::asio::awaitable<void> look_for_commands(const gateway_proto::GatewayEndpoint& endpoint,
                                                 LinkStatus& status);
  boost::asio::awaitable<void> follow_surface(gateway_proto::GatewayEndpoint endpoint,
                                              std::shared_ptr<GatewaySession> session);
  boost::asio::awaitable<void> publish_tools(std::shared_ptr<GatewaySession> session);
  boost::asio::awaitable<bool> publish_stats(std::shared_ptr<GatewaySession> session);
  boost::asio::awaitable<void> set_status(LinkStatus status);
  void expect_restart();
  bool restarting() const;
  boost::asio::awaitable<void> wait(std::chrono::milliseconds pause);
  double jitter();

  boost::asio::any_io_executor executor_;
  const gateway_proto::DeviceIdentity& identity_;
  LinkSettings settings_;
  LinkMemory& memory_;
  Handlers handlers_;
  gateway_proto::ReconnectSchedule schedule_;
  boost::asio::steady_timer pause_;
  std::shared_ptr<ConnectStop> connecting_;  // while an attempt has no session yet
  std::shared_ptr<GatewaySession> session_;
  LinkStatus status_;
  std::chrono::steady_clock::time_point progress_ = std::chrono::steady_clock::now();
  std::string used_device_token_;
  std::size_t candidate_ = 0;
  int consecutive_proxy_refusals_ = 0;
  bool stopping_ = false;
  bool device_token_retry_ = false;       // the next attempt is the one-shot retry
  bool device_token_retry_used_ = false;  // in this outage
  gateway_proto::SystemForm form_ = gateway_proto::SystemForm::kCurrent;
  bool form_is_read_ = false;    // what the memory holds of it
  bool old_form_tried_ = false;  // in this outage
  std::optional<OldFormMemory> old_form_;
  bool arrived_ = false;           // a command of an agent came on this connection
  bool operator_refused_ = false;  // the gateway does not let us ask: not asked again
  std::chrono::milliseconds next_pause_{0};
  std::chrono::steady_clock::time_point restarting_until_;  // until then the gateway is expected back
};

}  // namespace hostclaw::node_host
