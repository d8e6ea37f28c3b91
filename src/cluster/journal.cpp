#include "cluster/journal.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/text.h"

namespace kith::cluster {
namespace {

constexpr size_t kBatchBytes = 64 << 10;       // of records in a frame
constexpr size_t kMaxWaiting = 64 << 20;       // beyond, the disk is too slow to be of use
constexpr size_t kMaxJob = 8 << 20;            // handed to the disk at once
constexpr size_t kSnapshotBytes = 256 << 10;   // of states at a time
constexpr uint64_t kSnapshotAfter = 64 << 20;  // of journal, or as much as the last snapshot has
constexpr size_t kMaxFiles = 8;
constexpr Duration kSyncInterval = 1s;  // what a power cut may cost when nobody asks for more
constexpr Duration kRetry = 2s;
constexpr Duration kSnapshotRetry = 30s;

// kind-0000000000000001
std::optional<std::pair<std::string, uint64_t>> parse_name(const std::string& name) {
  const size_t dash = name.find('-');
  if (dash == std::string::npos || name.size() != dash + 17) return std::nullopt;
  auto bytes = unhex(name.substr(dash + 1));
  if (!bytes) return std::nullopt;
  uint64_t generation = 0;
  for (uint8_t byte : *bytes) generation = generation << 8 | byte;
  return std::pair(name.substr(0, dash), generation);
}

// As far as there is one.
Result<Bytes> read_header(runtime::DiskReader& file) {
  Bytes header(journal::kHeaderBytes);
  for (size_t have = 0; have < header.size();) {
    KITH_TRY(const size_t n, file.read(MutableByteView(header).subspan(have)));
    if (n == 0) header.resize(have);
    have += n;
  }
  return header;
}

std::string file_name(const char* kind, uint64_t generation) {
  std::array<uint8_t, 8> bytes;
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(generation >> (56 - 8 * i));
  return std::string(kind) + "-" + hex(bytes);
}

}  // namespace

struct Journal::Lane {
  std::unique_ptr<runtime::DiskWriter> file;
  std::optional<journal::FrameWriter> frames;
};

struct Journal::Snapshot {
  std::string temporary, final;
  std::unique_ptr<runtime::DiskWriter> file;
  std::optional<journal::FrameWriter> frames;
  replication::SnapshotCursor cursor;
  uint64_t states = 0, bytes = 0;
  uint64_t journal_bytes = 0;  // of the journals that it takes the place of
  bool ended = false;          // the last states are in it
  std::vector<std::string> superfluous;
};

Journal::Journal(JournalConfig config, runtime::Disk& disk, runtime::Loop& loop, runtime::Entropy& entropy,
                 Log log)
    : config_(std::move(config)),
      disk_(disk),
      loop_(loop),
      entropy_(entropy),
      log_(std::move(log)),
      lane_(std::make_shared<Lane>()) {}

Journal::~Journal() { *alive_ = false; }

std::string Journal::path(const char* kind, uint64_t generation) const {
  return config_.directory + "/" + file_name(kind, generation);
}

journal::Salt Journal::new_salt() {
  journal::Salt salt;
  entropy_.fill(salt);
  return salt;
}

// ---------------------------------------------------------------- reading

Result<std::unique_ptr<Journal>> Journal::open(JournalConfig config, runtime::Disk& disk, runtime::Loop& loop,
                                               runtime::Entropy& entropy, journal::Recovery::Stores stores,
                                               Log log) {
  std::unique_ptr<Journal> out(new Journal(std::move(config), disk, loop, entropy, std::move(log)));
  auto lock = disk.lock(out->config_.directory);
  if (!lock && lock.error().code() == Code::conflict) return std::move(lock).error();
  if (!lock) {
    out->fail(lock.error().message());
    return out;
  }
  out->lock_ = std::move(*lock);
  KITH_TRY_VOID(out->load(std::move(stores)));
  return out;
}

Result<void> Journal::load(journal::Recovery::Stores stores) {
  auto names = disk_.list(config_.directory);
  if (!names) {
    fail(names.error().message());
    return {};
  }
  listed_ = true;
  std::map<uint64_t, std::string> snapshots, journals;
  for (const std::string& name : *names) {
    const auto parsed = parse_name(name);
    if (parsed && parsed->first == "snapshot") snapshots[parsed->second] = name;
    if (parsed && parsed->first == "journal") journals[parsed->second] = name;
    if (name.ends_with(".new")) (void)disk_.remove(config_.directory + "/" + name);
  }
  journal::Recovery recovery(std::move(stores));
  uint64_t first = 1;
  if (!snapshots.empty()) {
    first = snapshots.rbegin()->first;
    KITH_TRY_VOID(load_file(snapshots.rbegin()->second, recovery, snapshot_bytes_));
    generation_ = first;
  }
  uint64_t expected = first;
  for (const auto& [generation, name] : journals) {
    generation_ = std::max(generation_, generation);
    if (generation < first) continue;
    if (generation != expected) recovery.missing_file();
    expected = generation + 1;
    recovery.begin_journal(!snapshots.empty() && generation == first);
    KITH_TRY_VOID(load_file(name, recovery, journal_bytes_));
  }
  for (const auto* files : {&snapshots, &journals})
    for (const auto& [generation, name] : *files) older_.push_back(config_.directory + "/" + name);
  summary_ = recovery.summary();
  if (summary_.refused + summary_.claims_refused > 0) rewrite_ = true;
  recovered_ = recovery.finish();
  if (older_.empty()) return {};
  log_.info("journal read", {{"directory", config_.directory},
                             {"states", summary_.states},
                             {"writes", summary_.ops},
                             {"bytes", bytes()}});
  if (summary_.refused + summary_.claims_refused > 0)
    log_.warn("a part of the journal is missing: what it was about is asked of the other members",
              {{"claims", summary_.claims_refused}, {"records", summary_.refused}});
  return {};
}

// Damage is skipped and told. What may be whole and cannot be used ends the start: it would be thrown away.
Result<void> Journal::load_file(const std::string& name, journal::Recovery& recovery, uint64_t& bytes) {
  auto unusable = [&](const std::string& why) -> Result<void> {
    rewrite_ = true;
    recovery.end_of_file(false);
    log_.error("a file of the journal cannot be used", {{"file", name}, {"reason", why}});
    return {};
  };
  const std::string context = "the journal " + config_.directory + "/" + name;
  auto file = disk_.open(config_.directory + "/" + name);
  if (!file) return std::move(file).error().within(context);
  auto header = read_header(**file);
  if (!header) return unusable(header.error().message());
  bytes += header->size();
  const auto named = parse_name(name);
  if (header->empty() && named->first == "journal") {  // just begun when the node ended
    rewrite_ = true;
    recovery.end_of_file(true);
    return {};
  }
  std::vector<crypto::Secret> keys = config_.old_keys;
  keys.push_back(config_.key);
  auto scanner = journal::FrameScanner::open(*header, keys);
  if (!scanner && scanner.error().code() == Code::invalid) return unusable(scanner.error().message());
  if (!scanner) return std::move(scanner).error().within(context);
  const bool is_snapshot = scanner->header().kind == journal::FileKind::snapshot;
  if (named != std::pair(std::string(is_snapshot ? "snapshot" : "journal"), scanner->header().generation))
    return unusable("it is another file, under this name");

  auto take = [&](std::optional<Bytes> frame) {
    if (frame) recovery.take(*frame, scanner->intact());
    return frame.has_value();
  };
  Bytes buffer(1 << 20);
  for (;;) {
    auto n = (*file)->read(buffer);
    if (!n) return unusable(n.error().message());
    if (*n == 0) break;
    bytes += *n;
    scanner->feed(ByteView(buffer).first(*n));
    while (take(scanner->next())) {
    }
  }
  while (take(scanner->next_at_end())) {
  }
  recovery.end_of_file(scanner->intact(), scanner->last_frame());
  if (scanner->header().key != journal::id_of(config_.key) || !scanner->intact()) rewrite_ = true;
  if (!scanner->intact() || scanner->skipped_bytes() > 0)
    log_.warn(
        "a file of the journal has bytes that cannot be read",
        {{"file", name}, {"bytes", scanner->skipped_bytes()}, {"frames_missing", scanner->missing_frames()}});
  return {};
}

// ---------------------------------------------------------------- taking down

void Journal::start(replication::Core& core, replication::Source& source, std::function<void()> progressed) {
  core_ = &core;
  source_ = &source;
  progressed_ = std::move(progressed);
  if (failing_.empty()) begin_generation();
}

Bytes& Journal::batch() {
  if (batches_.empty() || batches_.back().size() >= kBatchBytes) batches_.emplace_back();
  return batches_.back();
}

// put(batch) appends one record.
template <class Put>
void Journal::note(Put put) {
  if (!failing_.empty()) return;
  put(batch());
  ++noted_.records;
  if (batches_.size() * kBatchBytes > kMaxWaiting) fail("the disk does not keep up with the writes");
}

void Journal::op(const Dot& dot, ByteView record) {
  if (dot.origin == core_->self()) noted_.own_seq = dot.seq;
  note([&](Bytes& out) { journal::put_op(out, dot, record); });
}

void Journal::state(const replication::StateEntry& entry, bool pulled) {
  note([&](Bytes& out) { journal::put_state(out, entry, pulled); });
}

void Journal::adopted(const Replica& origin, const replication::Coverage& coverage) {
  note([&](Bytes& out) { journal::put(out, journal::AdoptedRecord{origin, coverage}); });
}

void Journal::clipped(const Replica& origin, uint64_t last) {
  note([&](Bytes& out) { journal::put(out, journal::ClippedRecord{origin, last}); });
}

void Journal::settled() {
  note([](Bytes& out) { journal::put(out, journal::SettledRecord{}); });
}

void Journal::flush() {
  if (busy_ || !failing_.empty() || core_ == nullptr) return;
  const bool to_sync = sync_wanted_ && synced_records_ < noted_.records;
  if (!batches_.empty() || to_sync) submit(false);
}

// The file goes on, or a new one begins with what comes next; the old one then gets what waits, and is
// synced.
void Journal::submit(bool new_file) {
  auto frames = std::make_shared<std::vector<Bytes>>();
  for (size_t bytes = 0; !batches_.empty() && (new_file || bytes < kMaxJob); batches_.pop_front()) {
    bytes += batches_.front().size();
    frames->push_back(std::move(batches_.front()));
  }
  const bool all = batches_.empty();
  const bool sync = new_file || (all && std::exchange(sync_wanted_, false));
  const Mark mark = all ? noted_ : written_;
  std::optional<journal::FrameWriter> fresh;
  std::string fresh_path;
  if (new_file) {
    fresh.emplace(journal::FileKind::journal, generation_, config_.key, new_salt());
    fresh_path = path("journal", generation_);
  }
  struct Outcome {
    Result<void> result = Result<void>{};
    size_t bytes = 0;
  };
  auto outcome = std::make_shared<Outcome>();
  journal::LifeRecord life{core_->self(), lossy_, 0};
  auto work = [lane = lane_, disk = &disk_, frames, sync, outcome, fresh = std::move(fresh), fresh_path,
               life]() mutable {
    auto run = [&]() -> Result<void> {
      for (const Bytes& records : *frames) {
        if (!lane->file) break;  // there was none before
        const Bytes frame = lane->frames->seal(records);
        KITH_TRY_VOID(lane->file->write(frame));
        outcome->bytes += frame.size();
      }
      if (sync && lane->file) KITH_TRY_VOID(lane->file->sync());
      if (!fresh) return {};
      if (lane->frames) life.frames_before = lane->frames->frames();
      Bytes first;
      journal::put(first, life);
      lane->file.reset();
      KITH_TRY(lane->file, disk->create(fresh_path));
      lane->frames = std::move(*fresh);
      KITH_TRY_VOID(lane->file->write(lane->frames->header()));
      KITH_TRY_VOID(lane->file->write(lane->frames->seal(first)));
      return lane->file->sync();
    };
    outcome->result = run();
  };
  auto done = [this, alive = alive_, lane = lane_, new_file, mark, sync, outcome] {
    if (!*alive) return;
    busy_ = false;
    if (lane == lane_) {  // else it was given up meanwhile
      journal_bytes_ += outcome->bytes;
      if (new_file && outcome->result) generation_begun();
      written_up_to(mark, sync, outcome->result);
    }
    if (*alive && !busy_) idle_.notify_all();  // whoever heard of progress may have ended us
  };
  busy_ = disk_.pool().submit(std::move(work), loop_, std::move(done));
  if (!busy_) fail("too much waits for the disk");
}

void Journal::written_up_to(const Mark& mark, bool synced, const Result<void>& result) {
  if (!result) return fail(result.error().message());
  if (!failing_.empty()) log_.info("the journal is written again", {{"directory", config_.directory}});
  failing_.clear();
  written_ = mark;
  if (synced) {
    synced_records_ = mark.records;
    synced_own_seq_ = mark.own_seq;
  }
  go_on();
  progressed_();
}

// Called when all that the core told is in the stores.
void Journal::go_on() {
  if (due_for_snapshot()) {
    head_ = {core_->self(), core_->owes(), core_->partial(), core_->applied()};
    begin_generation();
  } else {
    flush();
  }
}

// What comes now is in no file; once the disk works again, a snapshot makes up for it.
void Journal::fail(const std::string& why) {
  if (failing_.empty())
    log_.error("the journal cannot be written", {{"directory", config_.directory}, {"reason", why}});
  failing_ = why;
  batches_.clear();
  lossy_ = true;
  lane_ = std::make_shared<Lane>();
  head_.reset();
  snapshot_.reset();
  retry_at_ = loop_.now() + kRetry;
  if (progressed_) progressed_();  // not before start()
}

// ---------------------------------------------------------------- generations

// One that could not be begun is begun again.
void Journal::begin_generation() {
  if (begun_) {
    ++generation_;
    older_.push_back(path("journal", generation_));
    begun_ = false;
  }
  submit(true);
}

// The snapshot of a generation is begun when its journal is: what comes after the one is in the other.
void Journal::generation_begun() {
  begun_ = true;
  if (head_) begin_snapshot(*std::exchange(head_, std::nullopt));
}

// Whether the folder can be used now. What is in it and was not read is not ours to throw away.
Result<void> Journal::find_folder() {
  if (!lock_) {
    KITH_TRY(lock_, disk_.lock(config_.directory));
  }
  if (listed_) return {};
  KITH_TRY(const std::vector<std::string> names, disk_.list(config_.directory));
  if (std::any_of(names.begin(), names.end(),
                  [](const std::string& name) { return parse_name(name).has_value(); }))
    return Error(Code::conflict,
                 "the folder has files that could not be read when the node started: restart it");
  listed_ = true;
  return {};
}

bool Journal::due_for_snapshot() const {
  if (snapshot_ || busy_ || !failing_.empty() || loop_.now() < retry_at_) return false;
  return lossy_ || rewrite_ || older_.size() > kMaxFiles ||
         journal_bytes_ > std::max(kSnapshotAfter, snapshot_bytes_);
}

void Journal::tend() {
  const MonoTime now = loop_.now();
  if (now >= next_sync_) {
    next_sync_ = now + kSyncInterval;
    sync_wanted_ = true;
  }
  if (core_ == nullptr || busy_) return;  // what is under way goes on by itself
  if (!failing_.empty()) {
    if (now < retry_at_) return;
    if (auto found = find_folder(); !found) return fail(found.error().message());
    return begin_generation();
  }
  go_on();
}

void Journal::begin_snapshot(journal::HeadRecord head) {
  snapshot_ = std::make_shared<Snapshot>();
  snapshot_->final = path("snapshot", generation_);
  snapshot_->temporary = snapshot_->final + ".new";
  snapshot_->journal_bytes = journal_bytes_;
  snapshot_->superfluous.assign(older_.begin(), older_.end() - 1);
  snapshot_->frames.emplace(journal::FileKind::snapshot, generation_, config_.key, new_salt());
  Bytes first;
  journal::put(first, head);
  run_step([snapshot = snapshot_, disk = &disk_, first]() -> Result<void> {
    KITH_TRY(snapshot->file, disk->create(snapshot->temporary));
    const Bytes frame = snapshot->frames->seal(first);
    snapshot->bytes += journal::kHeaderBytes + frame.size();
    KITH_TRY_VOID(snapshot->file->write(snapshot->frames->header()));
    return snapshot->file->write(frame);
  });
}

// One after the other; the states of the next are taken when those before are written.
void Journal::run_step(std::function<Result<void>()> step) {
  auto result = std::make_shared<Result<void>>(Result<void>{});
  auto work = [step = std::move(step), result] { *result = step(); };
  auto done = [this, alive = alive_, snapshot = snapshot_, result] {
    if (!*alive) return;
    if (snapshot == snapshot_) return step_done(*result);
    discard(snapshot->temporary);
  };
  if (!disk_.pool().submit(std::move(work), loop_, std::move(done)))
    step_done(Error(Code::limit, "too much waits for the disk"));
}

void Journal::step_done(const Result<void>& result) {
  if (!result) {
    log_.error("a snapshot of the journal could not be written", {{"reason", result.error().message()}});
    discard(snapshot_->temporary);
    snapshot_.reset();
    retry_at_ = loop_.now() + kSnapshotRetry;
  } else if (snapshot_->ended) {
    end_snapshot();
  } else {
    continue_snapshot();
  }
}

// What is left of one that was given up takes room that is wanted.
void Journal::discard(const std::string& path) {
  (void)disk_.pool().submit([disk = &disk_, path] { (void)disk->remove(path); }, loop_, [] {});
}

void Journal::continue_snapshot() {
  std::vector<replication::StateEntry> states;
  snapshot_->ended = !source_->next(snapshot_->cursor, kSnapshotBytes, states);
  snapshot_->states += states.size();
  Bytes records;
  for (const replication::StateEntry& entry : states) journal::put_state(records, entry, false);
  if (snapshot_->ended) journal::put(records, journal::EndRecord{snapshot_->states});
  run_step([snapshot = snapshot_, disk = &disk_, records = std::move(records)]() -> Result<void> {
    const Bytes frame = snapshot->frames->seal(records);
    snapshot->bytes += frame.size();
    KITH_TRY_VOID(snapshot->file->write(frame));
    if (!snapshot->ended) return {};
    KITH_TRY_VOID(snapshot->file->sync());
    KITH_TRY_VOID(disk->rename(snapshot->temporary, snapshot->final));
    for (const std::string& name : snapshot->superfluous)
      (void)disk->remove(name);  // the next one tries again
    return {};
  });
}

void Journal::end_snapshot() {
  const auto snapshot = std::move(snapshot_);
  snapshot_.reset();
  std::erase_if(older_, [&](const std::string& path) {
    return std::find(snapshot->superfluous.begin(), snapshot->superfluous.end(), path) !=
           snapshot->superfluous.end();
  });
  older_.push_back(snapshot->final);
  snapshot_bytes_ = snapshot->bytes;
  journal_bytes_ -= std::min(journal_bytes_, snapshot->journal_bytes);
  if (rewrite_)
    log_.info("the files of the journal are whole, and sealed with the present key",
              {{"directory", config_.directory}});
  lossy_ = rewrite_ = false;
  log_.debug("snapshot of the journal written", {{"states", snapshot->states}, {"bytes", snapshot->bytes}});
}

runtime::Task<bool> Journal::close(MonoTime deadline) {
  sync_wanted_ = true;
  flush();
  while (busy_ || snapshot_) {
    snapshot_.reset();  // a started one is made anew next time
    if (!busy_) break;
    const bool woken = co_await idle_.wait_until(loop_, deadline);
    if (!woken) break;
    sync_wanted_ = true;
    flush();
  }
  co_return !busy_ && failing_.empty() && synced_records_ == noted_.records;
}

}  // namespace kith::cluster
