// SPDX-License-Identifier: Apache-2.0
// The four frames that open a connection of protocol 2. They are frames of protocol 1, so that an older
// daemon answers the first one with a refusal of its own and nobody has to be told which protocol a socket
// speaks. Pure.
//
//   client  {"version":2,"type":"hello","id","key","nonce"}      no token; an older daemon says auth_failed
//   daemon  {…,"status":"ok","protocol":2,"nonce","salt","iterations","features"}
//   client  {"version":2,"type":"proof","id","proof"}
//   daemon  {…,"status":"ok","protocol":2,"signature"}           or auth_failed, and hangs up
//
// Behind the last one both ends send frames of hostlink/proto/v2_frame.h. docs/hostlink-protocol.md has the
// whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hostlink/proto/replies.h"

namespace hostclaw::hostlink::v2 {

struct Hello {
  std::string id;
  std::string key_id;
  std::string nonce;
};
std::string build_hello(const Hello& hello);  // a daemon reads it with parse_request

struct Challenge {
  ReplyHead head;
  std::string nonce;  // the client's and the daemon's
  std::string salt;   // bytes
  std::uint32_t iterations = 0;
  // What this daemon can do beyond `exec`: "requests" (the requests of protocol 1 on a stream).
  std::vector<std::string> features;
};
std::string build_challenge(const Challenge& challenge);
// Nothing when the reply is one of an older daemon. Errors: REPLY_INVALID for one of protocol 2 that lacks
// something.
Result<std::optional<Challenge>> challenge_from(const Reply& reply);

// The daemon's, for whoever has sent another key id than it has: the same every time, and like a real one.
// `secret` is the daemon's own.
std::string unknown_key_salt(std::string_view secret, std::string_view key_id);

std::string build_proof(std::string_view id, std::string_view proof);
Result<std::string> parse_proof(std::string_view payload);  // its bytes

std::string build_welcome(const ReplyHead& head, std::string_view signature);
std::optional<std::string> signature_from(const Reply& reply);  // its bytes

}  // namespace hostclaw::hostlink::v2
