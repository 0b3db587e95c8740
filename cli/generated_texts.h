// SPDX-License-Identifier: Apache-2.0
// The man page and the shells' completions, made from the command definitions themselves. Pure: the same tree
// gives the same text. Verbs and flags without a group (hidden from --help) are left out here as well.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace hostclaw::cli {

// roff for hostclaw(1). `version` stands in the footer; no date does, so that a build can be repeated.
std::string man_page(const CLI::App& root, const std::string& version);

// What `hostclaw complete KIND` lists for the positionals of that verb: run, open-run, question, grant or
// rule; empty: nothing.
std::string ids_of(std::string_view path);

// Scripts to be sourced, or installed where the shell looks for them.
std::string bash_completion(const CLI::App& root);
std::string zsh_completion(const CLI::App& root);
std::string fish_completion(const CLI::App& root);
std::string powershell_completion(const CLI::App& root);

}  // namespace hostclaw::cli
