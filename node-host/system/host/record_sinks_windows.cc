// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/host/record_sinks.h"

#include <sddl.h>
#include <windows.h>

#include <memory>

#include "node-host/system/files/file_handles.h"
#include "node-host/system/files/path_ownership.h"
#include "node-host/system/files/windows_handle.h"
#include "node-host/system/files/windows_path.h"
#include "node-host/system/host/system_error_windows.h"

namespace hostclaw::node_host {
namespace {

// Its owner, SYSTEM and Administrators, and nothing that is inherited.
constexpr const wchar_t* kPrivateFile = L"D:P(A;;FA;;;OW)(A;;FA;;;SY)(A;;FA;;;BA)";

Error sink_failure(const std::string& path, const std::string& why) {
  return make_error("SINK_FAILED", path + ": " + why);
}

// There are no local datagram sockets here, and no daemon that would listen.
class NoDatagrams final : public RecordSink {
 public:
  explicit NoDatagrams(std::string path) : path_(std::move(path)) {}
  Result<void> send(std::string_view, std::chrono::milliseconds) override {
    return sink_failure(path_, "Windows has neither journald nor syslog");
  }

 private:
  const std::string path_;
};

class LineFile final : public RecordSink {
 public:
  explicit LineFile(std::string path) : path_(std::move(path)) {}

  Result<void> send(std::string_view row, std::chrono::milliseconds) override {
    if (!still_there()) {
      file_.reset();
      if (Result<void> opened = open(); !opened) return opened;
    }
    LARGE_INTEGER end{};
    if (::SetFilePointerEx(as_handle(file_.get()), {}, &end, FILE_END) == 0) return failure();
    const std::string line = std::string(row) + "\n";
    std::size_t done = 0;
    while (done < line.size()) {
      DWORD count = 0;
      const auto left = static_cast<DWORD>(line.size() - done);
      if (::WriteFile(as_handle(file_.get()), line.data() + done, left, &count, nullptr) != 0 && count > 0) {
        done += count;
        continue;
      }
      const Error failed = failure();
      // Half a line would make the next one unreadable. This process is the only one that appends.
      if (done > 0 && ::SetFilePointerEx(as_handle(file_.get()), end, nullptr, FILE_BEGIN) != 0)
        ::SetEndOfFile(as_handle(file_.get()));
      return failed;
    }
    return {};
  }

 private:
  Error failure() const { return sink_failure(path_, last_windows_error().message); }

  // Others may rename and delete the file while it is open, which is how it is rotated.
  static UniqueFd open_file(const std::wstring& path, DWORD access, DWORD disposition, DWORD flags,
                            SECURITY_ATTRIBUTES* security = nullptr) {
    return owned(::CreateFileW(path.c_str(), access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                               security, disposition, flags, nullptr));
  }

  bool still_there() const {
    const auto path = verbatim_path(path_);
    if (!file_ || !path) return false;
    const UniqueFd named =
        open_file(*path, FILE_READ_ATTRIBUTES, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT);
    BY_HANDLE_FILE_INFORMATION now{};
    BY_HANDLE_FILE_INFORMATION held{};
    return named && ::GetFileInformationByHandle(as_handle(named.get()), &now) != 0 &&
           ::GetFileInformationByHandle(as_handle(file_.get()), &held) != 0 &&
           now.dwVolumeSerialNumber == held.dwVolumeSerialNumber &&
           now.nFileIndexHigh == held.nFileIndexHigh && now.nFileIndexLow == held.nFileIndexLow;
  }

  Result<void> open() {
    const auto path = verbatim_path(path_);
    if (!path) return sink_failure(path_, "is not the name of a file");
    PSECURITY_DESCRIPTOR descriptor = nullptr;
    if (::ConvertStringSecurityDescriptorToSecurityDescriptorW(kPrivateFile, SDDL_REVISION_1, &descriptor,
                                                               nullptr) == 0)
      return failure();
    const std::unique_ptr<void, HLOCAL (*)(HLOCAL)> memory(descriptor, ::LocalFree);
    SECURITY_ATTRIBUTES security{sizeof security, descriptor, FALSE};
    UniqueFd made = open_file(*path, GENERIC_READ | GENERIC_WRITE, OPEN_ALWAYS,
                              FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, &security);
    if (!made) return failure();
    BY_HANDLE_FILE_INFORMATION facts{};
    if (::GetFileInformationByHandle(as_handle(made.get()), &facts) == 0) return failure();
    if ((facts.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) return sink_failure(path_, "is a link");
    if (::GetFileType(as_handle(made.get())) != FILE_TYPE_DISK) return sink_failure(path_, "is not a file");
    if (path_exposure(path_).writable_by_others) return sink_failure(path_, "others may write it");
    file_ = std::move(made);
    return {};
  }

  const std::string path_;
  UniqueFd file_;
};

}  // namespace

std::unique_ptr<RecordSink> datagram_sink(std::string path) {
  return std::make_unique<NoDatagrams>(std::move(path));
}

std::unique_ptr<RecordSink> line_file_sink(std::string path) {
  return std::make_unique<LineFile>(std::move(path));
}

}  // namespace hostclaw::node_host
