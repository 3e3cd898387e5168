// Power cuts, full disks and failing syncs, through an SQLite VFS that knows which bytes have reached the
// disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "base/files.hpp"
#include "hub/store/sqlite/sqlite_store.hpp"
#include "hub/store/store_fixture.hpp"

namespace starling::hub {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A write or truncation that no sync has followed yet.
struct Unsynced {
  std::size_t offset = 0;
  std::string bytes;
  bool truncates = false;
};

struct FileOnDisk {
  std::string synced;
  std::vector<Unsynced> unsynced;

  void apply(const Unsynced& change) {
    if (change.truncates) {
      synced.resize(change.offset);
      return;
    }
    synced.resize(std::max(synced.size(), change.offset + change.bytes.size()));
    std::memcpy(synced.data() + change.offset, change.bytes.data(), change.bytes.size());
  }
  void sync() {
    for (const Unsynced& change : unsynced)
      apply(change);
    unsynced.clear();
  }
  // What a power cut may leave: of what was not synced, any sectors, in any combination.
  std::string after_power_cut(std::mt19937& random) const {
    constexpr std::size_t sector = 512;
    FileOnDisk left{synced, {}};
    for (const Unsynced& change : unsynced) {
      if (change.truncates) {
        if (random() % 2 == 0) left.apply(change);
        continue;
      }
      for (std::size_t at = 0; at < change.bytes.size();) {
        const std::size_t size = std::min(sector - (change.offset + at) % sector, change.bytes.size() - at);
        if (random() % 2 == 0) left.apply({change.offset + at, change.bytes.substr(at, size), false});
        at += size;
      }
    }
    return left.synced;
  }
};

// What a power cut left behind, and what had been acknowledged by then.
struct Wreck {
  std::map<std::string, std::string> files;  // name → content
  std::int64_t acknowledged = 0;
};

class FaultyDisk {
 public:
  FaultyDisk();
  ~FaultyDisk() { sqlite3_vfs_unregister(&vfs_); }
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  static constexpr const char* name = "faulty-disk";

  // All are guarded by `mutex`: SQLite is on two threads.
  std::mutex mutex;
  std::map<std::string, FileOnDisk> files;
  std::int64_t free_bytes = std::numeric_limits<std::int64_t>::max();
  int failing_syncs = 0;
  std::size_t operations = 0;
  std::set<std::size_t> cut_after;  // numbers of operations
  std::vector<Wreck> wrecks;
  std::mt19937 random{7};
  fs::path mark;  // a file that is not SQLite's but belongs to a wreck
  std::atomic<std::int64_t> acknowledged{0};

  void note_operation() {
    if (!cut_after.contains(++operations)) return;
    Wreck wreck;
    wreck.acknowledged = acknowledged;
    for (const auto& [path, file] : files)
      wreck.files[fs::path(path).filename()] = file.after_power_cut(random);
    if (fs::exists(mark)) wreck.files[mark.filename()] = content_of(mark);
    wrecks.push_back(std::move(wreck));
  }

  sqlite3_vfs* system = nullptr;

 private:
  sqlite3_vfs vfs_{};
};

struct OpenFile {
  sqlite3_file base;
  FaultyDisk* disk;
  FileOnDisk* file;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  static OpenFile& of(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }
};

int close_file(sqlite3_file* file) {
  sqlite3_file* real = OpenFile::of(file).real();
  return real->pMethods == nullptr ? SQLITE_OK : real->pMethods->xClose(real);
}

int write_file(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  OpenFile& open = OpenFile::of(file);
  const std::lock_guard guard(open.disk->mutex);
  if (open.disk->free_bytes < count) return SQLITE_FULL;
  open.disk->free_bytes -= count;
  const int code = open.real()->pMethods->xWrite(open.real(), bytes, count, offset);
  const auto size = static_cast<std::size_t>(count);
  open.file->unsynced.push_back(
      {static_cast<std::size_t>(offset), std::string(static_cast<const char*>(bytes), size), false});
  open.disk->note_operation();
  return code;
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  OpenFile& open = OpenFile::of(file);
  const std::lock_guard guard(open.disk->mutex);
  open.file->unsynced.push_back({static_cast<std::size_t>(size), {}, true});
  open.disk->note_operation();
  return open.real()->pMethods->xTruncate(open.real(), size);
}

// The real disk is not asked: what counts as synced is known here.
int sync_file(sqlite3_file* file, int) {
  OpenFile& open = OpenFile::of(file);
  const std::lock_guard guard(open.disk->mutex);
  if (open.disk->failing_syncs > 0) {
    --open.disk->failing_syncs;
    return SQLITE_IOERR_FSYNC;
  }
  open.file->sync();
  open.disk->note_operation();
  return SQLITE_OK;
}

// Hands a call on to the system's file.
template <auto member, typename... Arguments>
auto hand_on(sqlite3_file* file, Arguments... arguments) {
  sqlite3_file* real = OpenFile::of(file).real();
  return (real->pMethods->*member)(real, arguments...);
}

const sqlite3_io_methods& methods() {
  using Methods = sqlite3_io_methods;
  static const Methods all = [] {
    Methods made{};
    made.iVersion = 2;  // with shared memory, without memory mapping
    made.xClose = close_file;
    made.xRead = hand_on<&Methods::xRead, void*, int, sqlite3_int64>;
    made.xWrite = write_file;
    made.xTruncate = truncate_file;
    made.xSync = sync_file;
    made.xFileSize = hand_on<&Methods::xFileSize, sqlite3_int64*>;
    made.xLock = hand_on<&Methods::xLock, int>;
    made.xUnlock = hand_on<&Methods::xUnlock, int>;
    made.xCheckReservedLock = hand_on<&Methods::xCheckReservedLock, int*>;
    made.xFileControl = hand_on<&Methods::xFileControl, int, void*>;
    made.xSectorSize = hand_on<&Methods::xSectorSize>;
    made.xDeviceCharacteristics = hand_on<&Methods::xDeviceCharacteristics>;
    made.xShmMap = hand_on<&Methods::xShmMap, int, int, int, void volatile**>;
    made.xShmLock = hand_on<&Methods::xShmLock, int, int, int>;
    made.xShmBarrier = hand_on<&Methods::xShmBarrier>;
    made.xShmUnmap = hand_on<&Methods::xShmUnmap, int>;
    return made;
  }();
  return all;
}

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  auto& disk = *static_cast<FaultyDisk*>(vfs->pAppData);
  OpenFile& open = OpenFile::of(file);
  const int code = disk.system->xOpen(disk.system, path, open.real(), flags, out_flags);
  file->pMethods = code == SQLITE_OK ? &methods() : nullptr;
  open.disk = &disk;
  const std::lock_guard guard(disk.mutex);
  const auto [at, is_new] = disk.files.try_emplace(path);
  if (is_new && code == SQLITE_OK) at->second.synced = content_of(path);
  open.file = &at->second;
  return code;
}

int delete_file(sqlite3_vfs* vfs, const char* path, int sync_folder) {
  auto& disk = *static_cast<FaultyDisk*>(vfs->pAppData);
  const std::lock_guard guard(disk.mutex);
  if (const auto at = disk.files.find(path); at != disk.files.end()) at->second = {};
  disk.note_operation();
  return disk.system->xDelete(disk.system, path, sync_folder);
}

FaultyDisk::FaultyDisk() : system(sqlite3_vfs_find(nullptr)) {
  vfs_ = *system;
  vfs_.szOsFile += static_cast<int>(sizeof(OpenFile));
  vfs_.pNext = nullptr;
  vfs_.zName = name;
  vfs_.pAppData = this;
  vfs_.xOpen = open_file;
  vfs_.xDelete = delete_file;
  sqlite3_vfs_register(&vfs_, 0);
}

class SqliteFaultsTest : public testing::Test {
 protected:
  Result<std::unique_ptr<SqliteStore>> try_open(const sqlite::DataFolder& data) {
    return SqliteStore::open(data, executor_, clock_, Logger());
  }
  std::unique_ptr<SqliteStore> open() {
    auto opened = try_open(data_);
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }
  // Bodies of a few pages, so that the log is copied into the database now and then.
  static Batch nth_batch(std::int64_t revision) {
    const auto size = static_cast<std::size_t>(revision * 37 % 9000);
    const std::string key = "a.k" + std::to_string(revision % 11);
    const Json after = revision % 6 == 0 ? Json(nullptr) : Json(JsonString(size, 'x'));
    return batch_of({make_change("home", revision, {set_setting(key, after)})});
  }
  Result<void> commit(Store& store, std::int64_t revision) {
    return commit_now(store, executor_, nth_batch(revision));
  }
  // The store is whole, holds all that was acknowledged and at most what was asked for.
  void check(const sqlite::DataFolder& data, std::int64_t acknowledged, std::int64_t asked) {
    auto store = try_open(data);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    const auto hub = (*store)->load();
    ASSERT_TRUE(hub.has_value()) << hub.error().message;
    generation_ = hub->generation;
    const std::int64_t head = hub->fleets.empty() ? 0 : hub->fleets[0].head;
    EXPECT_GE(head, acknowledged);
    EXPECT_LE(head, asked);
    const auto changes = changes_now(**store, executor_, {.fleet = "home", .limit = SIZE_MAX});
    ASSERT_TRUE(changes.has_value());
    EXPECT_EQ(static_cast<std::int64_t>(changes->size()), head);
    if (head > 0) {
      EXPECT_EQ(entity_table(hub->fleets[0]), replay(*changes));
    }
  }

  TurnExecutor executor_;
  ManualClock clock_;
  TemporaryFolder folder_;
  FaultyDisk disk_;
  sqlite::DataFolder data_{folder_.path() / "data", FaultyDisk::name};
  std::string generation_;
};

TEST_F(SqliteFaultsTest, PowerCutsLoseNothingThatWasAcknowledged) {
  constexpr std::int64_t last = 600;
  std::mt19937 random(42);
  disk_.mark = data_.high_water();
  for (std::size_t i = 0; i < 30; ++i)
    disk_.cut_after.insert(random() % 4000);
  for (std::size_t i = 1; i < 40; i += 4)
    disk_.cut_after.insert(i);  // while the database is made

  std::string generation;
  {
    const auto store = open();
    generation = store->load()->generation;
    for (std::int64_t revision = 1; revision <= last; ++revision) {
      store->commit(nth_batch(revision), [this, revision](const Result<void>& outcome) {
        ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
        disk_.acknowledged = revision;
      });
      if (revision % 4 == 0) {
        ASSERT_TRUE(executor_.run_until([&] { return disk_.acknowledged == revision; }));
      }
    }
  }
  EXPECT_GT(disk_.operations, 4000u);
  EXPECT_GT(disk_.wrecks.size(), 35u);
  const std::vector<Wreck> wrecks = std::exchange(disk_.wrecks, {});
  for (std::size_t i = 0; i < wrecks.size(); ++i) {
    SCOPED_TRACE("wreck " + std::to_string(i));
    const sqlite::DataFolder data{folder_.path() / std::to_string(i), FaultyDisk::name};
    ASSERT_TRUE(make_folders(data.path));
    for (const auto& [name, content] : wrecks[i].files)
      std::ofstream(data.path / name, std::ios::binary) << content;
    check(data, wrecks[i].acknowledged, last);
    if (wrecks[i].files.contains(disk_.mark.filename())) {
      EXPECT_EQ(generation_, generation);
    }
  }
}

TEST_F(SqliteFaultsTest, AFullDiskRefusesAndLaterTakesTheSameChange) {
  std::int64_t revision = 1;
  auto store = open();
  for (std::int64_t free_bytes = 0; free_bytes < 120'000; free_bytes += 1'900) {
    SCOPED_TRACE("with " + std::to_string(free_bytes) + " bytes left");
    {
      const std::lock_guard guard(disk_.mutex);
      disk_.free_bytes = free_bytes;
    }
    auto outcome = commit(*store, revision);
    while (outcome)
      outcome = commit(*store, ++revision);
    EXPECT_EQ(outcome.error().code, ErrorCode::unavailable) << outcome.error().message;
    EXPECT_THAT(outcome.error().message, HasSubstr("is full"));
    EXPECT_THAT(*changes_now(*store, executor_, {.fleet = "home", .since = revision - 1}),
                testing::IsEmpty());
    if (free_bytes % 3'800 == 0) {  // also across a restart
      store.reset();
      store = open();
    }
    {
      const std::lock_guard guard(disk_.mutex);
      disk_.free_bytes = std::numeric_limits<std::int64_t>::max();
    }
    outcome = commit(*store, revision);
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    ++revision;
  }
  store.reset();
  check(data_, revision - 1, revision - 1);
}

TEST_F(SqliteFaultsTest, AFullDiskStopsTheFirstStartOnly) {
  disk_.free_bytes = 10'000;
  const auto opened = try_open(data_);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::unavailable);
  disk_.free_bytes = std::numeric_limits<std::int64_t>::max();
  EXPECT_TRUE(commit(*open(), 1));
}

TEST_F(SqliteFaultsTest, AFailedSyncIsNeverAcknowledged) {
  auto store = open();
  for (std::int64_t revision = 1; revision <= 20; ++revision) {
    {
      const std::lock_guard guard(disk_.mutex);
      disk_.failing_syncs = 1;
    }
    const auto outcome = commit(*store, revision);
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code, ErrorCode::io);
    ASSERT_TRUE(commit(*store, revision));
  }
  store.reset();
  check(data_, 20, 20);
}

}  // namespace
}  // namespace starling::hub
