// SPDX-License-Identifier: Apache-2.0
#include "node-host/system/process/program_imports.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"

namespace hostclaw::node_host {
namespace {

constexpr std::size_t kMaxSections = 96;  // what Windows loads
constexpr std::size_t kMaxImports = 512;
constexpr std::size_t kMaxName = 64;
constexpr std::uint32_t kSectionBytes = 40;
constexpr std::uint32_t kImportBytes = 20;

class Program {
 public:
  explicit Program(const ReadAt& read) : read_(read) {}

  // The address of the table of imports; nothing when this is no program.
  std::optional<std::uint32_t> open() {
    if (number(0, 2) != 0x5A4D) return std::nullopt;  // MZ
    const auto header = number(0x3C, 4);
    if (!header || number(*header, 4) != 0x00004550) return std::nullopt;  // PE
    const auto sections = number(*header + 6, 2);
    const auto optional_bytes = number(*header + 20, 2);
    const auto magic = number(*header + 24, 2);
    if (!sections || *sections > kMaxSections || !optional_bytes || !magic) return std::nullopt;
    // Where the directories begin: behind wider addresses in a program of 64 bits.
    const std::uint64_t directories = *header + 24 + (*magic == 0x20B ? 112 : 96);
    const std::uint64_t table = *header + 24 + *optional_bytes;
    if (directories + 16 > table) return std::nullopt;
    for (std::uint32_t i = 0; i < *sections; ++i) {
      const std::uint64_t at = table + std::uint64_t{i} * kSectionBytes;
      const auto address = number(at + 12, 4);
      const auto size = number(at + 16, 4);
      const auto offset = number(at + 20, 4);
      if (!address || !size || !offset) return std::nullopt;
      sections_.push_back({*address, *size, *offset});
    }
    // The second directory: imports.
    return number(directories + 8, 4);
  }

  std::optional<std::uint32_t> number_at(std::uint32_t address) const {
    const auto offset = offset_of(address);
    return offset ? number(*offset, 4) : std::nullopt;
  }
  std::string name_at(std::uint32_t address) const {
    const auto offset = offset_of(address);
    if (!offset) return {};
    std::array<char, kMaxName> buffer{};
    const std::size_t count = read_(*offset, buffer);
    const std::string_view text(buffer.data(), count);
    return to_lower_ascii(text.substr(0, text.find('\0')));
  }

 private:
  struct Section {
    std::uint32_t address;
    std::uint32_t size;
    std::uint32_t offset;
  };

  std::optional<std::uint32_t> number(std::uint64_t offset, std::size_t bytes) const {
    std::array<char, 4> buffer{};
    if (read_(offset, std::span(buffer).first(bytes)) != bytes) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = bytes; i > 0; --i) value = value << 8 | static_cast<std::uint8_t>(buffer[i - 1]);
    return value;
  }
  std::optional<std::uint64_t> offset_of(std::uint32_t address) const {
    for (const Section& section : sections_)
      if (address >= section.address && address - section.address < section.size)
        return std::uint64_t{section.offset} + (address - section.address);
    return std::nullopt;
  }

  const ReadAt& read_;
  std::vector<Section> sections_;
};

}  // namespace

bool loads_a_library_of(const ReadAt& read, std::initializer_list<std::string_view> libraries) {
  Program program(read);
  const auto table = program.open();
  if (!table || *table == 0) return false;
  for (std::uint32_t i = 0; i < kMaxImports; ++i) {
    const std::uint64_t entry = std::uint64_t{*table} + std::uint64_t{i} * kImportBytes;
    if (entry + kImportBytes > UINT32_MAX) return false;
    const auto name = program.number_at(static_cast<std::uint32_t>(entry) + 12);
    if (!name || *name == 0) return false;
    if (is_one_of(program.name_at(*name), libraries)) return true;
  }
  return false;
}

}  // namespace hostclaw::node_host
