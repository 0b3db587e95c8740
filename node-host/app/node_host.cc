// SPDX-License-Identifier: Apache-2.0
#include "node-host/app/node_host.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <set>

#include "approvals/audit/audit_chain.h"
#include "approvals/platform/private_files.h"
#include "approvals/questions/questions.h"
#include "approvals/store/settings.h"
#include "base/clock.h"
#include "base/text.h"
#include "gateway-proto/setup_code.h"
#include "node-host/app/door.h"
#include "node-host/app/left_behind.h"
#include "node-host/app/node_config.h"
#include "node-host/app/running_node.h"
#include "node-host/corridor/corridor.h"
#include "node-host/doors/gateway/dispatcher.h"
#include "node-host/doors/gateway/gateway_link.h"
#include "node-host/doors/gateway/gateway_origin.h"
#include "node-host/doors/gateway/runs_tool.h"
#include "node-host/loop/background.h"
#include "node-host/loop/log.h"
#include "node-host/loop/start_wait.h"
#include "node-host/loop/store_thread.h"
#include "node-host/record/audit_signing.h"
#include "node-host/record/record_keeper.h"
#include "node-host/run/kept_runs.h"
#include "node-host/run/live_output.h"
#include "node-host/run/run_wakeup.h"
#include "node-host/system/files/instance_lock.h"
#include "node-host/system/host/freed_memory.h"
#include "node-host/system/host/host_facts.h"
#include "node-host/system/process/control_group.h"
#include "node-host/system/process/process_start.h"
#include "node-host/system/process/run_roster.h"
#include "node-host/system/process/supervisor.h"

namespace hostclaw::node_host {
namespace {

namespace asio = boost::asio;
using gateway_proto::GatewayEndpoint;
using gateway_proto::SetupCode;

// {url, serverVersion}: see OldFormMemory.
constexpr const char* kOldFormKey = "runtime.oldSystemForm";
// How often it is looked whether a checkpoint is due or a question is over.
constexpr std::chrono::seconds kUpkeepEvery{30};

std::string lookup(const policy::Environment& environment, std::string_view name) {
  const bool ignoring_case = host_policy_platform() == policy::Platform::kWindows;
  for (const auto& [key, value] : environment) {
    if (ignoring_case ? to_lower_ascii(key) == to_lower_ascii(name) : key == name)
      return std::string(trim(value));
  }
  return {};
}

std::chrono::milliseconds milliseconds_from(const policy::Environment& environment, std::string_view name,
                                            std::chrono::milliseconds fallback) {
  const std::string text = lookup(environment, name);
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos)
    return fallback;
  const long value = std::stol(text);
  return value > 0 ? std::chrono::milliseconds(value) : fallback;
}

void log_error_with_next(const Error& error) {
  log_error(error.code + ": " + error.message + (error.next.empty() ? "" : " -- next: " + error.next));
}

Result<void> record(approvals::Store& store, std::string_view kind, const Json& fields) {
  const auto row = approvals::append_audit_row(store.database(), unix_ms_now(), kind, fields);
  if (!row) return row.error();
  return {};
}

// A gateway that cannot be reached is not a node that failed to start: who waits for this service to be up is
// told so after this time, with the reason as its status.
constexpr std::chrono::seconds kReadyAnyway{10};
// Far above every deadline of a connection attempt.
constexpr std::chrono::minutes kLinkMayRest{4};

std::string supervisor_text(const LinkStatus& status) {
  std::string text(to_string(status.state));
  if (!status.url.empty()) text += ": " + status.url;
  if (!status.detail.empty()) text += ": " + status.detail;
  if (!status.next.empty()) text += " -- next: " + status.next;
  return text;
}

// A person must mend it, or (what the disk said) whoever supervises may try again.
int status_of_store_error(const Error& error) { return error.code == "STORE_IO" ? 1 : kExitConfiguration; }

// On the store's thread.
void tell_file(const InstanceLock& lock, const Result<void>& there, approvals::Store& store) {
  if (!there) {
    log_error("nothing runs: " + there.error().code + ": " + there.error().message +
              (there.error().next.empty() ? "" : " -- next: " + there.error().next));
    return;
  }
  lock.note(database_note(store.file_identity()));
  log_info("the database is back; commands are taken again");
}

bool worth_calling_ready(LinkState state) {
  return state == LinkState::kConnected || state == LinkState::kWaitingForDevicePairing ||
         state == LinkState::kWaitingForCredentials || state == LinkState::kWaitingForSurfaceApproval;
}

// Everything that is settled before the loop starts.
struct Setup {
  NodeConfig config;
  LinkSettings link;
  bool endpoint_changed = false;
};

Json host_stats_json(const std::string& home) {
  const HostStats stats = read_host_stats(home);
  Json json{{"cpuCount", stats.cpu_count},
            {"memoryTotalBytes", stats.memory_total_bytes},
            {"memoryFreeBytes", stats.memory_free_bytes}};
  if (stats.load_average) json["loadAverage"] = *stats.load_average;
  if (stats.disk_total_bytes && stats.disk_available_bytes) {
    json["diskTotalBytes"] = *stats.disk_total_bytes;
    json["diskAvailableBytes"] = *stats.disk_available_bytes;
  }
  return json;
}

Result<GatewayEndpoint> explicit_endpoint(const NodeOptions& options, GatewayEndpoint endpoint) {
  if (options.host) {
    auto host = gateway_proto::normalize_host(*options.host);
    if (!host) return host.error();
    endpoint.host = *host;
  }
  if (options.port) endpoint.port = *options.port;
  if (options.tls) endpoint.tls = *options.tls;
  if (options.context_path) {
    auto path = gateway_proto::normalize_context_path(*options.context_path);
    if (!path) return path.error();
    endpoint.context_path = *path;
  }
  if (options.tls_fingerprint) {
    auto pin = gateway_proto::normalize_fingerprint(*options.tls_fingerprint);
    if (!pin) return pin.error();
    endpoint.tls_fingerprint = *pin;
    if (!options.tls) endpoint.tls = true;  // a pin says that TLS is meant
  }
  return endpoint;
}

Result<std::vector<std::string>> choose_commands(const NodeOptions& options, NodeConfig& config) {
  if (options.all_commands) config.commands.reset();
  if (!options.commands.empty()) {
    std::set<std::string> wanted;
    for (const std::string& list : options.commands)
      for (std::string& name : comma_list(list)) wanted.insert(std::move(name));
    config.commands = std::vector<std::string>(wanted.begin(), wanted.end());
  }
  if (!config.commands) return supported_commands();
  std::vector<std::string> served;
  for (const std::string& command : supported_commands()) {
    if (std::find(config.commands->begin(), config.commands->end(), command) != config.commands->end()) {
      served.push_back(command);
    }
  }
  if (served.empty()) {
    return make_error(
        "CONFIG_INVALID",
        "none of the requested commands is served by this host: " + join(*config.commands, ", "),
        "hostclaw node run --all-commands");
  }
  return served;
}

// LinkMemory over the store.
class StoredMemory final : public LinkMemory {
 public:
  StoredMemory(StoreThread& store, Supervisor& supervisor, std::string device_id, NodeConfig config)
      : store_(store),
        supervisor_(supervisor),
        device_id_(std::move(device_id)),
        config_(std::move(config)) {}

  asio::awaitable<std::string> device_token() override {
    const auto token = co_await store_.on_store(
        [this](approvals::Store& store) { return store.device_token(device_id_, "node"); });
    co_return token&&* token ? (*token)->token : std::string();
  }

  asio::awaitable<void> keep_device_token(std::string token, std::string expected) override {
    const auto kept = co_await store_.on_store([&](approvals::Store& store) {
      const std::optional<std::string> from = expected.empty() ? std::nullopt : std::optional(expected);
      return store.put_device_token(device_id_, "node", token, from);
    });
    if (!kept)
      log_warn("the device token could not be stored: " + kept.error().code + ": " + kept.error().message);
  }

  asio::awaitable<void> drop_device_token() override {
    (void)co_await store_.on_store(
        [this](approvals::Store& store) { return store.remove_device_token(device_id_, "node"); });
  }

  asio::awaitable<void> keep_endpoint(GatewayEndpoint endpoint) override {
    if (config_.gateway && config_.gateway->same_address(endpoint) &&
        config_.gateway->tls_fingerprint == endpoint.tls_fingerprint && saved_) {
      co_return;
    }
    config_.gateway = std::move(endpoint);
    const Json pairing{{"change", "gateway"}, {"device", device_id_}, {"gateway", config_.gateway->url()}};
    const auto saved = co_await store_.on_store([this, &pairing](approvals::Store& store) {
      return store.transaction([&]() -> Result<void> {
        if (auto stored = save_node_config(store, config_); !stored) return stored;
        return record(store, "pairing", pairing);
      });
    });
    saved_ = saved.has_value();
    if (!saved) log_warn("the gateway's address could not be stored: " + saved.error().message);
  }

  asio::awaitable<std::optional<OldFormMemory>> old_form() override {
    const auto stored =
        co_await store_.on_store([](approvals::Store& store) { return store.setting(kOldFormKey); });
    if (!stored || !*stored || !(*stored)->is_object()) co_return std::nullopt;
    OldFormMemory form{(*stored)->value("url", std::string()),
                       (*stored)->value("serverVersion", std::string())};
    co_return form;
  }

  asio::awaitable<void> keep_old_form(std::optional<OldFormMemory> form) override {
    const Json json = form ? Json{{"url", form->url}, {"serverVersion", form->server_version}} : Json();
    const auto kept = co_await store_.on_store(
        [&](approvals::Store& store) { return store.put_setting(kOldFormKey, json); });
    if (!kept) log_warn("the form of this gateway could not be stored: " + kept.error().message);
  }

  // Who is at the other end of the connection.
  Origin gateway() const { return gateway_origin(config_.gateway); }

  asio::awaitable<void> publish(LinkStatus status) override {
    supervisor_.status(supervisor_text(status));
    if (worth_calling_ready(status.state)) supervisor_.ready();
    const std::int64_t now_ms = unix_ms_now();
    // An outage began when it began, however often the gateway was tried since.
    if (since_ms_ == 0 || status.state != since_state_) since_ms_ = now_ms;
    since_state_ = status.state;
    Json json{{"state", to_string(status.state)},
              {"url", status.url},
              {"detail", status.detail},
              {"requestId", status.request_id},
              {"next", status.next},
              {"serverVersion", status.server_version},
              {"protocol", status.protocol},
              {"pid", process_id()},
              {"sinceMs", since_ms_},
              {"commands", {{"state", to_string(status.commands)}, {"waiting", status.waiting_commands}}}};
    if (status.tried_again_in.count() > 0) json["triedAgainAtMs"] = now_ms + status.tried_again_in.count();
    (void)co_await store_.on_store(
        [&](approvals::Store& store) { return store.put_setting(kLinkStatusKey, json); });
  }

 private:
  StoreThread& store_;
  Supervisor& supervisor_;
  std::string device_id_;
  NodeConfig config_;
  bool saved_ = false;
  LinkState since_state_ = LinkState::kStarting;
  std::int64_t since_ms_ = 0;
};

// Database, sockets, log, and what a look at /proc opens.
constexpr std::uint64_t kOwnDescriptors = 96;
// Files and directories of a decision, pipes, the handle of the process; a pipeline of a few programs.
constexpr std::uint64_t kDescriptorsOfRun = 24;
std::uint64_t descriptors_for(std::size_t max_concurrent) {
  return kOwnDescriptors + max_concurrent * kDescriptorsOfRun;
}

// Who supervises, and the secrets this process was given.
struct Supervision {
  std::string token;
  std::string password;
  std::unique_ptr<Supervisor> supervisor;
  std::shared_ptr<ControlGroups> control_groups;  // null: none were delegated
};

// The environment's token or password, else the service manager's. Takes them out of the environment, so that
// no child is ever near them.
Supervision supervision_of(std::unique_ptr<Supervisor> supervisor) {
  Supervision given;
  given.token = std::string(trim(take_environment_secret("OPENCLAW_GATEWAY_TOKEN")));
  given.password = std::string(trim(take_environment_secret("OPENCLAW_GATEWAY_PASSWORD")));
  const bool named = !given.token.empty() || !given.password.empty();
  const std::string token = supervised_secret("gateway-token");
  const std::string password = supervised_secret("gateway-password");
  given.control_groups = ControlGroups::of_this_service();
  given.supervisor = supervisor ? std::move(supervisor) : supervisor_of_this_process();
  if (named) return given;
  given.token = token.empty() ? given.supervisor->secret("gateway-token") : token;
  given.password = password.empty() ? given.supervisor->secret("gateway-password") : password;
  return given;
}

class Node {
 public:
  Node(const NodeOptions& options, const InstanceLock& lock, std::unique_ptr<approvals::Store> store,
       gateway_proto::DeviceIdentity identity, NodeConfig config, std::size_t max_concurrent,
       Supervision supervision)
      : options_(options),
        supervision_(std::move(supervision)),
        identity_(std::move(identity)),
        config_(std::move(config)),
        environment_(current_environment()),
        home_(home_directory()),
        store_(
            io_.get_executor(), std::move(store),
            [&lock](const Result<void>& there, approvals::Store& found) { tell_file(lock, there, found); }),
        executor_(io_.get_executor(),
                  executor_settings(max_concurrent, options.state_directory, supervision_.control_groups)),
        descriptors_(descriptors_for(max_concurrent)),
        corridor_(io_.get_executor(), store_, executor_, corridor_settings(max_concurrent), clock_),
        keeper_(io_.get_executor(), store_, options.state_directory, audit_options()),
        signals_(io_),
        patience_(io_),
        upkeep_(io_),
        heartbeat_(io_) {
    for (const int number : stop_signals()) signals_.add(number);
    hold_console_close();
  }

  int run() {
    keep_freed_memory();
    await_signal();
    supervision_.supervisor->on_stop_request([this] {
      asio::post(io_, [this] {
        log_info("stopping (asked by the supervisor)");
        stop(true);
      });
    });
    start_background(io_.get_executor(), "the watchdog", [this]() { return watch_over(); });
    asio::co_spawn(
        io_, [this]() { return main(); },
        [this](std::exception_ptr failed) {
          // Whatever still waits (a name lookup, a signal) has nobody left to tell.
          io_.stop();
          if (failed) abort_on("the node", failed);
        });
    try {
      io_.run();
    } catch (...) {
      abort_on("the loop", std::current_exception());
    }
    supervision_.supervisor->on_stop_request({});
    store_.join();
    return exit_status_;
  }

 private:
  static Admission::Limits admission_limits(std::size_t max_concurrent) {
    Admission::Limits limits;
    limits.max_running = max_concurrent;
    return limits;
  }

  // The turns are the corridor's; nothing waits a second time.
  static RunExecutor::Settings executor_settings(std::size_t max_concurrent,
                                                 const std::string& state_directory,
                                                 std::shared_ptr<ControlGroups> control_groups) {
    RunExecutor::Settings settings;
    settings.roster = state_directory + "/" + kRosterName;
    settings.live_output = state_directory + "/" + kLiveOutputName;
    settings.kept = state_directory + "/" + kKeptRunsName;
    settings.control_groups = std::move(control_groups);
    settings.max_concurrent = max_concurrent + admission_limits(max_concurrent).own_places;
    settings.on_left_alive = [](const RunOutcome& outcome) {
      log_warn("a clean-up was given up: " + std::to_string(outcome.left_alive) +
               " processes of the run that began with process " + std::to_string(outcome.leader_pid) +
               " do not end -- next: ps -o pid,stat,wchan:20,args -e");
    };
    return settings;
  }

  // Before anything new runs. `kept`: goes on.
  asio::awaitable<void> end_what_was_left_behind(const std::vector<std::string>& kept) {
    std::vector<std::string> open;
    const auto read = co_await once_possible([&open](approvals::Store& store) -> Result<void> {
      auto ids = store.open_runs();
      if (!ids) return ids.error();
      open = std::move(*ids);
      return {};
    });
    std::erase_if(open, [&kept](const std::string& run_id) {
      return std::find(kept.begin(), kept.end(), run_id) != kept.end();
    });
    if (!read || open.empty()) co_return;
    std::string key = audit_hash_key(identity_);
    std::function<bool()> asked_to_stop = [this] { return stopping_; };
    const std::vector<LeftBehind> runs =
        co_await end_left_behind(std::move(open), std::move(key), std::move(asked_to_stop));
    for (const LeftBehind& run : runs) {
      log_warn("run " + run.run_id + " had outlived the node: " + join(run.programs, ", ") +
               (run.alive > 0 ? "; " + std::to_string(run.alive) + " of them do not end" : " ended now"));
      const Json fields{
          {"run", run.run_id}, {"processes", run.programs}, {"ended", run.ended}, {"alive", run.alive}};
      const auto recorded = co_await store_.on_store(
          [&fields](approvals::Store& store) { return record(store, "left-behind", fields); });
      if (!recorded) log_warn("that could not be recorded: " + recorded.error().message);
    }
  }

  Corridor::Settings corridor_settings(std::size_t max_concurrent) const {
    Corridor::Settings settings;
    settings.host = {environment_, current_directory(), home_, running_as_root()};
    settings.hash_key = audit_hash_key(identity_);
    settings.admission = admission_limits(max_concurrent);
    return settings;
  }

  asio::awaitable<Result<SetupCode>> redeem(std::string target) {
    if (!gateway_proto::looks_like_join_url(target))
      co_return gateway_proto::parse_setup_code(target, unix_ms_now());
    auto join = gateway_proto::parse_join_url(target);
    if (!join) co_return join.error();
    WebSocketOptions web;
    web.extra_ca_file = lookup(environment_, "NODE_EXTRA_CA_CERTS");
    web.stop = redeeming_;
    auto body = co_await http_get(join->endpoint, join->target, gateway_proto::kMaxSetupCodeBytes, web);
    if (!body) {
      if (body.error().code == "HTTP_STATUS") {
        co_return make_error("SETUP_CODE_INVALID",
                             "the join URL is unknown or was used already: " + body.error().message,
                             "on the gateway: openclaw devices join-code");
      }
      co_return body.error();
    }
    co_return gateway_proto::parse_setup_object(*body, unix_ms_now());
  }

  // Settles endpoint and credentials. Flags win over the setup code, the setup code over what is stored.
  asio::awaitable<Result<LinkSettings>> link_settings() {
    LinkSettings link;
    const std::optional<GatewayEndpoint> saved = config_.gateway;
    GatewayEndpoint base = saved.value_or(GatewayEndpoint{});
    if (options_.host || options_.port) {
      // Another address: what was pinned or configured for the old one does not carry over.
      base = GatewayEndpoint{};
      if (saved && !options_.host) base.host = saved->host;
      if (saved && !options_.port) base.port = saved->port;
    }
    if (options_.tls == false) base.tls_fingerprint.clear();

    const bool has_token = co_await stored_token_exists();
    if (!options_.setup_code.empty() && !(options_.only_if_unpaired && has_token)) {
      auto code = co_await redeem(options_.setup_code);
      if (!code) co_return code.error();
      for (const GatewayEndpoint& candidate : code->candidates) {
        auto endpoint = explicit_endpoint(options_, candidate);
        if (!endpoint) co_return endpoint.error();
        link.candidates.push_back(*endpoint);
      }
      link.bootstrap_token = code->bootstrap_token;
      link.bootstrap_only = true;
    } else {
      auto endpoint = explicit_endpoint(options_, base);
      if (!endpoint) co_return endpoint.error();
      link.candidates.push_back(*endpoint);
    }
    const bool insecure_names = lookup(environment_, "OPENCLAW_ALLOW_INSECURE_PRIVATE_WS") == "1";
    for (const GatewayEndpoint& candidate : link.candidates) {
      if (auto secure = gateway_proto::check_transport_security(candidate, insecure_names); !secure) {
        co_return secure.error();
      }
    }
    link.stored_token_usable = saved && saved->same_address(link.candidates.front());
    link.shared_token = supervision_.token;
    link.shared_password = supervision_.password;
    link.extra_ca_file = lookup(environment_, "NODE_EXTRA_CA_CERTS");
    link.timeouts.challenge =
        milliseconds_from(environment_, "OPENCLAW_CONNECT_CHALLENGE_TIMEOUT_MS", link.timeouts.challenge);
    link.timeouts.hello =
        milliseconds_from(environment_, "OPENCLAW_HANDSHAKE_TIMEOUT_MS", link.timeouts.hello);

    auto commands = choose_commands(options_, config_);
    if (!commands) co_return commands.error();
    link.client.display_name = config_.display_name.empty() ? default_display_name() : config_.display_name;
    link.client.version = options_.version;
    link.platform = host_platform();
    link.client.instance_id = config_.node_id;
    link.client.caps = {"system"};
    link.client.commands = *commands;
    if (std::find(commands->begin(), commands->end(), kToolCommand) != commands->end())
      link.published_tools = published_tools();
    link.stop_after_hello = options_.stop_when_connected;
    link.client.path_env = lookup(environment_, "PATH");
    co_return link;
  }

  asio::awaitable<bool> stored_token_exists() {
    const auto token = co_await store_.on_store(
        [this](approvals::Store& store) { return store.device_token(identity_.device_id(), "node"); });
    co_return token&&* token;
  }

  asio::awaitable<void> main() {
    if (options_.without_gateway) co_return co_await serve_doors();
    if (options_.display_name) config_.display_name = *options_.display_name;
    if (options_.node_id) config_.node_id = *options_.node_id;
    auto settings = co_await link_settings();
    if (stopping_) co_return;
    if (!settings) {
      log_error_with_next(settings.error());
      exit_status_ = settings.error().code == "CONFIG_INVALID" ? kExitConfiguration : 1;
      co_return;
    }
    const auto saved =
        co_await once_possible([this](approvals::Store& s) { return save_node_config(s, config_); });
    if (stopping_) co_return;
    if (!saved) {
      log_error_with_next(saved.error());
      exit_status_ = status_of_store_error(saved.error());
      co_return;
    }
    const bool started = co_await start_up(settings->client.commands);
    if (stopping_ && !started) co_return;
    // The gateway's commands do not depend on another door.
    if (const auto open = co_await open_doors(); !open) log_error_with_next(open.error());

    StoredMemory memory(store_, *supervision_.supervisor, identity_.device_id(), config_);
    Dispatcher::Settings dispatch;
    dispatch.device_id = identity_.device_id();
    dispatch.commands.insert(settings->client.commands.begin(), settings->client.commands.end());
    dispatch.gateway = [&memory] { return memory.gateway(); };
    dispatch.live_output = options_.state_directory + "/" + kLiveOutputName;
    Dispatcher dispatcher(io_.get_executor(), store_, corridor_, clock_, std::move(dispatch));
    dispatcher_ = &dispatcher;

    GatewayLink::Handlers handlers;
    handlers.on_invoke = [&](std::shared_ptr<GatewaySession> session, gateway_proto::InvokeRequest request) {
      dispatcher.invoke(std::move(session), std::move(request));
    };
    handlers.on_cancel = [&](const std::string& invoke_id) { dispatcher.cancel(invoke_id); };
    handlers.on_closed = [&](const CloseInfo&) {
      if (dispatcher.in_flight() > 0) {
        const bool one = dispatcher.in_flight() == 1;
        log_warn(
            std::to_string(dispatcher.in_flight()) +
            (one ? " command outlives the connection; it is" : " commands outlive the connection; they are") +
            " finished and recorded (hostclaw runs)");
      }
    };
    handlers.host_stats = [this] { return host_stats_json(home_); };
    GatewayLink link(io_.get_executor(), identity_, std::move(*settings), memory, std::move(handlers));
    link_ = &link;
    if (stopping_) link.stop();

    const LinkEnd end = co_await link.run();
    link_ = nullptr;
    for (const auto& door : doors_) door->close();
    co_await dispatcher.finish();
    dispatcher_ = nullptr;
    co_await shut_down(end);
    if (end.exit_status != 0) {
      log_error_with_next(end.error);
      exit_status_ = end.exit_status;
    }
  }

  // Without a gateway: until it is asked to stop.
  asio::awaitable<void> serve_doors() {
    const bool started = co_await start_up({});
    if (stopping_ && !started) co_return;
    LinkEnd end;
    if (const auto open = co_await open_doors(); !open) {
      log_error_with_next(open.error());
      end.error = open.error();
      end.exit_status = kExitConfiguration;
    } else {
      supervision_.supervisor->ready();
      auto closed = [this] { return doors_closed_; };
      co_await served_.wait(closed, std::nullopt);
    }
    co_await shut_down(end);
    if (end.exit_status != 0) exit_status_ = end.exit_status;
  }

  asio::awaitable<Result<void>> open_doors() {
    const DoorContext context{io_.get_executor(),       store_,      corridor_, clock_,
                              options_.state_directory, descriptors_};
    for (const DoorMaker& make : options_.doors) {
      std::unique_ptr<Door> door = make(context);
      if (!door) continue;
      if (auto open = co_await door->open(); !open) co_return open;
      doors_.push_back(std::move(door));
    }
    co_return Result<void>();
  }

  // Nobody is let in any more.
  asio::awaitable<void> shut_down(const LinkEnd& end) {
    for (const auto& door : doors_) door->close();
    // First: a door waits for what it has started, and some of that goes on without its caller.
    co_await executor_.shutdown();
    if (supervision_.control_groups) supervision_.control_groups->end_all();
    for (const auto& door : doors_) co_await door->finish();
    upkeep_.cancel();
    co_await corridor_.write_late_ends();
    co_await record_stop(end);
    co_await keeper_.finish();
  }

  // Ends what main() waits for.
  void stop_serving() {
    if (link_ != nullptr) link_->stop();
    doors_closed_ = true;
    served_.notify();
  }

  std::size_t in_flight() const {
    std::size_t count = dispatcher_ != nullptr ? dispatcher_->in_flight() : 0;
    for (const auto& door : doors_) count += door->in_flight();
    return count;
  }

  asio::awaitable<void> wait_until_idle(std::chrono::seconds patience) {
    using std::chrono::milliseconds;
    const auto until = std::chrono::steady_clock::now() + patience;
    const auto left = [until] {
      return std::chrono::duration_cast<milliseconds>(until - std::chrono::steady_clock::now());
    };
    if (dispatcher_ != nullptr) co_await dispatcher_->wait_idle(patience);
    for (const auto& door : doors_)
      if (left().count() > 0) co_await door->wait_idle(left());
  }

  // Does `work` on the store's thread, again and again while trouble is in the way that passes by itself.
  // After a stop the answer means nothing.
  asio::awaitable<Result<void>> once_possible(std::function<Result<void>(approvals::Store&)> work) {
    WaitLog waits;
    for (;;) {
      Result<void> done = co_await store_.on_store(work);
      if (stopping_) co_return done;
      if (done || !passes_by_itself(done.error())) {
        waits.over();
        co_return done;
      }
      waits.waiting(done.error());
      supervision_.supervisor->status("waiting: " + done.error().message);
      patience_.expires_after(kTryAgainEvery);
      (void)co_await patience_.async_wait(asio::as_tuple(asio::use_awaitable));
      if (stopping_) co_return done;
    }
  }

  // False: asked to stop before the start was on record.
  asio::awaitable<bool> start_up(std::vector<std::string> commands) {
    const Json fields{{"version", options_.version},
                      {"device", identity_.device_id()},
                      {"pid", process_id()},
                      {"commands", commands}};
    const std::vector<KeptRun> went_on = executor_.kept_runs();
    std::vector<std::string> kept_ids;
    for (const KeptRun& run : went_on) kept_ids.push_back(run.run_id);
    co_await end_what_was_left_behind(kept_ids);
    std::size_t interrupted = 0;
    const auto recorded =
        co_await once_possible([this, &fields, &interrupted, &kept_ids](approvals::Store& store) {
          return store.transaction([&]() -> Result<void> {
            approvals::sign_rows_of(store, audit_options());
            if (auto kept = approvals::AuditChain(store, audit_options()).append("start", fields); !kept)
              return kept.error();
            auto marked = store.mark_interrupted_runs(unix_ms_now(), kept_ids);
            if (!marked) return marked.error();
            interrupted = *marked;
            auto left = approvals::Questions(store).all_callers_left();
            if (!left) return left.error();
            return {};
          });
        });
    if (stopping_ && !recorded) co_return false;
    (void)co_await store_.on_store([](approvals::Store& store) {
      store.wait_for_locks(approvals::StoreOptions{}.busy_timeout);
      return true;
    });
    if (!recorded) {
      log_error("the start could not be recorded, and nothing will run until it can be: " +
                recorded.error().code + ": " + recorded.error().message);
    } else if (interrupted > 0) {
      log_warn(std::to_string(interrupted) + " runs were interrupted by the last stop (hostclaw runs)");
    }
    for (const KeptRun& run : went_on) corridor_.take_up(run);
    if (!went_on.empty())
      log_info(std::to_string(went_on.size()) + (went_on.size() == 1 ? " run" : " runs") +
               " went on while this node was not there (hostclaw runs)");
    log_info("hostclaw " + options_.version + ", device " + identity_.device_id() + ", state " +
             options_.state_directory);
    if (!commands.empty()) log_info("serving " + join(commands, " "));
    if (supervision_.control_groups) log_info("each command has a control group of its own");
    log_info(co_await corridor_.describe_policy());
    start_background(io_.get_executor(), "the upkeep", [this]() { return upkeep(); });
    start_background(io_.get_executor(), "the keeping of the record", [this]() { return keeper_.run(); });
    co_return true;
  }

  approvals::AuditOptions audit_options() const {
    approvals::AuditOptions options;
    options.signer = audit_signer(identity_);
    return options;
  }

  // Checkpoints, questions whose time is over, memory. Decisions do not wait for any of it.
  asio::awaitable<void> upkeep() {
    for (;;) {
      upkeep_.expires_after(kUpkeepEvery);
      const auto [cancelled] = co_await upkeep_.async_wait(asio::as_tuple(asio::use_awaitable));
      if (cancelled) co_return;
      co_await corridor_.write_late_ends();
      const auto done = co_await store_.on_store([this](approvals::Store& store) -> Result<void> {
        if (auto expired = approvals::Questions(store).expire(unix_ms_now()); !expired)
          return expired.error();
        // The database may be another one than before.
        approvals::sign_rows_of(store, audit_options());
        return approvals::AuditChain(store, audit_options()).checkpoint_if_due();
      });
      if (!done) log_warn("upkeep of the record: " + done.error().code + ": " + done.error().message);
      if (executor_.running() == 0) give_back_freed_memory();
    }
  }

  asio::awaitable<void> record_stop(const LinkEnd& end) {
    const Json fields{{"pid", process_id()},
                      {"status", end.exit_status != 0 ? end.exit_status : exit_status_},
                      {"why", end.exit_status != 0 ? end.error.code : std::string("asked to")}};
    const auto done = co_await store_.on_store([this, &fields](approvals::Store& store) {
      return store.transaction([&]() -> Result<void> {
        auto recorded = approvals::AuditChain(store, audit_options()).append("stop", fields);
        if (!recorded) return recorded.error();
        return {};
      });
    });
    if (!done) log_warn("the stop could not be recorded: " + done.error().message);
  }

  void await_signal() {
    signals_.async_wait([this](boost::system::error_code failed, int signal) {
      if (failed) return;
      if (options_.hangup_reloads && name_of_signal(signal) == "SIGHUP") {
        for (const auto& door : doors_) door->reload();
        return await_signal();
      }
      log_info("stopping (" + std::string(name_of_signal(signal)) + ")");
      exit_status_ = status_of_signal(signal);
      stop(signal != SIGINT);
      await_signal();
    });
  }

  void stop(bool gently) {
    const bool first = !stopping_;
    stopping_ = true;
    supervision_.supervisor->stopping();
    patience_.cancel();
    redeeming_->stop();
    const std::size_t busy = in_flight();
    for (const auto& door : doors_) door->close();
    if (first && gently && busy > 0 && options_.stop_grace.count() > 0) {
      log_info(std::to_string(busy) + " commands have " + std::to_string(options_.stop_grace.count()) +
               " s to end");
      if (dispatcher_ != nullptr) dispatcher_->refuse_new();
      start_background(io_.get_executor(), "the stop", [this]() -> asio::awaitable<void> {
        co_await wait_until_idle(options_.stop_grace);
        stop_serving();
      });
      return;
    }
    stop_serving();
  }

  // Feeds the supervisor's watchdog while the loop, the store's thread and the link make progress. Runs live
  // on the loop, so a stuck executor is a stuck loop.
  asio::awaitable<void> watch_over() {
    Supervisor& supervisor = *supervision_.supervisor;
    const auto interval = supervisor.watchdog_interval();
    const auto pause = interval ? std::min<std::chrono::milliseconds>(*interval / 3, kReadyAnyway)
                                : std::chrono::milliseconds(kReadyAnyway);
    const auto ready_at = std::chrono::steady_clock::now() + kReadyAnyway;
    while (true) {
      heartbeat_.expires_after(pause);
      const auto [stopped] = co_await heartbeat_.async_wait(asio::as_tuple(asio::use_awaitable));
      if (stopped) co_return;
      const auto now = std::chrono::steady_clock::now();
      if (now >= ready_at) supervisor.ready();
      if (!interval) co_return;
      (void)co_await store_.on_store([](approvals::Store& store) { return store.document_generation(); });
      const bool link_moves = link_ == nullptr || now - link_->last_progress() < kLinkMayRest;
      if (link_moves) supervisor.alive();
    }
  }

  const NodeOptions options_;
  const Supervision supervision_;
  const gateway_proto::DeviceIdentity identity_;
  NodeConfig config_;
  const policy::Environment environment_;
  const std::string home_;
  asio::io_context io_{1};
  StoreThread store_;
  RunExecutor executor_;
  const SystemClock clock_;
  const std::uint64_t descriptors_;
  Corridor corridor_;
  RecordKeeper keeper_;
  asio::signal_set signals_;
  asio::steady_timer patience_;
  asio::steady_timer upkeep_;
  asio::steady_timer heartbeat_;
  const std::shared_ptr<ConnectStop> redeeming_ = std::make_shared<ConnectStop>();
  std::vector<std::unique_ptr<Door>> doors_;
  Wakeup served_{io_.get_executor()};
  bool doors_closed_ = false;
  GatewayLink* link_ = nullptr;
  Dispatcher* dispatcher_ = nullptr;
  bool stopping_ = false;
  int exit_status_ = 0;
};

}  // namespace

const std::vector<std::string>& supported_commands() {
  static const std::vector<std::string> commands{
      kToolCommand, "system.execApprovals.get", "system.execApprovals.set",
      "system.run", "system.run.prepare",       "system.which"};
  return commands;
}

int run_node(const NodeOptions& options, std::unique_ptr<Supervisor> supervisor) {
  ignore_broken_pipes();
  keep_memory_private();
  Supervision supervision = supervision_of(std::move(supervisor));
  std::optional<StartWait> wait(std::in_place, *supervision.supervisor);
  const auto ended = [&wait](const Error& error) {
    if (error.code == "START_STOPPED") return wait->exit_status();
    log_error_with_next(error);
    return status_of_store_error(error);
  };
  // The lock comes first: with a database that was moved away under a running node, opening would make
  // another.
  auto lock = wait->until_done([&options]() -> Result<InstanceLock> {
    if (const auto ready = approvals::ensure_private_directory(options.state_directory); !ready) {
      // A directory that cannot be there is a setting to change, and trying again does not help.
      const Error& error = ready.error();
      if (error.code != "STORE_IO") return error;
      return make_error("CONFIG_INVALID", error.message, "set HOSTCLAW_STATE_DIR to a directory of your own");
    }
    return InstanceLock::acquire(options.state_directory);
  });
  if (!lock) return ended(lock.error());
  approvals::StoreOptions patient;
  patient.busy_timeout = kTryPatience;
  auto store = wait->until_done([&options, &patient] {
    return approvals::Store::open(options.state_directory, approvals::OpenMode::kReadWrite, patient);
  });
  if (!store) return ended(store.error());
  lock->note(database_note((*store)->file_identity()));
  auto identity = wait->until_done([&store] { return load_identity(**store, true); });
  if (!identity) return ended(identity.error());
  auto config = wait->until_done([&store] { return load_node_config(**store); });
  if (!config) return ended(config.error());
  const std::size_t max_concurrent = approvals::max_concurrent_runs(**store);
  const std::uint64_t wanted = descriptors_for(max_concurrent);
  if (const std::uint64_t may = raise_descriptor_limit(wanted); may < wanted) {
    log_warn("this process may have " + std::to_string(may) + " files open, and " +
             std::to_string(max_concurrent) + " commands at once may need " + std::to_string(wanted) +
             ": then some are refused -- next: ulimit -Hn " + std::to_string(wanted) +
             "    (of a service: LimitNOFILE=)");
  }
  Node node(options, *lock, std::move(*store), std::move(*identity), std::move(*config), max_concurrent,
            std::move(supervision));
  if (wait->stopped()) return wait->exit_status();
  wait.reset();
  return node.run();
}

}  // namespace hostclaw::node_host
