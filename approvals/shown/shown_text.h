// SPDX-License-Identifier: Apache-2.0
// How commands are shown to people: nothing is hidden, nothing looks like something else.
//
// A command is its words joined by one space. A word of letters, digits and @%+=:,./_- is written bare,
// every other in double quotes with \" \\ \n \r \t, \x.. for bytes that are no UTF-8 and \u{...} for control,
// bidirectional, invisible and combining characters, for spaces and punctuation outside ASCII, and for
// letters that look like Latin ones. Two different commands are never shown alike; a text that is too long
// is shown as beginning and end with length and SHA-256 between them. Pure; safe from any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hostclaw::approvals {

struct ShownLimits {
  std::size_t word_bytes = 1024;  // of one word
  std::size_t words = 128;
};

std::string shown_command(const std::vector<std::string>& argv, const ShownLimits& limits = {});
std::string shown_word(std::string_view word, std::size_t limit = 1024);

// Words for a record: beginning and end of long ones, and at most `limits.words` of them.
std::vector<std::string> bounded_words(const std::vector<std::string>& argv, const ShownLimits& limits);

// "sha256:" and a digest over the words, each behind its length: it tells different commands apart. With a
// `key` (32 bytes that nobody else knows) "keyed-sha256:": for commands that hold secrets, so that nobody
// can try out guesses on an exported record.
std::string argv_hash(const std::vector<std::string>& argv, std::string_view key = {});

}  // namespace hostclaw::approvals
