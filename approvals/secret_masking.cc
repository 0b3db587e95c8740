#include "approvals/secret_masking.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"

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
constexpr std::array<std::string_view, 16> kSecretParts = {
    "password",   "passwd", "passphrase", "passcode", "pass", "pwd",    "secret",    "secrets",
    "credential", "apikey", "token",      "jwt",      "otp",  "cookie", "signature", "auth"};
constexpr std::array<std::string_view, 11> kKinds = {"api",     "access",  "private",    "secret",
                                                     "master",  "signing", "encryption", "auth",
                                                     "account", "shared",  "license"};
constexpr std::array<std::string_view, 6> kSecretEndings = {"password", "passwd", "secret",
                                                            "apikey",   "token",  "privatekey"};

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
    for (const TokenShape& shape : kTokens) {
      if (!rest.starts_with(shape.prefix)) continue;
      const std::size_t whole = token_end(text, at, shape.prefix == "SG.");
      if (whole - at >= shape.prefix.size() + shape.least) add(spans, at, whole);
    }
    // A JSON web token: three parts of base64url, the first beginning with {" in that encoding.
    if (rest.starts_with("eyJ") && end < text.size() && text[end] == '.') {
      const std::size_t whole = token_end(text, at, true);
      if (whole - at >= 30) add(spans, at, whole);
    }
    at = std::max(end, at + 1);
  }
}

void find_private_keys(std::string_view text, Spans& spans) {
  for (std::size_t at = text.find("-----BEGIN "); at != std::string_view::npos;
       at = text.find("-----BEGIN ", at + 1)) {
    const std::size_t name_end = text.find("-----", at + 11);
    if (name_end == std::string_view::npos) return;
    if (text.substr(at, name_end - at).find("PRIVATE KEY") == std::string_view::npos) continue;
    const std::size_t end = text.find("-----END", name_end);
    add(spans, name_end + 5, end == std::string_view::npos ? text.size() : end);
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

// ---- NAME=value, "name": "value", Header: value ----

void find_named_values(std::string_view text, Spans& spans) {
  for (std::size_t at = 0; at < text.size();) {
    if (!is_name_char(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_name_char(text[end])) ++end;
    const std::string_view name = text.substr(at, end - at);
    at = end;
    std::size_t sign = end;
    if (sign < text.size() && is_quote(text[sign])) ++sign;  // "name": in JSON
    const bool quoted_name = sign != end;
    while (quoted_name && sign < text.size() && is_space(text[sign])) ++sign;
    if (sign >= text.size() || (text[sign] != '=' && text[sign] != ':')) continue;
    const bool colon = text[sign] == ':';
    if (colon && text.substr(sign).starts_with("://")) continue;
    const bool header = colon && is_secret_header(name);
    if (!header && !is_secret_name(name)) continue;
    std::size_t value = sign + 1;
    while (colon && value < text.size() && (text[value] == ' ' || text[value] == '\t')) ++value;
    // The scheme of an Authorization header tells more than it hides.
    for (const std::string_view scheme : {"Bearer ", "bearer ", "Basic ", "basic "}) {
      if (header && text.substr(value).starts_with(scheme)) value += scheme.size();
    }
    std::size_t stop = value;
    if (value < text.size() && is_quote(text[value])) {
      stop = std::min(text.find(text[value], value + 1), text.size());
      ++value;
    } else if (header) {
      while (stop < text.size() && text[stop] != '\n' && text[stop] != '\r' && text[stop] != '"' &&
             text[stop] != '\'')
        ++stop;
    } else {
      while (stop < text.size() && !ends_value(text[stop])) ++stop;
    }
    add(spans, value, stop);
    at = std::max(at, stop);
  }
}

// ---- options of programs ----

enum class OptionForm { kNext, kAttached, kBoth };

struct SecretOption {
  std::string_view program;  // name, or its beginning when it ends in '*'; empty: any program
  std::string_view option;
  OptionForm form;
  bool after_colon;  // the value is name:secret
};
constexpr std::array kOptions = {
    SecretOption{"mysql*", "-p", OptionForm::kAttached, false},
    SecretOption{"mariadb*", "-p", OptionForm::kAttached, false},
    SecretOption{"sshpass", "-p", OptionForm::kBoth, false},
    SecretOption{"docker", "-p", OptionForm::kNext, false},
    SecretOption{"podman", "-p", OptionForm::kNext, false},
    SecretOption{"7z*", "-p", OptionForm::kAttached, false},
    SecretOption{"rar", "-p", OptionForm::kAttached, false},
    SecretOption{"unrar", "-p", OptionForm::kAttached, false},
    SecretOption{"zip", "-P", OptionForm::kBoth, false},
    SecretOption{"unzip", "-P", OptionForm::kBoth, false},
    SecretOption{"redis-cli", "-a", OptionForm::kBoth, false},
    SecretOption{"ldap*", "-w", OptionForm::kBoth, false},
    SecretOption{"openssl", "-k", OptionForm::kNext, false},
    SecretOption{"openssl", "-pass", OptionForm::kNext, false},
    SecretOption{"openssl", "-passin", OptionForm::kNext, false},
    SecretOption{"openssl", "-passout", OptionForm::kNext, false},
    SecretOption{"sqlcmd", "-P", OptionForm::kBoth, false},
    SecretOption{"smbclient", "-U", OptionForm::kBoth, true},
    SecretOption{"curl", "-b", OptionForm::kBoth, false},
    SecretOption{"curl", "-u", OptionForm::kBoth, true},
    SecretOption{"curl", "-U", OptionForm::kBoth, true},
    SecretOption{"", "-u", OptionForm::kNext, true},
    SecretOption{"", "--user", OptionForm::kNext, true},
    SecretOption{"", "--proxy-user", OptionForm::kNext, true},
    SecretOption{"", "--user=", OptionForm::kAttached, true},
    SecretOption{"", "--proxy-user=", OptionForm::kAttached, true},
    SecretOption{"", "--auth", OptionForm::kNext, true},
};

struct Word {
  std::string_view text;
  std::size_t begin = 0;  // where it is in the text that is masked
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
bool is_reference(std::string_view value) { return value.starts_with('$') && value.find(':') == value.npos; }

void add_value(const Word& word, std::size_t from, bool after_colon, Spans& spans) {
  std::size_t begin = from;
  if (after_colon) {
    const std::size_t colon = word.text.find(':', from);
    if (colon == std::string_view::npos) return;
    begin = colon + 1;
  }
  if (is_reference(word.text.substr(begin))) return;
  add(spans, word.begin + begin, word.begin + word.text.size());
}

// Whose option it is: `env X=1 sudo mysql -px` is mysql's, so every word before it is asked.
bool named_before(const std::vector<Word>& words, std::size_t index, std::string_view pattern) {
  if (pattern.empty()) return true;
  // docker -p is a port, docker login -p a password.
  const bool login = pattern == "docker" || pattern == "podman";
  bool found = false;
  for (std::size_t i = 0; i < std::min(index, kLongestFront); ++i) {
    if (runs_program(program_name(words[i].text), pattern)) found = true;
    if (found && login && words[i].text == "login") return true;
  }
  return found && !login;
}

void find_option_values(const std::vector<Word>& words, Spans& spans) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i].text;
    if (word.size() < 2 || word[0] != '-') continue;
    const Word* next = i + 1 < words.size() ? &words[i + 1] : nullptr;
    // --password x; --password=x is a named value and found in every text.
    if (next != nullptr && word.find('=') == std::string_view::npos && word.starts_with("--") &&
        is_secret_name(word.substr(2)) && !next->text.starts_with("--")) {
      add_value(*next, 0, false, spans);
    }
    for (const SecretOption& option : kOptions) {
      if (!word.starts_with(option.option)) continue;
      const bool exact = word.size() == option.option.size();
      if (!named_before(words, i, option.program)) continue;
      if (exact && option.form != OptionForm::kAttached && next != nullptr) {
        add_value(*next, 0, option.after_colon, spans);
      } else if (!exact && option.form != OptionForm::kNext) {
        add_value(words[i], option.option.size(), option.after_colon, spans);
      }
    }
  }
}

// ---- text ----

// Words as a shell would roughly see them, with what is between quotes as one word, and texts in quotes.
struct Words {
  std::vector<std::vector<Word>> commands;
  std::vector<Word> quoted;  // with white space in them: perhaps a command line of their own
};

Words words_of(std::string_view text) {
  Words found;
  found.commands.emplace_back();
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (is_space(c) || c == ';' || c == '|' || c == '&' || c == '(' || c == ')') {
      if (!is_space(c) || c == '\n') found.commands.emplace_back();
      ++at;
      continue;
    }
    const bool quoted = is_quote(c);
    const std::size_t begin = quoted ? at + 1 : at;
    std::size_t end = begin;
    if (quoted) {
      while (end < text.size() && text[end] != c) end += text[end] == '\\' && c == '"' ? 2 : 1;
      end = std::min(end, text.size());
    } else {
      while (end < text.size() && !is_space(text[end]) && text[end] != ';' && text[end] != '|' &&
             text[end] != '&' && text[end] != '(' && text[end] != ')' && !is_quote(text[end]))
        ++end;
    }
    const Word word{text.substr(begin, end - begin), begin};
    found.commands.back().push_back(word);
    if (quoted && std::any_of(word.text.begin(), word.text.end(), is_space)) found.quoted.push_back(word);
    at = quoted ? end + 1 : end;
  }
  return found;
}

void find_in_text(std::string_view text, Spans& spans, int depth) {
  find_named_values(text, spans);
  find_schemes(text, spans);
  find_url_passwords(text, spans);
  find_tokens(text, spans);
  find_private_keys(text, spans);
  if (depth >= kDeepestText) return;
  if (std::none_of(text.begin(), text.end(), is_space)) return;
  const Words words = words_of(text);
  for (const std::vector<Word>& command : words.commands) find_option_values(command, spans);
  for (const Word& inner : words.quoted) {
    Spans inside;
    find_in_text(inner.text, inside, depth + 1);
    for (const Span& span : inside) add(spans, inner.begin + span.begin, inner.begin + span.end);
  }
}

std::string masked(std::string_view text, Spans spans, std::size_t& count) {
  if (spans.empty()) return std::string(text);
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
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
    // PGPASSWORD, githubtoken
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
  for (const Word& word : words) {
    Spans spans;
    find_in_text(word.text, spans, 0);
    for (const Span& span : by_option) {
      if (span.begin >= word.begin && span.end <= word.begin + word.text.size())
        add(spans, span.begin - word.begin, span.end - word.begin);
    }
    out.argv.push_back(masked(word.text, std::move(spans), out.masked));
  }
  return out;
}

std::string mask_secrets_in_text(std::string_view text) {
  Spans spans;
  find_in_text(text, spans, 0);
  std::size_t count = 0;
  return masked(text, std::move(spans), count);
}

}  // namespace hostclaw::approvals
