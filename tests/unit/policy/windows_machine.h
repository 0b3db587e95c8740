// SPDX-License-Identifier: Apache-2.0
// A small Windows machine for decision tests: names ignore case, some have a short form, and every look is
// recorded.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "base/text.h"
#include "policy/decide/engine.h"
#include "tests/unit/policy/decision_fixture.h"

namespace hostclaw::policy {

class WindowsFiles final : public FileProbe {
 public:
  std::vector<std::string> looks;
  std::set<std::string> others_write;  // lower case

  void add(const std::string& path, FileKind kind = FileKind::kRegular, std::string content = "MZ") {
    nodes_[to_lower_ascii(path)] = {path, kind, std::move(content)};
  }
  // `path` is another spelling of the file `of`.
  void add_spelling(const std::string& path, const std::string& of) {
    nodes_[to_lower_ascii(path)] = nodes_.at(to_lower_ascii(of));
  }

  FileFacts facts(const std::string& path) override {
    looks.push_back(path);
    FileFacts out;
    const auto found = nodes_.find(to_lower_ascii(path));
    if (found == nodes_.end()) return out;
    out.kind = found->second.kind;
    out.executable = out.kind == FileKind::kRegular;
    out.real_path = found->second.path;
    out.identity.known = true;
    out.identity.inode = std::hash<std::string>{}(out.real_path);
    return out;
  }
  bool is_symlink(const std::string&) override { return false; }
  bool changeable_by_others(const std::string& path) override {
    return facts(path).kind == FileKind::kMissing || others_write.contains(to_lower_ascii(path));
  }
  std::optional<std::string> content_sha256(const std::string& path) override {
    looks.push_back(path);
    const auto found = nodes_.find(to_lower_ascii(path));
    if (found == nodes_.end()) return std::nullopt;
    return sha256_hex(found->second.content);
  }
  std::string head(const std::string& path, std::size_t count) override {
    looks.push_back(path);
    const auto found = nodes_.find(to_lower_ascii(path));
    return found == nodes_.end() ? std::string() : found->second.content.substr(0, count);
  }

 private:
  struct Node {
    std::string path;
    FileKind kind = FileKind::kRegular;
    std::string content;
  };
  std::map<std::string, Node> nodes_;
};

struct WindowsMachine {
  WindowsFiles files;
  EngineContext context;
  PolicyDocument document;

  WindowsMachine() {
    for (const char* directory :
         {"C:/Users/u", "C:/Users/u/work", "C:/Windows/System32", "C:/Program Files/Git/cmd"})
      files.add(directory, FileKind::kDirectory, "");
    for (const char* program :
         {"C:/Program Files/Git/cmd/git.exe", "C:/Windows/System32/cmd.exe", "C:/Windows/System32/where.exe",
          "C:/Windows/System32/reg.exe", "C:/Windows/System32/powershell.exe", "C:/scripts/build.cmd",
          "C:/Program Files/nodejs/node.exe", "C:/Users/u/work/tool.exe", "C:/scripts/run.vbs",
          "D:/other/tool.exe"})
      files.add(program);
    files.add_spelling("C:/PROGRA~1/Git/cmd/git.exe", "C:/Program Files/Git/cmd/git.exe");
    files.add_spelling("C:/Windows/System32/POWERS~1.EXE", "C:/Windows/System32/powershell.exe");
    context.platform = Platform::kWindows;
    context.files = &files;
    context.home = "C:/Users/u";
    context.host_cwd = "C:/Users/u";
    context.host_environment = {
        {"Path",
         "\"C:\\Program Files\\Git\\cmd\";C:\\Windows\\System32;C:\\Program Files\\nodejs;C:\\scripts"},
        {"PATHEXT", ".COM;.EXE;.BAT;.CMD;.VBS"},
        {"SystemRoot", "C:\\Windows"}};
    list({"C:\\Program Files\\Git\\cmd\\git.exe", "C:\\scripts\\build.cmd",
          "C:\\Windows\\System32\\where.exe"});
  }

  void policy(const std::string& security, const std::string& ask, OrderedJson list = OrderedJson::array()) {
    document = Machine::read({{"version", 1},
                              {"defaults", {{"security", security}, {"ask", ask}}},
                              {"agents", {{"main", {{"allowlist", std::move(list)}}}}}});
  }
  void list(std::initializer_list<const char*> patterns) {
    OrderedJson entries = OrderedJson::array();
    for (const char* pattern : patterns) entries.push_back({{"pattern", pattern}});
    policy("allowlist", "on-miss", std::move(entries));
  }

  static Json request(const std::vector<std::string>& command) {
    return {{"command", command}, {"agentId", "main"}, {"cwd", "C:\\Users\\u\\work"}};
  }
  // TEXT as the gateway sends it.
  static Json carried(const std::string& text) {
    Json params = request({"cmd.exe", "/d", "/s", "/c", text});
    params["rawCommand"] = text;
    return params;
  }
  RunEvaluation decide(const Json& params) { return evaluate_run(params, document, context); }
  RunEvaluation run(const std::vector<std::string>& command) { return decide(request(command)); }
  RunEvaluation text(const std::string& value) { return decide(carried(value)); }
};

}  // namespace hostclaw::policy
