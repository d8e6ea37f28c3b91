#include "http/body_codec.h"

#include "base/check.h"
#include "http/chars.h"

namespace kith::http {
namespace {
constexpr uint8_t kMaxSizeDigits = 16;      // what 64 bits hold
constexpr uint32_t kMaxDropped = 16 << 10;  // extensions and trailers of one body; nobody reads them
}  // namespace

BodyDecoder::BodyDecoder(Framing framing, uint64_t length) : framing_(framing) {
  switch (framing) {
    case Framing::none: break;
    case Framing::length:
      left_ = length;
      if (length > 0) state_ = State::data;
      break;
    case Framing::chunked: state_ = State::size; break;
    case Framing::until_close:
      left_ = UINT64_MAX;
      state_ = State::data;
      break;
  }
}

void BodyDecoder::advance(uint64_t taken) {
  KITH_CHECK(taken <= due());
  if (framing_ == Framing::until_close) return;
  left_ -= taken;
  if (left_ == 0) state_ = framing_ == Framing::chunked ? State::data_cr : State::done;
}

Result<size_t> BodyDecoder::parse(ByteView bytes) {
  size_t used = 0;
  while (used < bytes.size() && state_ != State::data && state_ != State::done) {
    if (!step(bytes[used])) return Error(Code::protocol, "malformed chunked body");
    ++used;
    if (dropped_ > kMaxDropped) return Error(Code::limit, "too many chunk extensions or trailers");
  }
  return used;
}

bool BodyDecoder::step(uint8_t byte) {
  char c = static_cast<char>(byte);
  switch (state_) {
    case State::size: {
      int digit = chars::hex_digit(c);
      if (digit >= 0) {
        if (++digits_ > kMaxSizeDigits) return false;
        left_ = left_ * 16 + static_cast<uint64_t>(digit);
        return true;
      }
      if (digits_ == 0) return false;
      if (c == ';') {
        state_ = State::extension;
        ++dropped_;
        return true;
      }
      state_ = State::size_lf;
      return c == '\r';
    }
    case State::extension:
      ++dropped_;
      if (c == '\r') state_ = State::size_lf;
      return c == '\r' || chars::is(c, chars::kValue);
    case State::size_lf:
      state_ = left_ > 0 ? State::data : State::trailer_start;
      digits_ = 0;
      return c == '\n';
    case State::data_cr: state_ = State::data_lf; return c == '\r';
    case State::data_lf: state_ = State::size; return c == '\n';
    case State::trailer_start:
      ++dropped_;
      state_ = c == '\r' ? State::last_lf : State::trailer_name;
      return c == '\r' || chars::is(c, chars::kToken);
    case State::trailer_name:
      ++dropped_;
      if (c == ':') state_ = State::trailer_value;
      return c == ':' || chars::is(c, chars::kToken);
    case State::trailer_value:
      ++dropped_;
      if (c == '\r') state_ = State::trailer_lf;
      return c == '\r' || chars::is(c, chars::kValue);
    case State::trailer_lf: state_ = State::trailer_start; return c == '\n';
    case State::last_lf: state_ = State::done; return c == '\n';
    case State::data:
    case State::done: break;
  }
  return false;
}

Result<void> BodyDecoder::end() {
  if (framing_ == Framing::until_close) state_ = State::done;
  if (!done()) return Error(Code::reset, "the body ended early");
  return {};
}

ChunkLine::ChunkLine(uint64_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  int shift = 60;
  while (shift > 0 && (size >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) text_[length_++] = kDigits[(size >> shift) & 15];
  text_[length_++] = '\r';
  text_[length_++] = '\n';
}

}  // namespace kith::http
