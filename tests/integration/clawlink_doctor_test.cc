// SPDX-License-Identifier: Apache-2.0
// What `hostclaw doctor` says of the relay for agents, each fault made for real; and what `clawlink enable`
// says where there is no service manager.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "tests/integration/relay_process.h"
#include "tests/support/self_signed.h"

namespace hostclaw::integration {
namespace {

constexpr long kHour = 3'600;
constexpr long kDay = 24 * kHour;

struct Seen {
  Json checks;
  int status = 0;
  const Json* of(const std::string& code) const {
    for (const Json& check : checks)
      if (check["code"] == code) return &check;
    return nullptr;
  }
};

Seen examine(const RelayProcess& relay, const std::string& only) {
  const Finished finished = relay.hostclaw({"doctor", "--json", "--only", only});
  INFO(finished.standard_output << finished.standard_error);
  return {Json::parse(finished.standard_output)["checks"], finished.status};
}
constexpr const char* kAll = "clawlink,clawlink-clock,clawlink-cert,clawlink-token,clawlink-store";

void expect(const Seen& seen, const std::string& code, const std::string& verdict,
            const std::string& next = {}) {
  INFO(seen.checks.dump(2));
  const Json* check = seen.of(code);
  REQUIRE(check != nullptr);
  CHECK((*check)["verdict"] == verdict);
  CHECK(check->value("next", "").find(next) != std::string::npos);
  if (verdict == "failure") CHECK(seen.status == 1);
}

void set_mode(const std::string& path, unsigned mode) {
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode));
}

// A certificate for 127.0.0.1 in `folder`/NAME.pem and its key in NAME.key.
struct CertificateFiles {
  std::string certificate;
  std::string key;
};
CertificateFiles write_certificate(const std::string& folder, const std::string& name, long begins,
                                   long ends) {
  const testing::SelfSigned made("relay", nullptr, begins, ends);
  CertificateFiles files{folder + "/" + name + ".pem", folder + "/" + name + ".key"};
  made.write_certificate(files.certificate);
  made.write_key(files.key);
  set_mode(files.key, 0600);
  return files;
}

// Takes the place of a relay at that port, and answers every request with this body; none: it says nothing.
class Impostor {
 public:
  Impostor(std::uint16_t port, std::string body) : body_(std::move(body)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(socket_, 8) == 0);
    if (!body_.empty()) thread_ = std::thread([this] { answer(); });
  }
  ~Impostor() {
    ::shutdown(socket_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(socket_);
  }
  Impostor(const Impostor&) = delete;
  Impostor& operator=(const Impostor&) = delete;

 private:
  void answer() {
    for (;;) {
      const int peer = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) return;
      char asked[2048];
      (void)!::recv(peer, asked, sizeof asked, 0);
      const std::string text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                               std::to_string(body_.size()) + "\r\nConnection: close\r\n\r\n" + body_;
      (void)!::send(peer, text.data(), text.size(), MSG_NOSIGNAL);
      ::close(peer);
    }
  }
  std::string body_;
  int socket_ = -1;
  std::thread thread_;
};

}  // namespace

TEST_CASE("doctor says nothing more than off where there never was a relay") {
  const TemporaryDirectory directory;
  const auto doctor = [&](const std::vector<std::string>& words) {
    HostProcess process(hostclaw_program(), words,
                        {{"PATH", "/usr/bin:/bin"},
                         {"HOME", directory.path()},
                         {"HOSTCLAW_STATE_DIR", directory.path() + "/state"}});
    const auto finished = process.wait_exit(std::chrono::seconds(30));
    REQUIRE(finished);
    return *finished;
  };
  const Finished only = doctor({"doctor", "--json", "--only", kAll});
  CHECK(only.status == 0);
  const Json checks = Json::parse(only.standard_output)["checks"];
  CHECK(checks.size() == 5);
  for (const Json& check : checks) CHECK(check["code"] == "CLAWLINK_OFF");
  CHECK(doctor({"doctor", "--json", "--offline"}).standard_output.find("CLAWLINK_OFF") == std::string::npos);
}

TEST_CASE("doctor finds nothing wrong with a relay that is served, and needs no node for that") {
  RelayProcess relay;
  const Seen seen = examine(relay, kAll);
  CHECK(seen.status == 0);
  CHECK(seen.checks.size() == 5);
  expect(seen, "CLAWLINK_SERVED", "ok");
  expect(seen, "CLAWLINK_CLOCK_OK", "ok");
  expect(seen, "CLAWLINK_TLS_NOT_NEEDED", "ok");
  expect(seen, "CLAWLINK_TOKEN_NONE", "ok");
  expect(seen, "CLAWLINK_STORE_OK", "ok");
  // A look at everything shows it too, and that no node was ever here is no fault then.
  const Finished whole = relay.hostclaw({"doctor", "--json", "--offline"});
  CHECK(whole.status == 0);
  CHECK(whole.standard_output.find("CLAWLINK_SERVED") != std::string::npos);
  CHECK(whole.standard_output.find("STATE_MISSING") == std::string::npos);
}

TEST_CASE("doctor tells a relay that has ended, and how it was served") {
  RelayProcess relay({"--require-credentials"});
  const std::uint16_t port = relay.port();
  relay.kill();
  const Seen seen = examine(relay, kAll);
  CHECK(seen.status == 0);
  expect(seen, "CLAWLINK_STOPPED", "warning",
         "hostclaw clawlink serve --host 127.0.0.1 --port " + std::to_string(port) +
             " --no-mdns --require-credentials");
  expect(seen, "CLAWLINK_CLOCK_UNKNOWN", "skipped");
  expect(seen, "CLAWLINK_STORE_OK", "ok");
}

TEST_CASE("doctor tells what answers in the place of a relay, or does not") {
  RelayProcess relay;
  const std::uint16_t port = relay.port();
  relay.end();
  {
    const Impostor other(port, R"({"service":"something else"})");
    expect(examine(relay, "clawlink"), "CLAWLINK_OTHER", "failure", "hostclaw clawlink serve --port ANOTHER");
  }
  const Impostor silent(port, "");
  expect(examine(relay, "clawlink"), "CLAWLINK_SILENT", "failure", "hostclaw clawlink serve");
}

TEST_CASE("doctor tells a clock that is far from the relay's") {
  RelayProcess relay;
  const std::uint16_t port = relay.port();
  relay.end();
  const Impostor early(
      port, R"({"service":"ClawLink Relay","version":"1.0.2","server_time":"2020-01-31T18:00:00Z"})");
  const Seen seen = examine(relay, "clawlink,clawlink-clock");
  expect(seen, "CLAWLINK_SERVED", "ok");
  expect(seen, "CLAWLINK_CLOCK_OFF", "warning", "timedatectl");
}

TEST_CASE(
    "doctor tells certificates that have expired, expire soon, are early, or are no more the one that is "
    "shown") {
  const TemporaryDirectory folder;
  const CertificateFiles good = write_certificate(folder.path(), "good", -kHour, 90 * kDay);
  RelayProcess relay({"--tls-cert", good.certificate, "--tls-key", good.key});
  const auto replace = [&](const CertificateFiles& by) {
    std::filesystem::copy_file(by.certificate, good.certificate,
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::copy_file(by.key, good.key, std::filesystem::copy_options::overwrite_existing);
  };
  Seen seen = examine(relay, kAll);
  CHECK(seen.status == 0);
  expect(seen, "CLAWLINK_SERVED", "ok");
  expect(seen, "CLAWLINK_CERT_OK", "ok");

  replace(write_certificate(folder.path(), "next", -kHour, 90 * kDay));
  seen = examine(relay, "clawlink-cert");
  CHECK(seen.checks.size() == 1);
  expect(seen, "CLAWLINK_CERT_OLD", "warning", "hostclaw clawlink serve");

  replace(write_certificate(folder.path(), "soon", -kHour, 5 * kDay));
  expect(examine(relay, "clawlink-cert"), "CLAWLINK_CERT_EXPIRES", "warning", "put a new certificate there");
  replace(write_certificate(folder.path(), "over", -2 * kDay, -kDay));
  expect(examine(relay, "clawlink-cert"), "CLAWLINK_CERT_EXPIRED", "failure", "put a new certificate there");
  replace(write_certificate(folder.path(), "early", kDay, 2 * kDay));
  expect(examine(relay, "clawlink-cert"), "CLAWLINK_CERT_EARLY", "failure", "timedatectl");
}

TEST_CASE("doctor tells a certificate and a key that cannot be used, and a key that everybody may read") {
  const TemporaryDirectory folder;
  const CertificateFiles good = write_certificate(folder.path(), "good", -kHour, 90 * kDay);
  const CertificateFiles other = write_certificate(folder.path(), "other", -kHour, 90 * kDay);
  RelayProcess relay({"--tls-cert", good.certificate, "--tls-key", good.key});
  const std::string again = "hostclaw clawlink serve --tls-cert FILE --tls-key FILE";

  set_mode(good.key, 0644);
  expect(examine(relay, "clawlink-cert"), "CLAWLINK_KEY_OPEN", "failure", "chmod o= " + good.key);
  set_mode(good.key, 0640);
  expect(examine(relay, "clawlink-cert"), "CLAWLINK_CERT_OK", "ok");

  std::filesystem::copy_file(other.key, good.key, std::filesystem::copy_options::overwrite_existing);
  expect(examine(relay, "clawlink-cert"), "CLAWLINK_KEY_UNREADABLE", "failure", again);
  std::filesystem::remove(good.key);
  expect(examine(relay, "clawlink-cert"), "CLAWLINK_KEY_UNREADABLE", "failure", again);
  std::ofstream(good.certificate) << "no PEM\n";
  expect(examine(relay, "clawlink-cert"), "CLAWLINK_CERT_UNREADABLE", "failure", again);
}

TEST_CASE("doctor names a relay that other machines reach in the clear") {
  RelayProcess relay({"--host", "0.0.0.0", "--insecure"}, {{"CLAWLINK_TOKEN", "between us"}});
  const Seen seen = examine(relay, kAll);
  expect(seen, "CLAWLINK_SERVED", "ok");
  expect(seen, "CLAWLINK_INSECURE", "warning", "--tls-cert FILE --tls-key FILE");
  expect(seen, "CLAWLINK_TOKEN_OK", "ok");
  expect(seen, "CLAWLINK_CLOCK_UNKNOWN", "skipped");
  CHECK(seen.status == 0);
  // However often it is asked, no guess of a token is counted.
  for (int i = 0; i < 4; ++i) examine(relay, "clawlink");
  const auto before = std::chrono::steady_clock::now();
  CHECK(relay.get("/").status == 401);
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::milliseconds(1'000));
  // The token itself is nowhere in what was kept of the start.
  std::ifstream kept(relay.state() + "/clawlink.served.json");
  const std::string text{std::istreambuf_iterator<char>(kept), std::istreambuf_iterator<char>()};
  CHECK(text.find("environment") != std::string::npos);
  CHECK(text.find("between us") == std::string::npos);
}

TEST_CASE("doctor tells a token that others read, from its file or a command line") {
  const TemporaryDirectory folder;
  const std::string file = folder.path() + "/token";
  std::ofstream(file) << "between us\n";
  set_mode(file, 0600);
  {
    RelayProcess relay({"--token-file", file});
    expect(examine(relay, "clawlink-token"), "CLAWLINK_TOKEN_OK", "ok");
    set_mode(file, 0644);
    expect(examine(relay, "clawlink-token"), "CLAWLINK_TOKEN_OPEN", "failure", "chmod o= " + file);
    set_mode(file, 0640);
    expect(examine(relay, "clawlink-token"), "CLAWLINK_TOKEN_OK", "ok");
    std::filesystem::remove(file);
    expect(examine(relay, "clawlink-token"), "CLAWLINK_TOKEN_UNREADABLE", "failure", "--token-file FILE");
  }
  RelayProcess relay({"--token", "between us"});
  expect(examine(relay, "clawlink-token"), "CLAWLINK_TOKEN_SHOWN", "warning", "--token-file FILE");
}

TEST_CASE("doctor tells a database of the relay that others read, or that is damaged") {
  RelayProcess relay;
  const std::string path = relay.state() + "/clawlink.sqlite";
  relay.end();
  set_mode(path, 0644);
  expect(examine(relay, "clawlink-store"), "CLAWLINK_STORE_OPEN", "failure", "chmod");
  set_mode(path, 0600);
  expect(examine(relay, "clawlink-store"), "CLAWLINK_STORE_OK", "ok");
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    const std::string noise(3 * 4096, '\x5a');
    file.write(noise.data(), static_cast<std::streamsize>(noise.size()));
  }
  expect(examine(relay, "clawlink-store"), "CLAWLINK_STORE_DAMAGED", "failure", ".damaged");
  std::filesystem::remove(path);
  expect(examine(relay, "clawlink-store"), "CLAWLINK_STORE_MISSING", "skipped");
}

TEST_CASE("doctor tells a disk that has little room left for the relay, or none") {
  RelayProcess relay;
  relay.end();
  expect(examine(relay, "clawlink-store"), "CLAWLINK_STORE_OK", "ok");
  const std::string kept = relay.directory.path() + "/kept";
  std::filesystem::rename(relay.state(), kept);
  std::filesystem::create_directory(relay.state());
  if (::mount("hostclaw-test", relay.state().c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=0700") !=
      0) {
    WARN("skipped: this process may not mount: " << std::strerror(errno));
    return;
  }
  const std::string state = relay.state();
  const std::unique_ptr<const std::string, void (*)(const std::string*)> unmounting(
      &state, [](const std::string* path) { ::umount2(path->c_str(), MNT_DETACH); });
  std::filesystem::copy(kept, state);
  expect(examine(relay, "clawlink-store"), "CLAWLINK_STORE_LOW", "warning", "df -h");
  {
    std::ofstream ballast(state + "/ballast", std::ios::binary);
    const std::string block(4096, 'x');
    while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  const Seen seen = examine(relay, "clawlink-store");
  INFO(seen.checks.dump(2));
  CHECK(seen.status == 1);
  CHECK((seen.of("CLAWLINK_STORE_FULL") != nullptr || seen.of("CLAWLINK_STORE_UNUSABLE") != nullptr));
}

TEST_CASE("enabling a relay that other machines would reach wants what serving it wants") {
  const RelayProcess relay;
  const Finished open = relay.hostclaw({"clawlink", "enable", "--host", "0.0.0.0"});
  CHECK(open.status == 1);
  CHECK(open.standard_error.find("RELAY_EXPOSED") != std::string::npos);
  CHECK(open.standard_error.find("clawlink enable --host 0.0.0.0") != std::string::npos);
  const Finished half = relay.hostclaw({"clawlink", "enable", "--tls-cert", "/nowhere"});
  CHECK(half.standard_error.find("TLS_FILES_INVALID") != std::string::npos);
  const Finished empty = relay.hostclaw({"clawlink", "enable", "--token-file", "/dev/null"});
  CHECK(empty.standard_error.find("CONFIG_INVALID") != std::string::npos);
  if (std::filesystem::exists("/run/systemd/system")) return;
  const Finished nowhere = relay.hostclaw({"clawlink", "enable", "--json"});
  CHECK(nowhere.status == 1);
  CHECK(nowhere.standard_output.find("SERVICE_MANAGER_MISSING") != std::string::npos);
  CHECK(nowhere.standard_output.find("hostclaw clawlink serve") != std::string::npos);
  const Finished gone = relay.hostclaw({"clawlink", "disable", "--json"});
  CHECK(gone.status == 0);
  CHECK(gone.standard_output.find("not-enabled") != std::string::npos);
}

}  // namespace hostclaw::integration
