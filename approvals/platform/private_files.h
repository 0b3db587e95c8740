// SPDX-License-Identifier: Apache-2.0
// Files and directories that only their owner may see. The one place in this room that asks the operating
// system about owners and modes. Errors: STORE_PERMISSIONS, STORE_READ_ONLY, STORE_FULL, STORE_IO;
// FILE_EXISTS where it is named.
//
// "Mode 0700" and "0600" are said of POSIX. On Windows the same is an access list that inherits nothing and
// names the account, SYSTEM and Administrators; accounts of services may stand beside them. A reparse point
// (a link, a junction) is never followed there: it is refused.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hostclaw::approvals {

// Creates `directory` and its missing parents with mode 0700 whatever the umask, or checks an existing one:
// it must be ours and closed to everybody else. An existing empty directory of ours is closed instead of
// refused.
Result<void> ensure_private_directory(const std::string& directory);

// Checks owner and mode of an existing directory or file. A path that does not exist passes.
Result<void> check_private_directory(const std::string& directory);
Result<void> check_private_file(const std::string& path);
// The same for a database and the two files that SQLite keeps beside it.
Result<void> check_private_database(const std::string& path);

bool file_exists(const std::string& path);

// Puts a complete file with mode 0600 at `path` in one step: whoever looks sees nothing or all of it, also
// after a crash. When another process was faster its file stays and this succeeds.
Result<void> create_private_file(const std::string& path, std::string_view content);

// A new file with mode 0600, open for writing. FILE_EXISTS when there is something of that name, even a link
// that leads nowhere. The caller closes it.
Result<std::FILE*> open_new_private_file(const std::string& path);

// Whether there is room for a file in `directory`: one is written there and removed. Errors: STORE_FULL (an
// exceeded quota too), and those of open_new_private_file().
Result<void> check_space(const std::string& directory);

// Copies a file with mode 0600; STORE_IO when it cannot be read.
Result<void> copy_private_file(const std::string& from, const std::string& to);

// False also when one of them cannot be read.
bool same_content(const std::string& left, const std::string& right);

// A new empty directory with mode 0700 below the system's place for temporary files.
Result<std::string> make_private_temporary_directory();
void remove_directory_tree(const std::string& directory);

// Size, identity and modification time of a file as an opaque text; "absent" when there is none.
std::string file_fingerprint(const std::string& path);
std::uint64_t file_size_or_zero(const std::string& path);
std::uint64_t file_names(const std::string& path);  // how many (hard links); 0 when there is no such file
// Which file lies at that path, whatever its content, as an opaque text; "absent" when there is none. On
// Windows it tells only whether there is one: there a file that is in use is neither moved nor deleted.
std::string file_identity(const std::string& path);

// What an error number of the system (errno, on Windows GetLastError) is about.
bool is_out_of_space(int error_number);
bool is_access_denied(int error_number);

// For an error's `next`, in the words of this system's shell: `text` as one word, and commands about a file.
std::string shell_word(std::string_view text);
std::string command_for_free_space(const std::string& path);
std::string command_for_access_rights(const std::string& path);
std::string command_for_users_of(const std::string& path);  // which processes use it
std::string command_for_names_of(const std::string& path);  // its other hard links
std::string command_to_rename(const std::string& from, const std::string& to);

}  // namespace hostclaw::approvals
