// SPDX-License-Identifier: Apache-2.0
#include "approvals/shown/secret_masking.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "policy/programs/wrappers.h"

namespace hostclaw::approvals {
namespace {

// The program is among the first words; an argv of a million words must not cost its square.
constexpr std::size_t kLongestFront = 32;
constexpr int kDeepestText = 4;  // a command line in an argument of a command line in ...

struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};
using Spans = std::vector<Span>;
bool begins_before(const Span& left, const Span& right) { return left.begin < right.begin; }

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool is_name_char(char c) { return is_alnum(c) || c == '_' || c == '-' || c == '.'; }
bool is_token_char(char c) { return is_alnum(c) || c == '_' || c == '-'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_quote(char c) { return c == '"' || c == '\'' || c == '`'; }
bool ends_value(char c) {
  return is_space(c) || is_quote(c) || c == '&' || c == ';' || c == '|' || c == '<' || c == '>' || c == ')' ||
         c == '}' || c == ',';
}

void add(Spans& spans, std::size_t begin, std::size_t end) {
  if (begin < end) spans.push_back({begin, end});
}

// ---- names ----

// "dbPassword", "DB_PASSWORD" and "db-password" are the parts db and password.
std::vector<std::string> parts_of(std::string_view name) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (!is_alnum(c)) {
      if (!parts.back().empty()) parts.emplace_back();
      continue;
    }
    const bool upper = c >= 'A' && c <= 'Z';
    const bool after_lower = i > 0 && name[i - 1] >= 'a' && name[i - 1] <= 'z';
    if (upper && after_lower) parts.emplace_back();
    parts.back() += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (parts.back().empty()) parts.pop_back();
  return parts;
}

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// What such a name holds is where the secret is, or how it is handled.
constexpr std::array<std::string_view, 20> kAbout = {
    "file", "path", "dir", "stdin",  "env",   "count", "type", "ttl",   "length",   "limit",
    "name", "id",   "url", "prompt", "store", "size",  "mode", "field", "endpoint", "expiry"};
constexpr std::array<std::string_view, 17> kSecretParts = {
    "password", "passwd", "passphrase", "passcode", "pass",   "pwd",       "secret", "secrets", "credential",
    "apikey",   "token",  "jwt",        "otp",      "cookie", "signature", "auth",   "bearer"};
constexpr std::array<std::string_view, 11> kKinds = {"api",     "access",  "private",    "secret",
                                                     "master",  "signing", "encryption", "auth",
                                                     "account", "shared",  "license"};
constexpr std::array<std::string_view, 11> kSecretEndings = {"password", "passwd",     "secret",    "apikey",
                                                             "token",    "privatekey", "secretkey", "authkey",
                                                             "pass",     "pwd",        "cookie"};
constexpr std::array<std::string_view, 9> kNoSecretEndings = {
    "bypass", "compass", "encompass", "overpass", "surpass", "trespass", "underpass", "multipass", "oldpwd"};

// Headers whose whole value is a credential.
bool is_secret_header(std::string_view name) {
  constexpr std::array<std::string_view, 4> kHeaders = {"authorization", "proxy-authorization", "cookie",
                                                        "set-cookie"};
  return is_one_of(to_lower_ascii(name), kHeaders);
}

// ---- shapes of tokens ----

struct TokenShape {
  std::string_view prefix;
  std::size_t least;  // characters after the prefix
};
constexpr std::array kTokens = {TokenShape{"sk-", 16},      TokenShape{"rk_live_", 10},
                                TokenShape{"sk_live_", 10}, TokenShape{"sk_test_", 10},
                                TokenShape{"ghp_", 20},     TokenShape{"gho_", 20},
                                TokenShape{"ghu_", 20},     TokenShape{"ghs_", 20},
                                TokenShape{"ghr_", 20},     TokenShape{"github_pat_", 20},
                                TokenShape{"glpat-", 16},   TokenShape{"xoxb-", 10},
                                TokenShape{"xoxp-", 10},    TokenShape{"xoxa-", 10},
                                TokenShape{"xoxs-", 10},    TokenShape{"xapp-", 10},
                                TokenShape{"AKIA", 16},     TokenShape{"ASIA", 16},
                                TokenShape{"AIza", 30},     TokenShape{"npm_", 30},
                                TokenShape{"hf_", 20},      TokenShape{"pypi-", 30},
                                TokenShape{"dop_v1_", 30},  TokenShape{"shpat_", 20},
                                TokenShape{"SG.", 30},      TokenShape{"AGE-SECRET-KEY-1", 30}};

std::size_t token_end(std::string_view text, std::size_t at, bool dots) {
  while (at < text.size() && (is_token_char(text[at]) || (dots && text[at] == '.'))) ++at;
  return at;
}

void find_tokens(std::string_view text, Spans& spans) {
  for (std::size_t at = 0; at < text.size();) {
    if (!is_token_char(text[at])) {
      ++at;
      continue;
    }
    const std::size_t end = token_end(text, at, false);
    const std::string_view rest = text.substr(at);
    std::size_t looked_at = end;
    for (const TokenShape& shape : kTokens) {
      if (!rest.starts_with(shape.prefix)) continue;
      const std::size_t whole = token_end(text, at, shape.prefix == "SG.");
      if (whole - at < shape.prefix.size() + shape.least) continue;
      add(spans, at, whole);
      looked_at = std::max(looked_at, whole);
    }
    // A JSON web token: three parts of base64url, the first beginning with {" in that encoding.
    if (rest.starts_with("eyJ") && end < text.size() && text[end] == '.') {
      const std::size_t whole = token_end(text, at, true);
      if (whole - at >= 30) {
        add(spans, at, whole);
        looked_at = std::max(looked_at, whole);
      }
    }
    // Behind what was masked: a text of beginnings must not cost its square.
    at = std::max(looked_at, at + 1);
  }
}

void find_private_keys(std::string_view text, Spans& spans) {
  for (std::size_t at = text.find("-----BEGIN "); at != std::string_view::npos;
       at = text.find("-----BEGIN ", at)) {
    const std::size_t name_end = text.find("-----", at + 11);
    if (name_end == std::string_view::npos) return;
    const bool is_private = text.substr(at, name_end - at).find("PRIVATE KEY") != std::string_view::npos;
    at = name_end;
    if (!is_private) continue;
    const std::size_t end = text.find("-----END", name_end);
    add(spans, name_end + 5, end == std::string_view::npos ? text.size() : end);
    if (end == std::string_view::npos) return;
    at = end;
  }
}

// ---- URLs and headers ----

void find_url_passwords(std::string_view text, Spans& spans) {
  for (std::size_t at = text.find("://"); at != std::string_view::npos; at = text.find("://", at + 3)) {
    const std::size_t begin = at + 3;
    const std::size_t end = std::min(text.find_first_of("/?# \t\n\"'`<>|", begin), text.size());
    const std::string_view authority = text.substr(begin, end - begin);
    const std::size_t sign = authority.rfind('@');
    if (sign == std::string_view::npos) continue;
    const std::size_t colon = authority.substr(0, sign).find(':');
    // A lone name is a user (git@host); a long one is a token in its place.
    if (colon != std::string_view::npos) {
      add(spans, begin + colon + 1, begin + sign);
    } else if (sign >= 20) {
      add(spans, begin, begin + sign);
    }
  }
}

void find_schemes(std::string_view text, Spans& spans) {
  const std::string lower = to_lower_ascii(text);
  for (const std::string_view scheme : {"bearer ", "basic ", "token "}) {
    for (std::size_t at = lower.find(scheme); at != std::string::npos; at = lower.find(scheme, at + 1)) {
      if (at > 0 && is_alnum(lower[at - 1])) continue;
      std::size_t end = at + scheme.size();
      while (end < text.size() && !ends_value(text[end])) ++end;
      // `token list` is a command, not a credential.
      if (end - at - scheme.size() >= 12) add(spans, at + scheme.size(), end);
    }
  }
}

// ---- quotes and words of a shell ----

// What stands between quotes, outermost, in order; the quotes themselves are next to it. A quote that nothing
// closes (don't) is a character like any other.
Spans quotes_of(std::string_view text) {
  Spans found;
  std::string unclosed;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
      continue;
    }
    const char quote = text[at];
    if (!is_quote(quote) || unclosed.find(quote) != std::string::npos) continue;
    std::size_t end = at + 1;
    while (end < text.size() && text[end] != quote) end += text[end] == '\\' && quote != '\'' ? 2 : 1;
    if (end >= text.size()) {
      unclosed.push_back(quote);
      continue;
    }
    found.push_back({at + 1, end});
    at = end;
  }
  return found;
}

bool ends_shell_word(char c) {
  return is_space(c) || c == '&' || c == ';' || c == '|' || c == '<' || c == '>' || c == '(' || c == ')';
}

// Walks a text forwards past its quotes.
class ShellWalk {
 public:
  ShellWalk(std::string_view text, const Spans& quotes) : text_(text), quotes_(quotes) {}

  // The quoted text whose opening quote stands at `at`. `at` never goes back from call to call.
  const Span* quoted_at(std::size_t at) {
    while (next_ < quotes_.size() && quotes_[next_].begin <= at) ++next_;
    return next_ < quotes_.size() && quotes_[next_].begin == at + 1 ? &quotes_[next_] : nullptr;
  }
  std::size_t word_end(std::size_t at) {
    while (at < text_.size() && !ends_shell_word(text_[at])) {
      if (text_[at] == '\\') {
        at += 2;
      } else if (const Span* quoted = quoted_at(at)) {
        at = quoted->end + 1;
      } else {
        ++at;
      }
    }
    return std::min(at, text_.size());
  }

 private:
  std::string_view text_;
  const Spans& quotes_;
  std::size_t next_ = 0;
};

// ---- NAME=value, "name": "value", Header: value ----

// What a text is read as: of a shell, where quotes and separators count, or the data that a program is given,
// where `;` and `&` are characters of a password like any other.
enum class Reading {
  kShell,
  kExpanded,  // data in double quotes of a shell, where $(...) is run
  kData,
};

// A value that a command makes is not the secret, and that command must not be hidden.
bool runs_command(std::string_view value) {
  return value.find("$(") != std::string_view::npos || value.find('`') != std::string_view::npos;
}

class NamedValues {
 public:
  NamedValues(std::string_view text, const Spans& quotes, Reading reading, Spans& spans)
      : text_(text), walk_(text, quotes), reading_(reading), spans_(spans) {}

  void find() {
    if (reading_ == Reading::kShell) return find_in_shell();
    find_in_data();
  }

 private:
  void find_in_shell() {
    for (std::size_t at = 0; at < text_.size();) {
      if (const Span* quoted = walk_.quoted_at(at)) {
        // What is in there is looked at as a text of its own; here it can only be a name.
        at = quoted->end + 1;
        const std::string_view name = text_.substr(quoted->begin, quoted->end - quoted->begin);
        if (is_name(name)) at = of_name(name, at);
      } else if (is_name_char(text_[at])) {
        const std::size_t end = name_end(at);
        at = of_name(text_.substr(at, end - at), end);
      } else {
        at += text_[at] == '\\' ? 2 : 1;
      }
    }
  }

  void find_in_data() {
    find_in_whole();
    for (std::size_t at = 0; at < text_.size();) {
      if (!is_name_char(text_[at])) {
        ++at;
        continue;
      }
      const std::size_t end = name_end(at);
      at = std::max(end, of_name(text_.substr(at, end - at), end));
    }
  }

  void hide(std::size_t begin, std::size_t end, bool literal = false) {
    const bool expands = reading_ != Reading::kData && !literal;
    if (begin < end && !(expands && runs_command(text_.substr(begin, end - begin)))) add(spans_, begin, end);
  }

  static bool is_name(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_name_char);
  }
  std::size_t name_end(std::size_t at) const {
    while (at < text_.size() && is_name_char(text_[at])) ++at;
    return at;
  }
  char at(std::size_t place) const { return place < text_.size() ? text_[place] : '\0'; }

  // `--password=a&b`, `DB_PASSWORD=a;b`, `--from-literal=password=a,b`, `Cookie: a="b"; c=d`: what begins
  // with a name is all value.
  void find_in_whole() {
    for (std::size_t begin = 0;;) {
      const std::size_t end = name_end(begin);
      const char sign = at(end);
      const std::string_view name = text_.substr(begin, end - begin);
      if (name.empty() || (sign != '=' && sign != ':') || text_.substr(end).starts_with("://")) return;
      const bool header = sign == ':' && is_secret_header(name);
      if (header || is_secret_name(name)) {
        std::size_t value = behind_sign(end, header);
        std::size_t stop =
            sign == ':' ? std::min(text_.find_first_of("\r\n", value), text_.size()) : text_.size();
        const bool quoted = stop > value + 1 && is_quote(text_[value]) && text_[value] != '`' &&
                            text_[stop - 1] == text_[value];
        hide(value + (quoted ? 1 : 0), stop - (quoted ? 1 : 0));
        return;
      }
      begin = end + 1;
    }
  }

  // The scheme of an Authorization header tells more than it hides.
  std::size_t behind_sign(std::size_t sign, bool header) const {
    std::size_t value = sign + 1;
    while (text_[sign] == ':' && (at(value) == ' ' || at(value) == '\t')) ++value;
    for (const std::string_view scheme : {"Bearer ", "bearer ", "Basic ", "basic "}) {
      if (header && text_.substr(value).starts_with(scheme)) value += scheme.size();
    }
    return value;
  }

  // A name ends at `end`: masks its value when it is a secret's. Where to look on.
  std::size_t of_name(std::string_view name, std::size_t end) {
    std::size_t sign = end;
    if (at(sign) == '\\' && is_quote(at(sign + 1))) ++sign;  // \"name\": in the text of a text
    if (is_quote(at(sign))) ++sign;                          // "name": in JSON
    while (sign != end && is_space(at(sign))) ++sign;
    if (at(sign) != '=' && at(sign) != ':') return end;
    const bool colon = at(sign) == ':';
    if (colon && text_.substr(sign).starts_with("://")) return end;
    const bool header = colon && is_secret_header(name);
    if (!header && !is_secret_name(name)) return end;
    const std::size_t value = behind_sign(sign, header);
    if (at(value) == '\\' && is_quote(at(value + 1))) return of_escaped_quote(value);
    if (reading_ == Reading::kShell) return of_shell_value(value, header);
    if (value < text_.size() && is_quote(text_[value])) return of_quote(value);
    const std::size_t stop = header ? line_end(value) : member_end(value);
    hide(value, stop);
    return stop;
  }

  std::size_t of_shell_value(std::size_t value, bool header) {
    const Span* quoted = walk_.quoted_at(value);
    std::size_t stop = header && quoted == nullptr ? header_end(value) : walk_.word_end(value);
    // An open quote is not a part of what is hidden, so that the text reads on.
    const bool open = quoted == nullptr && value < text_.size() && is_quote(text_[value]);
    if (open) stop = text_.size();
    const bool only_quoted = quoted != nullptr && stop == quoted->end + 1;
    if (only_quoted && text_[value] == '`') return stop;
    hide(only_quoted ? quoted->begin : value + (open ? 1 : 0), only_quoted ? quoted->end : stop,
         only_quoted && text_[value] == '\'');
    return std::max(stop, value);
  }

  std::size_t of_quote(std::size_t value) {
    std::size_t stop = value + 1;
    while (stop < text_.size() && text_[stop] != text_[value]) stop += text_[stop] == '\\' ? 2 : 1;
    stop = std::min(stop, text_.size());
    if (reading_ == Reading::kData || text_[value] != '`') hide(value + 1, stop);
    return stop;
  }

  // \"value\"
  std::size_t of_escaped_quote(std::size_t value) {
    const std::size_t stop = std::min(text_.find(text_.substr(value, 2), value + 2), text_.size());
    hide(value + 2, stop);
    return stop;
  }

  // Of a header without quotes: words to the end of the command, and `; name=value` of further cookies.
  std::size_t header_end(std::size_t value) const {
    constexpr std::string_view kEnds = "\r\n\"'`;&|<>()";
    std::size_t stop = std::min(text_.find_first_of(kEnds, value), text_.size());
    while (at(stop) == ';') {
      std::size_t next = stop + 1;
      while (at(next) == ' ') ++next;
      const std::size_t end = name_end(next);
      if (end == next || at(end) != '=') break;
      const std::size_t word = std::min(text_.find_first_of(" \t\r\n\"'`;&|<>()$", end), text_.size());
      // What goes on behind it is a command with a variable.
      if (word < text_.size() && at(word) != ';' && !is_quote(at(word)) && at(word) != '\n') break;
      stop = word;
    }
    return stop;
  }

  std::size_t line_end(std::size_t value) const {
    return std::min(text_.find_first_of("\n\r\"'", value), text_.size());
  }

  // Of one value among several: a separator ends it where another member follows, else it is a part of it.
  std::size_t member_end(std::size_t at_value) const {
    std::size_t stop = at_value;
    for (; stop < text_.size() && !is_space(text_[stop]) && !is_quote(text_[stop]); ++stop) {
      const char c = text_[stop];
      if ((c == '}' || c == ']') && ends_data(stop + 1)) break;
      if (c != '&' && c != ';' && c != ',') continue;
      const std::size_t next = name_end(stop + 1);
      const bool member = next > stop + 1 && (at(next) == '=' || at(next) == ':');
      if (member || ends_data(stop + 1) || is_quote(at(stop + 1)) || is_space(at(stop + 1))) break;
    }
    return stop;
  }
  bool ends_data(std::size_t place) const {
    return place >= text_.size() || is_space(text_[place]) ||
           std::string_view("}],").find(text_[place]) != std::string_view::npos;
  }

  std::string_view text_;
  ShellWalk walk_;
  Reading reading_;
  Spans& spans_;
};

// ---- options of programs ----

enum class OptionForm { kNext, kAttached, kBoth };

struct SecretOption {
  std::string_view program;  // name, or its beginning when it ends in '*'; empty: any program
  std::string_view option;
  OptionForm form;
  char separator;  // where it is not 0 the value is name:secret
};
constexpr std::array kOptions = {
    SecretOption{"mysql*", "-p", OptionForm::kAttached, 0},
    SecretOption{"mariadb*", "-p", OptionForm::kAttached, 0},
    SecretOption{"sshpass", "-p", OptionForm::kBoth, 0},
    SecretOption{"docker", "-p", OptionForm::kNext, 0},
    SecretOption{"podman", "-p", OptionForm::kNext, 0},
    SecretOption{"7z*", "-p", OptionForm::kAttached, 0},
    SecretOption{"rar", "-p", OptionForm::kAttached, 0},
    SecretOption{"unrar", "-p", OptionForm::kAttached, 0},
    SecretOption{"zip", "-P", OptionForm::kBoth, 0},
    SecretOption{"unzip", "-P", OptionForm::kBoth, 0},
    SecretOption{"redis-cli", "-a", OptionForm::kBoth, 0},
    SecretOption{"ldap*", "-w", OptionForm::kBoth, 0},
    SecretOption{"openssl", "-k", OptionForm::kNext, 0},
    SecretOption{"openssl", "-pass", OptionForm::kNext, 0},
    SecretOption{"openssl", "-passin", OptionForm::kNext, 0},
    SecretOption{"openssl", "-passout", OptionForm::kNext, 0},
    SecretOption{"sqlcmd", "-P", OptionForm::kBoth, 0},
    SecretOption{"smbclient", "-U", OptionForm::kBoth, '%'},
    SecretOption{"openssl", "-K", OptionForm::kNext, 0},
    SecretOption{"keytool", "-storepass", OptionForm::kNext, 0},
    SecretOption{"keytool", "-keypass", OptionForm::kNext, 0},
    SecretOption{"curl", "-E", OptionForm::kBoth, ':'},
    SecretOption{"curl", "--cert", OptionForm::kNext, ':'},
    SecretOption{"curl", "--proxy-cert", OptionForm::kNext, ':'},
    SecretOption{"curl", "-b", OptionForm::kBoth, 0},
    SecretOption{"curl", "-u", OptionForm::kBoth, ':'},
    SecretOption{"curl", "-U", OptionForm::kBoth, ':'},
    SecretOption{"", "-u", OptionForm::kNext, ':'},
    SecretOption{"", "--user", OptionForm::kNext, ':'},
    SecretOption{"", "--proxy-user", OptionForm::kNext, ':'},
    SecretOption{"", "--user=", OptionForm::kAttached, ':'},
    SecretOption{"", "--proxy-user=", OptionForm::kAttached, ':'},
    SecretOption{"", "--auth", OptionForm::kNext, ':'},
};

struct Word {
  std::string_view text;
  std::size_t begin = 0;  // where it is in the text that is masked
  bool expands = false;   // a shell would run what is in $(...)
};

std::string_view program_name(std::string_view word) {
  const std::size_t slash = word.rfind('/');
  return slash == std::string_view::npos ? word : word.substr(slash + 1);
}

bool runs_program(std::string_view name, std::string_view pattern) {
  if (pattern.empty()) return true;
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return name == pattern;
}

// A value that is only a reference to the secret tells nothing and helps the reader.
bool is_reference(std::string_view value) {
  if (value.starts_with('"')) value.remove_prefix(1);
  return value.starts_with('$') && value.find(':') == value.npos;
}

void add_value(const Word& word, std::size_t from, char separator, Spans& spans) {
  std::size_t begin = from;
  if (separator != 0) {
    const std::size_t sign = word.text.find(separator, from);
    if (sign == std::string_view::npos) return;
    begin = sign + 1;
  }
  const std::string_view value = word.text.substr(begin);
  if (is_reference(value) || (word.expands && runs_command(value))) return;
  add(spans, word.begin + begin, word.begin + word.text.size());
}

// The words in front that may name the program, each looked at once.
class Front {
 public:
  explicit Front(const std::vector<Word>& words) {
    for (std::size_t i = 0; i < std::min(words.size(), kLongestFront); ++i)
      names_.push_back(words[i].text.size() > kLongestName ? std::string_view()
                                                           : program_name(words[i].text));
  }

  // Whose option it is: `env X=1 sudo mysql -px` is mysql's, so every word before it is asked.
  bool names_before(std::size_t index, std::string_view pattern) const {
    if (pattern.empty()) return true;
    // docker -p is a port, docker login -p a password.
    const bool login = pattern == "docker" || pattern == "podman";
    bool found = false;
    for (std::size_t i = 0; i < std::min(index, names_.size()); ++i) {
      if (runs_program(names_[i], pattern)) found = true;
      if (found && login && names_[i] == "login") return true;
    }
    return found && !login;
  }

 private:
  static constexpr std::size_t kLongestName = 4096;
  std::vector<std::string_view> names_;
};

void find_option_values(const std::vector<Word>& words, Spans& spans) {
  const Front front(words);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i].text;
    if (word.size() < 2 || word[0] != '-') continue;
    const Word* next = i + 1 < words.size() ? &words[i + 1] : nullptr;
    // --password x; --password=x is a named value and found in every text.
    if (next != nullptr && word.find('=') == std::string_view::npos && word.starts_with("--") &&
        is_secret_name(word.substr(2)) && !next->text.starts_with("--")) {
      add_value(*next, 0, 0, spans);
    }
    for (const SecretOption& option : kOptions) {
      if (!word.starts_with(option.option)) continue;
      const bool exact = word.size() == option.option.size();
      if (!front.names_before(i, option.program)) continue;
      if (exact && option.form != OptionForm::kAttached && next != nullptr) {
        add_value(*next, 0, option.separator, spans);
      } else if (!exact && option.form != OptionForm::kNext) {
        add_value(words[i], option.option.size(), option.separator, spans);
      }
    }
  }
}

// ---- which words are texts of a shell ----

// Run every operand of theirs as a text.
constexpr std::array<std::string_view, 8> kTextRunners = {"ssh",    "eval", "watch", "parallel",
                                                          "screen", "tmux", "entr",  "slogin"};
// Run the value of an option (`su -c`) as a text, as shells and interpreters do.
constexpr std::array<std::string_view, 6> kOptionRunners = {"su",  "flock",   "script",
                                                            "env", "runuser", "xargs"};

// Tells word by word whether it is code. An assignment there ends at its `;`: what is run behind it must not
// be hidden with a password.
class CodeWords {
 public:
  bool next_is_code(std::string_view word) {
    const bool code = text_runner_ || (option_runner_ && behind_option_);
    behind_option_ = word.size() > 1 && (word[0] == '-' || word[0] == '/') && !word.starts_with("--");
    behind_option_ = behind_option_ || word == "--command" || word == "--eval" || word == "--split-string";
    constexpr std::size_t kLongestName = 256;
    if (word.size() > kLongestName) return code;
    const std::string token = policy::executable_token(word);
    text_runner_ = text_runner_ || is_one_of(token, kTextRunners);
    option_runner_ = option_runner_ || is_one_of(token, kOptionRunners) || policy::is_interpreter_like(token);
    return code;
  }

 private:
  bool text_runner_ = false;
  bool option_runner_ = false;
  bool behind_option_ = false;
};

// ---- text ----

// Words as a shell would roughly see them: one that is quoted as a whole is what is between the quotes.
std::vector<std::vector<Word>> commands_of(std::string_view text, Reading reading, const Spans& quotes) {
  std::vector<std::vector<Word>> commands(1);
  ShellWalk walk(text, quotes);
  for (std::size_t at = 0; at < text.size();) {
    if (ends_shell_word(text[at])) {
      if (!is_space(text[at]) || text[at] == '\n') commands.emplace_back();
      ++at;
      continue;
    }
    const Span* quoted = walk.quoted_at(at);
    const std::size_t end = walk.word_end(at);
    const bool whole = quoted != nullptr && end == quoted->end + 1;
    const std::size_t begin = whole ? quoted->begin : at;
    const bool expands = reading != Reading::kData && !(whole && text[at] == '\'');
    commands.back().push_back({text.substr(begin, (whole ? quoted->end : end) - begin), begin, expands});
    at = end;
  }
  return commands;
}

void find_in_text(std::string_view text, Reading reading, Spans& spans, int depth);

// What is between quotes is a text of its own.
Reading reading_in_quotes(char quote, Reading around, bool code) {
  if (around == Reading::kData) return code ? Reading::kShell : Reading::kData;
  if (code || quote == '`') return Reading::kShell;
  return quote == '"' ? Reading::kExpanded : Reading::kData;
}

void find_in_quotes(std::string_view text, Reading around, const Spans& quotes,
                    const std::vector<std::vector<Word>>& commands, Spans& spans, int depth) {
  std::size_t next = 0;
  for (const std::vector<Word>& command : commands) {
    CodeWords words;
    for (const Word& word : command) {
      const bool code = words.next_is_code(word.text);
      for (; next < quotes.size() && quotes[next].begin <= word.begin + word.text.size(); ++next) {
        const Span& quoted = quotes[next];
        Spans inside;
        find_in_text(text.substr(quoted.begin, quoted.end - quoted.begin),
                     reading_in_quotes(text[quoted.begin - 1], around, code), inside, depth + 1);
        for (const Span& span : inside) add(spans, quoted.begin + span.begin, quoted.begin + span.end);
      }
    }
  }
}

void find_in_text(std::string_view text, Reading reading, Spans& spans, int depth) {
  find_schemes(text, spans);
  find_url_passwords(text, spans);
  find_tokens(text, spans);
  find_private_keys(text, spans);
  const Spans quotes = depth < kDeepestText ? quotes_of(text) : Spans();
  NamedValues(text, quotes, reading, spans).find();
  if (depth >= kDeepestText || std::none_of(text.begin(), text.end(), is_space)) return;
  const std::vector<std::vector<Word>> commands = commands_of(text, reading, quotes);
  for (const std::vector<Word>& command : commands) find_option_values(command, spans);
  find_in_quotes(text, reading, quotes, commands, spans, depth);
}

std::string masked(std::string_view text, Spans spans, std::size_t& count) {
  if (spans.empty()) return std::string(text);
  std::sort(spans.begin(), spans.end(), begins_before);
  std::string out;
  std::size_t at = 0;
  for (std::size_t i = 0; i < spans.size();) {
    Span whole = spans[i++];
    while (i < spans.size() && spans[i].begin <= whole.end) whole.end = std::max(whole.end, spans[i++].end);
    out.append(text, at, whole.begin - at);
    out += kMask;
    at = whole.end;
    ++count;
  }
  out.append(text, at, text.size() - at);
  return out;
}

}  // namespace

bool is_secret_name(std::string_view name) {
  const std::vector<std::string> parts = parts_of(name);
  if (parts.empty() || is_one_of(parts.back(), kAbout)) return false;
  // The working directory of shells.
  if (parts.size() == 1 && (parts.front() == "pwd" || parts.front() == "auth")) return false;
  if (name == "OLDPWD") return false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (is_one_of(parts[i], kSecretParts)) return true;
    if (i > 0 && parts[i] == "key" && is_one_of(parts[i - 1], kKinds)) return true;
    // PGPASSWORD, githubtoken, SSHPASS
    if (is_one_of(parts[i], kNoSecretEndings)) continue;
    for (const std::string_view ending : kSecretEndings) {
      if (parts[i].ends_with(ending)) return true;
    }
  }
  return false;
}

MaskedArgv mask_secrets(const std::vector<std::string>& argv) {
  MaskedArgv out;
  out.argv.reserve(argv.size());
  std::vector<Word> words;
  words.reserve(argv.size());
  // Every word lies at its own place, so that a span tells whose it is.
  std::size_t begin = 0;
  for (const std::string& word : argv) {
    words.push_back({word, begin});
    begin += word.size() + 1;
  }
  Spans by_option;
  if (argv.size() > 1) find_option_values(words, by_option);
  std::sort(by_option.begin(), by_option.end(), begins_before);
  std::size_t next = 0;
  CodeWords code;
  for (const Word& word : words) {
    Spans spans;
    find_in_text(word.text, code.next_is_code(word.text) ? Reading::kShell : Reading::kData, spans, 0);
    for (; next < by_option.size() && by_option[next].begin < word.begin + word.text.size(); ++next)
      add(spans, by_option[next].begin - word.begin, by_option[next].end - word.begin);
    out.argv.push_back(masked(word.text, std::move(spans), out.masked));
  }
  return out;
}

std::string mask_secrets_in_text(std::string_view text) {
  Spans spans;
  find_in_text(text, Reading::kShell, spans, 0);
  std::size_t count = 0;
  return masked(text, std::move(spans), count);
}

}  // namespace hostclaw::approvals
