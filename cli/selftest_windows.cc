// SPDX-License-Identifier: Apache-2.0
// The rows that Wine cannot be believed about; docs/windows.md says which row belongs to which claim.
#include <windows.h>
// After windows.h.
#include <winioctl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "approvals/platform/private_files.h"
#include "base/file_names.h"
#include "base/text.h"
#include "base/wide_text.h"
#include "cli/selftest.h"
#include "cli/this_system.h"
#include "node-host/run/run_executor.h"
#include "node-host/system/files/file_handles.h"
#include "node-host/system/files/windows_handle.h"
#include "node-host/system/host/host_facts.h"
#include "node-host/system/text/code_page_windows.h"

namespace hostclaw::cli::selftest {
namespace {

using namespace std::chrono_literals;
using node_host::as_handle;
using node_host::owned;
using node_host::UniqueFd;

std::string last_error() { return "error " + std::to_string(::GetLastError()); }

std::string backslashes(std::string path) {
  std::replace(path.begin(), path.end(), '/', '\\');
  return path;
}

void write_text(const std::string& path, std::string_view text) {
  std::ofstream(to_path(path), std::ios::binary) << text;
}

// The first letter that the page has; its bytes there.
struct Letter {
  std::string utf8;
  std::string bytes;
};
Letter letter_of(unsigned int page) {
  for (const wchar_t* letter : {L"\u00FC", L"\u00E9", L"\u0436", L"\u03B1", L"\u3042", L"\u4E2D"}) {
    char bytes[8] = {};
    BOOL replaced = FALSE;
    const bool utf8 = page == CP_UTF8;
    const int size = ::WideCharToMultiByte(page, utf8 ? 0 : WC_NO_BEST_FIT_CHARS, letter, 1, bytes,
                                           sizeof bytes, nullptr, utf8 ? nullptr : &replaced);
    if (size > 0 && replaced == FALSE)
      return {from_wide(letter), std::string(bytes, static_cast<std::size_t>(size))};
  }
  return {};
}

Answer look_at_code_page(Scene& scene) {
  const unsigned int page = node_host::system_oem_code_page();
  const Letter letter = letter_of(page);
  const std::string pages = "OEM code page " + std::to_string(page) + ", this program's " +
                            std::to_string(::GetOEMCP()) + ", its console's " +
                            std::to_string(::GetConsoleOutputCP());
  if (letter.bytes.empty()) return impossible(pages + ": it has none of the letters that are tried");
  const auto outcome = scene.child({"bytes", to_hex("f" + letter.bytes + "r")});
  if (outcome.standard_output.text != "f" + letter.utf8 + "r")
    return failed(pages + ": a letter arrived as " + to_hex(outcome.standard_output.text));
  return passed(pages + ": `" + letter.utf8 + "` arrives");
}

// What a console program writes when nobody tells it a code page, from a run's own console.
Answer look_at_console_code_page(Scene& scene) {
  const auto outcome = scene.child({"console-page"});
  if (!outcome.success()) return failed(told(outcome));
  const std::string page = std::string(trim(outcome.standard_output.text));
  if (page != std::to_string(node_host::system_oem_code_page()))
    return failed("a run's console begins with " + page + ", the system's is " +
                  std::to_string(node_host::system_oem_code_page()));
  return passed("a run's console has the system's page, " + page);
}

Answer look_at_utf16(Scene& scene) {
  const auto outcome = scene.child({"bytes", to_hex(std::string("N\0A\0M\0E\0\r\0\n\0", 12))});
  if (outcome.standard_output.text != "NAME\r\n")
    return failed("it arrived as " + to_hex(outcome.standard_output.text));
  return passed("UTF-16 without a mark arrives without NULs");
}

Answer look_at_wsl(Scene& scene) {
  const std::string wsl = find_program("wsl");
  if (wsl.empty()) return impossible("no wsl.exe");
  const auto outcome = scene.run(wsl, {"--help"}, 8s);
  const std::string text = outcome.standard_output.text + outcome.standard_error.text;
  if (text.find('\0') != std::string::npos) return failed("its text arrives with NULs");
  if (text.empty()) return impossible("it said nothing: " + told(outcome));
  return passed("its text arrives without NULs");
}

Answer look_at_cmd(Scene& scene) {
  const std::string batch = scene.folder() + "/arguments.cmd";
  write_text(batch, "@echo off\r\necho [%~1][%~2]\r\n");
  const auto outcome = scene.run(backslashes(batch), {"two words", "C:\\a\\"});
  if (!outcome.success() || trim(outcome.standard_output.text) != "[two words][C:\\a\\\\]")
    return failed(told(outcome));
  return passed("plain arguments reach a batch file");
}

// A batch file names a program that lies beside it, where anybody may have put it.
Answer look_at_current_directory(Scene& scene) {
  std::error_code problem;
  std::filesystem::copy_file(to_path(node_host::executable_path()), to_path(scene.folder() + "/planted.exe"),
                             problem);
  if (problem) return failed(problem.message());
  write_text(scene.folder() + "/plant.cmd", "@echo off\r\nplanted --version\r\n");
  const auto outcome = scene.run(backslashes(scene.folder() + "/plant.cmd"), {});
  if (outcome.standard_output.text.find("hostclaw") != std::string::npos)
    return failed("cmd.exe starts programs of the working directory");
  return passed("cmd.exe starts no program of the working directory");
}

Answer through_powershell(Scene& scene, const char* name) {
  const std::string program = find_program(name);
  if (program.empty()) return impossible(std::string("no ") + name + " in PATH");
  const std::string script = scene.folder() + "/arguments.ps1";
  write_text(script,
             "foreach ($word in $args) { [Console]::Out.Write('[' + $word + ']') }\r\n"
             "[Console]::Out.Write([char]0xFC)\r\n");
  const auto outcome = scene.run(program,
                                 {"-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass",
                                  "-File", backslashes(script), "two words", "it's", "a&b", "$x", "100%"},
                                 20s);
  const Letter letter = letter_of(node_host::system_oem_code_page());
  const std::string text = outcome.standard_output.text;
  if (outcome.exit_code == 0 && text.empty()) return impossible("it exits without doing anything");
  if (!text.starts_with("[two words][it's][a&b][$x][100%]")) return failed(told(outcome));
  if (letter.utf8 == "\xC3\xBC" && !text.ends_with("\xC3\xBC"))
    return failed("arguments arrive, \xC3\xBC does not: " +
                  to_hex(text.substr(text.size() - std::min<std::size_t>(text.size(), 4))));
  return passed("arguments and letters arrive");
}
Answer look_at_powershell(Scene& scene) { return through_powershell(scene, "powershell"); }
Answer look_at_pwsh(Scene& scene) { return through_powershell(scene, "pwsh"); }

std::string git_folder() {
  std::filesystem::path at = to_path(find_program("git"));
  for (int up = 0; up < 4 && at.has_parent_path(); ++up) {
    at = at.parent_path();
    std::error_code failed;
    if (std::filesystem::exists(at / "usr" / "bin" / "printf.exe", failed)) return to_text(at);
  }
  return {};
}

Answer look_at_msys(Scene& scene) {
  const std::string folder = git_folder();
  if (folder.empty()) return impossible("no Git for Windows with its tools in PATH");
  const std::vector<std::string> words = {"plain",
                                          "two words",
                                          "it's",
                                          "\"q\"",
                                          "*.txt",
                                          "a?b",
                                          "[abc]",
                                          "{a,b}",
                                          "~",
                                          "\\",
                                          "C:\\a b\\",
                                          "a\\\"b",
                                          "@file",
                                          "$HOME",
                                          "/c/x y",
                                          "!",
                                          "Gr\xC3\xBC\xC3\x9F\x65"};
  std::vector<std::string> arguments = {"<%s>\\n"};
  arguments.insert(arguments.end(), words.begin(), words.end());
  const auto outcome = scene.run(backslashes(folder + "/usr/bin/printf.exe"), arguments);
  std::string wanted;
  for (const std::string& word : words) wanted += "<" + word + ">\n";
  if (outcome.standard_output.text == wanted)
    return passed(std::to_string(words.size()) + " arguments arrive");
  const auto lines = split(outcome.standard_output.text, '\n');
  for (std::size_t i = 0; i < words.size(); ++i)
    if (i >= lines.size() || lines[i] != "<" + words[i] + ">")
      return failed("`" + words[i] + "` arrived as " +
                    (i < lines.size() ? lines[i] : "nothing; " + told(outcome)));
  return failed(told(outcome));
}

// The part of REPARSE_DATA_BUFFER for a mount point; user-mode headers leave it out.
struct MountPoint {
  DWORD tag;
  WORD data_length;
  WORD reserved;
  WORD substitute_offset;
  WORD substitute_length;
  WORD print_offset;
  WORD print_length;
  wchar_t names[512];
};

bool make_junction(const std::string& link, const std::string& target) {
  std::error_code problem;
  std::filesystem::create_directory(to_path(link), problem);
  const UniqueFd directory =
      owned(::CreateFileW(to_wide(backslashes(link)).c_str(), GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
                          FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  const std::wstring name = L"\\??\\" + to_wide(backslashes(target));
  MountPoint point{};
  if (!directory || name.size() * 2 + 4 > sizeof point.names) return false;
  const auto bytes = static_cast<WORD>(name.size() * sizeof(wchar_t));
  point.tag = IO_REPARSE_TAG_MOUNT_POINT;
  point.substitute_length = bytes;
  point.print_offset = static_cast<WORD>(bytes + sizeof(wchar_t));
  std::memcpy(point.names, name.data(), bytes);
  // Behind the header of eight bytes: four offsets and lengths, the name, and two zeros that end the names.
  point.data_length = static_cast<WORD>(8 + bytes + 2 * sizeof(wchar_t));
  DWORD count = 0;
  return ::DeviceIoControl(as_handle(directory.get()), FSCTL_SET_REPARSE_POINT, &point,
                           point.data_length + 8U, nullptr, 0, &count, nullptr) != 0;
}

std::string real_path_of(const std::string& path) {
  node_host::OpenedFiles files;
  return backslashes(files.facts(backslashes(path)).real_path);
}

Answer look_at_junctions(Scene& scene) {
  const std::string target = scene.folder() + "/target";
  const std::string link = scene.folder() + "/junction";
  if (const auto made = approvals::ensure_private_directory(target); !made) return failed(made.error().code);
  write_text(target + "/x.exe", "x");
  if (!make_junction(link, target)) return impossible("none can be made here (" + last_error() + ")");
  if (approvals::check_private_directory(link)) return failed("a state directory may be a junction");
  if (real_path_of(link + "/x.exe") != real_path_of(target + "/x.exe"))
    return failed("a file behind a junction is judged by another name");
  return passed("refused for the state, resolved for programs");
}

Answer look_at_symlinks(Scene& scene) {
  const std::string target = scene.folder() + "/linked.exe";
  const std::string link = scene.folder() + "/link.exe";
  write_text(target, "x");
  constexpr DWORD kUnprivileged = 0x2;
  if (::CreateSymbolicLinkW(to_wide(backslashes(link)).c_str(), to_wide(backslashes(target)).c_str(),
                            kUnprivileged) == 0)
    return impossible("this account may make none (" + last_error() + "); developer mode allows it");
  if (real_path_of(link) != real_path_of(target))
    return failed("a link is judged as another file than it leads to");
  return passed("a link is judged as what it leads to");
}

Answer look_at_aliases(Scene&) {
  const std::string folder = environment_variable("LOCALAPPDATA").value_or("") + "\\Microsoft\\WindowsApps";
  WIN32_FIND_DATAW found{};
  const HANDLE search = ::FindFirstFileW(to_wide(folder + "\\*.exe").c_str(), &found);
  if (search == INVALID_HANDLE_VALUE) return impossible("this account has none");
  std::string names;
  std::string wrong;
  int count = 0;
  int resolved = 0;
  do {
    constexpr DWORD kAppExecLink = 0x8000001B;
    if ((found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0 || found.dwReserved0 != kAppExecLink)
      continue;
    const std::string name = from_wide(found.cFileName);
    ++count;
    if (is_one_of(to_lower_ascii(name), {"pwsh.exe", "winget.exe", "python.exe", "wt.exe"}))
      names += (names.empty() ? "" : ", ") + name;
    node_host::OpenedFiles files;
    const policy::FileFacts facts = files.facts(folder + "\\" + name);
    if (facts.kind != policy::FileKind::kRegular) continue;
    ++resolved;
    if (backslashes(facts.real_path).starts_with(folder)) wrong = name;
  } while (::FindNextFileW(search, &found) != 0);
  ::FindClose(search);
  if (count == 0) return impossible("this account has none");
  const std::string counted =
      std::to_string(count) + " aliases" + (names.empty() ? "" : ", " + names + " among them");
  if (!wrong.empty()) return failed(counted + ": " + wrong + " is taken for a program of its own");
  return passed(counted + ": " + std::to_string(resolved) + " lead to a program that can be judged");
}

Answer look_at_short_names(Scene& scene) {
  const std::string path = scene.folder() + "/a long directory name";
  std::error_code problem;
  std::filesystem::create_directory(to_path(path), problem);
  write_text(path + "/x.exe", "x");
  wchar_t name[MAX_PATH] = {};
  const DWORD size = ::GetShortPathNameW(to_wide(backslashes(path)).c_str(), name, MAX_PATH);
  const std::string short_path = from_wide(name);
  if (size == 0 || size >= MAX_PATH || short_path.find('~') == std::string::npos)
    return impossible("this volume makes none");
  if (real_path_of(short_path + "\\x.exe") != real_path_of(path + "/x.exe"))
    return failed("a short name is judged as another directory");
  return passed("a short name of a directory is resolved");
}

Answer look_at_inheritance(Scene& scene) {
  const std::string directory = scene.folder() + "/private";
  if (const auto made = approvals::ensure_private_directory(directory); !made)
    return failed(made.error().code);
  write_text(directory + "/made.txt", "x");
  const auto checked = approvals::check_private_file(directory + "/made.txt");
  if (!checked) return failed("what is made in a private folder is not private: " + checked.error().code);
  return passed("what is made in a private folder is private");
}

Answer look_at_tree(Scene& scene) {
  const std::string file = scene.folder() + "/grandchild";
  const auto outcome = scene.child({"tree", file}, 2s);
  if (!outcome.timed_out) return failed(told(outcome));
  std::ifstream in(to_path(file));
  unsigned long pid = 0;
  if (!(in >> pid)) return failed("the grandchild did not start");
  const UniqueFd process = owned(::OpenProcess(SYNCHRONIZE | PROCESS_TERMINATE, FALSE, pid));
  if (process && ::WaitForSingleObject(as_handle(process.get()), 2000) != WAIT_OBJECT_0) {
    ::TerminateProcess(as_handle(process.get()), 1);
    return failed("a process in a group of its own outlived its run");
  }
  return passed("a process in a group of its own ended with its run");
}

Answer look_at_nested_jobs(Scene& scene) {
  BOOL in_job = FALSE;
  ::IsProcessInJob(::GetCurrentProcess(), nullptr, &in_job);
  const auto outcome = scene.child({"nested-job"});
  const std::string here = in_job != FALSE ? "this program is in a job itself" : "this program is in no job";
  if (!outcome.success()) return failed(here + "; " + told(outcome));
  return passed(here + "; a program of a run can make a job of its own");
}

Answer look_at_ctrl_c(Scene& scene) {
  const auto outcome = scene.child({"wait-for-ctrl-c"}, 2s);
  if (outcome.exit_code != 3 || trim(outcome.standard_output.text) != "interrupted")
    return failed(told(outcome));
  return passed("a program that is out of time is interrupted first");
}

Answer look_at_hidden_prompt(Scene& scene) {
  const auto outcome = scene.child({"ask-in-console"}, 2s);
  if (!outcome.timed_out) return failed(told(outcome));
  if (outcome.standard_error.text.find("selftest asks (yes/no)?") == std::string::npos)
    return failed("what a program asks in its console is not seen");
  return passed("what a program asks in its console is told when it is out of time");
}

Answer look_at_docker(Scene&) {
  std::string there;
  for (const wchar_t* pipe : {L"docker_engine", L"dockerDesktopLinuxEngine", L"dockerDesktopWindowsEngine"}) {
    const std::wstring path = std::wstring(L"\\\\.\\pipe\\") + pipe;
    const UniqueFd opened = owned(
        ::CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr));
    const DWORD error = opened ? ERROR_SUCCESS : ::GetLastError();
    if (error == ERROR_FILE_NOT_FOUND) continue;
    const char* how = error == ERROR_SUCCESS         ? " takes this account"
                      : error == ERROR_PIPE_BUSY     ? " is busy"
                      : error == ERROR_ACCESS_DENIED ? " refuses this account (docker-users?)"
                                                     : " cannot be opened";
    there += (there.empty() ? "" : ", ") + from_wide(pipe) + how;
  }
  if (there.empty()) return impossible("no pipe of a Docker engine");
  return there.find("takes") != std::string::npos ? passed(there) : impossible(there);
}

constexpr std::array kRows = {
    Row{"code-page", "letters that programs write", look_at_code_page},
    Row{"console-code-page", "in which page programs write them", look_at_console_code_page},
    Row{"utf-16", "text of wsl.exe and its like", look_at_utf16},
    Row{"wsl", "the same from wsl.exe itself", look_at_wsl},
    Row{"arguments-cmd", "arguments of batch files", look_at_cmd},
    Row{"current-directory", "programs in the working directory", look_at_current_directory},
    Row{"powershell", "arguments and letters of Windows PowerShell", look_at_powershell},
    Row{"pwsh", "arguments and letters of PowerShell 7", look_at_pwsh},
    Row{"arguments-msys", "arguments of Git's Unix tools", look_at_msys},
    Row{"junctions", "directories that lead elsewhere", look_at_junctions},
    Row{"symlinks", "files that lead elsewhere", look_at_symlinks},
    Row{"aliases", "programs of the Store", look_at_aliases},
    Row{"short-names", "names like PROGRA~1", look_at_short_names},
    Row{"inheritance", "who can read what is made in the state", look_at_inheritance},
    Row{"tree", "what a run leaves running", look_at_tree},
    Row{"nested-jobs", "jobs in jobs", look_at_nested_jobs},
    Row{"ctrl-c", "a gentle end", look_at_ctrl_c},
    Row{"hidden-prompt", "questions in a console that nobody sees", look_at_hidden_prompt},
    Row{"docker", "pipes of Docker", look_at_docker},
};

// Leaves a process in a group of its own, with its number in `file`, and waits.
int leave_grandchild(const std::string& file) {
  wchar_t self[MAX_PATH] = {};
  ::GetModuleFileNameW(nullptr, self, MAX_PATH);
  std::wstring line = L"hostclaw selftest child sleep";
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  PROCESS_INFORMATION information{};
  if (::CreateProcessW(self, line.data(), nullptr, nullptr, FALSE,
                       DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP, nullptr, nullptr, &startup,
                       &information) == 0)
    return 1;
  write_text(file, std::to_string(information.dwProcessId));
  ::Sleep(60'000);
  return 0;
}

int make_nested_job() {
  const UniqueFd job = owned(::CreateJobObjectW(nullptr, nullptr));
  return job && ::AssignProcessToJobObject(as_handle(job.get()), ::GetCurrentProcess()) != 0
             ? 0
             : static_cast<int>(::GetLastError());
}

int print_console_page() {
  std::printf("%u\n", console_page_at_start());
  std::fflush(stdout);
  return 0;
}

BOOL WINAPI on_ctrl_c(DWORD event) {
  if (event != CTRL_C_EVENT) return FALSE;
  std::fputs("interrupted\n", stdout);
  std::fflush(stdout);
  ::ExitProcess(3);
}

int wait_for_ctrl_c() {
  ::SetConsoleCtrlHandler(&on_ctrl_c, TRUE);
  ::Sleep(60'000);
  return 0;
}

// As ssh does: not on its streams but in its console.
int ask_in_console() {
  const UniqueFd screen =
      owned(::CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                          nullptr, OPEN_EXISTING, 0, nullptr));
  DWORD count = 0;
  constexpr std::wstring_view kQuestion = L"selftest asks (yes/no)? ";
  if (!screen || ::WriteConsoleW(as_handle(screen.get()), kQuestion.data(),
                                 static_cast<DWORD>(kQuestion.size()), &count, nullptr) == 0)
    return 1;
  ::Sleep(60'000);
  return 0;
}

}  // namespace

std::span<const Row> system_rows() { return kRows; }

Json system_facts() {
  Json facts{{"oemCodePage", node_host::system_oem_code_page()}};
  // Whoever reads a report must know that no Windows was seen.
  using WineVersion = const char*(__cdecl*)();
  const HMODULE ntdll = ::GetModuleHandleW(L"ntdll.dll");
  const auto wine_version = reinterpret_cast<WineVersion>(
      reinterpret_cast<void*>(ntdll == nullptr ? nullptr : ::GetProcAddress(ntdll, "wine_get_version")));
  if (wine_version != nullptr) facts["wine"] = wine_version();
  return facts;
}

std::optional<int> run_system_child(const std::string& mode, std::span<const std::string> arguments) {
  if (mode == "tree" && arguments.size() == 1) return leave_grandchild(arguments[0]);
  if (mode == "nested-job") return make_nested_job();
  if (mode == "console-page") return print_console_page();
  if (mode == "wait-for-ctrl-c") return wait_for_ctrl_c();
  if (mode == "ask-in-console") return ask_in_console();
  return std::nullopt;
}

}  // namespace hostclaw::cli::selftest
