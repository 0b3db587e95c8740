// SPDX-License-Identifier: Apache-2.0
// `hostclaw clawlink serve` as a process, and a plain HTTP client of a few lines for it: what is asserted is
// bytes on the wire.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "tests/integration/host_process.h"

namespace hostclaw::integration {

struct HttpAnswer {
  int status = 0;
  std::string head;
  std::string body;
  Json json() const;
  std::string header(const std::string& name) const;  // empty: none
};

// One TCP connection on loopback.
class HttpConnection {
 public:
  explicit HttpConnection(std::uint16_t port);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  bool open() const { return socket_ >= 0; }
  bool send(const std::string& bytes);
  // A whole answer with Content-Length; nullopt: the peer has gone.
  std::optional<HttpAnswer> receive();
  // The same in two steps, for who does not know whether a stream comes.
  std::optional<HttpAnswer> receive_head();
  bool receive_body(HttpAnswer& answer);
  // Until `text` has been seen; what came so far. nullopt: the peer has gone, or 20 s have passed.
  std::optional<std::string> receive_until(const std::string& text);
  void close();

 private:
  bool fill();
  int socket_ = -1;
  std::string buffer_;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

class RelayProcess {
 public:
  // `more`: further words behind `clawlink serve --port 0 --no-mdns --json`.
  explicit RelayProcess(std::vector<std::string> more = {}, Environment environment = {});

  void start();
  void kill();     // SIGKILL, and waits for the end
  Finished end();  // SIGTERM

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string state() const { return directory.path() + "/state"; }

  HttpAnswer ask(const std::string& method, const std::string& target, const std::string& body = {},
                 const HttpHeaders& headers = {}) const;
  HttpAnswer get(const std::string& target, const HttpHeaders& headers = {}) const {
    return ask("GET", target, {}, headers);
  }
  HttpAnswer post(const std::string& target, const Json& body, const HttpHeaders& headers = {}) const {
    return ask("POST", target, body.dump(), headers);
  }
  // `hostclaw clawlink ...` with a home of that name.
  Finished client(const std::string& home, std::vector<std::string> words, Environment more = {}) const;
  Finished hostclaw(const std::vector<std::string>& words) const;

  TemporaryDirectory directory;

 private:
  Environment environment_of(const std::string& home) const;
  std::vector<std::string> more_;
  Environment environment_;
  std::uint16_t port_ = 0;
  std::unique_ptr<HostProcess> process_;
};

std::string request_text(const std::string& method, const std::string& target, const std::string& body,
                         const HttpHeaders& headers);

Json register_as(const RelayProcess& relay, const std::string& id, const HttpHeaders& headers = {});
HttpHeaders bearer(const std::string& token);
Json delegation(const std::string& from, const std::string& to, const std::string& task);
// A text frame of a client: masked with zeros, so that it can be read here.
std::string client_frame(const std::string& text);
void open_socket(HttpConnection& connection, const std::string& target, HttpHeaders headers = {});

}  // namespace hostclaw::integration
