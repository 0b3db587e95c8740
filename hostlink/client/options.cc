// SPDX-License-Identifier: Apache-2.0
#include "hostlink/client/options.h"

#include <charconv>
#include <limits>

#include "base/text.h"

namespace hostclaw::hostlink {
namespace {

constexpr std::size_t kMaxExcludes = 32;
constexpr std::int64_t kLeastInterval = 50;

// Where an option may stand.
enum Place : unsigned { kAnywhere = 1, kRun = 2, kTransfer = 4, kJob = 8, kTargets = 16, kShim = 32 };

using Taken = std::optional<std::string>;  // what is wrong with the value

struct OptionRule {
  char letter;  // 0: none
  std::string_view name;
  std::string_view value;  // how the help names it; "" for a flag
  unsigned places;
  Taken (*take)(Options&, std::string_view);
  std::string_view help;
};

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <std::string Options::*Member>
Taken take_text(Options& options, std::string_view value) {
  if (value.empty()) return "is empty";
  options.*Member = value;
  return std::nullopt;
}

template <bool Options::*Member>
Taken take_flag(Options& options, std::string_view) {
  options.*Member = true;
  return std::nullopt;
}

Taken take_milliseconds(std::string_view value, std::int64_t least, std::int64_t& to) {
  const auto number = parse_number(value);
  if (!number || *number < least || *number > std::numeric_limits<int>::max())
    return "is no number of milliseconds from " + std::to_string(least) + " on";
  to = *number;
  return std::nullopt;
}

Taken take_timeout(Options& options, std::string_view value) {
  return take_milliseconds(value, 1, options.timeout_ms.emplace());
}
Taken take_connect_timeout(Options& options, std::string_view value) {
  return take_milliseconds(value, 1, options.connect_timeout_ms);
}
Taken take_interval(Options& options, std::string_view value) {
  return take_milliseconds(value, kLeastInterval, options.interval_ms);
}
Taken take_wait_timeout(Options& options, std::string_view value) {
  return take_milliseconds(value, 1, options.wait_timeout_ms.emplace());
}

Taken take_sizes(std::string_view value, std::optional<std::int64_t>* first,
                 std::optional<std::int64_t>* second) {
  const auto size = parse_size(value);
  if (!size) return "is no size above zero, as 4M";
  if (first != nullptr) *first = size;
  if (second != nullptr) *second = size;
  return std::nullopt;
}
Taken take_max_output(Options& options, std::string_view value) {
  return take_sizes(value, &options.max_stdout, &options.max_stderr);
}
Taken take_max_stdout(Options& options, std::string_view value) {
  return take_sizes(value, &options.max_stdout, nullptr);
}
Taken take_max_stderr(Options& options, std::string_view value) {
  return take_sizes(value, &options.max_stderr, nullptr);
}

Taken take_env(Options& options, std::string_view value) {
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos || equals == 0) return "is no NAME=VALUE";
  if (options.env.size() == kMaxEnvironmentEntries)
    return "is one more than " + std::to_string(kMaxEnvironmentEntries);
  options.env.emplace_back(value.substr(0, equals), value.substr(equals + 1));
  return std::nullopt;
}

Taken take_mode(Options& options, std::string_view value) {
  std::uint32_t mode = 0;
  const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), mode, 8);
  if (problem != std::errc() || end != value.data() + value.size() || mode == 0 || mode > 07777)
    return "is no octal mode, as 0644";
  options.mode = mode;
  return std::nullopt;
}

Taken take_exclude(Options& options, std::string_view value) {
  if (options.excludes.size() == kMaxExcludes) return "is one more than " + std::to_string(kMaxExcludes);
  options.excludes.emplace_back(value);
  return std::nullopt;
}

Taken take_exit_codes(Options& options, std::string_view value) {
  if (value != "classic" && value != "remote") return "is neither classic nor remote";
  options.exit_codes = value == "classic" ? ExitCodes::kClassic : ExitCodes::kRemote;
  return std::nullopt;
}

Taken take_protocol(Options& options, std::string_view value) {
  if (value != "1" && value != "2") return "is neither 1 nor 2";
  options.protocol = value[0] - '0';
  return std::nullopt;
}

Taken take_pin(Options& options, std::string_view value) {
  std::string pin;
  for (const char c : to_lower_ascii(value.starts_with("sha256:") ? value.substr(7) : value))
    if (c != ':') pin += c;
  if (pin.size() != 64 || !from_hex(pin)) return "is no SHA-256 of a certificate (64 hexadecimal digits)";
  options.pin = pin;
  return std::nullopt;
}

Taken refuse_recursive(Options&, std::string_view) {
  return "is not needed: a folder is copied as a whole, and -r means nothing here";
}

constexpr unsigned kWide = kAnywhere;

constexpr OptionRule kOptionRules[] = {
    {'t', "target", "NAME", kWide, take_text<&Options::target>, "a target of targets.conf"},
    {'s', "socket", "PATH", kWide, take_text<&Options::socket>, "the daemon's Unix socket"},
    {'a', "address", "HOST[:PORT]", kWide, take_text<&Options::address>, "the daemon's address (port 9876)"},
    {'k', "token", "TOKEN", kWide, take_text<&Options::token>,
     "the token; better in HOSTLINK_TOKEN or a file"},
    {0, "token-file", "FILE", kWide, take_text<&Options::token_file>, "a file that holds the token"},
    {'F', "targets-file", "FILE", kWide, take_text<&Options::targets_file>,
     "instead of the usual targets.conf"},
    {'T', "timeout", "MS", kWide, take_timeout, "end the command after that time (30000)"},
    {'C', "connect-timeout", "MS", kWide, take_connect_timeout, "give up connecting (5000)"},
    {'j', "json", "", kWide, take_flag<&Options::json>, "print the reply as one line of JSON"},
    {0, "exit-codes", "classic|remote", kWide, take_exit_codes,
     "0 to 7, or the command's own status with 124 and 125"},
    {0, "protocol", "1|2", kWide, take_protocol, "only this one (whichever the daemon speaks)"},
    {0, "tls", "", kWide, take_flag<&Options::tls>, "TLS 1.3 to the address"},
    {0, "pin", "HEX", kWide, take_pin, "the SHA-256 of the daemon's certificate"},
    {0, "ca", "FILE", kWide, take_text<&Options::authority_file>, "certificates to check the daemon's with"},
    {0, "server-name", "NAME", kWide, take_text<&Options::server_name>,
     "the name in the daemon's certificate"},
    {0, "insecure", "", kWide, take_flag<&Options::insecure>, "plain TCP to another machine is meant"},
    {'e', "env", "NAME=VALUE", kWide, take_env, "a variable for the command; may be repeated"},
    {'w', "workdir", "DIR", kWide, take_text<&Options::workdir>, "the folder of the command"},
    {'m', "max-output", "N[K|M|G]", kWide, take_max_output, "keep that much of each output"},
    {0, "max-stdout", "N[K|M|G]", kWide, take_max_stdout, "keep that much of stdout"},
    {0, "max-stderr", "N[K|M|G]", kWide, take_max_stderr, "keep that much of stderr"},
    {'O', "output-to-file", "", kWide, take_flag<&Options::output_to_file>,
     "leave the output in files on the host"},
    {'D', "detach", "", kWide, take_flag<&Options::detach>, "start a job and print its id"},
    {'i', "interactive", "", kWide, take_flag<&Options::interactive>, "exec: pass stdin on"},
    {0, "tty", "", kWide, take_flag<&Options::tty>, "exec, run: with a terminal"},
    {0, "keep", "", kWide, take_flag<&Options::keep>, "exec, run: goes on when this client ends"},
    {0, "argv", "", kWide, take_flag<&Options::argv>, "exec: words as they are, without a shell, as run"},
    {'P', "ping", "", kWide, take_flag<&Options::ping>, "targets: ping each"},
    {0, "mkdir", "", kWide, take_flag<&Options::mkdir>, "put: make missing folders"},
    {0, "mode", "OCTAL", kWide, take_mode, "put: the mode of the file (that of the local one)"},
    {0, "stream", "", kWide, take_flag<&Options::stream>, "put, get: in pieces, however small"},
    {0, "verify", "", kWide, take_flag<&Options::verify>, "put, get: always by SHA-256 (pieces always are)"},
    {0, "exclude", "GLOB", kWide, take_exclude, "put, get of folders: leave these out; may be repeated"},
    {'r', "recursive", "", kTransfer, refuse_recursive, ""},
    {0, "stderr", "", kJob, take_flag<&Options::job_stderr>, "job tail: stderr instead of stdout"},
    {'f', "follow", "", kJob, take_flag<&Options::follow>, "job tail: until the job ends"},
    {0, "interval", "MS", kJob, take_interval, "job tail, wait: time between two looks (1000)"},
    {0, "wait-timeout", "MS", kJob, take_wait_timeout, "job wait: give up waiting"},
    {'o', "output", "", kJob, take_flag<&Options::job_output>, "job wait: then print the output"},
    {0, "kill", "", kJob, take_flag<&Options::kill>, "job cancel: KILL instead of TERM"},
    {0, "dir", "DIR", kShim, take_text<&Options::folder>, "shim: the folder of the links"},
    {'h', "help", "", kWide, take_flag<&Options::help>, "this text"},
    {'V', "version", "", kWide, take_flag<&Options::version>, "the version"},
};

unsigned places_of(std::string_view verb) {
  if (is_one_of(verb, {"exec", "run"})) return kAnywhere | kRun;
  if (is_one_of(verb, {"put", "get", "put-stream", "get-stream", "df"})) return kAnywhere | kTransfer;
  if (verb == "job") return kAnywhere | kJob;
  if (verb == "shim") return kAnywhere | kShim;
  return kAnywhere | kTargets;
}

Error usage(std::string message) { return make_error("USAGE", std::move(message), "hostlink --help"); }

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& arguments) : arguments_(arguments) {}

  Result<CommandLine> parse() {
    if (const auto taken = take_options(kAnywhere); !taken) return taken.error();
    if (at_ == arguments_.size()) return std::move(line_);
    line_.verb = arguments_[at_++];
    const unsigned places = places_of(line_.verb);
    while (at_ < arguments_.size()) {
      if (const auto taken = take_options(places); !taken) return taken.error();
      if ((places & kRun) != 0 || options_ended_) {
        line_.words.insert(line_.words.end(), arguments_.begin() + static_cast<std::ptrdiff_t>(at_),
                           arguments_.end());
        break;
      }
      if (at_ < arguments_.size()) line_.words.push_back(arguments_[at_++]);
    }
    return std::move(line_);
  }

 private:
  // Up to the first word that is no option, or behind `--`.
  Result<void> take_options(unsigned places) {
    while (at_ < arguments_.size()) {
      const std::string& word = arguments_[at_];
      if (word.size() < 2 || word[0] != '-') return {};
      ++at_;
      if (word == "--") {
        options_ended_ = true;
        return {};
      }
      const auto taken = word[1] == '-' ? take_long(word, places) : take_letters(word, places);
      if (!taken) return taken;
    }
    return {};
  }

  Result<void> take_long(const std::string& word, unsigned places) {
    const std::size_t equals = word.find('=');
    const std::string_view name =
        std::string_view(word).substr(2, equals == std::string::npos ? equals : equals - 2);
    for (const OptionRule& rule : kOptionRules) {
      if (rule.name != name || (rule.places & places) == 0) continue;
      if (equals == std::string::npos) return take_value(rule, "--" + std::string(name));
      if (rule.value.empty()) return usage("--" + std::string(name) + " takes no value");
      return finish(rule, "--" + std::string(name), std::string_view(word).substr(equals + 1));
    }
    return usage("unknown option --" + std::string(name));
  }

  Result<void> take_letters(const std::string& word, unsigned places) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const OptionRule* rule = nullptr;
      for (const OptionRule& one : kOptionRules)
        if (one.letter == word[i] && (one.places & places) != 0) rule = &one;
      const std::string shown = std::string("-") + word[i];
      if (rule == nullptr) return usage("unknown option " + shown);
      if (rule->value.empty() || i + 1 == word.size()) {
        if (const auto taken = take_value(*rule, shown); !taken) return taken;
        continue;
      }
      return finish(*rule, shown, std::string_view(word).substr(i + 1));
    }
    return {};
  }

  Result<void> take_value(const OptionRule& rule, const std::string& shown) {
    if (rule.value.empty()) return finish(rule, shown, {});
    if (at_ == arguments_.size()) return usage(shown + " needs a value: " + std::string(rule.value));
    return finish(rule, shown, arguments_[at_++]);
  }

  // The value itself is not shown: it may be a token.
  Result<void> finish(const OptionRule& rule, const std::string& shown, std::string_view value) {
    if (const auto problem = rule.take(line_.options, value))
      return usage("the value of " + shown + " " + *problem);
    return {};
  }

  const std::vector<std::string>& arguments_;
  std::size_t at_ = 0;
  bool options_ended_ = false;
  CommandLine line_;
};

}  // namespace

std::optional<std::int64_t> parse_size(std::string_view text) {
  int shift = 0;
  if (!text.empty()) {
    const char unit = to_upper_ascii(text.substr(text.size() - 1))[0];
    shift = unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
    if (shift != 0) text.remove_suffix(1);
  }
  const auto number = parse_number(text);
  if (!number || *number <= 0 || *number > (std::numeric_limits<std::int64_t>::max() >> shift))
    return std::nullopt;
  return *number << shift;
}

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  return Parser(arguments).parse();
}

std::string option_help() {
  constexpr std::size_t kColumn = 30;
  std::string out;
  for (const OptionRule& rule : kOptionRules) {
    if (rule.help.empty()) continue;
    std::string line = rule.letter == 0 ? "      --" : std::string("  -") + rule.letter + ", --";
    line += rule.name;
    if (!rule.value.empty()) line += " " + std::string(rule.value);
    line.resize(std::max(line.size() + 2, kColumn), ' ');
    out += line + std::string(rule.help) + "\n";
  }
  return out;
}

}  // namespace hostclaw::hostlink
