// SPDX-License-Identifier: Apache-2.0
// hostclaw audit tail | show | verify | export | checkpoint | stats | prune | retention | limit | mirror: the
// record nobody can rewrite.
#include <chrono>
#include <iostream>
#include <set>
#include <thread>

#include "approvals/audit/audit_chain.h"
#include "approvals/audit/audit_settings.h"
#include "approvals/shown/shown_text.h"
#include "approvals/store/retention_clock.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/audit_lines.h"
#include "cli/command_line.h"
#include "cli/progress.h"
#include "cli/this_system.h"
#include "cli/verb_audit.h"
#include "node-host/app/node_config.h"
#include "node-host/record/audit_signing.h"
#include "node-host/system/host/host_facts.h"

namespace hostclaw::cli {
namespace {

using approvals::AuditChain;
using approvals::AuditRow;

struct AuditFlags {
  int limit = 20;
  std::string kind;
  bool follow = false;
  std::int64_t sequence = 0;
  std::string checkpoint;
  std::string lines;
  std::int64_t after = 0;
  std::int64_t keep_rows = 0;
  std::int64_t keep_days = 0;
  std::int64_t keep_megabytes = 0;
  bool json = false;
};

// Far above every row that is written.
constexpr std::size_t kLongestLine = 64 * 1024 * 1024;

// A reader notices another process's commit by looking at a counter; nobody waits for it to look.
constexpr std::chrono::milliseconds kLookEvery{200};

void print_row(const AuditRow& row, bool json) {
  if (json) {
    print_json_text(approvals::audit_line(row));
  } else {
    print_line(fitted(audit_summary_line(row), 0));
  }
}

int tail(const AuditFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), flags.json);
  AuditChain chain(**store);
  approvals::AuditFilter filter;
  filter.kind = flags.kind;
  filter.limit = static_cast<std::size_t>(flags.limit);
  auto seen = (*store)->foreign_change_count();
  auto rows = chain.rows(filter);
  if (!rows) return fail(rows.error(), flags.json);
  std::int64_t last = 0;
  for (auto row = rows->rbegin(); row != rows->rend(); ++row) {
    print_row(*row, flags.json);
    last = row->sequence;
  }
  if (rows->empty() && !flags.follow) note("nothing is recorded yet");
  filter.newest_first = false;
  filter.limit = 1000;
  while (flags.follow) {
    std::cout.flush();
    if (!std::cout) return kDone;  // nobody reads any more
    std::this_thread::sleep_for(kLookEvery);
    auto now = (*store)->foreign_change_count();
    if (!now) return fail(now.error(), flags.json);
    if (seen && *seen == *now) continue;
    seen = now;
    filter.after = last;
    rows = chain.rows(filter);
    if (!rows) return fail(rows.error(), flags.json);
    for (const AuditRow& row : *rows) {
      print_row(row, flags.json);
      last = row.sequence;
    }
  }
  return kDone;
}

int show(const AuditFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), flags.json);
  auto row = AuditChain(**store).row(flags.sequence);
  if (!row) return fail(row.error(), flags.json);
  if (!*row) {
    return fail(make_error("NOT_FOUND", "there is no audit row " + std::to_string(flags.sequence),
                           "hostclaw audit tail"),
                flags.json);
  }
  if (flags.json) {
    print_json_text(approvals::audit_line(**row));
    return kDone;
  }
  for (const std::string& line : audit_detail_lines(**row)) print_line(line);
  return kDone;
}

// Keys that this node ever signed with, as far as its own record says.
std::set<std::string> devices_of(approvals::Store& store) {
  std::set<std::string> devices;
  if (auto identity = store.public_identity(); identity && *identity) devices.insert((*identity)->device_id);
  for (const char* kind : {"pairing", "pruned"}) {
    approvals::AuditFilter filter;
    filter.kind = kind;
    filter.limit = 10'000;
    const auto rows = AuditChain(store).rows(filter);
    if (!rows) continue;
    for (const AuditRow& row : *rows) {
      for (std::string& device : approvals::audit_devices(row.body)) devices.insert(std::move(device));
    }
  }
  return devices;
}

std::string removal_text(const approvals::AuditRemoval& removed) {
  std::string by = removed.by.door.empty() ? std::string("retention") : removed.by.door;
  if (!removed.by.who.empty()) by += " " + removed.by.who;
  return "rows 1 to " + std::to_string(removed.through) + " were removed, the last of them " +
         format_time(removed.at_ms) + " by " + for_terminal(by) + " (row " + std::to_string(removed.row) +
         (removed.is_signed ? ", signed)" : ", not signed)");
}

Json removal_json(const approvals::AuditRemoval& removed) {
  return {{"through", removed.through},
          {"row", removed.row},
          {"atMs", removed.at_ms},
          {"by", {{"door", removed.by.door}, {"who", removed.by.who}}},
          {"signed", removed.is_signed}};
}

int report(const approvals::AuditVerification& found, bool json) {
  if (json) {
    print_json(Json{{"valid", found.valid},
                    {"firstBadRow", found.first_bad_row},
                    {"problem", found.problem},
                    {"chain", found.chain},
                    {"rows", found.rows},
                    {"firstSequence", found.first_sequence},
                    {"lastSequence", found.last_sequence},
                    {"lastHash", found.last_hash},
                    {"checkpoints", found.checkpoints},
                    {"lastCheckpointSequence", found.last_checkpoint_sequence},
                    {"promisedFrom", found.promised_from},
                    {"promisedBy", found.promised_by},
                    {"notSigned", found.not_signed ? Json{{"from", found.not_signed->from},
                                                          {"through", found.not_signed->through}}
                                                   : Json()},
                    {"removed", found.removed ? removal_json(*found.removed) : Json()},
                    {"notes", found.notes}});
    return found.valid ? kDone : kFailed;
  }
  if (found.valid) {
    print_line("valid: " + std::to_string(found.rows) + " rows, " + std::to_string(found.first_sequence) +
               " to " + std::to_string(found.last_sequence) + ", chain " + for_terminal(found.chain));
    print_line("signed up to row " + std::to_string(found.last_checkpoint_sequence) + ", " +
               std::to_string(found.checkpoints) + " checkpoints");
    if (found.last_sequence > found.last_checkpoint_row)
      print_line("not signed yet: rows " +
                 std::to_string(std::max(found.last_checkpoint_row, found.promised_from) + 1) + " to " +
                 std::to_string(found.last_sequence));
    if (found.removed) print_line(removal_text(*found.removed));
  } else {
    print_line("NOT VALID: " + for_terminal(found.problem));
    print_line("first bad row: " + std::to_string(found.first_bad_row));
  }
  for (const std::string& text : found.notes) note("note: " + for_terminal(text));
  return found.valid ? kDone : kFailed;
}

Result<approvals::AuditVerification> verify_lines(const std::string& path,
                                                  const approvals::AuditVerifyOptions& options) {
  std::optional<approvals::AuditVerifier> verifier;
  const auto read = for_each_line(path, kLongestLine, [&](std::string_view line) -> Result<bool> {
    if (trim(line).empty()) return true;
    auto row = approvals::audit_row_from_line(line);
    if (!row) return row.error();
    if (!verifier) {
      approvals::AuditAnchor anchor;
      anchor.hash = std::string(32, '\0');
      if (row->sequence > 1) {
        // A part of a chain: what came before it is not in the file.
        anchor.sequence = row->sequence - 1;
        anchor.hash.clear();
        const auto hash = from_hex(row->previous_hash);
        if (hash) anchor.hash.assign(hash->begin(), hash->end());
        anchor.assumed = true;
      }
      verifier.emplace(options, anchor);
    }
    return verifier->feed(*row);
  });
  if (!read) return read.error();
  if (!verifier) return make_error("AUDIT_LINE_INVALID", path + " holds no audit rows");
  return verifier->finish();
}

// 0: there is none, or it cannot be read.
std::int64_t newest_row(approvals::Store& store) {
  const auto newest = AuditChain(store).rows({0, 0, {}, 1, true});
  return newest && !newest->empty() ? newest->front().sequence : 0;
}

int verify(const AuditFlags& flags) {
  approvals::AuditVerifyOptions options;
  if (!flags.checkpoint.empty()) {
    auto text = read_input(flags.checkpoint);
    if (!text) return fail(text.error(), flags.json);
    auto json = parse_json(*text);
    if (!json) return fail(json.error(), flags.json);
    auto checkpoint = approvals::checkpoint_from_json(*json);
    if (!checkpoint) return fail(checkpoint.error(), flags.json);
    options.exported = std::move(*checkpoint);
  }
  if (!flags.lines.empty()) {
    // The file may be of another machine: any key, as long as the signature is right.
    options.check_signature = node_host::audit_signature_check({});
    std::optional<Progress> progress(std::in_place, "verifying " + for_terminal(flags.lines), "rows");
    options.reached = [&progress](std::int64_t row) { progress->reached(row); };
    auto found = verify_lines(flags.lines, options);
    progress.reset();
    return found ? report(*found, flags.json) : fail(found.error(), flags.json);
  }
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), flags.json);
  options.check_signature = node_host::audit_signature_check(devices_of(**store));
  if (const auto identity = node_host::load_identity(**store, false))
    options.promised_by = identity->public_key();
  std::optional<Progress> progress(std::in_place, "verifying the record", "rows", newest_row(**store));
  options.reached = [&progress](std::int64_t row) { progress->reached(row); };
  auto found = AuditChain(**store).verify(options);
  progress.reset();
  return found ? report(*found, flags.json) : fail(found.error(), flags.json);
}

int export_rows(const AuditFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error());
  // Rows on a terminal are progress enough.
  std::optional<Progress> progress;
  if (output_width() == 0)
    progress.emplace("exporting the record", "rows", newest_row(**store) - flags.after);
  std::int64_t rows = 0;
  auto done = AuditChain(**store).export_lines(flags.after, [&progress, &rows](std::string_view line) {
    std::cout << line << '\n';
    if (progress) progress->reached(++rows);
    return static_cast<bool>(std::cout);
  });
  progress.reset();
  return done ? kDone : fail(done.error());
}

int checkpoint(const AuditFlags&) {
  auto store = open_store(approvals::OpenMode::kReadWriteExisting);
  if (!store) return fail(store.error(), true);
  auto identity = node_host::load_identity(**store, false);
  if (!identity) return fail(identity.error(), true);
  approvals::AuditOptions options;
  options.signer = node_host::audit_signer(*identity);
  auto made = AuditChain(**store, options).checkpoint();
  if (!made) return fail(made.error(), true);
  print_json(to_json(*made));
  note("keep this on another machine; later: hostclaw audit verify --checkpoint FILE");
  return kDone;
}

int stats(const AuditFlags& flags) {
  auto store = open_store(approvals::OpenMode::kReadOnly);
  if (!store) return fail(store.error(), flags.json);
  auto found = AuditChain(**store).stats();
  if (!found) return fail(found.error(), flags.json);
  if (flags.json) {
    print_json(Json{{"chain", found->chain},
                    {"rows", found->rows},
                    {"firstSequence", found->first_sequence},
                    {"lastSequence", found->last_sequence},
                    {"firstAtMs", found->first_at_ms},
                    {"lastAtMs", found->last_at_ms},
                    {"lastCheckpointRow", found->last_checkpoint_row},
                    {"lastCheckpointAtMs", found->last_checkpoint_at_ms},
                    {"byKind", found->by_kind},
                    {"mirrors", mirrors_json(**store)}});
    return kDone;
  }
  print_line("chain        " + for_terminal(found->chain));
  print_line("rows         " + std::to_string(found->rows) + ", " + std::to_string(found->first_sequence) +
             " to " + std::to_string(found->last_sequence));
  print_line("from         " + format_time(found->first_at_ms));
  print_line("to           " + format_time(found->last_at_ms));
  print_line("checkpoint   " + (found->last_checkpoint_row > 0
                                    ? "row " + std::to_string(found->last_checkpoint_row) + ", " +
                                          format_time(found->last_checkpoint_at_ms)
                                    : std::string("none yet")));
  for (const auto& [kind, count] : found->by_kind) {
    print_line("  " + for_terminal(kind) + std::string(kind.size() < 20 ? 20 - kind.size() : 1, ' ') +
               std::to_string(count));
  }
  for (const std::string& line : mirror_lines(**store)) print_line("mirror       " + line);
  return kDone;
}

int prune(const AuditFlags& flags) {
  if (flags.keep_rows == 0 && flags.keep_days == 0 && flags.keep_megabytes == 0) {
    fail(make_error("CONFIG_INVALID", "give --keep-rows, --keep-days or --keep-megabytes"));
    return kUsage;
  }
  auto store = open_store(approvals::OpenMode::kReadWriteExisting);
  if (!store) return fail(store.error(), flags.json);
  auto identity = node_host::load_identity(**store, false);
  if (!identity) return fail(identity.error(), flags.json);
  approvals::AuditOptions options;
  options.signer = node_host::audit_signer(*identity);
  AuditChain chain(**store, options);
  approvals::AuditKeep keep;
  if (flags.keep_rows > 0) keep.rows = flags.keep_rows;
  if (flags.keep_days > 0) keep.days = flags.keep_days;
  if (flags.keep_megabytes > 0) keep.megabytes = flags.keep_megabytes;
  const auto known = (*store)->setting(approvals::kRetentionClockKey);
  approvals::RetentionClock clock =
      known && *known ? approvals::RetentionClock(**known) : approvals::RetentionClock();
  const std::int64_t now = clock.now({unix_ms_now(), node_host::uptime_ms(), node_host::boot_id()});
  if (clock.ahead_ms() > 0 && keep.days) {
    note("note: the clock is " + std::to_string(clock.ahead_ms() / 3'600'000) +
         " h ahead of what the record and the machine's uptime tell; ages are counted without that "
         "(--keep-rows asks no "
         "clock)");
  }
  const auto found = chain.removable(approvals::retention_at(keep, now));
  if (!found) return fail(found.error(), flags.json);
  // In lots: a running node wants to write meanwhile.
  approvals::AuditRetention lot;
  lot.through = found->through;
  lot.at_most = 5000;
  std::int64_t removed = 0;
  while (removed < found->rows) {
    auto gone = chain.prune(lot, local_actor());
    if (!gone) return fail(gone.error(), flags.json);
    if (*gone == 0) break;  // somebody else was faster
    removed += *gone;
  }
  if (flags.json) {
    print_json(Json{{"ok", true}, {"removed", removed}});
  } else {
    print_line("removed " + std::to_string(removed) +
               " rows; the removal is on record, and the rest verifies");
  }
  return kDone;
}

}  // namespace

void add_audit(CLI::App& parent, Action& action) {
  const auto flags = std::make_shared<AuditFlags>();
  CLI::App* verb = parent.add_subcommand(
      "audit",
      "The record: every decision, answer, run, policy change and pairing, each row bound to the last");
  verb->require_subcommand(1);
  const auto child = [&](const char* name, const char* what, int (*run)(const AuditFlags&)) {
    CLI::App* made = verb->add_subcommand(name, what);
    made->callback([&action, flags, run] { action = [flags, run] { return run(*flags); }; });
    return made;
  };
  const auto add_json = [flags](CLI::App* app) {
    app->add_flag("--json", flags->json, "Print JSON, one object a line");
  };

  CLI::App* tail_verb = child("tail", "The newest rows", tail);
  tail_verb->add_option("--limit", flags->limit, "How many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  tail_verb->add_option("--kind", flags->kind, "Only rows of this kind")->check(CLI::IsMember(audit_kinds()));
  tail_verb->add_flag("-f,--follow", flags->follow, "Go on with what is written from now on");
  add_json(tail_verb);

  CLI::App* show_verb = child("show", "One row in full", show);
  show_verb->add_option("sequence", flags->sequence, "Number of the row")->required();
  add_json(show_verb);

  CLI::App* verify_verb = child(
      "verify", "Look for changed, removed, inserted or reordered rows; exit status 1 when there are any",
      verify);
  verify_verb->add_option("--checkpoint", flags->checkpoint,
                          "A checkpoint that was kept elsewhere: finds rows cut off at the end too");
  verify_verb->add_option("--file", flags->lines,
                          "Verify exported lines instead of this node's record (- for stdin)");
  add_json(verify_verb);

  CLI::App* export_verb = child("export", "Every row as one line of JSON, oldest first", export_rows);
  export_verb->add_option("--after", flags->after, "Only rows with a larger number");

  child("checkpoint", "Sign the newest row with the device key, as JSON to be kept on another machine",
        checkpoint);

  CLI::App* stats_verb =
      child("stats", "How many rows of which kind, and when the last checkpoint was", stats);
  add_json(stats_verb);

  CLI::App* prune_verb = child("prune", "Remove the oldest rows; the rest still verifies", prune);
  prune_verb->add_option("--keep-rows", flags->keep_rows, "How many rows stay")->check(CLI::PositiveNumber);
  prune_verb->add_option("--keep-days", flags->keep_days, "Rows of how many days stay")
      ->check(CLI::Range(1, 100'000));
  prune_verb->add_option("--keep-megabytes", flags->keep_megabytes, "How much stays, about")
      ->check(CLI::Range(1, 1'000'000));
  add_json(prune_verb);
  add_audit_settings(*verb, action);
}

}  // namespace hostclaw::cli
