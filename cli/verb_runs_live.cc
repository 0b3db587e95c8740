// SPDX-License-Identifier: Apache-2.0
// hostclaw runs show --follow ID | cancel ID: runs of the node that runs now.
#include <chrono>
#include <cstdio>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "base/utf8.h"
#include "cli/command_line.h"
#include "cli/run_guard.h"
#include "cli/status_report.h"
#include "cli/times.h"
#include "cli/verb_runs.h"
#include "node-host/record/run_view.h"
#include "node-host/run/live_output.h"

namespace hostclaw::cli {
namespace {

using node_host::is_open_run;
using node_host::LiveOutputReader;

constexpr std::chrono::milliseconds kLookAtOutputEvery{100};
// More than a node takes to see the request, to ask the programs and to give up.
constexpr std::chrono::seconds kCancelTakes{15};

std::string live_directory(const approvals::Store& store) {
  const std::string path = store.path();
  return path.substr(0, path.find_last_of('/') + 1) + node_host::kLiveOutputName;
}

Result<approvals::RunRow> newest(approvals::Store& store, const approvals::RunRow& run) {
  auto found = store.runs({.limit = 1, .only_row = run.row_id});
  if (!found) return found.error();
  if (found->empty()) return no_such_run(run.run_id);
  return std::move(found->front());
}

// Bytes at the end of a piece that begin a character whose rest comes with the next one.
std::size_t unfinished_bytes(std::string_view bytes) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(bytes.size(), 3); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((byte & 0xC0U) == 0x80U) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

// Prints output as it comes: each piece at once, also the beginning of a line.
class OutputPrinter {
 public:
  explicit OutputPrinter(bool json) : json_(json) {}

  void take(const LiveOutputReader::Piece& piece) {
    if (piece.missed > 0) {
      held_.clear();
      if (json_) {
        print_json(Json{{"missedBytes", piece.missed}});
      } else {
        end_line();
        print_line("(" + std::to_string(piece.missed) + " bytes came too fast to be shown)");
      }
    }
    std::string bytes = held_ + piece.bytes;
    const std::size_t kept = piece.over ? 0 : unfinished_bytes(bytes);
    held_ = bytes.substr(bytes.size() - kept);
    bytes.resize(bytes.size() - kept);
    print(bytes);
  }

  void print(const std::string& bytes) {
    if (bytes.empty()) return;
    shown_ = true;
    if (json_) {
      print_json(Json{{"output", to_valid_utf8(bytes)}});
    } else {
      const std::vector<std::string> lines = split(bytes, '\n');
      for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string text = for_terminal(lines[i]) + (i + 1 < lines.size() ? "\n" : "");
        std::fwrite(text.data(), 1, text.size(), stdout);
      }
      in_line_ = bytes.back() != '\n';
    }
    gone_ = std::fflush(stdout) != 0;
  }

  void end_line() {
    if (in_line_) print_line("");
    in_line_ = false;
  }

  bool shown() const { return shown_; }
  bool reader_gone() const { return gone_; }

 private:
  const bool json_;
  std::string held_;
  bool shown_ = false;
  bool in_line_ = false;
  bool gone_ = false;
};

}  // namespace

std::string output_until_now(approvals::Store& store, const approvals::RunRow& run) {
  return node_host::live_tail(live_directory(store), run.row_id);
}

int follow_run(approvals::Store& store, const approvals::RunRow& run, bool json) {
  const CallingRun* const caller = calling_run();
  if (caller != nullptr && caller->run && caller->run->row_id == run.row_id)
    return fail(make_error("RUN_IS_THIS", "this command is part of that run, which would wait for itself",
                           "hostclaw runs show " + run.run_id),
                json);
  // Two runs that showed each other's output would feed each other: to a run the end of it is shown at the
  // end.
  const bool shows_as_it_comes = caller == nullptr;
  if (!json) {
    print_run_beginning(run);
    print_line("");
    std::fflush(stdout);
  }
  LiveOutputReader output(live_directory(store), run.row_id);
  OutputPrinter printer(json);
  approvals::RunRow now = run;
  bool node_runs = true;
  while (!printer.reader_gone()) {
    // In this order: what it wrote before its end was on record is there by then.
    const auto row = newest(store, run);
    if (!row) return fail(row.error(), json);
    now = *row;
    node_runs = node_lives(store);
    if (shows_as_it_comes) printer.take(output.read());
    if (!is_open_run(now) || !node_runs) break;
    std::this_thread::sleep_for(kLookAtOutputEvery);
  }
  // It was over before there was anything to look at.
  if (!printer.shown()) printer.print(now.output_tail);
  if (json) {
    print_json(run_in_full(now, node_runs));
  } else {
    printer.end_line();
    if (printer.shown()) print_line("");
    print_run_end(now, node_runs);
  }
  return kDone;
}

int cancel_run(const std::string& id, bool json) {
  auto store = open_store(approvals::OpenMode::kReadWriteExisting);
  if (!store) return fail(store.error(), json);
  const auto found = (*store)->run(id);
  if (!found) return fail(found.error(), json);
  if (!*found) return fail(no_such_run(id), json);
  const approvals::RunRow& run = **found;
  const auto over = [&](const approvals::RunRow& row, bool node_runs) {
    return make_error(
        "RUN_OVER", "run " + row.run_id + " does not run: " + run_outcome(row, node_runs),
        row.verdict == "ask" ? "hostclaw approvals pending" : "hostclaw runs show " + row.run_id);
  };
  if (!is_open_run(run) || !node_lives(**store)) return fail(over(run, false), json);
  if (auto asked = (*store)->request_cancel(run, local_actor()); !asked) return fail(asked.error(), json);

  const auto until = std::chrono::steady_clock::now() + kCancelTakes;
  for (;;) {
    std::this_thread::sleep_for(kLookAtOutputEvery);
    const auto now = newest(**store, run);
    if (!now) return fail(now.error(), json);
    const bool node_runs = node_lives(**store);
    if (is_open_run(*now) && node_runs && std::chrono::steady_clock::now() < until) continue;
    if (now->state == "cancelled") {
      if (json) {
        print_json(run_in_full(*now, node_runs));
      } else {
        print_line("run " + now->run_id + " was cancelled after " +
                   duration_text(now->ended_at_ms - now->started_at_ms));
      }
      return kDone;
    }
    if (is_open_run(*now) && node_runs) {
      return fail(make_error("RUN_GOES_ON", "run " + run.run_id + " was asked to end and has not ended yet",
                             "hostclaw runs show --follow " + run.run_id),
                  json);
    }
    (void)(*store)->withdraw_cancel(run.row_id);
    return fail(over(*now, node_runs), json);
  }
}

}  // namespace hostclaw::cli
