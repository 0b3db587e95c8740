// SPDX-License-Identifier: Apache-2.0
// Stands in for git.exe, docker.exe, curl.exe and pwsh.exe: notes in calls.log beside itself its name, the
// directory and its words, and says the same. `docker compose up` is slow enough that somebody could end it.
#include <windows.h>

#include <cstdio>
#include <string>

namespace {

std::string own_path() {
  std::string out(MAX_PATH * 4, '\0');
  out.resize(GetModuleFileNameA(nullptr, out.data(), static_cast<DWORD>(out.size())));
  return out;
}

std::string working_directory() {
  std::string out(MAX_PATH * 4, '\0');
  out.resize(GetCurrentDirectoryA(static_cast<DWORD>(out.size()), out.data()));
  return out;
}

}  // namespace

int main(int count, char** words) {
  const std::string self = own_path();
  const std::size_t slash = self.rfind('\\');
  std::string call = self.substr(slash + 1) + "|" + working_directory() + "|";
  for (int i = 1; i < count; ++i) call += (i > 1 ? " " : "") + std::string(words[i]);
  if (std::FILE* log = std::fopen((self.substr(0, slash) + "\\calls.log").c_str(), "ab")) {
    std::fprintf(log, "%s\n", call.c_str());
    std::fclose(log);
  }
  if (call.find("|compose up") != std::string::npos) Sleep(200);
  std::printf("%s\n", call.c_str());
  return 0;
}
