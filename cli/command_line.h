// SPDX-License-Identifier: Apache-2.0
// What the verbs share: where the state is, how to print, how to fail.
// Data goes to stdout, everything else to stderr. A verb answers the exit status of the process.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "approvals/store/store.h"
#include "base/json.h"
#include "base/result.h"

namespace hostclaw::cli {

// Exit statuses beside those of `node run`: 0 done, 1 refused or failed, 2 wrong usage.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// Runs after parsing; set by the verb that was named.
using Action = std::function<int()>;

// Each adds one verb (with its children) to `parent` and sets `action` when it is chosen.
void add_node(CLI::App& parent, Action& action);
void add_bugreport(CLI::App& parent, Action& action);
void add_connect(CLI::App& parent, Action& action);
void add_doctor(CLI::App& parent, Action& action);
void add_selftest(CLI::App& parent, Action& action);
void add_logs(CLI::App& parent, Action& action);
void add_status(CLI::App& parent, Action& action);
void add_runs(CLI::App& parent, Action& action);
void add_approvals(CLI::App& parent, Action& action);
void add_audit(CLI::App& parent, Action& action);
void add_exec_policy(CLI::App& parent, Action& action);
void add_policy(CLI::App& parent, Action& action);
void add_hostlink(CLI::App& parent, Action& action);
void add_import(CLI::App& parent, Action& action);
void add_completion(CLI::App& parent, Action& action);
void add_service(CLI::App& parent, Action& action);  // hidden: what Windows' service manager starts

// What this program is under the name `hostlinkd`: the original daemon's command line, without its name.
int hostlinkd_main(const std::vector<std::string>& arguments);

std::string version();

// Who types here, for the record.
approvals::Actor local_actor();

// The state directory. In a run of a node that node's, whatever the environment says.
Result<std::string> state_directory();
// The same before it is known whether it is ours to read; nothing is changed. May be empty.
std::string likely_state_directory();
// Opens the store there. Read-only answers STORE_MISSING with the command to type when nothing was ever
// stored. STORE_MOVED when a node runs that uses another database than the one that lies there (read-only:
// only when none does).
Result<std::unique_ptr<approvals::Store>> open_store(approvals::OpenMode mode);

// Prints "error: ..." and, when there is one, "next: ..." to stderr; answers kFailed.
int fail(const Error& error);
// The same as one JSON object on stdout when `json` is set: {"ok":false,"error":{"code","message","next"}}.
int fail(const Error& error, bool json);
void print_line(const std::string& text);
void print_json(const Json& value);
void print_json(const OrderedJson& value);
// A line of JSON that exists already. What a terminal would obey or hide is escaped; it means the same.
void print_json_text(std::string_view json);
void note(const std::string& text);  // stderr

// A text of a peer or a command, safe for a terminal: control characters, bidirectional and zero-width
// characters are shown as \u{...}.
std::string for_terminal(std::string_view text);

// "2027-01-31 18:00:00+01:00": local time with its offset, or, after show_times_in_utc(), "2027-01-31
// 17:00:00Z".
// "-" for 0.
std::string format_time(std::int64_t ms);
void show_times_in_utc();

// `auto` (a terminal, and NO_COLOR is not set), `always` or `never`; false for another word.
bool set_colours(std::string_view when);
bool colours();
// `text` in the colour of the verdict: allow, ask, deny, invalid. Plain where there are no colours.
std::string verdict_in_colour(std::string_view verdict, std::string_view text);
// The last column of a table behind `used` columns: cut, with a sign that it was, where a terminal is
// narrower. Whole where output is no terminal.
std::string fitted(const std::string& text, std::size_t used);
// One line; on a terminal broken between words where it is wider, what follows `indent` columns to the right.
void print_wrapped(std::string_view line, std::size_t indent);

// Hands each line of a file, or of standard input for "-", to `take` until it answers false or an error.
// Holds one line at a time. Errors: FILE_UNREADABLE; FILE_TOO_LARGE when a line is longer than
// `max_line_bytes`.
Result<void> for_each_line(const std::string& path, std::size_t max_line_bytes,
                           const std::function<Result<bool>(std::string_view line)>& take);

// The whole of a file, or of standard input for "-". At most `max_bytes`.
Result<std::string> read_input(const std::string& path, std::size_t max_bytes = 8'000'000);

}  // namespace hostclaw::cli
