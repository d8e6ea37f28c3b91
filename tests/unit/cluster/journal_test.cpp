// The journal on the real disk and its threads: what many writers get written, and what is read again.
#include "cluster/journal.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "../platform/on_a_loop.h"
#include "platform/system_disk.h"
#include "store/session_table.h"

namespace kith::cluster {
namespace {

namespace fs = std::filesystem;

const crypto::SigningKey kSigner = crypto::SigningKey::from_seed(Bytes(32, 1));

store::Key key(uint32_t number) {
  store::Key out;
  for (size_t i = 0; i < 4; ++i) out.bytes[i] = static_cast<uint8_t>(number >> (8 * i));
  return out;
}

// A core and a table with a journal, on the control loop of real threads.
struct Life {
  Life(runtime::Ports& its_ports, runtime::Disk& disk, const std::string& folder, uint64_t incarnation)
      : ports(its_ports), table({}, crypto::node_id(kSigner.public_key())) {
    JournalConfig config;
    config.directory = folder;
    config.key = crypto::Secret(Bytes(32, 7));
    const WallTime now = ports.loop.wall_now();
    auto opened =
        Journal::open(config, disk, ports.loop, ports.entropy,
                      {[this, now](const replication::Op& op) { table.apply(op, now); },
                       [this, now](const replication::StateEntry& entry) { table.apply(entry, now); }},
                      Log());
    EXPECT_TRUE(opened) << opened.error().message();
    journal = std::move(*opened);
    const Replica self{crypto::node_id(kSigner.public_key()), incarnation};
    core.emplace(replication::Config{.cluster = "main", .tell_records = true}, self, kSigner, table,
                 ports.loop.now());
    core->recover(journal->take_recovered(), ports.loop.now());
  }
  void create(uint32_t number) {
    const WallTime now = ports.loop.wall_now();
    auto op = table.create(key(number), {Bytes(500, 3), now, now + std::chrono::hours(1), now, {}}, now);
    ASSERT_TRUE(op);
    core->append(std::move(*op), ports.loop.now());
  }
  void pump() {
    while (auto event = core->poll_event())
      if (auto* appended = std::get_if<replication::Appended>(&*event))
        journal->op(appended->dot, appended->record);
    journal->flush();
  }
  runtime::Task<void> wait_synced(runtime::Event& progress) {
    while (journal->synced() < core->own_seq()) {
      journal->want_sync();
      journal->flush();
      bool woken = co_await progress.wait_until(ports.loop, ports.loop.now() + 20s);
      if (!woken) break;
    }
    EXPECT_EQ(journal->synced(), core->own_seq());
    EXPECT_EQ(journal->written(), core->own_seq());
  }

  runtime::Ports& ports;
  store::SessionTable table;
  std::unique_ptr<Journal> journal;
  std::optional<replication::Core> core;
};

struct JournalTest : testing::Test {
  JournalTest() {
    std::string name = (fs::temp_directory_path() / "kith-journal-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  ~JournalTest() override { fs::remove_all(folder); }
  template <class Body>
  void run(Body body) {
    platform::run_on_a_loop([&](runtime::Ports& ports, platform::IoLoop&) { return body(ports); });
  }
  std::string folder;
  platform::ThreadPool pool{2, 64};
  platform::SystemDisk disk{pool};
};

TEST_F(JournalTest, WhatIsSyncedIsReadAgainWhateverTheFramesWere) {
  constexpr uint32_t kSessions = 3000;
  run([&](runtime::Ports& ports) -> runtime::Task<void> {
    Life life(ports, disk, folder, 1);
    runtime::Event progress;
    life.journal->start(*life.core, life.table, [&] { progress.notify_all(); });
    for (uint32_t i = 0; i < kSessions; ++i) {
      life.create(i);
      if (i % 7 == 0) life.pump();
      if (i % 500 == 0) co_await runtime::sleep(life.ports.loop, 1ms);
    }
    life.pump();
    co_await life.wait_synced(progress);
    bool kept = co_await life.journal->close(life.ports.loop.now() + 10s);
    EXPECT_TRUE(kept);
  });
  run([&](runtime::Ports& ports) -> runtime::Task<void> {
    Life life(ports, disk, folder, 2);
    EXPECT_EQ(life.journal->recovered_ops(), kSessions);
    EXPECT_EQ(life.journal->last_incarnation(), 1u);
    EXPECT_EQ(life.table.size(), kSessions);
    EXPECT_TRUE(life.core->covers(Dot{Replica{life.core->self().node, 1}, kSessions}));
    co_return;
  });
}

TEST_F(JournalTest, ASnapshotTakesThePlaceOfManyFiles) {
  uint32_t made = 0;
  for (uint64_t life_number = 1; life_number <= 10; ++life_number) {
    run([&](runtime::Ports& ports) -> runtime::Task<void> {
      Life life(ports, disk, folder, life_number);
      runtime::Event progress;
      life.journal->start(*life.core, life.table, [&] { progress.notify_all(); });
      for (int i = 0; i < 50; ++i) life.create(made++);
      life.pump();
      co_await life.wait_synced(progress);
      life.core->poll_event();
      for (int i = 0; i < 40; ++i) {  // it begins after the first interval, and goes on by itself
        life.journal->tend();
        co_await runtime::sleep(life.ports.loop, 5ms);
      }
      (void)co_await life.journal->close(life.ports.loop.now() + 10s);
    });
  }
  size_t files = 0, snapshots = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    ++files;
    snapshots += entry.path().filename().string().starts_with("snapshot-") ? 1 : 0;
  }
  EXPECT_LE(files, 12u);
  EXPECT_EQ(snapshots, 1u);
  run([&](runtime::Ports& ports) -> runtime::Task<void> {
    Life life(ports, disk, folder, 99);
    EXPECT_EQ(life.table.size(), made);
    co_return;
  });
}

}  // namespace
}  // namespace kith::cluster
