// SPDX-License-Identifier: Apache-2.0
// The client over the network: TLS by pin and by certificate, the proof bound to the session, plain TCP where
// it may be.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/sha256.h"
#include "hostlink/client/v2_link.h"
#include "hostlink/proto/v2_hello.h"
#include "hostlink/proto/v2_scram.h"
#include "tests/integration/host_process.h"
#include "tests/support/self_signed.h"

using namespace hostclaw;
using namespace hostclaw::hostlink;

namespace {

const std::string kToken = "hlt_net_" + std::string(43, 'B');

struct Freed {
  void operator()(SSL_CTX* one) const { SSL_CTX_free(one); }
  void operator()(SSL* one) const { SSL_free(one); }
};

struct Identity : hostclaw::testing::SelfSigned {
  Identity() : SelfSigned("daemon", "DNS:localhost,IP:127.0.0.1") {}
  std::string pin() const {
    unsigned char* encoded = nullptr;
    const int size = i2d_X509(certificate.get(), &encoded);
    const std::string digest =
        sha256_hex({reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size)});
    OPENSSL_free(encoded);
    return digest;
  }
};

// One connection on 127.0.0.1, whose daemon is `serve`. What the client sent in clear text is kept.
class OneConnection {
 public:
  explicit OneConnection(std::function<void(int)> serve)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    std::signal(SIGPIPE, SIG_IGN);  // as in the client: a peer that has hung up is an error of the write
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_.get(), 1) == 0);
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, serve = std::move(serve)] {
      const OwnedFd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (accepted) serve(accepted.get());
    });
  }
  ~OneConnection() {
    ::shutdown(listener_.get(), SHUT_RDWR);  // where nobody came
    thread_.join();
  }
  OneConnection(const OneConnection&) = delete;
  OneConnection& operator=(const OneConnection&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  OwnedFd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::string exported(SSL* session) {
  std::array<unsigned char, 32> bytes{};
  const std::string label = "EXPORTER-Channel-Binding";
  SSL_export_keying_material(session, bytes.data(), bytes.size(), label.data(), label.size(), nullptr, 0, 0);
  return {bytes.begin(), bytes.end()};
}

std::string read_frame(SSL* session) {
  FrameDecoder decoder;
  char byte = 0;
  while (SSL_read(session, &byte, 1) == 1) {
    if (decoder.feed({&byte, 1}).event == FrameEvent::kFrame) return decoder.take_payload();
  }
  return {};
}

void write_frame(SSL* session, const std::string& payload) {
  const std::string frame = encode_frame(payload);
  SSL_write(session, frame.data(), static_cast<int>(frame.size()));
}

// The opening of protocol 2 in a TLS session; with `relayed` as somebody in between, whose session is another
// one.
void serve_opening(int fd, const Identity& identity, int version, bool relayed) {
  const std::unique_ptr<SSL_CTX, Freed> context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_use_certificate(context.get(), identity.certificate.get());
  SSL_CTX_use_PrivateKey(context.get(), identity.key.get());
  SSL_CTX_set_max_proto_version(context.get(), version);
  const std::unique_ptr<SSL, Freed> session(SSL_new(context.get()));
  SSL_set_fd(session.get(), fd);
  if (SSL_accept(session.get()) != 1) return;
  const auto hello = parse_request(read_frame(session.get()));
  if (!hello) return;
  v2::Challenge challenge;
  challenge.head = {hello->id, "box", ReplyStatus::kOk, {}, {}, {}, {}, {}};
  challenge.nonce = hello->nonce + "daemon";
  challenge.salt = "0123456789abcdef";
  challenge.iterations = v2::kGeneratedIterations;
  write_frame(session.get(), v2::build_challenge(challenge));
  const auto proof = v2::parse_proof(read_frame(session.get()));
  if (!proof) return;
  v2::Exchange exchange{hello->key,     hello->nonce,         challenge.nonce,
                        challenge.salt, challenge.iterations, exported(session.get())};
  if (relayed) exchange.channel.assign(32, 'x');
  const auto signature =
      v2::check_proof(v2::make_verifier(kToken, challenge.salt, challenge.iterations), exchange, *proof);
  challenge.head.status = signature ? ReplyStatus::kOk : ReplyStatus::kAuthFailed;
  write_frame(session.get(),
              signature ? v2::build_welcome(challenge.head, std::string(signature->begin(), signature->end()))
                        : build_failure(challenge.head));
  SSL_shutdown(session.get());
}

Session session_to(const OneConnection& connection) {
  Session session;
  session.target.token = kToken;
  session.target.endpoint.transport = Transport::kTls;
  session.target.endpoint.host = "127.0.0.1";
  session.target.endpoint.port = connection.port();
  return session;
}

}  // namespace

TEST_CASE("a daemon is known by its pin or by its certificate, and the proof belongs to the session") {
  const Identity identity;
  const integration::TemporaryDirectory folder;
  const std::string authority = folder.path() + "/daemon.pem";
  identity.write_certificate(authority);
  for (const bool by_pin : {true, false}) {
    for (const char* host : {"127.0.0.1", "localhost"}) {
      CAPTURE(by_pin, host);
      OneConnection connection([&](int fd) { serve_opening(fd, identity, TLS1_3_VERSION, false); });
      Session session = session_to(connection);
      session.target.endpoint.host = host;
      if (by_pin) {
        session.target.endpoint.pin = identity.pin();
      } else {
        session.target.endpoint.authority_file = authority;
      }
      const auto link = open_v2(session);
      INFO((link ? std::string() : link.error().message));
      REQUIRE(link.has_value());
      REQUIRE(*link);
      CHECK((*link)->node == "box");
      CHECK((*link)->stream->channel_binding().size() == 32);
    }
  }
}

TEST_CASE("a proof that is passed on by somebody in between opens nothing") {
  const Identity identity;
  OneConnection connection([&](int fd) { serve_opening(fd, identity, TLS1_3_VERSION, true); });
  Session session = session_to(connection);
  session.target.endpoint.pin = identity.pin();
  const auto link = open_v2(session);
  REQUIRE_FALSE(link.has_value());
  CHECK(link.error().code == "NOT_AUTHENTICATED");
}

TEST_CASE("a daemon that is somebody else, or speaks an older TLS, is told nothing") {
  const Identity identity;
  const Identity other;
  const integration::TemporaryDirectory folder;
  const std::string authority = folder.path() + "/other.pem";
  other.write_certificate(authority);
  const std::string own = folder.path() + "/own.pem";
  identity.write_certificate(own);
  struct Row {
    std::string pin;
    std::string authority;
    std::string name;
    int version;
  };
  for (const Row& row :
       {Row{other.pin(), "", "", TLS1_3_VERSION}, Row{"", authority, "", TLS1_3_VERSION},
        Row{"", own, "elsewhere", TLS1_3_VERSION}, Row{identity.pin(), "", "", TLS1_2_VERSION},
        Row{other.pin(), own, "", TLS1_3_VERSION}}) {
    CAPTURE(row.pin, row.authority, row.name, row.version);
    OneConnection connection([&](int fd) { serve_opening(fd, identity, row.version, false); });
    Session session = session_to(connection);
    session.target.endpoint.pin = row.pin;
    session.target.endpoint.authority_file = row.authority;
    session.target.endpoint.server_name = row.name;
    const auto link = open_v2(session);
    REQUIRE_FALSE(link.has_value());
    CHECK(link.error().code == "TLS_FAILED");
  }
}

TEST_CASE(
    "TLS without a way to know the daemon, and plain TCP to another machine, are refused before a byte is "
    "sent") {
  OneConnection connection([](int) {});
  const auto unknown = open_v2(session_to(connection));
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().code == "TLS_FAILED");
  Session far;
  far.target.token = kToken;
  far.target.endpoint.transport = Transport::kTcp;
  far.target.endpoint.host = "192.0.2.1";
  CHECK(open_v2(far).error().code == "PLAIN_TCP_REFUSED");
  far.target.endpoint.host = "127.example.org";
  CHECK(open_v2(far).error().code == "PLAIN_TCP_REFUSED");
  CHECK(is_loopback("127.0.0.1"));
  CHECK(is_loopback("::1"));
  CHECK_FALSE(is_loopback("127.0.0.1.example.org"));
}
