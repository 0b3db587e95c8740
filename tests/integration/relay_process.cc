// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/relay_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "base/text.h"

namespace hostclaw::integration {

Json HttpAnswer::json() const {
  INFO(head << body);
  const Json parsed = Json::parse(body, nullptr, false);
  REQUIRE_FALSE(parsed.is_discarded());
  return parsed;
}

std::string HttpAnswer::header(const std::string& name) const {
  for (const std::string& line : split(head, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos && to_lower_ascii(line.substr(0, colon)) == to_lower_ascii(name))
      return std::string(trim(line.substr(colon + 1)));
  }
  return {};
}

HttpConnection::HttpConnection(std::uint16_t port) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience{70, 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) close();
}

HttpConnection::~HttpConnection() { close(); }

void HttpConnection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool HttpConnection::send(const std::string& bytes) {
  std::size_t sent = 0;
  while (socket_ >= 0 && sent < bytes.size()) {
    const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return socket_ >= 0;
}

bool HttpConnection::fill() {
  if (socket_ < 0) return false;
  char part[16384];
  const ssize_t count = ::recv(socket_, part, sizeof part, 0);
  if (count <= 0) return false;
  buffer_.append(part, static_cast<std::size_t>(count));
  return true;
}

std::optional<std::string> HttpConnection::receive_until(const std::string& text) {
  for (;;) {
    const std::size_t at = buffer_.find(text);
    if (at != std::string::npos) {
      std::string seen = buffer_.substr(0, at + text.size());
      buffer_.erase(0, at + text.size());
      return seen;
    }
    if (!fill()) return std::nullopt;
  }
}

std::optional<HttpAnswer> HttpConnection::receive_head() {
  const auto head = receive_until("\r\n\r\n");
  if (!head) return std::nullopt;
  HttpAnswer answer;
  answer.head = *head;
  answer.status = std::atoi(head->c_str() + 9);
  return answer;
}

bool HttpConnection::receive_body(HttpAnswer& answer) {
  const auto length = static_cast<std::size_t>(std::atol(answer.header("Content-Length").c_str()));
  while (buffer_.size() < length) {
    if (!fill()) return false;
  }
  answer.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  return true;
}

std::optional<HttpAnswer> HttpConnection::receive() {
  auto answer = receive_head();
  if (!answer || !receive_body(*answer)) return std::nullopt;
  return answer;
}

std::string request_text(const std::string& method, const std::string& target, const std::string& body,
                         const HttpHeaders& headers) {
  std::string text = method + " " + target + " HTTP/1.1\r\n";
  bool host = false;
  for (const auto& [name, value] : headers) {
    text += name + ": " + value + "\r\n";
    host = host || name == "Host";
  }
  if (!host) text += "Host: 127.0.0.1\r\n";
  if (method == "POST") text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + body;
}

RelayProcess::RelayProcess(std::vector<std::string> more, Environment environment)
    : more_(std::move(more)), environment_(std::move(environment)) {
  start();
}

Environment RelayProcess::environment_of(const std::string& home) const {
  const char* const path = std::getenv("PATH");
  return {{"PATH", path ? path : "/usr/bin:/bin"}, {"HOME", home}, {"HOSTCLAW_STATE_DIR", state()}};
}

void RelayProcess::start() {
  std::vector<std::string> words{"clawlink", "serve", "--port", std::to_string(port_), "--no-mdns", "--json"};
  words.insert(words.end(), more_.begin(), more_.end());
  Environment environment = environment_of(directory.path());
  environment.insert(environment_.begin(), environment_.end());
  process_ = std::make_unique<HostProcess>(hostclaw_program(), words, environment);
  const auto line = process_->wait_output("\"port\":", std::chrono::seconds(30));
  INFO(process_->standard_error());
  REQUIRE(line);
  port_ = Json::parse(*line)["port"].get<std::uint16_t>();
}

void RelayProcess::kill() {
  process_->signal(SIGKILL);
  REQUIRE(process_->wait_exit(std::chrono::seconds(30)));
}

Finished RelayProcess::end() {
  process_->signal(SIGTERM);
  const auto finished = process_->wait_exit(std::chrono::seconds(30));
  REQUIRE(finished);
  return *finished;
}

HttpAnswer RelayProcess::ask(const std::string& method, const std::string& target, const std::string& body,
                             const HttpHeaders& headers) const {
  HttpConnection connection(port_);
  REQUIRE(connection.send(request_text(method, target, body, headers)));
  const auto answer = connection.receive();
  REQUIRE(answer);
  return *answer;
}

Finished RelayProcess::client(const std::string& home, std::vector<std::string> words,
                              Environment more) const {
  words.insert(words.begin(), {"clawlink", "--relay", url()});
  const std::string folder = directory.path() + "/" + home;
  std::filesystem::create_directories(folder);
  Environment environment = environment_of(folder);
  environment.insert(more.begin(), more.end());
  HostProcess process(hostclaw_program(), words, environment);
  const auto finished = process.wait_exit(std::chrono::seconds(60));
  REQUIRE(finished);
  return *finished;
}

Finished RelayProcess::hostclaw(const std::vector<std::string>& words) const {
  HostProcess process(hostclaw_program(), words, environment_of(directory.path()));
  const auto finished = process.wait_exit(std::chrono::seconds(60));
  REQUIRE(finished);
  return *finished;
}

Json register_as(const RelayProcess& relay, const std::string& id, const HttpHeaders& headers) {
  const HttpAnswer answer = relay.post("/register", {{"agent_id", id}, {"name", id}}, headers);
  REQUIRE(answer.status == 200);
  return answer.json();
}

HttpHeaders bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }

Json delegation(const std::string& from, const std::string& to, const std::string& task) {
  return {{"from_agent", from}, {"to_agent", to}, {"task", task}};
}

std::string client_frame(const std::string& text) {
  std::string frame("\x81", 1);
  if (text.size() < 126) {
    frame += static_cast<char>(0x80 | text.size());
  } else {
    frame += static_cast<char>(0x80 | 126);
    frame += static_cast<char>(text.size() >> 8);
    frame += static_cast<char>(text.size() & 0xFF);
  }
  return frame + std::string(4, '\0') + text;
}

void open_socket(HttpConnection& connection, const std::string& target, HttpHeaders headers) {
  headers.insert(headers.end(), {{"Connection", "Upgrade"},
                                 {"Upgrade", "websocket"},
                                 {"Sec-WebSocket-Version", "13"},
                                 {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}});
  REQUIRE(connection.send(request_text("GET", target, {}, headers)));
  const auto head = connection.receive_until("\r\n\r\n");
  REQUIRE(head);
  INFO(*head);
  REQUIRE(head->find("101 Switching Protocols") != std::string::npos);
}

}  // namespace hostclaw::integration
