// SPDX-License-Identifier: Apache-2.0
// A daemon of HostLink for tests of the client, written from the contract: protocol 1 of a chosen age, and
// protocol 2. Nothing is run and no file of the host is touched: files live in memory, and commands are a few
// words that each do one thing. Serves one connection after another on threads of its own; what it saw may be
// asked for at any time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "hostlink/client/stream.h"
#include "hostlink/proto/messages.h"
#include "hostlink/proto/replies.h"
#include "hostlink/proto/v2_messages.h"
#include "hostlink/proto/v2_scram.h"

namespace hostclaw::hostlink {

struct FakeDaemonNature {
  std::string token = "s3cret";
  // Types that it has never heard of, as an older one.
  std::set<RequestType> unknown;
  bool speaks_v2 = false;
  bool knows_job_ids = true;
  bool job_runs_on = false;
  std::string refuses_with;       // protocol 2: answers every proof with an error of these words
  bool lies_about_token = false;  // protocol 2: cannot prove that it knows it
  bool breaks_digests = false;    // get_stream: the digest is another
  std::string folder;             // of the socket; "" for one of its own
  std::string extra_file;         // get_stat of folders: one more name
  std::uint64_t free_bytes = 1'000'000'000'000;
  std::map<std::string, std::string> files;
};

class FakeHostLinkDaemon {
 public:
  explicit FakeHostLinkDaemon(FakeDaemonNature nature);  // listens when this returns
  ~FakeHostLinkDaemon();
  FakeHostLinkDaemon(const FakeHostLinkDaemon&) = delete;
  FakeHostLinkDaemon& operator=(const FakeHostLinkDaemon&) = delete;

  const std::string& socket() const { return socket_; }
  std::vector<Request> requests() const;
  std::vector<v2::OpenRun> runs() const;
  std::optional<std::string> file(const std::string& path) const;
  std::uint32_t mode(const std::string& path) const;
  bool token_crossed() const;  // in any byte of any connection
  // Waits until a run says `word` of itself: "started", "cancelled", "gone".
  bool await(const std::string& word);

 private:
  struct Connection;
  void accept_all();
  void serve(Connection& connection);
  void serve_request(Connection& connection, const Request& request);
  void serve_exec(Connection& connection, const Request& request);
  void serve_job(Connection& connection, const Request& request);
  void serve_put_stream(Connection& connection, const Request& request);
  void serve_get_stream(Connection& connection, const Request& request);
  void serve_get_stat(Connection& connection, const Request& request);
  void serve_v2(Connection& connection, const Request& hello);
  void serve_run(Connection& connection);
  void happened(const std::string& word);
  ReplyHead head(const Request& request) const;

  FakeDaemonNature nature_;
  std::string folder_;
  std::string socket_;
  OwnedFd listener_;
  OwnedFd stop_read_;
  OwnedFd stop_write_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Request> requests_;
  std::vector<v2::OpenRun> runs_;
  std::map<std::string, std::uint32_t> modes_;
  std::vector<std::string> words_;
  std::string seen_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace hostclaw::hostlink
