// SPDX-License-Identifier: Apache-2.0
// Hides secrets in command lines before they are shown or recorded. The full text stays where it is.
//
// Masked, as `***`: values of options and variables whose names say that they are secret (--password=x,
// --token x, DB_PASSWORD=x, "apiKey": "x"), options of known programs (mysql -px, curl -u name:x, sshpass -p
// x), credentials in headers (Authorization, Cookie, Bearer x), passwords in URLs, query members such as
// access_token, private keys, and words in the shape of well-known tokens (sk-..., ghp_..., AKIA..., JWTs).
// Text inside an argument (`sh -c "..."`) is looked at in the same way. A value that a program is given as
// data is masked to its end, `;`, `&` and `,` included; in the text of a shell it ends where the shell ends
// it, so that no command is hidden with it.
//
// Cost: linear in the text (sorting of the places apart), whatever it repeats; texts in texts are followed
// four deep.
//
// This is a list of shapes, not knowledge: a secret in no known shape stays visible. Pure; safe from any
// thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hostclaw::approvals {

inline constexpr std::string_view kMask = "***";

struct MaskedArgv {
  std::vector<std::string> argv;  // same length as what was given
  std::size_t masked = 0;         // how many places were hidden
};

MaskedArgv mask_secrets(const std::vector<std::string>& argv);

// For shell text and sentences that may quote a command.
std::string mask_secrets_in_text(std::string_view text);

// True for names such as password, GITHUB_TOKEN, apiKey; false for password-file, PWD, max-tokens.
bool is_secret_name(std::string_view name);

}  // namespace hostclaw::approvals
