// SPDX-License-Identifier: Apache-2.0
#include "clawlink/model/wire_text.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "approvals/platform/random_id.h"
#include "base/text.h"

namespace hostclaw::clawlink {
namespace {

struct CivilTime {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millisecond = 0;
};

CivilTime civil_time(std::int64_t unix_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(unix_ms)};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const auto rest = static_cast<int>((at - day).count());
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          rest / 3'600'000,
          rest / 60'000 % 60,
          rest / 1000 % 60,
          rest % 1000};
}

std::string format_time_of(std::int64_t unix_ms, const char* fraction_and_zone) {
  const CivilTime time = civil_time(unix_ms);
  std::array<char, 96> text{};
  const int head = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03d", time.year,
                                 time.month, time.day, time.hour, time.minute, time.second, time.millisecond);
  return std::string(text.data(), static_cast<std::size_t>(std::max(head, 0))) + fraction_and_zone;
}

// Reads digits one after the other.
class Digits {
 public:
  explicit Digits(std::string_view text) : text_(text) {}
  bool number(std::size_t digits, int& out) {
    if (text_.size() < digits) return false;
    out = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (text_[i] < '0' || text_[i] > '9') return false;
      out = out * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(digits);
    return true;
  }
  bool one_of(std::string_view characters) {
    if (text_.empty() || characters.find(text_.front()) == std::string_view::npos) return false;
    taken_ = text_.front();
    text_.remove_prefix(1);
    return true;
  }
  char taken() const { return taken_; }
  bool done() const { return text_.empty(); }
  // Milliseconds of the digits behind a point.
  bool fraction(int& milliseconds) {
    milliseconds = 0;
    int count = 0;
    for (int digit = 0; count < 9 && number(1, digit); ++count) {
      if (count < 3) milliseconds = milliseconds * 10 + digit;
    }
    for (int i = count; i < 3; ++i) milliseconds *= 10;
    return count > 0;
  }

 private:
  std::string_view text_;
  char taken_ = 0;
};

std::optional<std::int64_t> read_iso_time(std::string_view text) {
  using namespace std::chrono;
  Digits digits(text);
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, ms = 0, zone_hours = 0, zone_minutes = 0;
  if (!digits.number(4, y) || !digits.one_of("-") || !digits.number(2, mo) || !digits.one_of("-") ||
      !digits.number(2, d) || !digits.one_of("Tt ") || !digits.number(2, h) || !digits.one_of(":") ||
      !digits.number(2, mi) || !digits.one_of(":") || !digits.number(2, s)) {
    return std::nullopt;
  }
  if (digits.one_of(".") && !digits.fraction(ms)) return std::nullopt;
  int sign = 0;
  if (!digits.one_of("Zz")) {
    if (!digits.one_of("+-")) return std::nullopt;
    sign = digits.taken() == '+' ? 1 : -1;
    if (!digits.number(2, zone_hours) || !digits.one_of(":") || !digits.number(2, zone_minutes))
      return std::nullopt;
  }
  const year_month_day date{year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
  if (!digits.done() || !date.ok() || h > 23 || mi > 59 || s > 60 || zone_hours > 23 || zone_minutes > 59)
    return std::nullopt;
  const auto at = sys_days(date) + hours(h) + minutes(mi) + seconds(s) + milliseconds(ms) -
                  sign * (hours(zone_hours) + minutes(zone_minutes));
  return duration_cast<milliseconds>(at.time_since_epoch()).count();
}

}  // namespace

std::string iso_time(std::int64_t unix_ms) { return format_time_of(unix_ms, "000+00:00"); }
std::string iso_time_z(std::int64_t unix_ms) { return format_time_of(unix_ms, "Z"); }

std::optional<std::int64_t> read_time(const Json& value) {
  if (value.is_string()) return read_iso_time(value.get_ref<const std::string&>());
  constexpr double kLatest = 253'402'300'800.0;  // year 10000
  if (!value.is_number()) return std::nullopt;
  const double seconds = value.get<double>();
  if (!(seconds >= 0 && seconds < kLatest)) return std::nullopt;
  return static_cast<std::int64_t>(seconds * 1000);
}

const Json* find_member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string text_member(const Json& object, const char* name, std::string_view otherwise) {
  const Json* const found = find_member(object, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string(otherwise);
}

bool is_truthy(const Json& object, const char* name) {
  const Json* const found = find_member(object, name);
  if (found == nullptr || found->is_null()) return false;
  if (found->is_string()) return !found->get_ref<const std::string&>().empty();
  if (found->is_boolean()) return found->get<bool>();
  if (found->is_number()) return found->get<double>() != 0;
  return !found->empty();
}

std::string short_id(std::size_t characters) { return approvals::new_uuid().substr(0, characters); }

std::string random_text(std::size_t bytes) {
  std::vector<std::uint8_t> random(bytes);
  if (RAND_bytes(random.data(), static_cast<int>(bytes)) != 1) std::abort();
  return to_base64url(random);
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          std::string_view("-._~").find(c) != std::string_view::npos;
    if (is_plain) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 0xF]};
    }
  }
  return out;
}

std::string with_members(std::string_view object, std::string_view members) {
  std::string out(object.substr(0, object.size() - 1));
  if (!members.empty() && out.size() > 1) out += ',';
  out += members;
  out += '}';
  return out;
}

bool is_agent_id(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F || c == '/' || c == '?' || c == '#';
  });
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t at = 0, star = std::string_view::npos, resume = 0, p = 0;
  while (at < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = at;
    } else if (p < pattern.size() && pattern[p] == text[at]) {
      ++p;
      ++at;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string to_base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  const std::optional<std::vector<std::uint8_t>> bytes = from_base64url(text);
  if (!bytes) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

}  // namespace hostclaw::clawlink
