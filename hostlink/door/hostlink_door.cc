// SPDX-License-Identifier: Apache-2.0
#include "hostlink/door/hostlink_door.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <filesystem>
#include <list>

#include "approvals/platform/private_files.h"
#include "base/file_names.h"
#include "hostlink/door/connection.h"
#include "hostlink/door/file_service.h"
#include "hostlink/door/tls_stream.h"
#include "node-host/loop/background.h"
#include "node-host/loop/log.h"
#include "node-host/system/process/peer_socket.h"
#include "node-host/system/process/process_start.h"

namespace hostclaw::hostlink {

namespace asio = boost::asio;
using boost::system::error_code;
using Socket = PeerStream::Socket;

namespace {

constexpr int kBacklog = 128;
// Together; each costs a descriptor and a few kilobytes. Fewer where this process may not have so many files
// open: what commands need stays theirs.
constexpr std::uint64_t kMostConnections = 4096;
constexpr std::uint64_t kFewestConnections = 64;
constexpr std::chrono::milliseconds kAfterFailedAccept{100};

Error socket_error(const std::string& what, const error_code& error, const std::string& next) {
  return make_error("SOCKET_FAILED", what + ": " + error.message(), next);
}

#ifdef BOOST_ASIO_HAS_LOCAL_SOCKETS
using Local = asio::local::stream_protocol;

// A socket that nobody serves is taken away; one that is served is somebody's.
Result<void> make_way(asio::any_io_executor executor, const std::string& path) {
  if (!approvals::file_exists(path)) return {};
  error_code error;
  Local::socket probe(executor);
  probe.connect(Local::endpoint(path), error);
  if (!error)
    return make_error("SOCKET_IN_USE", path + " is served by another process",
                      "hostclaw hostlink serve --config FILE   with another unix_path");
  if (!node_host::remove_stale_socket(path))
    return make_error("SOCKET_IN_USE", path + " is no socket, or cannot be removed");
  return {};
}

Result<Local::acceptor> listen_locally(asio::any_io_executor executor, const DoorConfig& config) {
  const std::string& path = config.unix_path;
  std::error_code made;
  std::filesystem::create_directories(to_path(path).parent_path(), made);
  if (auto free = make_way(executor, path); !free) return free.error();
  Local::acceptor acceptor(executor);
  error_code error;
  acceptor.open(Local(), error);
  // The file comes into being closed; its group gets in when it is the right one.
  if (!error) node_host::set_socket_mode(acceptor.native_handle(), 0600);
  if (!error) acceptor.bind(Local::endpoint(path), error);
  if (error)
    return socket_error(path + " cannot be made", error,
                        "set unix_path to a place of your own in the configuration file");
  if (!config.unix_group.empty() && !node_host::set_file_group(path, config.unix_group))
    node_host::log_warn("hostlink: " + path + " could not be given to the group `" + config.unix_group +
                        "` -- next: groupadd " + config.unix_group);
  if (!node_host::set_file_mode(path, config.unix_mode))
    return make_error("SOCKET_FAILED", "the mode of " + path + " could not be set");
  acceptor.listen(kBacklog, error);
  if (error) return socket_error(path, error, "");
  return acceptor;
}
#endif

Result<asio::ip::tcp::acceptor> listen_on_tcp(asio::any_io_executor executor, const DoorConfig& config) {
  error_code error;
  const auto address = asio::ip::make_address(config.tcp_bind, error);
  if (error) return make_error("CONFIG_INVALID", "tcp_bind: `" + config.tcp_bind + "` is no address");
  if (!address.is_loopback() && !config.insecure && !config.tls)
    return make_error(
        "CONFIG_INVALID",
        "tcp_bind is " + config.tcp_bind + ": a token and all output would cross the network in the clear",
        "tls = true in the configuration file");
  asio::ip::tcp::acceptor acceptor(executor);
  const asio::ip::tcp::endpoint endpoint(address, config.tcp_port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::ip::tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(kBacklog, error);
  if (error)
    return socket_error(config.tcp_bind + ":" + std::to_string(config.tcp_port) + " cannot be listened on",
                        error, "set tcp_port in the configuration file");
  return acceptor;
}

class HostlinkDoor final : public node_host::Door {
 public:
  HostlinkDoor(const node_host::DoorContext& context, DoorSource source)
      : context_(context), source_(std::move(source)) {}

  ~HostlinkDoor() override {
    if (core_) core_->files.join();
  }

  asio::awaitable<Result<void>> open() override {
    if (source_.only_if_enabled) {
      const auto stored = co_await context_.store.on_store(
          [](approvals::Store& store) { return store.setting(kDoorSetting); });
      if (!stored) co_return stored.error();
      if (!*stored || !(*stored)->is_object()) co_return Result<void>();
      source_.config_path = (*stored)->value("config", std::string());
    }
    auto config = door_config_of(source_.config_path);
    if (!config) co_return config.error();
    for (const std::string& warning : config->warnings) node_host::log_warn("hostlink: " + warning);
    core_ = std::make_unique<DoorCore>(context_, std::move(*config));
    count_connections();
    if (auto kept = co_await keep_default_token(); !kept) co_return kept;
    jobs_ = std::make_unique<Jobs>(*core_);
    if (auto read = jobs_->open(); !read) co_return read;
    co_return listen();
  }

  void close() override {
    if (!core_ || core_->closing) return;
    core_->closing = true;
    error_code ignored;
#ifdef BOOST_ASIO_HAS_LOCAL_SOCKETS
    if (local_) {
      local_->close(ignored);
      if (!source_.activated) node_host::remove_stale_socket(core_->config.unix_path);
    }
#endif
    if (tcp_) tcp_->close(ignored);
    // Who is not known yet is not waited for.
    for (const auto& connection : connections_)
      if (!connection->known) connection->stream->close();
  }

  void reload() override {
    if (!core_) return;
    auto next = door_config_of(source_.config_path);
    if (!next) {
      node_host::log_error("hostlink: the configuration is kept as it was: " + next.error().message);
      return;
    }
    if (next->log_level != core_->config.log_level)
      node_host::set_log_level(node_host::log_level_named(next->log_level));
    take_reloadable(core_->config, *next);
    node_host::start_background(context_.executor, "a reload of HostLink", [this]() -> asio::awaitable<void> {
      if (const auto kept = co_await keep_default_token(); !kept)
        node_host::log_error("hostlink: " + kept.error().message);
    });
    node_host::log_info("hostlink: the configuration was read again");
  }

  std::size_t in_flight() const override { return core_ ? core_->commands + core_->transfers : 0; }

  asio::awaitable<void> wait_idle(std::chrono::milliseconds at_most) override {
    if (!core_) co_return;
    auto idle = [this] { return in_flight() == 0; };
    co_await core_->idle.wait(idle, std::chrono::steady_clock::now() + at_most);
  }

  asio::awaitable<void> finish() override {
    if (!core_) co_return;
    // Whoever still waits is told that their command was ended.
    for (const auto& connection : connections_) connection->stream->close();
    co_await jobs_->finish();
    forget_partial_uploads(*core_, true);
    auto all_ended = [this] { return connections_.empty() && accepting_ == 0 && core_->streams == 0; };
    co_await core_->ended.wait(all_ended, std::nullopt);
    core_->files.join();
  }

 private:
  struct Open {
    std::shared_ptr<PeerStream> stream;
    bool known = false;
  };

  asio::awaitable<Result<void>> keep_default_token() {
    const std::string token = core_->config.auth_token;
    const std::int64_t now_ms = context_.clock.unix_ms();
    auto kept = co_await context_.store.on_store(
        [&token, now_ms](approvals::Store& store) { return TokenBook::set_default(store, token, now_ms); });
    core_->callers.forget();
    co_return kept;
  }

  // Mode and group of its file are the service manager's.
  Result<void> serve_activated() {
#ifdef BOOST_ASIO_HAS_LOCAL_SOCKETS
    local_.emplace(context_.executor);
    error_code error;
    local_->assign(Local(), source_.activated->socket.get(), error);
    if (error) return socket_error(source_.activated->path, error, "");
    source_.activated->socket.release();
    accept_on(*local_, [](const Local::endpoint&) { return std::string(kLocalPeer); });
    node_host::log_info("hostlink: listening on " + source_.activated->path +
                        ", which the service manager has opened");
#endif
    return {};
  }

  // Everything is there before anybody is let in: a door that cannot open has nothing under way.
  Result<void> listen() {
    const DoorConfig& config = core_->config;
    if (config.tcp_enabled) {
      if (auto there = prepare_tcp(); !there) return there;
    }
    if (source_.activated) {
      if (auto serving = serve_activated(); !serving) return serving;
    } else if (config.unix_enabled) {
#ifdef BOOST_ASIO_HAS_LOCAL_SOCKETS
      auto local = listen_locally(context_.executor, config);
      if (!local) return local.error();
      local_ = std::move(*local);
      accept_on(*local_, [](const Local::endpoint&) { return std::string(kLocalPeer); });
      node_host::log_info("hostlink: listening on " + config.unix_path);
#else
      node_host::log_warn("hostlink: this system has no Unix sockets; unix_enabled is not followed");
#endif
    }
    if (tcp_) {
      accept_on(*tcp_, [](const asio::ip::tcp::endpoint& from) { return from.address().to_string(); });
      node_host::log_info("hostlink: listening on " + config.tcp_bind + ":" +
                          std::to_string(config.tcp_port));
    }
    return {};
  }

  Result<void> prepare_tcp() {
    const DoorConfig& config = core_->config;
    auto tcp = listen_on_tcp(context_.executor, config);
    if (!tcp) return tcp.error();
    if (config.tls) {
      auto identity = config.tls_cert.empty() ? own_tls_identity(context_.state_directory, config.node_name)
                                              : read_tls_identity(config.tls_cert, config.tls_key);
      if (!identity) return identity.error();
      tls_ = std::move(identity->context);
      node_host::log_info("hostlink: TLS; clients know this host by --tls --pin " + identity->pin);
    } else if (config.insecure) {
      node_host::log_warn("hostlink: insecure = true: tokens and output cross the network in the clear on " +
                          config.tcp_bind);
    }
    tcp_ = std::move(*tcp);
    return {};
  }

  template <class Acceptor, class Describe>
  void accept_on(Acceptor& acceptor, Describe describe) {
    ++accepting_;
    node_host::start_background(
        context_.executor, "HostLink's listener", [this, &acceptor, describe]() -> asio::awaitable<void> {
          constexpr bool is_tcp = std::is_same_v<Acceptor, asio::ip::tcp::acceptor>;
          asio::steady_timer pause(context_.executor);
          while (!core_->closing) {
            typename Acceptor::protocol_type::socket peer(context_.executor);
            typename Acceptor::endpoint_type from;
            const auto [error] =
                co_await acceptor.async_accept(peer, from, asio::as_tuple(asio::use_awaitable));
            if (core_->closing) break;
            if (error) {
              // No descriptors, mostly: a stranger's, or those of others, will be free again.
              node_host::log_warn("hostlink: nobody could be let in: " + error.message());
              send_away_one();
              pause.expires_after(kAfterFailedAccept);
              (void)co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
              continue;
            }
            let_in(Socket(std::move(peer)), describe(from), tls_ != nullptr && is_tcp);
          }
          --accepting_;
          core_->ended.notify();
        });
  }

  void let_in(Socket socket, std::string address, bool tls) {
    forget_partial_uploads(*core_);
    const std::size_t most = core_->most_connections;
    if (connections_.size() >= 2 * most) return;  // none of those sent away has left yet
    if (connections_.size() >= most && !send_away_one()) return;
    auto connection = std::make_shared<Open>();
    if (tls) {
      connection->stream = std::make_shared<TlsStream>(std::move(socket), std::move(address), tls_);
    } else {
      connection->stream = std::make_shared<PeerStream>(std::move(socket), std::move(address));
    }
    const auto place = connections_.insert(connections_.end(), connection);
    node_host::start_background(context_.executor, "a connection of HostLink",
                                [this, connection, place]() -> asio::awaitable<void> {
                                  std::function<void()> known = [connection] { connection->known = true; };
                                  co_await serve_connection(*core_, *jobs_, connection->stream, known);
                                  connections_.erase(place);
                                  core_->ended.notify();
                                });
  }

  // Of those who have not shown a token, the one that came first makes room. False: there is none.
  bool send_away_one() {
    for (const auto& connection : connections_) {
      if (connection->known || connection->stream->closed()) continue;
      connection->stream->close();
      return true;
    }
    return false;
  }

  void count_connections() {
    const std::uint64_t wanted = context_.descriptors + kMostConnections;
    const std::uint64_t may = node_host::raise_descriptor_limit(wanted);
    const std::uint64_t left = may - std::min(may, context_.descriptors);
    core_->most_connections =
        static_cast<std::size_t>(std::clamp(left, kFewestConnections, kMostConnections));
    if (left < kMostConnections)
      node_host::log_info("hostlink: at most " + std::to_string(core_->most_connections) +
                          " connections at once: this process may have " + std::to_string(may) +
                          " files open");
  }

  const node_host::DoorContext context_;
  DoorSource source_;
  std::unique_ptr<DoorCore> core_;
  std::unique_ptr<Jobs> jobs_;
#ifdef BOOST_ASIO_HAS_LOCAL_SOCKETS
  std::optional<Local::acceptor> local_;
#endif
  std::optional<asio::ip::tcp::acceptor> tcp_;
  std::shared_ptr<asio::ssl::context> tls_;
  std::list<std::shared_ptr<Open>> connections_;
  int accepting_ = 0;
};

}  // namespace

node_host::DoorMaker hostlink_door(DoorSource source) {
  return [source](const node_host::DoorContext& context) -> std::unique_ptr<node_host::Door> {
    return std::make_unique<HostlinkDoor>(context, source);
  };
}

Result<DoorConfig> door_config_of(const std::string& path) {
  if (!path.empty()) return read_door_config(path);
  if (approvals::file_exists(kDefaultConfigPath)) return read_door_config(kDefaultConfigPath);
  return DoorConfig{};
}

}  // namespace hostclaw::hostlink
