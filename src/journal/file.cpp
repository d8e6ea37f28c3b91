#include "journal/file.h"

#include <algorithm>

#include "base/codec.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

namespace kith::journal {
namespace {

constexpr std::string_view kMagic = "kith log";
constexpr uint8_t kVersion = 1;
constexpr size_t kCheckBytes = 16;
constexpr std::array<uint8_t, 2> kFrameMark = {0xb5, 0x4b};
constexpr size_t kFrameHead = 2 + 4 + 8 + 4;
constexpr size_t kMaxSealed = kMaxFrame + crypto::kAeadOverhead;

crypto::Secret data_key(const crypto::Secret& key, ByteView salt) {
  return crypto::hkdf(key.reveal(), salt, "kith journal data 1", crypto::kAeadKeySize);
}

// FNV-1a: whether a head may be one is all that it has to tell; what it heads is authenticated.
uint32_t check_of(ByteView bytes) {
  uint32_t sum = 2166136261u;
  for (uint8_t byte : bytes) sum = (sum ^ byte) * 16777619u;
  return sum;
}

crypto::AeadNonce nonce_of(uint64_t number) {
  crypto::AeadNonce nonce{};
  for (size_t i = 0; i < 8; ++i) nonce[i] = static_cast<uint8_t>(number >> (8 * i));
  return nonce;
}

struct FrameHead {
  size_t sealed = 0;
  uint64_t number = 0;
};

std::optional<FrameHead> head_at(ByteView bytes) {
  if (!std::equal(kFrameMark.begin(), kFrameMark.end(), bytes.begin())) return std::nullopt;
  Reader in(bytes.first(kFrameHead));
  in.raw(kFrameMark.size());
  const FrameHead head{in.u32(), in.u64()};
  const bool sound = in.u32() == check_of(bytes.first(kFrameHead - 4)) && head.sealed <= kMaxSealed &&
                     head.sealed >= crypto::kAeadOverhead;
  return sound ? std::optional(head) : std::nullopt;
}

}  // namespace

SealId id_of(const crypto::Secret& key) {
  const crypto::Secret id = crypto::hkdf(key.reveal(), {}, "kith journal key id", SealId::kSize);
  return *SealId::from(id.reveal());
}

FrameWriter::FrameWriter(FileKind kind, uint64_t generation, const crypto::Secret& key, const Salt& salt)
    : data_key_(data_key(key, salt)) {
  Writer out(header_);
  out.raw(as_bytes(kMagic));
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(kind));
  for (int i = 0; i < 6; ++i) out.u8(0);
  out.u64(generation);
  out.id(id_of(key));
  out.raw(salt);
  const crypto::Digest digest = crypto::sha256(header_);
  out.raw(ByteView(digest).first(kCheckBytes));
  KITH_CHECK(header_.size() == kHeaderBytes);
}

Bytes FrameWriter::seal(ByteView records) {
  KITH_CHECK(records.size() <= kMaxFrame);
  const uint64_t number = ++number_;
  const Bytes sealed = crypto::aead_seal(data_key_, nonce_of(number), records, header_);
  Bytes frame;
  frame.reserve(kFrameHead + sealed.size());
  Writer out(frame);
  out.raw(kFrameMark);
  out.u32(static_cast<uint32_t>(sealed.size()));
  out.u64(number);
  out.u32(check_of(frame));
  out.raw(sealed);
  return frame;
}

Result<FrameScanner> FrameScanner::open(ByteView bytes, std::span<const crypto::Secret> keys) {
  if (bytes.size() < kHeaderBytes) return Error(Code::invalid, "it is shorter than a header");
  bytes = bytes.first(kHeaderBytes);
  Reader in(bytes);
  if (as_text(in.raw(kMagic.size())) != kMagic)
    return Error(Code::invalid, "it does not begin as a journal does");
  const uint8_t version = in.u8();
  Header header;
  header.kind = static_cast<FileKind>(in.u8());
  in.raw(6);
  header.generation = in.u64();
  header.key = in.id<SealId>();
  const ByteView salt = in.raw(header.salt.size());
  std::copy(salt.begin(), salt.end(), header.salt.begin());
  const crypto::Digest digest = crypto::sha256(bytes.first(kHeaderBytes - kCheckBytes));
  if (!crypto::equal_constant_time(in.raw(kCheckBytes), ByteView(digest).first(kCheckBytes)))
    return Error(Code::invalid, "its header is damaged");
  if (version != kVersion) return Error(Code::unavailable, "it was written by a later version");
  for (const crypto::Secret& key : keys) {
    if (id_of(key) == header.key)
      return FrameScanner(header, Bytes(bytes.begin(), bytes.end()), data_key(key, header.salt));
  }
  return Error(Code::unauthenticated,
               "it is sealed with the key " + header.key.hex() + ", which is none of keys");
}

std::optional<Bytes> FrameScanner::next() { return scan(false); }
std::optional<Bytes> FrameScanner::next_at_end() { return scan(true); }

std::optional<Bytes> FrameScanner::scan(bool at_end) {
  std::optional<Bytes> found;
  while (!found && buffer_.size() - at_ >= kFrameHead) {
    const ByteView rest = ByteView(buffer_).subspan(at_);
    const auto head = head_at(rest);
    const bool whole = head && rest.size() >= kFrameHead + head->sealed;
    if (head && !whole && !at_end) break;
    if (whole && head->number > number_) {
      const ByteView sealed = rest.subspan(kFrameHead, head->sealed);
      auto records = crypto::aead_open(data_key_, sealed, header_bytes_);
      const auto nonce = nonce_of(head->number);
      if (records && std::equal(nonce.begin(), nonce.end(), sealed.begin())) {
        missing_ += head->number - number_ - 1;
        number_ = head->number;
        at_ += kFrameHead + head->sealed;
        found = std::move(*records);
        break;
      }
    }
    ++at_;
    ++skipped_;
  }
  if (at_end && !found) {
    skipped_ += buffer_.size() - at_;
    at_ = buffer_.size();
  }
  if (at_ > kMaxFrame || at_ == buffer_.size()) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
  }
  return found;
}

}  // namespace kith::journal
