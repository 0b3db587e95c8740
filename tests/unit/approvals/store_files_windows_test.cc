// SPDX-License-Identifier: Apache-2.0
#include <aclapi.h>
#include <sddl.h>
#include <windows.h>

#include <filesystem>

#include "approvals/database/sqlite.h"
#include "approvals/platform/private_files.h"
#include "approvals/platform/secret_protection.h"
#include "approvals/store/store.h"
#include "base/file_names.h"
#include "base/wide_text.h"
#include "support.h"

namespace hostclaw::approvals {
namespace {

using namespace testing;

// Gives `path` the access list of this text, inheriting nothing.
void set_access(const std::string& path, const std::string& list) {
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  REQUIRE(ConvertStringSecurityDescriptorToSecurityDescriptorW(to_wide(list).c_str(), SDDL_REVISION_1,
                                                               &descriptor, nullptr) != 0);
  BOOL present = FALSE;
  BOOL defaulted = FALSE;
  PACL acl = nullptr;
  REQUIRE(GetSecurityDescriptorDacl(descriptor, &present, &acl, &defaulted) != 0);
  std::wstring name = to_wide_path(path);
  CHECK(SetNamedSecurityInfoW(name.data(), SE_FILE_OBJECT,
                              DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, nullptr,
                              nullptr, acl, nullptr) == ERROR_SUCCESS);
  LocalFree(descriptor);
}

class VariableScope {
 public:
  VariableScope(const char* name, const char* value)
      : name_(to_wide(name)), before_(environment_variable(name)) {
    set(value == nullptr ? std::nullopt : std::optional<std::string>(value));
  }
  ~VariableScope() { set(before_); }
  VariableScope(const VariableScope&) = delete;
  VariableScope& operator=(const VariableScope&) = delete;
  void set(const std::optional<std::string>& value) {
    SetEnvironmentVariableW(name_.c_str(), value ? to_wide(*value).c_str() : nullptr);
  }

 private:
  std::wstring name_;
  std::optional<std::string> before_;
};

TEST_CASE("the state directory on Windows follows the environment in the documented order", "[store]") {
  VariableScope local("LOCALAPPDATA", "C:\\Users\\B\xC3\xBCro\\AppData\\Local");
  VariableScope openclaw("OPENCLAW_STATE_DIR", nullptr);
  VariableScope own("HOSTCLAW_STATE_DIR", nullptr);
  CHECK(must(default_state_directory()) == "C:/Users/B\xC3\xBCro/AppData/Local/hostclaw");
  openclaw.set("D:\\claw\\");
  CHECK(must(default_state_directory()) == "D:/claw/hostclaw");
  own.set("E:\\own\\..\\place\\");
  CHECK(must(default_state_directory()) == "E:/place");
  own.set(std::nullopt);
  openclaw.set(std::nullopt);
  local.set(std::nullopt);
  CHECK(code_of(default_state_directory()) == "STORE_IO");
}

TEST_CASE("a store in a folder of any name and depth is opened again", "[store]") {
  TemporaryDirectory base;
  const std::string name =
      GENERATE(std::string("B\xC3\xBCro \xE6\x97\xA5\xE6\x9C\xAC #1%20"), std::string(90, 'd'));
  const std::string directory = base / (name + "/" + name + "/" + name);
  must(open_store(directory)->put_setting("kept", 1));
  CHECK(setting_text(*open_store(directory), "kept") == "1");
  CHECK(setting_text(*open_store(directory, OpenMode::kReadOnly), "kept") == "1");
}

TEST_CASE("a directory or file that others may read is refused on Windows", "[store]") {
  TemporaryDirectory base;
  const std::string directory = base / "state";
  const std::string file = directory + "/hostclaw.sqlite";
  open_store(directory);
  SECTION("a directory") { set_access(directory, "D:P(A;OICI;FA;;;OW)(A;OICI;FA;;;BA)(A;OICI;FR;;;WD)"); }
  SECTION("a file") { set_access(file, "D:P(A;;FA;;;OW)(A;;FA;;;BA)(A;;FR;;;WD)"); }
  const auto opened = Store::open(directory, OpenMode::kReadWrite);
  REQUIRE(opened.has_error());
  CHECK(opened.error().code == "STORE_PERMISSIONS");
  CHECK(opened.error().next.starts_with("icacls "));
  CHECK(file_exists(file));
}

TEST_CASE("an empty directory of ours is closed on Windows", "[store]") {
  TemporaryDirectory base;
  const std::string directory = base / "state";
  std::filesystem::create_directory(directory);
  set_access(directory, "D:P(A;OICI;FA;;;OW)(A;OICI;FA;;;BA)(A;OICI;FR;;;WD)");
  must(ensure_private_directory(directory));
  must(check_private_directory(directory));
}

TEST_CASE("a private file that is there already stays", "[store]") {
  TemporaryDirectory base;
  const std::string path = base / "file";
  must(create_private_file(path, "first"));
  must(create_private_file(path, "second"));
  CHECK(read_file(path) == "first");
  CHECK(code_of(open_new_private_file(path)) == "FILE_EXISTS");
  must(copy_private_file(path, base / "copy"));
  CHECK(same_content(path, base / "copy"));
  must(check_private_file(path));
  must(check_private_file(base / "copy"));
  int names = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(base.path())) ++names;
  CHECK(names == 2);
}

TEST_CASE("keys and tokens do not lie in the database as they are", "[secrets]") {
  TemporaryDirectory base;
  {
    auto store = open_store(base.path());
    must(store->insert_identity({"ab12", "PUBLIC", "PRIVATE-TEXT", 42}));
    must(store->put_device_token("ab12", "node", "TOKEN-TEXT", std::nullopt));
    CHECK(must(store->identity())->private_key_pem == "PRIVATE-TEXT");
    CHECK(must(store->device_token("ab12", "node"))->token == "TOKEN-TEXT");
    must(store->put_device_token("ab12", "node", "TOKEN-TEXT-2", "TOKEN-TEXT"));
    CHECK(must(store->database().integer(
              "SELECT count(*) FROM identity, device_tokens WHERE private_key_pem LIKE "
              "'hostclaw-dpapi-v1:%' AND token LIKE 'hostclaw-dpapi-v1:%'")) == 1);
  }
  const std::string bytes = read_file(base / "hostclaw.sqlite") + read_file(base / "hostclaw.sqlite-wal");
  CHECK(bytes.find("PUBLIC") != std::string::npos);
  CHECK(bytes.find("PRIVATE-TEXT") == std::string::npos);
  CHECK(bytes.find("TOKEN-TEXT") == std::string::npos);
}

}  // namespace
}  // namespace hostclaw::approvals
