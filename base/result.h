// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value or an Error. Every room returns Results; exceptions come from third parties only and
// are caught at the door of the room that called them.
//
// An Error carries a stable code for programs and a message for people. Neither may hold a secret.
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <utility>

namespace hostclaw {

struct Error {
  std::string code;     // stable, SCREAMING_SNAKE_CASE
  std::string message;  // one sentence, UTF-8, no trailing newline
  std::string next;     // the next command to type, or empty

  Error() = default;
  // Not an aggregate: a lone string must stay a value of Result<std::string>, never an error.
  Error(std::string code_, std::string message_, std::string next_ = {})
      : code(std::move(code_)), message(std::move(message_)), next(std::move(next_)) {}

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = boost::system::result<T, Error>;

// Required by boost::system::result when value() is called on an error: that is a bug of ours.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& location);

inline Error make_error(std::string code, std::string message, std::string next = {}) {
  return Error(std::move(code), std::move(message), std::move(next));
}

}  // namespace hostclaw
