// SPDX-License-Identifier: Apache-2.0
// Who is at the door: found by token, and by what the system says of the process at the other end.
// Thread rule: the io_context thread. Proving a token costs a millisecond and more, and finding the process
// at the other end of TCP a look at all of them: each happens on a thread of its own, so that strangers hold
// up strangers and nobody else.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/sha256.h"
#include "hostlink/door/peer_stream.h"
#include "hostlink/door/token_book.h"
#include "node-host/corridor/origin.h"
#include "node-host/loop/store_thread.h"
#include "node-host/system/process/peer_socket.h"

namespace hostclaw::hostlink {

struct Caller {
  TokenEntry token;
  node_host::Origin origin;
};

// Whose token was shown: nobody's without an entry. Busy: it was not looked at, because too many are.
struct Shown {
  std::optional<TokenEntry> entry;
  bool busy = false;
};

// The tokens as they are at this moment: a revoked one lets nobody in from the next request on.
class Callers {
 public:
  Callers(node_host::StoreThread& store, std::string state_directory, const Clock& clock);

  // `token` is a secret and is not kept; who has come by once is recognised by a keyed hash. Only a text that
  // somebody chose takes long to prove, and only one of those can be busy.
  boost::asio::awaitable<Shown> entry_of(std::string token);
  // The verifier of a key, for protocol 2; made up for a key that does not exist.
  boost::asio::awaitable<std::optional<TokenEntry>> entry_of_key(std::string key_id);
  // The process behind a connection from this machine.
  boost::asio::awaitable<node_host::PeerProcess> process_behind(node_host::LoopbackEnds ends);
  // Who that is, and whether they are part of a run: that takes a look at the processes above the peer.
  boost::asio::awaitable<Caller> caller_of(TokenEntry token, const PeerStream& peer,
                                           std::optional<node_host::PeerProcess> process);
  // What is stored was changed by this process.
  void forget();

 private:
  // Of the store's thread.
  struct Known {
    std::optional<TokenBook> book;
    std::int64_t seen_change = -1;
    std::int64_t seen_epoch = -1;
    std::int64_t version = 0;                        // one more each time that the tokens were read
    std::map<Sha256Digest, std::string> recognised;  // keyed hash of a token -> its name
    std::string hash_key;
    bool stale = true;
  };
  struct Found {
    std::optional<TokenEntry> entry;  // whose key the token names
    bool proven = false;
    Sha256Digest digest{};
    std::int64_t version = 0;
  };
  static const TokenBook* current(Known& known, approvals::Store& store);

  boost::asio::thread_pool proving_{1};
  boost::asio::thread_pool finding_{1};
  std::size_t strangers_ = 0;  // whose tokens are being proven
  node_host::StoreOwned<Known> known_;
  const std::string state_directory_;
  const Clock& clock_;
};

}  // namespace hostclaw::hostlink
