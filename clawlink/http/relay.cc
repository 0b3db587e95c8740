// SPDX-License-Identifier: Apache-2.0
#include "clawlink/http/relay.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/context.hpp>

#include "clawlink/forward/forwarder.h"
#include "clawlink/http/connection.h"
#include "clawlink/http/listen_options.h"
#include "clawlink/http/peer_slots.h"
#include "clawlink/push/push_sender.h"
#include "clawlink/store/schema.h"

namespace hostclaw::clawlink {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kMostOfOnePeer = 512;
constexpr std::chrono::milliseconds kAcceptAgain{200};

Result<std::unique_ptr<asio::ssl::context>> tls_context(const RelayOptions& options) {
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  context->set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
  error_code failed;
  context->use_certificate_chain_file(options.tls_certificate, failed);
  if (failed)
    return make_error("TLS_FILES_INVALID",
                      "cannot use the certificate " + options.tls_certificate + ": " + failed.message());
  context->use_private_key_file(options.tls_key, asio::ssl::context::pem, failed);
  if (failed)
    return make_error("TLS_FILES_INVALID", "cannot use the key " + options.tls_key + ": " + failed.message());
  return context;
}

Result<tcp::endpoint> listening_endpoint(const RelayOptions& options) {
  error_code failed;
  const std::string host = options.host == "localhost" ? "127.0.0.1" : options.host;
  const auto address = asio::ip::make_address(host, failed);
  if (failed)
    return make_error("LISTEN_FAILED", "--host takes an address of this machine, not `" + options.host + "`",
                      "hostclaw clawlink serve --host 127.0.0.1");
  return tcp::endpoint(address, options.port);
}

// Other machines reach it: then what is said must not be read on the way, and not everybody may speak.
Result<void> check_exposure(const RelayOptions& options, const tcp::endpoint& endpoint) {
  if (endpoint.address().is_loopback()) return {};
  const std::string command = "hostclaw clawlink serve --host " + options.host;
  if (options.service.routes.access.shared_token.empty())
    return make_error(
        "RELAY_EXPOSED", "other machines would reach this relay without a token",
        "CLAWLINK_TOKEN=$(openssl rand -hex 24) " + command + " --tls-cert FILE --tls-key FILE");
  if (options.tls_certificate.empty() && !options.insecure)
    return make_error("RELAY_EXPOSED", "other machines would reach this relay without TLS",
                      command +
                          " --tls-cert FILE --tls-key FILE (or, where everybody on the network may read and "
                          "change what is said: --insecure)");
  return {};
}

}  // namespace

struct Relay::Impl {
  // From here on a signal waits for run(): whoever is told that it listens may end it at once, in order.
  explicit Impl(RelayOptions given) : options(std::move(given)), acceptor(io), signals(io) {
    error_code ignored;
    for (const int number : {SIGINT, SIGTERM}) signals.add(number, ignored);
  }

  Result<void> listen(const tcp::endpoint& endpoint) {
    error_code failed;
    acceptor.open(endpoint.protocol(), failed);
    if (!failed) allow_quick_restart(acceptor, failed);
    if (!failed) acceptor.bind(endpoint, failed);
    if (!failed) acceptor.listen(asio::socket_base::max_listen_connections, failed);
    if (!failed) return {};
    return make_error(
        "LISTEN_FAILED",
        "cannot listen on " + options.host + ":" + std::to_string(endpoint.port()) + ": " + failed.message(),
        "hostclaw clawlink serve --port ANOTHER");
  }

  asio::awaitable<void> accept_all() {
    asio::steady_timer pause(io);
    while (acceptor.is_open()) {
      auto [failed, socket] = co_await acceptor.async_accept(kTuple);
      if (failed == asio::error::operation_aborted) co_return;
      if (failed) {
        // No more descriptors, for example: others may be given back.
        pause.expires_after(kAcceptAgain);
        co_await pause.async_wait(kTuple);
        continue;
      }
      start(std::move(socket));
    }
  }

  void start(tcp::socket socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    const tcp::endpoint from = socket.remote_endpoint(ignored);
    const std::string slot = from.address().is_loopback() ? std::string() : from.address().to_string();
    if (!slots.take(slot)) return;
    boost::beast::tcp_stream tcp(std::move(socket));
    auto connection = tls ? std::make_unique<Connection>(*service, MaybeTlsStream(std::move(tcp), *tls),
                                                         from.address().to_string())
                          : std::make_unique<Connection>(*service, MaybeTlsStream(std::move(tcp)),
                                                         from.address().to_string());
    asio::co_spawn(io, serve_connection(std::move(connection)),
                   [this, slot](const std::exception_ptr& thrown) {
                     slots.give_back(slot);
                     // A peer's request may make the JSON library or memory give up; the connection has gone
                     // with it.
                     if (thrown) service->log("a connection was given up after an unexpected error");
                   });
  }

  RelayOptions options;
  asio::io_context io{1};
  std::unique_ptr<asio::ssl::context> tls;
  SystemClock clock;
  tcp::acceptor acceptor;
  asio::signal_set signals;
  std::unique_ptr<RelayService> service;
  PeerSlots slots{options.most_connections, kMostOfOnePeer};
};

Relay::Relay(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Relay::~Relay() = default;

Result<void> check_relay_options(const RelayOptions& options) {
  const Result<tcp::endpoint> endpoint = listening_endpoint(options);
  if (!endpoint) return endpoint.error();
  if (options.tls_certificate.empty() != options.tls_key.empty())
    return make_error("TLS_FILES_INVALID", "--tls-cert and --tls-key belong together");
  return check_exposure(options, *endpoint);
}

Result<std::unique_ptr<Relay>> Relay::open(RelayOptions options) {
  if (Result<void> may = check_relay_options(options); !may) return may.error();
  const Result<tcp::endpoint> endpoint = listening_endpoint(options);
  if (!endpoint) return endpoint.error();
  options.service.is_loopback = endpoint->address().is_loopback();
  options.service.uses_tls = !options.tls_certificate.empty();
  auto impl = std::make_unique<Impl>(std::move(options));
  if (!impl->options.tls_certificate.empty()) {
    auto context = tls_context(impl->options);
    if (!context) return context.error();
    impl->tls = std::move(*context);
  }
  if (Result<void> listening = impl->listen(*endpoint); !listening) return listening.error();
  auto database = open_relay_database(impl->options.state_directory);
  if (!database) return database.error();
  Result<CardKey> card_key = CardKey::open(impl->options.state_directory);
  if (!card_key) return card_key.error();
  impl->options.service.routes.card_key = std::make_shared<CardKey>(std::move(*card_key));
  impl->service = std::make_unique<RelayService>(impl->io.get_executor(), std::move(*database),
                                                 impl->options.service, impl->clock);
  return std::unique_ptr<Relay>(new Relay(std::move(impl)));
}

std::uint16_t Relay::port() const {
  error_code ignored;
  return impl_->acceptor.local_endpoint(ignored).port();
}

std::string Relay::url() const {
  const bool six = impl_->options.host.find(':') != std::string::npos;
  return std::string(impl_->tls ? "https://" : "http://") + (six ? "[" : "") + impl_->options.host +
         (six ? "]" : "") + ":" + std::to_string(port());
}

void Relay::run() {
  Impl& impl = *impl_;
  impl.signals.async_wait([&impl](error_code failed, int) {
    if (!failed) impl.io.stop();
  });
  // Without either of them it would only look as if it served.
  const auto over = [&impl](const std::exception_ptr& thrown) {
    if (!thrown) return;
    impl.service->log("the relay ends after an unexpected error");
    impl.io.stop();
  };
  asio::co_spawn(impl.io, impl.accept_all(), over);
  asio::co_spawn(impl.io, impl.service->keep_house(), over);
  const PushPatience patience;
  if (impl.options.service.routes.push.enabled)
    asio::co_spawn(impl.io, send_pushes(*impl.service, system_lookup, patience), over);
  const ForwardPatience forward_patience;
  asio::co_spawn(impl.io,
                 forward_tasks(*impl.service, system_lookup, forward_patience, impl.options.state_directory),
                 over);
  impl.io.run();
  error_code ignored;
  impl.acceptor.close(ignored);
  // What was started is finished; answers that come now find nobody, and their messages wait again. Each
  // connection ends with the request that it is at, however many follow, so that this comes to an end.
  impl.service->stop();
  impl.io.restart();
  impl.io.poll();
}

void Relay::stop() {
  asio::post(impl_->io, [this] { impl_->io.stop(); });
}

}  // namespace hostclaw::clawlink
