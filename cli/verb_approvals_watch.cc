// SPDX-License-Identifier: Apache-2.0
// hostclaw approvals watch: a calm screen that shows each question as it arrives and takes the answer.
// Nothing is repainted but the time that is left: what was shown and answered stays above, as a record of the
// sitting.
#include <algorithm>
#include <chrono>
#include <set>

#include "approvals/questions/questions.h"
#include "approvals/store/settings.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/desktop_notification.h"
#include "cli/question_text.h"
#include "cli/terminal.h"
#include "cli/times.h"
#include "cli/verb_approvals.h"

namespace hostclaw::cli {
namespace {

using approvals::Answer;
using approvals::GrantScope;
using approvals::Question;
using approvals::Questions;
using approvals::QuestionState;

constexpr std::chrono::milliseconds kLookAgainEvery{200};
// Keys typed before a question could be read were meant for the one before.
constexpr std::chrono::milliseconds kTimeToSee{300};
constexpr std::int64_t kHourMs = 3'600'000;

class WatchScreen {
 public:
  explicit WatchScreen(approvals::Store& store) : store_(store), questions_(store) {}

  int run() {
    line(bold("hostclaw: questions of this node"));
    const auto via = approvals::read_exec_settings(store_).settings.ask_via;
    if (via == approvals::AskVia::kGateway)
      line(
          "The gateway asks now, not this node. To ask here as well: hostclaw exec-policy set --ask-via "
          "both");
    line(dim(std::string("Desktop notifications: ") +
             (notification_.possible() ? "on" : "off (no desktop session or no notify-send)")));
    bool idle_said = false;
    while (!quit_) {
      const auto open = look();
      if (!open) return end(fail(open.error()));
      const auto next = std::find_if(open->begin(), open->end(),
                                     [&](const Question& q) { return !skipped_.contains(q.id); });
      if (next != open->end()) {
        idle_said = false;
        ask(*next, *open);
        continue;
      }
      if (!idle_said) {
        line("");
        line(open->empty()
                 ? "No open question. Waiting; q quits."
                 : std::to_string(open->size()) + " skipped, still open. r shows them again, q quits.");
        idle_said = true;
      }
      const Terminal::Key key = terminal_.key(kLookAgainEvery);
      if (key.closed || key.key == 'q') break;
      if (key.key == 'r' && !open->empty()) skipped_.clear();
    }
    return end(kDone);
  }

 private:
  void line(const std::string& text) { terminal_.write(text + "\n"); }
  std::string bold(const std::string& text) const { return colours() ? "\x1b[1m" + text + "\x1b[0m" : text; }
  std::string dim(const std::string& text) const { return colours() ? "\x1b[2m" + text + "\x1b[0m" : text; }
  std::string alarming(const std::string& text) const {
    return colours() ? "\x1b[33m" + text + "\x1b[0m" : text;
  }

  int end(int status) {
    const auto open = questions_.pending(unix_ms_now());
    if (open && !open->empty()) line(std::to_string(open->size()) + " left open: hostclaw approvals pending");
    return status;
  }

  // The open questions; tells the desktop about new ones.
  Result<std::vector<Question>> look() {
    auto open = questions_.pending(unix_ms_now());
    if (!open) return open;
    bool news = false;
    for (const Question& question : *open) news = known_.insert(question.id).second || news;
    if (news) notification_.send();
    return open;
  }

  void show(const Question& question, const std::vector<Question>& open) {
    const std::string id = short_question_id(questions_, question.id);
    std::string head = "Question " + id;
    if (open.size() > 1) head += "  (" + std::to_string(open.size()) + " are open)";
    line("");
    line(bold(head));
    std::string before;
    for (const LabelledText& item : question_details(question, unix_ms_now())) {
      std::string label = item.label == before ? std::string() : item.label;
      before = item.label;
      if (label.size() < 8) label.append(8 - label.size(), ' ');
      const bool careful = item.text.find("CAREFUL") != std::string::npos || item.label.starts_with("risk");
      std::string text = item.label == "runs" ? bold(item.text) : item.text;
      line("  " + dim(label) + " " + (careful ? alarming(text) : text));
    }
  }

  // "4:59", until when an answer serves whoever waits for it, or is taken at all.
  std::string time_left(const Question& question, std::int64_t now) const {
    const bool waits = caller_waits(question, now);
    std::int64_t until = question.asked.deadline_ms;
    if (waits && question.asked.caller_deadline_ms > 0)
      until = std::min(until, question.asked.caller_deadline_ms);
    const std::int64_t left = std::max<std::int64_t>(0, until - now + 999) / 1000;
    std::string shown = std::to_string(left / 60) + (left % 60 < 10 ? ":0" : ":") + std::to_string(left % 60);
    if (left >= 3600) shown = duration_text(left * 1000);
    return (waits ? "the caller waits " : "open for ") + shown;
  }

  // Where the answer is typed. Written over when `shown`, what stands there, is no longer true.
  void count_down(const Question& question, std::int64_t now, std::string& shown) {
    const std::string left = time_left(question, now);
    if (left == shown) return;
    if (!shown.empty()) terminal_.write("\r" + std::string(shown.size() + 6, ' ') + "\r");
    terminal_.write("  " + dim(left) + "  > ");
    shown = left;
  }

  // Waits for one of `keys`. 0: the question needs no answer any more, or the screen ends.
  char choose(const Question& question, const std::string& prompt, const std::string& keys) {
    terminal_.write(prompt);
    std::string shown;
    count_down(question, unix_ms_now(), shown);
    bool waited = caller_waits(question, unix_ms_now());
    for (;;) {
      const Terminal::Key key = terminal_.key(kLookAgainEvery);
      if (key.closed) {
        line("");
        quit_ = true;
        return 0;
      }
      if (key.key != 0 && keys.find(key.key) != std::string::npos) {
        line(std::string(1, key.key));
        return key.key;
      }
      (void)look();
      const std::int64_t now = unix_ms_now();
      const auto current = questions_.find(question.id);
      if (!current || current->state != QuestionState::kPending || now >= current->asked.deadline_ms) {
        line("");
        line(current && current->state != QuestionState::kPending
                 ? "Not open any more: " + closed_text(*current)
                 : std::string("Not open any more: expired"));
        return 0;
      }
      const bool waits = caller_waits(*current, now);
      if (waits != waited) {
        waited = waits;
        line("");
        line(waits ? "The caller asks again and waits."
                   : "The caller has gone: an allow-once now serves its identical retry.");
        terminal_.write(prompt);
        shown.clear();
      }
      count_down(*current, now, shown);
    }
  }

  void ask(const Question& question, const std::vector<Question>& open) {
    show(question, open);
    terminal_.forget_keys(kTimeToSee);
    const bool lasting = question.asked.lasting_refused.empty();
    std::string prompt = "\n  o allow once   d deny   s skip   q quit   f full text\n";
    if (lasting) prompt += "  always: e exactly this here   a arguments by pattern   x any arguments\n";
    const std::string keys = lasting ? "odsqfeax" : "odsqf";
    for (bool again = true; again && !quit_;) {
      again = false;
      Answer answer;
      answer.by = local_actor();
      switch (choose(question, prompt, keys)) {
        case 'o':
          answer.decision = Answer::Decision::kAllowOnce;
          again = !give(question, answer);
          break;
        case 'd':
          answer.decision = Answer::Decision::kDeny;
          again = !give(question, answer);
          break;
        case 's':
          skipped_.insert(question.id);
          break;
        case 'q':
          quit_ = true;
          break;
        case 'f':
          line("  " + for_terminal(question.asked.command_text));
          again = true;
          break;
        case 'e':
          again = !always(question, GrantScope::kExact);
          break;
        case 'a':
          again = !always(question, GrantScope::kArguments);
          break;
        case 'x':
          again = !always(question, GrantScope::kExecutable);
          break;
        default:
          break;
      }
    }
  }

  // False: ask again for this question.
  bool always(const Question& question, GrantScope scope) {
    Answer answer;
    answer.by = local_actor();
    answer.decision = Answer::Decision::kAllowAlways;
    answer.scope = scope;
    if (scope == GrantScope::kArguments) {
      for (const std::string& arguments : asked_arguments(question)) line("  now: " + arguments);
      line("  A regular expression for all of them, for example: push origin .*");
      const auto pattern = terminal_.line("  pattern (empty: back) > ");
      if (!pattern) quit_ = true;
      if (!pattern || trim(*pattern).empty()) return quit_;
      answer.arg_pattern = std::string(trim(*pattern));
    }
    const bool session = !question.asked.session_key.empty();
    const std::string prompt = std::string("  for how long?  u until revoked  h one hour  t one day") +
                               (session ? "  n this session" : "") + "  b back\n";
    switch (choose(question, prompt, session ? "uhtnb" : "uhtb")) {
      case 'u':
        break;
      case 'h':
        answer.until_ms = unix_ms_now() + kHourMs;
        break;
      case 't':
        answer.until_ms = unix_ms_now() + 24 * kHourMs;
        break;
      case 'n':
        answer.this_session_only = true;
        break;
      case 'b':
        return false;
      default:
        return true;
    }
    return give(question, answer);
  }

  bool give(const Question& question, const Answer& answer) {
    const std::int64_t now = unix_ms_now();
    const auto outcome = give_answer(store_, question.id, answer, now);
    if (!outcome) {
      line("  " + alarming("not stored: " + for_terminal(outcome.error().message)));
      return outcome.error().code == "QUESTION_CLOSED";
    }
    for (const std::string& text : outcome_lines(*outcome, now)) line("  " + text);
    return true;
  }

  approvals::Store& store_;
  Questions questions_;
  Terminal terminal_;
  DesktopNotification notification_;
  std::set<std::string> known_;
  std::set<std::string> skipped_;
  bool quit_ = false;
};

int watch_screen() {
  if (!Terminal::available()) {
    return fail(make_error("NOT_A_TERMINAL", "this screen needs a terminal for its input and output",
                           "hostclaw approvals pending --watch"));
  }
  auto store = open_store(approvals::OpenMode::kReadWriteExisting);
  if (!store) return fail(store.error());
  return WatchScreen(**store).run();
}

}  // namespace

void add_approvals_watch(CLI::App& approvals, Action& action) {
  CLI::App* verb = approvals.add_subcommand("watch", "Answer questions in the terminal as they arrive");
  verb->callback([&action] { action = [] { return watch_screen(); }; });
}

}  // namespace hostclaw::cli
