// SPDX-License-Identifier: Apache-2.0
// The development gateway's behaviour: handshake, pairing, invocations, approvals, faults. It sees JSON and
// the small interfaces of transport.h, no sockets. Everything is in memory. Source: the transport contract
// (sections in the .cc files) and exec contract section 12. Thread rule: the server's thread only;
// dev_gateway.h is the door for other threads.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "tests/devgateway/exec_approvals.h"
#include "tests/devgateway/journal.h"
#include "tests/devgateway/pairing.h"
#include "tests/devgateway/reply.h"
#include "tests/devgateway/transport.h"

namespace hostclaw::devgateway {

struct GatewaySettings {
  int protocol = 4;
  std::string shared_token;  // empty: no shared token is accepted
  std::string password;
  bool auto_approve = false;           // devices and surfaces, as if an operator answered at once
  bool pair_loopback_silently = true;  // devices only, as the real gateway does
  bool loopback_is_remote = false;     // for tests of device pairing and rate limits on one machine
  std::chrono::milliseconds ping_interval{25'000};  // protocol 4 only; 0: none
  std::chrono::milliseconds tick_interval{30'000};
  std::chrono::milliseconds handshake_timeout{15'000};
  std::chrono::milliseconds pairing_expiry{300'000};
  std::chrono::milliseconds approval_lifetime{1'800'000};
  std::int64_t max_payload = 26'214'400;
  // Of protocol 4, as 2026.6 and 2026.7: nodes that name no device family are an unknown kind of machine.
  bool family_required = false;
  std::set<std::string> denied_commands;  // excluded by the gateway's configuration
  std::string server_version;             // default: the release that speaks the protocol
};

// What the gateway asks of the server it runs in.
struct ServerControl {
  std::function<std::string()> url;
  std::function<void()> pause_accepting;
  std::function<void()> resume_accepting;
  std::string tls_fingerprint;  // empty without TLS
};

// Trouble on demand; see on_fault() for the names that dev.fault takes.
struct Faults {
  Json refusal;  // the error for refused results and events
  int refuse_results = 0;
  int refuse_events = 0;
  std::map<std::string, int> drop_replies;  // by method
  struct Delay {
    int count = 0;
    std::int64_t delay_ms = 0;
  };
  std::map<std::string, Delay> delay_replies;
  std::deque<Json> refuse_connects;  // {error, closeCode, closeReason}
  std::deque<std::string> challenges;
  std::deque<HttpReply> http_refusals;
  bool mute_ticks = false;
};

struct RunRecord {
  std::string session_key;
  bool finished = false;
};

struct Peer {
  std::shared_ptr<Connection> connection;
  std::string nonce;
  bool connected = false;  // hello-ok was sent
  bool closing = false;
  bool replaced = false;  // a newer socket of the same device took over
  bool local = false;
  std::string role;
  std::string node_id;
  std::string display_name;
  std::string platform;
  std::string device_family;
  std::string version;
  std::string client_id;
  std::string client_mode;
  std::string auth_method;
  Surface announced;
  int unauthorized_calls = 0;
  std::int64_t sequence = 0;
  bool pong_seen = true;
  bool dropped_silent = false;
  std::uint64_t handshake_timer = 0;
  std::uint64_t ping_timer = 0;
  std::uint64_t tick_timer = 0;
  std::int64_t connected_at_ms = 0;
  std::map<std::string, RunRecord> runs;  // system.run dispatched on this connection, by runId
  Json stats;
};

struct InvokeOptions {
  std::string node_id;
  std::string command;
  std::optional<std::string> params_json;  // absent: JSON null travels
  std::optional<std::int64_t> timeout_ms;  // absent: 30 000 on protocol 4, none on protocol 3
  std::string session_key;
  std::string idempotency_key;
  std::string invoke_id;   // absent: a fresh one
  std::string as_node_id;  // absent: the true one
  bool check_surface = true;
  bool omit_timeout = false;
};

class Gateway : public TransportEvents {
 public:
  Gateway(GatewaySettings settings, Scheduler& scheduler, Journal& journal, ServerControl control);
  ~Gateway() override;

  // Any operator method with full rights, as an operator connection would call it.
  void call(const std::string& method, const Json& params, Respond respond);

  // Sends one invocation; `respond` gets {ok, nodeId, command, payload, payloadJSON} or the caller's error.
  void invoke(InvokeOptions options, Respond respond);

  ExecApprovals& approvals() { return approvals_; }
  const GatewaySettings& settings() const { return settings_; }
  // The connected node, or nothing.
  const Peer* node_peer(const std::string& node_id);
  bool node_offers(const std::string& node_id, const std::string& command);

  std::optional<HttpReply> on_http(const HttpRequest& request) override;
  void on_open(std::shared_ptr<Connection> connection) override;
  void on_text(Connection& connection, std::string text) override;
  void on_pong(Connection& connection, std::string payload) override;
  void on_closed(Connection& connection, std::uint16_t code, std::string reason) override;
  void on_handshake_failed(const std::string& why) override;

 private:
  struct PendingInvoke {
    InvokeOptions options;
    std::string id;
    std::uint64_t connection_id = 0;
    int attempt = 0;
    std::int64_t deadline_ms = 0;  // 0: none
    std::uint64_t timer = 0;
    bool progressed = false;
    Respond respond;
  };
  struct Credentials {
    std::string method;  // empty: refused
    Json error;          // when refused
    SetupGrant* setup = nullptr;
  };

  // gateway_connect.cc
  void on_first_frame(Peer& peer, const std::string& text);
  void on_connect(Peer& peer, const std::string& id, const Json& params);
  void refuse(Peer& peer, const std::string& id, Json error, std::uint16_t code, const std::string& reason);
  Credentials check_credentials(const Peer& peer, const Json& params, const std::string& device_id,
                                const std::string& role);
  bool check_pairing(Peer& peer, const std::string& id, const DeviceFacts& facts, Credentials& credentials);
  std::set<std::string> ceiling_of(const Peer& peer) const;
  void open_surface(Peer& peer, const Credentials& credentials);
  void say_hello(Peer& peer, const std::string& id, const Credentials& credentials);
  Json hello_payload(const Peer& peer, const Credentials& credentials);
  void start_liveness(Peer& peer);
  void schedule_ping(std::uint64_t connection_id);
  void schedule_tick(std::uint64_t connection_id);
  void take_over(Peer& peer);
  void count_failure(const std::string& remote);

  // gateway_node.cc
  void on_node_request(Peer& peer, const std::string& id, const std::string& method, const Json& params);
  void on_invoke_result(Peer& peer, const std::string& id, const Json& params);
  void on_invoke_progress(Peer& peer, const std::string& id, const Json& params);
  void on_node_event(Peer& peer, const std::string& id, const Json& params);
  Json event_reply(Peer& peer, const std::string& event, const Json& payload);
  void refuse_unauthorized(Peer& peer, const std::string& id, const std::string& method);
  bool surface_approved(const Peer& peer);
  bool reply_is_refused(int& budget, Peer& peer, const std::string& id);

  // gateway_invoke.cc
  void dispatch(PendingInvoke invoke);
  void finish_invoke(const std::string& invoke_id, Reply reply);
  void on_invoke_timeout(const std::string& invoke_id);
  void cancel_invoke(const std::string& invoke_id, const std::string& code);
  void send_cancel(const PendingInvoke& invoke);
  void lose_invokes(std::uint64_t connection_id);
  bool redispatch_not_ready(PendingInvoke& invoke, const Json& error);
  Reply caller_reply(const PendingInvoke& invoke, const Json& params) const;

  // gateway_operator.cc
  void node_invoke(const Json& params, Respond respond);
  void raw_invoke(const Json& params, Respond respond);
  void approvals_get(const Json& params, Respond respond);
  void approvals_set(const Json& params, Respond respond);
  Reply node_pair_method(const std::string& method, const Json& params);
  Reply device_method(const std::string& method, const Json& params);
  Reply setup_code(const Json& params);
  Reply exec_approval_method(const std::string& method, const Json& params, const Respond& respond,
                             bool& answered);
  Reply on_fault(const Json& params);
  void shut_down(const Json& params);
  Json node_list();
  void resolve_surface_request(const std::string& request_id, bool approve);
  void close_device(const std::string& device_id, const std::string& reason);
  void broadcast(const std::string& event, const Json& payload);

  void send(Peer& peer, const Json& frame);
  void send_event(Peer& peer, const std::string& event, const Json& payload, bool with_sequence = false);
  void respond_to(Peer& peer, const std::string& id, const std::string& method, Reply reply);
  Peer* target_of(const std::string& node_id);
  Peer* find_peer(std::uint64_t connection_id);
  void close_peer(Peer& peer, std::uint16_t code, const std::string& reason);
  Surface effective_surface(const Peer& peer);

  GatewaySettings settings_;
  Scheduler& scheduler_;
  Journal& journal_;
  ServerControl control_;
  PairingStore pairing_;
  ExecApprovals approvals_;
  Faults faults_;
  std::map<std::uint64_t, Peer> peers_;
  std::map<std::string, PendingInvoke> invokes_;
  struct Failures {
    std::deque<std::int64_t> times;
    std::int64_t locked_until_ms = 0;
  };
  std::map<std::string, Failures> failures_;
};

}  // namespace hostclaw::devgateway
