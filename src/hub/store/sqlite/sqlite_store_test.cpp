// What only the store on a disk has: its folder, its generations, damage, backups.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/files.hpp"
#include "hub/store/sqlite/backup.hpp"
#include "hub/store/sqlite/sqlite_store.hpp"
#include "hub/store/store_fixture.hpp"

namespace starling::hub {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SqliteStoreTest : public testing::Test {
 protected:
  Result<std::unique_ptr<SqliteStore>> try_open() {
    return SqliteStore::open(data_, executor_, clock_, Logger());
  }
  std::unique_ptr<SqliteStore> open() {
    auto opened = try_open();
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }
  void commit(Store& store, std::int64_t first, std::int64_t last) {
    for (std::int64_t revision = first; revision <= last; ++revision) {
      const auto outcome = commit_now(
          store, executor_, batch_of({make_change("home", revision, {set_setting("a.x", revision)})}));
      ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    }
  }
  StoredHub loaded() {
    auto hub = open()->load();
    if (!hub) throw std::runtime_error(hub.error().message);
    return std::move(*hub);
  }
  // Puts a database in place as somebody does who knows nothing of `restore`.
  void replace_by_hand(const fs::path& copy) {
    fs::copy_file(copy, data_.database(), fs::copy_options::overwrite_existing);
  }
  Result<void> change_by_hand(const std::string& sql) {
    auto database = sqlite::Database::open(data_.database(), sqlite::Database::Mode::create);
    if (!database) return fail(database);
    return database->execute(sql);
  }
  std::int64_t count(std::string_view table) {
    auto database = sqlite::Database::open(data_.database(), sqlite::Database::Mode::read_write);
    return database->integer("SELECT count(*) FROM " + std::string(table)).value_or(-1);
  }

  TurnExecutor executor_;
  ManualClock clock_;
  TemporaryFolder folder_;
  sqlite::DataFolder data_{folder_.path() / "data", ""};
};

TEST_F(SqliteStoreTest, ADatabaseFromBeforeModulesAndReleasesOpens) {
  {
    const auto store = open();
    Batch batch = batch_of({make_change("home", 1, {register_device("d1")})});
    DeviceRecord& record = batch.records.emplace_back();
    record.fleet = "home";
    record.device_id = "d1";
    record.settings.running = sha256("settings");
    record.facts = R"({"metadata":{"os":"12"}})";
    ASSERT_TRUE(commit_now(*store, executor_, std::move(batch)));
  }
  for (const char* column : {"module_names", "modules_target", "modules_running", "modules_refused",
                             "modules_phase", "modules_revision", "software_target", "software_running",
                             "software_refused", "software_phase", "software_revision"}) {
    ASSERT_TRUE(change_by_hand(std::string("ALTER TABLE device_record DROP COLUMN ") + column));
  }
  ASSERT_TRUE(change_by_hand("PRAGMA user_version = 1"));
  const StoredHub hub = loaded();
  ASSERT_THAT(hub.fleets.at(0).records, SizeIs(1));
  const DeviceRecord& record = hub.fleets[0].records[0];
  EXPECT_EQ(record.settings.running, sha256("settings"));
  EXPECT_EQ(record.facts, R"({"metadata":{"os":"12"}})");
  EXPECT_TRUE(record.modules == DeviceRecord().modules);
  EXPECT_FALSE(record.takes_releases());
  EXPECT_EQ(record.module_names, "");
}

TEST_F(SqliteStoreTest, TwoHubsNeverShareAFolder) {
  const auto first = open();
  const auto second = try_open();
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::failed_precondition);
  EXPECT_THAT(second.error().message, HasSubstr("another starling-hub works in"));
}

TEST_F(SqliteStoreTest, OnlyItsOwnerReadsTheDatabase) {
  const auto store = open();
  commit(*store, 1, 1);
  for (const char* name : {"starling.db", "starling.db-wal"}) {
    const auto mode = fs::status(data_.path / name).permissions();
    EXPECT_EQ(mode & (fs::perms::group_all | fs::perms::others_all), fs::perms::none) << name;
  }
}

TEST_F(SqliteStoreTest, FinishesWhatItAcceptedBeforeItEnds) {
  int stored = 0;
  {
    const auto store = open();
    for (std::int64_t revision = 1; revision <= 100; ++revision) {
      store->commit(batch_of({make_change("home", revision, {set_setting("a.x", revision)})}),
                    [&](const Result<void>& outcome) { stored += outcome.has_value() ? 1 : 0; });
    }
  }
  executor_.run_posted();
  EXPECT_EQ(stored, 100);
  EXPECT_EQ(loaded().fleets.at(0).head, 100);
}

TEST_F(SqliteStoreTest, ANewGenerationBeginsWhenTheDatabaseIsNotTheOneThatWasLeft) {
  const fs::path old_copy = folder_.path() / "old.db";
  const fs::path mark_copy = folder_.path() / "mark.json";
  struct Case {
    const char* name;
    std::function<void()> before_start;
    bool minted;
  };
  const fs::path mark = data_.high_water();
  const auto write_mark = [mark](std::string_view text) { ASSERT_TRUE(write_file_durably(mark, text)); };
  const std::vector<Case> cases{
      {"nothing happened", [] {}, false},
      {"an older copy was put back", [&] { replace_by_hand(old_copy); }, true},
      {"no mark", [&] { fs::remove(mark); }, true},
      {"a mark cut short", [&] { write_mark("{\"generation\":"); }, true},
      {"an empty mark", [&] { write_mark(""); }, true},
      {"a mark of another shape", [&] { write_mark(R"({"generation":"g","heads":{"home":"x"}})"); }, true},
      {"a mark of another hub", [&] { write_mark(R"({"generation":"other","heads":{}})"); }, true},
      {"an older mark", [&] { fs::copy_file(mark_copy, mark, fs::copy_options::overwrite_existing); }, false},
  };
  for (const Case& one : cases) {
    fs::remove_all(data_.path);
    fs::remove(old_copy);
    fs::remove(mark_copy);
    std::string generation;
    {
      const auto store = open();
      generation = store->load()->generation;
      commit(*store, 1, 1);
    }
    fs::copy_file(data_.database(), old_copy);
    fs::copy_file(mark, mark_copy);
    commit(*open(), 2, 3);
    one.before_start();
    const std::string after = loaded().generation;
    EXPECT_EQ(after != generation, one.minted) << one.name;
    EXPECT_EQ(loaded().generation, after) << one.name;  // and stays
  }
}

TEST_F(SqliteStoreTest, TheMarkIsNeverAheadOfTheDatabase) {
  {
    const auto store = open();
    for (std::int64_t revision = 1; revision <= 200; ++revision) {
      commit(*store, revision, revision);
      auto mark = sqlite::read_high_water(data_.high_water());
      // The store's thread may be writing it: then it is looked at again.
      while (!mark && mark.error().code == ErrorCode::corrupted)
        mark = sqlite::read_high_water(data_.high_water());
      ASSERT_TRUE(mark.has_value() && mark->has_value());
      const auto& heads = (*mark)->heads;
      ASSERT_LE(heads.empty() ? 0 : heads.at("home"), revision);
    }
  }
  EXPECT_EQ((*sqlite::read_high_water(data_.high_water()))->heads.at("home"), 200);
}

TEST_F(SqliteStoreTest, AMissingDatabaseIsNotReplacedByAnEmptyOne) {
  commit(*open(), 1, 1);
  fs::remove(data_.database());
  const auto opened = try_open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::failed_precondition);
  EXPECT_THAT(opened.error().message, HasSubstr("starling-hub restore"));
}

TEST_F(SqliteStoreTest, SaysWhatToDoAboutADamagedDatabase) {
  const auto overwrite = [&](std::streamoff at, std::size_t size) {
    std::fstream file(data_.database(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file << std::string(size, '\xab');
  };
  struct Case {
    const char* name;
    std::function<void()> damage;
  };
  const std::vector<Case> cases{
      {"header", [&] { overwrite(0, 100); }},
      {"everything after the header", [&] { overwrite(100, fs::file_size(data_.database()) - 100); }},
      {"all pages but the first", [&] { overwrite(4096, fs::file_size(data_.database()) - 4096); }},
      {"cut short", [&] { fs::resize_file(data_.database(), 8192); }},
      {"a body", [&] { ASSERT_TRUE(change_by_hand("UPDATE entity SET body = '{'")); }},
      {"an unknown kind", [&] { ASSERT_TRUE(change_by_hand("UPDATE entity SET kind = 'ghost'")); }},
      {"the end of the log", [&] { ASSERT_TRUE(change_by_hand("DELETE FROM change WHERE revision = 5")); }},
      {"a fleet", [&] { ASSERT_TRUE(change_by_hand("DELETE FROM fleet")); }},
  };
  for (const Case& one : cases) {
    fs::remove_all(data_.path);
    commit(*open(), 1, 5);
    one.damage();
    auto opened = try_open();
    const auto outcome = opened ? (*opened)->load() : Result<StoredHub>(fail(opened));
    ASSERT_FALSE(outcome.has_value()) << one.name;
    EXPECT_EQ(outcome.error().code, ErrorCode::corrupted) << one.name << ": " << outcome.error().message;
    EXPECT_THAT(outcome.error().message, HasSubstr("starling-hub restore")) << one.name;
  }
}

TEST_F(SqliteStoreTest, ADamagedChangeIsReportedToItsReaderOnly) {
  commit(*open(), 1, 3);
  ASSERT_TRUE(change_by_hand("UPDATE change SET edits = '[{]' WHERE revision = 2"));
  const auto store = open();
  EXPECT_EQ(changes_now(*store, executor_, {.fleet = "home"}).error().code, ErrorCode::corrupted);
  EXPECT_THAT(*changes_now(*store, executor_, {.fleet = "home", .since = 2}), SizeIs(1));
}

TEST_F(SqliteStoreTest, LeavesDatabasesAloneThatAreNotItsOwn) {
  ASSERT_TRUE(make_folders(data_.path));
  ASSERT_TRUE(change_by_hand("CREATE TABLE recipes (name TEXT)"));
  const auto opened = try_open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::failed_precondition);
  EXPECT_THAT(opened.error().message, HasSubstr("not one of Starling"));
  EXPECT_EQ(count("sqlite_schema"), 1);
}

TEST_F(SqliteStoreTest, LeavesTheDatabaseOfANewerHubAlone) {
  commit(*open(), 1, 1);
  ASSERT_TRUE(change_by_hand("PRAGMA user_version = 1000"));
  const auto opened = try_open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::failed_precondition);
  EXPECT_THAT(opened.error().message, HasSubstr("newer starling-hub"));
}

TEST_F(SqliteStoreTest, DeletesOldActionsAndKeepsTheirLog) {
  const auto ask = [&](const std::string& id, Milliseconds expires_in) {
    ActionRequest action;
    action.name = "echo";
    action.expires_at_ms = (clock_.wall().time_since_epoch() + expires_in).count();
    return Edit{EntityKind::action, id, nullptr, action.to_json()};
  };
  const auto minute = std::chrono::minutes(1);
  ASSERT_TRUE(commit_now(*open(), executor_, batch_of({make_change("home", 1, {ask("old", minute)})})));
  clock_.advance(answer_lifetime + minute + Milliseconds(1));
  const std::vector<Edit> others{ask("young", Milliseconds(-1)), set_setting("a.x", 1)};
  ASSERT_TRUE(commit_now(*open(), executor_, batch_of({make_change("home", 2, others)})));
  ASSERT_TRUE(commit_now(*open(), executor_, batch_of({make_change("home", 3, {set_setting("a.x", 2)})})));
  const StoredHub hub = loaded();
  ASSERT_EQ(hub.fleets.at(0).entities.size(), 2u);
  for (const StoredEntity& entity : hub.fleets[0].entities)
    EXPECT_NE(entity.id, "old");
  EXPECT_EQ(count("change"), 3);
}

TEST_F(SqliteStoreTest, DeletesOldAnswersAndResults) {
  const auto save = [&](Store& store, const std::string& id, int count_of) {
    const std::int64_t now = clock_.wall().time_since_epoch().count();
    Batch batch;
    std::vector<StoredActionResult> results;
    for (int i = 0; i < count_of; ++i) {
      batch.answers.push_back({"home", "key:k1", id + std::to_string(i), {}, now, 200, "{}"});
      results.push_back({"home", id + std::to_string(i), "d1", now, true, "{}"});
    }
    ASSERT_TRUE(commit_now(store, executor_, std::move(batch)));
    ASSERT_TRUE(finish<void>(executor_, [&](auto done) { store.save_action_results(results, done); }));
  };
  save(*open(), "old", 1500);
  clock_.advance(answer_lifetime + Milliseconds(1));
  save(*open(), "new", 1);
  save(*open(), "newer", 1);
  EXPECT_EQ(count("answer"), 2);
  EXPECT_EQ(count("action_result"), 2);
}

TEST_F(SqliteStoreTest, ABackupOfARunningHubComesBackAsANewGeneration) {
  const fs::path backup = folder_.path() / "backup.db";
  std::string generation;
  EntityTable at_backup;
  {
    const auto store = open();
    commit(*store, 1, 5);
    const auto saved = sqlite::back_up(data_, backup);
    ASSERT_TRUE(saved.has_value()) << saved.error().message;
    generation = store->load()->generation;
    at_backup = entity_table(store->load()->fleets.at(0));
    commit(*store, 6, 9);

    EXPECT_EQ(sqlite::back_up(data_, backup).error().code, ErrorCode::already_exists);
    EXPECT_EQ(sqlite::restore(backup, data_).error().code, ErrorCode::failed_precondition);
  }
  const auto restored = sqlite::restore(backup, data_);
  ASSERT_TRUE(restored.has_value()) << restored.error().message;
  EXPECT_EQ(restored->mark.heads.at("home"), 5);
  EXPECT_NE(restored->mark.generation, generation);
  EXPECT_EQ(restored->former, data_.path / "starling.db.replaced-1");

  const StoredHub hub = loaded();
  EXPECT_EQ(hub.generation, restored->mark.generation);
  EXPECT_EQ(hub.fleets.at(0).head, 5);
  EXPECT_EQ(entity_table(hub.fleets.at(0)), at_backup);
  commit(*open(), 6, 7);

  // What was there before can be had back, as one more generation.
  const auto back = sqlite::restore(restored->former, data_);
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(back->mark.heads.at("home"), 9);
  EXPECT_TRUE(fs::exists(data_.path / "starling.db.replaced-2"));
  EXPECT_EQ(loaded().fleets.at(0).head, 9);
}

TEST_F(SqliteStoreTest, ABackupIsRestoredWhereThereIsNoUsableDatabase) {
  const fs::path backup = folder_.path() / "backup.db";
  commit(*open(), 1, 5);
  ASSERT_TRUE(sqlite::back_up(data_, backup));
  EXPECT_EQ(fs::status(backup).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  struct Case {
    const char* name;
    std::function<void()> before;
  };
  const std::vector<Case> cases{
      {"no folder", [&] { fs::remove_all(data_.path); }},
      {"no database", [&] { fs::remove(data_.database()); }},
      {"a damaged one", [&] { ASSERT_TRUE(write_file_durably(data_.database(), std::string(9000, 'x'))); }},
      {"an interrupted restore",
       [&] { ASSERT_TRUE(write_file_durably(data_.path / "starling.db.restoring", "half")); }},
  };
  for (const Case& one : cases) {
    one.before();
    const auto restored = sqlite::restore(backup, data_);
    ASSERT_TRUE(restored.has_value()) << one.name << ": " << restored.error().message;
    EXPECT_EQ(restored->former.empty(), std::string_view(one.name).starts_with("no ")) << one.name;
    const StoredHub hub = loaded();
    EXPECT_EQ(hub.generation, restored->mark.generation) << one.name;
    EXPECT_EQ(hub.fleets.at(0).head, 5) << one.name;
  }
}

TEST_F(SqliteStoreTest, WhatIsNoBackupChangesNothing) {
  commit(*open(), 1, 5);
  const std::string generation = loaded().generation;
  const fs::path file = folder_.path() / "backup.db";
  struct Case {
    const char* name;
    std::function<void()> make;
    ErrorCode expected;
  };
  const std::vector<Case> cases{
      {"missing", [] {}, ErrorCode::not_found},
      {"empty", [&] { ASSERT_TRUE(write_file_durably(file, "")); }, ErrorCode::failed_precondition},
      {"no database", [&] { ASSERT_TRUE(write_file_durably(file, std::string(9000, 'x'))); },
       ErrorCode::corrupted},
      {"damaged",
       [&] {
         ASSERT_TRUE(sqlite::back_up(data_, file));
         fs::resize_file(file, fs::file_size(file) - 4096);
       },
       ErrorCode::corrupted},
  };
  for (const Case& one : cases) {
    fs::remove(file);
    one.make();
    const auto restored = sqlite::restore(file, data_);
    ASSERT_FALSE(restored.has_value()) << one.name;
    EXPECT_EQ(restored.error().code, one.expected) << one.name << ": " << restored.error().message;
    EXPECT_EQ(loaded().generation, generation) << one.name;
    EXPECT_EQ(loaded().fleets.at(0).head, 5) << one.name;
  }
  EXPECT_EQ(sqlite::back_up({folder_.path() / "elsewhere", ""}, folder_.path() / "b").error().code,
            ErrorCode::not_found);
}

}  // namespace
}  // namespace starling::hub
