// SPDX-License-Identifier: Apache-2.0
// A run in which something would ask a person: real git and OpenSSH, a server that wants credentials, and,
// where an sshd is installed, one whose key nobody knows. Each ends at once and says what was asked.
#include <signal.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "tests/integration/scene.h"

namespace hostclaw::integration {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::steady_clock;

constexpr const char* kNobody = "nobody can be asked in a run";

// Answers every request over TLS with 401, one connection after the other.
class CredentialsServer {
 public:
  explicit CredentialsServer(const devgateway::TlsFiles& files)
      : tls_(asio::ssl::context::tls_server),
        acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    tls_.use_certificate_chain_file(files.certificate_chain);
    tls_.use_private_key_file(files.private_key, asio::ssl::context::pem);
    thread_ = std::thread([this] { serve(); });
  }
  ~CredentialsServer() {
    stopping_ = true;
    // Wakes the accept that waits; nothing else does in a thread that blocks.
    boost::system::error_code ignored;
    asio::io_context context;
    tcp::socket(context).connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  std::string address() const {
    return "https://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/repository.git";
  }

 private:
  void serve() {
    while (!stopping_) {
      boost::system::error_code failed;
      asio::ssl::stream<tcp::socket> stream(context_, tls_);
      acceptor_.accept(stream.next_layer(), failed);
      if (failed || stopping_) continue;
      stream.handshake(asio::ssl::stream_base::server, failed);
      if (failed) continue;
      asio::streambuf request;
      asio::read_until(stream, request, "\r\n\r\n", failed);
      const std::string answer =
          "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\n"
          "Connection: close\r\n\r\n";
      asio::write(stream, asio::buffer(answer), failed);
      stream.shutdown(failed);
    }
  }

  asio::io_context context_;
  asio::ssl::context tls_;
  tcp::acceptor acceptor_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

void make_repository(Scene& scene, const std::string& path) {
  HostProcess git("/usr/bin/git", {"init", "-q", path}, scene.environment());
  const auto made = git.wait_exit(kPatience);
  REQUIRE(made.has_value());
  REQUIRE(made->status == 0);
}

void make_key(Scene& scene, const std::string& path, const std::string& passphrase) {
  HostProcess keygen("/usr/bin/ssh-keygen", {"-q", "-t", "ed25519", "-N", passphrase, "-f", path},
                     scene.environment());
  const auto made = keygen.wait_exit(kPatience);
  REQUIRE(made.has_value());
  REQUIRE(made->status == 0);
}

// Runs it, within the thirty seconds that a caller is promised, and answers what it said.
std::string refused(Scene& scene, const std::vector<std::string>& argv) {
  const auto begun = steady_clock::now();
  const Json result = scene.run(argv, {{"timeoutMs", 60'000}});
  CHECK(steady_clock::now() - begun < std::chrono::seconds(30));
  INFO(result.dump());
  REQUIRE(result.contains("exitCode"));
  CHECK(result["timedOut"] == false);
  CHECK(result["exitCode"] != 0);
  return string_at(result, "stderr");
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// An sshd of its own on a port of loopback; `known` is its line of known_hosts.
class Sshd {
 public:
  Sshd(Scene& scene, const std::string& directory) {
    make_key(scene, directory + "/host_key", "");
    asio::io_context context;
    tcp::acceptor reserved(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    port = std::to_string(reserved.local_endpoint().port());
    reserved.close();
    write_file(directory + "/sshd_config", "Port " + port + "\nListenAddress 127.0.0.1\nHostKey " +
                                               directory +
                                               "/host_key\nPidFile none\nUsePAM no\nStrictModes no\n"
                                               "PermitRootLogin yes\nAuthorizedKeysFile " +
                                               directory + "/authorized_keys\n");
    process = std::make_unique<HostProcess>(
        "/usr/sbin/sshd", std::vector<std::string>{"-D", "-e", "-f", directory + "/sshd_config"},
        scene.environment());
    INFO(process->standard_error());
    REQUIRE(process->wait_line("Server listening", kPatience));
    known = "[127.0.0.1]:" + port + " " + read_file(directory + "/host_key.pub");
  }
  static bool installed() {
    // Its own folder of privileges is made by whoever installed it; without it, it does not start.
    return ::access("/usr/sbin/sshd", X_OK) == 0 && (::geteuid() != 0 || ::access("/run/sshd", X_OK) == 0);
  }
  std::string port;
  std::string known;
  std::unique_ptr<HostProcess> process;
};

// `git fetch` with an ssh that has nothing but these files; the setting stands for one of the owner's.
std::vector<std::string> fetch_over_ssh(const std::string& repository, const std::string& directory,
                                        const std::string& port) {
  write_file(directory + "/ssh_config", "Host *\n  UserKnownHostsFile " + directory +
                                            "/known_hosts\n  GlobalKnownHostsFile none\n  IdentityFile " +
                                            directory + "/id\n  IdentitiesOnly yes\n  IdentityAgent none\n");
  return {"git",
          "-C",
          repository,
          "-c",
          "core.sshCommand=ssh -F " + directory + "/ssh_config",
          "fetch",
          "ssh://127.0.0.1:" + port + "/repository.git"};
}

}  // namespace

TEST_CASE("git fetch without credentials fails at once and says what was asked") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const std::string repository = scene.directory.path() + "/repository";
  make_repository(scene, repository);
  CredentialsServer server(make_certificate(scene.directory.path()));
  const std::string said =
      refused(scene, {"git", "-C", repository, "-c", "http.sslVerify=false", "fetch", server.address()});
  CHECK(holds(said, kNobody));
  CHECK(holds(said, "Username for 'https://127.0.0.1:"));
  CHECK(holds(said, "terminal prompts disabled"));
}

TEST_CASE("an askpass of the owner in git's configuration is asked before ours") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const std::string repository = scene.directory.path() + "/repository";
  make_repository(scene, repository);
  const std::string own = scene.directory.path() + "/own-askpass";
  write_file(own, "#!/bin/sh\necho \"own askpass: $1\" >&2\nexit 1\n", 0755);
  CredentialsServer server(make_certificate(scene.directory.path()));
  const std::string said = refused(scene, {"git", "-C", repository, "-c", "http.sslVerify=false", "-c",
                                           "core.askPass=" + own, "fetch", server.address()});
  CHECK(holds(said, "own askpass: Username"));
  CHECK_FALSE(holds(said, kNobody));
}

TEST_CASE("a locked key fails at once and says what was asked") {
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const std::string key = scene.directory.path() + "/id";
  make_key(scene, key, "a passphrase");
  const std::string said = refused(scene, {"ssh-keygen", "-y", "-f", key});
  CHECK(holds(said, kNobody));
  CHECK(holds(said, "Enter passphrase"));
}

TEST_CASE("git fetch over ssh with a key that nobody knows, or a locked one, fails at once with the reason") {
  if (!Sshd::installed()) {
    WARN("not tried: there is no sshd here (openssh-server)");
    return;
  }
  Scene scene;
  scene.preset("yolo");
  scene.connect_host();
  const std::string directory = scene.directory.path() + "/ssh";
  const std::string repository = directory + "/repository";
  std::filesystem::create_directories(directory);
  make_repository(scene, repository);
  make_key(scene, directory + "/id", "a passphrase");
  write_file(directory + "/authorized_keys", read_file(directory + "/id.pub"), 0600);
  const Sshd sshd(scene, directory);
  const auto fetch = fetch_over_ssh(repository, directory, sshd.port);
  const std::string unknown = refused(scene, fetch);
  CHECK(holds(unknown, kNobody));
  CHECK(holds(unknown, "authenticity of host '[127.0.0.1]:" + sshd.port));
  CHECK(holds(unknown, "Host key verification failed"));
  write_file(directory + "/known_hosts", sshd.known, 0600);
  const std::string locked = refused(scene, fetch);
  CHECK(holds(locked, kNobody));
  CHECK(holds(locked, "Enter passphrase for key"));
  CHECK(holds(locked, "Permission denied"));
}

TEST_CASE("a sentence is a question in a run only; elsewhere it is wrong usage") {
  Scene scene;
  const Finished outside = scene.hostclaw({"Enter passphrase for key 'x': "});
  CHECK(outside.status == 2);
  CHECK_FALSE(holds(outside.standard_error, kNobody));
  // As in a run, with what a server could write into its question.
  const Finished inside =
      scene.hostclaw({"user@host's password \x1b[2J\nsecond line: "}, {{"HOSTCLAW_RUN", "x"}});
  CHECK(inside.status == 1);
  CHECK(inside.standard_output.empty());
  CHECK(holds(inside.standard_error, kNobody));
  CHECK(holds(inside.standard_error, "\n  second line:"));
  CHECK_FALSE(holds(inside.standard_error, "\x1b"));
}

}  // namespace hostclaw::integration
