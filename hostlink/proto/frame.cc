// SPDX-License-Identifier: Apache-2.0
#include "hostlink/proto/frame.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hostclaw::hostlink {
namespace {

std::uint32_t read_u32(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return value;
}

void write_u32(char* bytes, std::uint32_t value) {
  for (int i = 3; i >= 0; --i, value >>= 8U) bytes[i] = static_cast<char>(value & 0xFFU);
}

}  // namespace

std::array<char, kFrameHeaderBytes> frame_header(std::size_t payload_size) {
  std::array<char, kFrameHeaderBytes> header{};
  write_u32(header.data(), kFrameMagic);
  write_u32(header.data() + 4, static_cast<std::uint32_t>(payload_size));
  return header;
}

std::string encode_frame(std::string_view payload) {
  const auto header = frame_header(payload.size());
  std::string out;
  out.reserve(header.size() + payload.size());
  out.append(header.data(), header.size());
  out.append(payload);
  return out;
}

std::string FrameDecoder::take_payload() { return std::exchange(payload_, {}); }

FrameEvent FrameDecoder::judge_header() {
  // Told as soon as it shows: whoever speaks another protocol may never send eight bytes.
  std::array<char, 4> magic{};
  write_u32(magic.data(), kFrameMagic);
  if (std::memcmp(header_.data(), magic.data(), std::min<std::size_t>(header_size_, magic.size())) != 0)
    return FrameEvent::kBadMagic;
  if (header_size_ < kFrameHeaderBytes) return FrameEvent::kNeedMore;
  claimed_ = read_u32(header_.data() + 4);
  if (claimed_ == 0) return FrameEvent::kEmptyFrame;
  if (claimed_ > std::min(payload_cap_, kMaxFramePayload)) return FrameEvent::kOverCap;
  return FrameEvent::kNeedMore;
}

FrameStep FrameDecoder::read_header(std::string_view bytes) {
  const std::size_t taken = std::min(kFrameHeaderBytes - header_size_, bytes.size());
  std::copy_n(bytes.data(), taken, header_.data() + header_size_);
  header_size_ += taken;
  return {judge_header(), taken};
}

FrameStep FrameDecoder::feed(std::string_view bytes) {
  if (failed_ != FrameEvent::kNeedMore) return {failed_, 0};
  if (complete_) {
    complete_ = false;
    header_size_ = 0;
    claimed_ = 0;
    payload_.clear();  // keeps its room for the next one
  }
  FrameStep step;
  if (header_size_ < kFrameHeaderBytes) {
    if (bytes.empty()) return step;
    step = read_header(bytes);
    failed_ = step.event;
    if (failed_ != FrameEvent::kNeedMore || header_size_ < kFrameHeaderBytes) return step;
  }
  const std::size_t end = std::min(claimed_, std::max(held_cap_, payload_.size()));
  const std::size_t taken = std::min(end - payload_.size(), bytes.size() - step.consumed);
  payload_.append(bytes, step.consumed, taken);
  step.consumed += taken;
  if (payload_.size() == claimed_) {
    complete_ = true;
    step.event = FrameEvent::kFrame;
  } else if (payload_.size() >= held_cap_) {
    step.event = FrameEvent::kHeld;
  }
  return step;
}

}  // namespace hostclaw::hostlink
