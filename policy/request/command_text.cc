// SPDX-License-Identifier: Apache-2.0
#include "policy/request/command_text.h"

#include <algorithm>

#include "base/sha256.h"
#include "base/text.h"
#include "policy/model/engine_context.h"

namespace hostclaw::policy {
namespace {

// ECMAScript `\s`: what trim() removes at the start of a text.
bool contains_space(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0U) == 0x80U) continue;
    const std::string_view character = text.substr(i, byte < 0x80   ? 1
                                                      : byte < 0xE0 ? 2
                                                      : byte < 0xF0 ? 3
                                                                    : 4);
    if (trim(character).size() < character.size()) return true;
  }
  return false;
}

void append_field(std::string& out, std::string_view text) {
  out += std::to_string(text.size());
  out.push_back('\0');
  out += text;
  out.push_back('\0');
}

bool is_drive(std::string_view path) {
  return path.size() >= 2 && path[1] == ':' &&
         ((path[0] >= 'a' && path[0] <= 'z') || (path[0] >= 'A' && path[0] <= 'Z'));
}

std::string forward_slashes(std::string_view path) {
  std::string out(path);
  std::replace(out.begin(), out.end(), '\\', '/');
  return out;
}

std::string normalize_windows(std::string_view path) {
  const std::string text = forward_slashes(path);
  // The second slash makes it a network path.
  if (text.starts_with("//")) return "/" + normalize_path(std::string_view(text).substr(1));
  if (!is_drive(text)) return normalize_path(text);
  const std::string rest = normalize_path(std::string_view(text).substr(2));
  return text.substr(0, 2) + (rest == "." ? "" : rest);
}

}  // namespace

std::string command_text(const std::vector<std::string>& argv) {
  std::string out;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (i > 0) out.push_back(' ');
    const std::string& word = argv[i];
    if (word.empty()) {
      out += "\"\"";
    } else if (word.find('"') == std::string::npos && !contains_space(word)) {
      out += word;
    } else {
      out.push_back('"');
      for (const char c : word) {
        if (c == '"') out.push_back('\\');
        out.push_back(c);
      }
      out.push_back('"');
    }
  }
  return out;
}

std::string command_key(std::string_view text) { return sha256_hex(trim(text)).substr(0, 16); }

std::string cwd_argv_pattern(std::string_view cwd, const std::vector<std::string>& arguments,
                             Platform platform) {
  const std::string directory = platform == Platform::kWindows ? normalize_windows(trim(cwd))
                                                               : forward_slashes(normalize_path(trim(cwd)));
  std::string preimage;
  append_field(preimage, directory);
  preimage += std::to_string(arguments.size());
  preimage.push_back('\0');
  for (const std::string& argument : arguments) append_field(preimage, argument);
  return std::string(kCwdArgvPrefix) + sha256_hex(preimage);
}

std::string normalize_path(std::string_view path) {
  const bool absolute = !path.empty() && path.front() == '/';
  const bool trailing = path.size() > 1 && path.back() == '/';
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    std::size_t end = path.find('/', begin);
    if (end == std::string_view::npos) end = path.size();
    const std::string_view part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !absolute) {
      parts.push_back(part);
    }
  }
  std::string out = absolute ? "/" : "";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out.push_back('/');
    out += parts[i];
  }
  if (out.empty()) out = ".";
  if (trailing && out.back() != '/') out.push_back('/');
  return out;
}

std::string windows_form(std::string_view path) { return forward_slashes(to_lower_ascii(path)); }

std::string with_backslashes(std::string_view path) {
  std::string out(path);
  std::replace(out.begin(), out.end(), '/', '\\');
  return out;
}

bool is_absolute_path(std::string_view path, Platform platform) {
  if (path.empty()) return false;
  if (path.front() == '/') return true;
  if (platform == Platform::kPosix) return false;
  return path.front() == '\\' || (is_drive(path) && path.size() > 2 && (path[2] == '/' || path[2] == '\\'));
}

std::string absolute_path(std::string_view base, std::string_view path, Platform platform) {
  std::string joined =
      is_absolute_path(path, platform) ? std::string(path) : std::string(base) + "/" + std::string(path);
  // `\x` is on the drive of the directory that it is relative to.
  const std::string_view ends = std::string_view(joined).substr(0, 2);
  const bool rooted = (ends.starts_with('/') || ends.starts_with('\\')) && ends != "//" && ends != "\\\\" &&
                      ends != "/\\" && ends != "\\/";
  if (platform == Platform::kWindows && rooted && is_drive(base)) joined.insert(0, base.substr(0, 2));
  std::string out = platform == Platform::kWindows ? normalize_windows(joined) : normalize_path(joined);
  while (out.size() > 1 && out.back() == '/' && !(is_drive(out) && out.size() == 3)) out.pop_back();
  return out;
}

std::string_view base_name(std::string_view path, Platform platform) {
  const std::size_t at = path.find_last_of(platform == Platform::kWindows ? "/\\" : "/");
  return at == std::string_view::npos ? path : path.substr(at + 1);
}

}  // namespace hostclaw::policy
