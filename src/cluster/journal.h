// The journal of one cluster, driven: what the cores tell goes to the disk, and what an earlier life left
// there comes back. The rules are in journal/ and in docs/formats/journal.md.
//
// Problem: the disk is slow, and at times full or broken; no request may wait for it that did not ask to, and
// a node without its journal is a member all the same. Idea: records gather while the frames before them are
// written by the disk's pool, so that many writes share one write and one sync (group commit). From time to
// time a new journal begins, and a snapshot of all that is there makes the older files superfluous. When the
// disk fails, the journal begins anew once it works again, and levels that ask for it are not reached until
// then.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "cluster/config.h"
#include "journal/file.h"
#include "journal/recovery.h"
#include "replication/core.h"
#include "runtime/disk.h"
#include "runtime/sync.h"

namespace kith::cluster {

// On the control loop, but for open().
class Journal {
 public:
  // Reads what is there into the stores; blocks. Fails when another process uses the folder or none of the
  // keys opens a file; a disk that cannot be used is told in the log and by failing(), and tried again.
  static Result<std::unique_ptr<Journal>> open(JournalConfig config, runtime::Disk& disk, runtime::Loop& loop,
                                               runtime::Entropy& entropy, journal::Recovery::Stores stores,
                                               Log log);
  ~Journal();

  // Of open(), once.
  replication::Recovered take_recovered() { return std::move(recovered_); }
  // Of the node that wrote it; its next life needs a greater one.
  uint64_t last_incarnation() const { return summary_.last_incarnation; }
  uint64_t recovered_ops() const { return summary_.ops; }

  // progressed: more is written, or nothing will be for now. core and source outlive the journal.
  void start(replication::Core& core, replication::Source& source, std::function<void()> progressed);

  void op(const Dot& dot, ByteView record);
  void state(const replication::StateEntry& entry, bool pulled);
  void adopted(const Replica& origin, const replication::Coverage& coverage);
  void clipped(const Replica& origin, uint64_t last);
  void settled();
  // After each round of these: hands on what has gathered.
  void flush();
  // A few times a second.
  void tend();
  // Everything so far is to be on the disk before a waiter goes on.
  void want_sync() { sync_wanted_ = true; }
  // Writes and syncs what has gathered. False when that failed or took too long. Nothing may follow.
  runtime::Task<bool> close(MonoTime deadline);

  // Our own writes up to these numbers are in the file, and on the medium.
  uint64_t written() const { return written_.own_seq; }
  uint64_t synced() const { return synced_own_seq_; }
  // Whether all that happened is in the files, or will be with flush().
  bool whole() const { return failing_.empty() && !lossy_; }
  const std::string& failing() const { return failing_; }  // why; "": it works
  const std::string& directory() const { return config_.directory; }
  uint64_t generation() const { return generation_; }
  uint64_t bytes() const { return snapshot_bytes_ + journal_bytes_; }

 private:
  struct Mark {  // how far something is
    uint64_t records = 0;
    uint64_t own_seq = 0;
  };
  struct Lane;      // what a job on the pool works with
  struct Snapshot;  // one that is being written

  Journal(JournalConfig config, runtime::Disk& disk, runtime::Loop& loop, runtime::Entropy& entropy, Log log);
  Result<void> load(journal::Recovery::Stores stores);
  Result<void> load_file(const std::string& name, journal::Recovery& recovery, uint64_t& bytes);
  std::string path(const char* kind, uint64_t generation) const;
  Bytes& batch();
  template <class Put>
  void note(Put put);
  bool due_for_snapshot() const;
  void go_on();
  void begin_generation();
  void generation_begun();
  Result<void> find_folder();
  void submit(bool new_file);
  void written_up_to(const Mark& mark, bool synced, const Result<void>& result);
  void fail(const std::string& why);
  void begin_snapshot(journal::HeadRecord head);
  void run_step(std::function<Result<void>()> step);
  void step_done(const Result<void>& result);
  void continue_snapshot();
  void end_snapshot();
  void discard(const std::string& path);
  journal::Salt new_salt();

  const JournalConfig config_;
  runtime::Disk& disk_;
  runtime::Loop& loop_;
  runtime::Entropy& entropy_;
  Log log_;
  std::unique_ptr<runtime::DiskLock> lock_;
  replication::Recovered recovered_;
  journal::Recovery::Summary summary_;
  replication::Core* core_ = nullptr;  // null before start()
  replication::Source* source_ = nullptr;
  std::function<void()> progressed_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  std::deque<Bytes> batches_;  // records that wait
  size_t waiting_bytes_ = 0;
  Mark noted_;    // what has come in
  Mark written_;  // ... and is in the file
  uint64_t synced_records_ = 0, synced_own_seq_ = 0;
  bool busy_ = false;  // a job is on its way
  bool sync_wanted_ = false;
  MonoTime next_sync_{};
  bool lossy_ = false;  // something in our stores is in no file, until a snapshot of this generation is whole
  std::string failing_;
  MonoTime retry_at_{};  // of a journal that failed, or of a snapshot

  bool rewrite_ = false;  // the files are damaged, or sealed with a former key
  bool listed_ = false;   // what the folder had when it was first seen was read
  uint64_t generation_ = 0;
  bool begun_ = true;               // the journal of this generation is, or there is none yet
  std::vector<std::string> older_;  // the files, all but the present one superfluous after the next snapshot
  uint64_t journal_bytes_ = 0;      // since the snapshot
  uint64_t snapshot_bytes_ = 0;
  std::shared_ptr<Lane> lane_;               // a new one after each failure
  std::optional<journal::HeadRecord> head_;  // of the snapshot that the generation begins with
  std::shared_ptr<Snapshot> snapshot_;       // while one is written
  runtime::Event idle_;
};

}  // namespace kith::cluster
