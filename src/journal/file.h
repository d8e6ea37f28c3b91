// A file of the journal: a header, then sealed frames, each of some records (docs/formats/journal.md).
//
// Problem: disks tear what was being written when the power went, flip bits and lose blocks, and whoever gets
// at a disk must neither read sessions nor slip any in.
// Idea: AES-256-GCM over every frame says what is whole and ours; a frame has a number, so that what is
// missing between two is known; and its head can be told by itself, so that after damage the next whole one
// is found. What is skipped is reported, never guessed.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "base/result.h"
#include "crypto/secret.h"

namespace kith::journal {

enum class FileKind : uint8_t { journal = 1, snapshot = 2 };

// Tells keys apart in headers and messages; says nothing about the key.
using SealId = Id<8, struct SealTag>;
SealId id_of(const crypto::Secret& key);

inline constexpr size_t kSealKeyBytes = 32;
inline constexpr size_t kHeaderBytes = 80;
inline constexpr size_t kMaxFrame = 4 << 20;  // of records; one that holds a single record may be this long
using Salt = std::array<uint8_t, 32>;

struct Header {
  FileKind kind = FileKind::journal;
  uint64_t generation = 0;
  SealId key;
  Salt salt{};
};

class FrameWriter {
 public:
  // salt: random; no two files have the same, so that no two frames are sealed with one key and number.
  FrameWriter(FileKind kind, uint64_t generation, const crypto::Secret& key, const Salt& salt);
  ByteView header() const { return header_; }
  // The bytes of the next frame.
  Bytes seal(ByteView records);
  uint64_t frames() const { return number_; }  // sealed so far

 private:
  Bytes header_;
  crypto::Secret data_key_;
  uint64_t number_ = 0;
};

// Reads a file piece by piece.
class FrameScanner {
 public:
  // Fails with invalid when the header is damaged, with unavailable when it is of a later version, with
  // unauthenticated when none of the keys is the file's.
  static Result<FrameScanner> open(ByteView header, std::span<const crypto::Secret> keys);
  const Header& header() const { return header_; }

  void feed(ByteView piece) { append(buffer_, piece); }
  // The next whole frame's records; nullopt: feed more, or the end.
  std::optional<Bytes> next();
  // After the last piece and the last next(): the rest is looked through once more.
  std::optional<Bytes> next_at_end();

  // False from the first frame on that is missing before one that was given out.
  bool intact() const { return missing_ == 0; }
  uint64_t missing_frames() const { return missing_; }
  uint64_t last_frame() const { return number_; }      // its number; 0: there was none
  uint64_t skipped_bytes() const { return skipped_; }  // that are no frame; at the end of a file: torn

 private:
  FrameScanner(Header header, Bytes bytes, crypto::Secret data_key)
      : header_(header), header_bytes_(std::move(bytes)), data_key_(std::move(data_key)) {}
  std::optional<Bytes> scan(bool at_end);

  Header header_;
  Bytes header_bytes_;
  crypto::Secret data_key_;
  Bytes buffer_;
  size_t at_ = 0;
  uint64_t number_ = 0;  // of the last frame
  uint64_t missing_ = 0;
  uint64_t skipped_ = 0;
};

}  // namespace kith::journal
