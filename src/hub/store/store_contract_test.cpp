// The contract of store.hpp, held against every store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/store/memory_store.hpp"
#include "hub/store/sqlite/sqlite_store.hpp"
#include "hub/store/store_fixture.hpp"

namespace starling::hub {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// A store that can be left and entered again, as by a hub that restarts.
class StoreCase {
 public:
  StoreCase(TurnExecutor& executor, const Clock& clock) : executor_(executor), clock_(clock) {}
  virtual ~StoreCase() = default;
  virtual Store& store() = 0;
  virtual void restart() = 0;

 protected:
  TurnExecutor& executor_;
  const Clock& clock_;
};

class MemoryCase final : public StoreCase {
 public:
  using StoreCase::StoreCase;
  Store& store() override { return store_; }
  void restart() override { store_.crash(store_.writes_in_flight()); }

 private:
  MemoryStore store_{executor_, clock_, "generation-1"};
};

class SqliteCase final : public StoreCase {
 public:
  SqliteCase(TurnExecutor& executor, const Clock& clock) : StoreCase(executor, clock) { open(); }
  Store& store() override { return *store_; }
  void restart() override {
    store_.reset();
    open();
  }

 private:
  void open() {
    auto opened = SqliteStore::open({folder_.path(), ""}, executor_, clock_, Logger());
    if (!opened) throw std::runtime_error(opened.error().message);
    store_ = std::move(*opened);
  }
  TemporaryFolder folder_;
  std::unique_ptr<SqliteStore> store_;
};

class StoreContract : public testing::TestWithParam<const char*> {
 protected:
  StoreContract() {
    if (GetParam() == std::string_view("memory")) {
      case_ = std::make_unique<MemoryCase>(executor_, clock_);
    } else {
      case_ = std::make_unique<SqliteCase>(executor_, clock_);
    }
  }

  Store& store() { return case_->store(); }
  Result<void> commit(std::vector<SharedChange> changes) {
    return commit_now(store(), executor_, batch_of(std::move(changes)));
  }
  Result<void> commit(Batch batch) { return commit_now(store(), executor_, std::move(batch)); }
  Result<void> save(std::vector<DeviceRecord> records) {
    return finish<void>(executor_, [&](auto done) { store().save_records(std::move(records), done); });
  }
  Result<void> save(std::vector<StoredActionResult> results) {
    return finish<void>(executor_, [&](auto done) { store().save_action_results(std::move(results), done); });
  }
  std::vector<std::int64_t> revisions(ChangeQuery query) {
    std::vector<std::int64_t> found;
    const auto changes = changes_now(store(), executor_, std::move(query));
    EXPECT_TRUE(changes.has_value());
    for (const SharedChange& change : changes.value_or(std::vector<SharedChange>{}))
      found.push_back(change->revision);
    return found;
  }
  std::optional<Answer> answer(const std::string& fleet, const std::string& principal,
                               const std::string& id) {
    const auto found = finish<std::optional<Answer>>(
        executor_, [&](auto done) { store().find_answer(fleet, principal, id, done); });
    EXPECT_TRUE(found.has_value());
    return found.value_or(std::nullopt);
  }
  std::vector<StoredActionResult> results(const std::string& fleet, const std::string& action) {
    const auto found = finish<std::vector<StoredActionResult>>(
        executor_, [&](auto done) { store().read_action_results(fleet, action, done); });
    EXPECT_TRUE(found.has_value());
    return found.value_or(std::vector<StoredActionResult>{});
  }
  StoredHub loaded() {
    auto hub = store().load();
    EXPECT_TRUE(hub.has_value()) << hub.error().message;
    return hub.value_or(StoredHub{});
  }
  Answer make_answer(std::string id) {
    const std::int64_t now = clock_.wall().time_since_epoch().count();
    return {"home", "key:k1", std::move(id), sha256("request"), now, 201, R"({"revision":1})"};
  }

  TurnExecutor executor_;
  ManualClock clock_;
  std::unique_ptr<StoreCase> case_;
};

DeviceRecord full_record(std::string fleet, std::string id) {
  DeviceRecord record;
  record.fleet = std::move(fleet);
  record.device_id = std::move(id);
  record.token_hash = sha256("token");
  record.previous_token_hash = sha256("previous");
  record.token_issued_ms = 11;
  record.epoch = {3, 14};
  record.last_seen_ms = 12;
  record.settings.running_revision = 13;
  record.settings.target = sha256("target");
  record.settings.running = sha256("running");
  record.settings.phase = protocol::Phase::provisional;
  record.version = "1.2.3";
  record.rest_status = "updating";
  record.components = "audio,hotword";
  record.module_names = "hotword,recorder";
  record.modules = {sha256("offered"), sha256("in force"), sha256("not taken"), protocol::Phase::refused, 14};
  record.facts = R"({"memory_mb":512})";
  return record;
}

void expect_equal(const DeviceRecord& a, const DeviceRecord& b) {
  EXPECT_EQ(a.fleet, b.fleet);
  EXPECT_EQ(a.device_id, b.device_id);
  EXPECT_EQ(a.token_hash, b.token_hash);
  EXPECT_EQ(a.previous_token_hash, b.previous_token_hash);
  EXPECT_EQ(a.token_issued_ms, b.token_issued_ms);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.last_seen_ms, b.last_seen_ms);
  EXPECT_TRUE(a.settings == b.settings);
  EXPECT_TRUE(a.modules == b.modules);
  EXPECT_EQ(a.module_names, b.module_names);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.rest_status, b.rest_status);
  EXPECT_EQ(a.components, b.components);
  EXPECT_EQ(a.facts, b.facts);
}

TEST_P(StoreContract, BeginsEmptyAndKeepsItsGeneration) {
  const StoredHub first = loaded();
  EXPECT_THAT(first.fleets, IsEmpty());
  EXPECT_NE(first.generation, "");
  case_->restart();
  EXPECT_EQ(loaded().generation, first.generation);
}

TEST_P(StoreContract, KeepsChangesAndWhatTheyLeaveBehind) {
  ASSERT_TRUE(commit({make_change("home", 1, {set_setting("a.x", 1), set_setting("a.y", true)}),
                      make_change("home", 2, {{EntityKind::setting, "fleet a.x", 1, "two"}}),
                      make_change("home", 3, {{EntityKind::setting, "fleet a.y", true, nullptr}})}));
  case_->restart();

  const StoredHub hub = loaded();
  ASSERT_THAT(hub.fleets, SizeIs(1));
  EXPECT_EQ(hub.fleets[0].name, "home");
  EXPECT_EQ(hub.fleets[0].head, 3);
  EXPECT_EQ(entity_table(hub.fleets[0]), (EntityTable{{"setting fleet a.x", {"\"two\"", 2}}}));

  const auto changes = changes_now(store(), executor_, {.fleet = "home"});
  ASSERT_TRUE(changes.has_value());
  ASSERT_THAT(*changes, SizeIs(3));
  const Change& second = *(*changes)[1];
  EXPECT_EQ(second.fleet, "home");
  EXPECT_EQ(second.revision, 2);
  EXPECT_EQ(second.at_ms, 1'700'000'000'002);
  EXPECT_EQ(second.principal, "key:k1");
  EXPECT_EQ(second.principal_name, "Ada");
  EXPECT_EQ(second.action, "settings.set");
  EXPECT_EQ(second.reason, "because");
  ASSERT_THAT(second.edits, SizeIs(1));
  EXPECT_EQ(second.edits[0].kind, EntityKind::setting);
  EXPECT_EQ(second.edits[0].id, "fleet a.x");
  EXPECT_EQ(second.edits[0].before, Json(1));
  EXPECT_EQ(second.edits[0].after, Json("two"));
  EXPECT_TRUE((*changes)[2]->edits[0].after.is_null());
}

TEST_P(StoreContract, GivesEveryJsonValueBackAsItWas) {
  const std::vector<Json> values{
      0,
      -1,
      INT64_MAX,
      INT64_MIN,
      UINT64_MAX,
      0.1,
      -0.0,
      1e300,
      5e-324,
      false,
      "",
      JsonString("\0\"\\\n\x7f", 5),
      "žluťoučký 🐦",
      JsonString(10'000, 'x'),
      JsonArray{},
      JsonObject{},
      JsonArray{nullptr, JsonObject{{"", nullptr}, {"k\"", JsonArray{1, "a", 2.5}}}},
  };
  std::vector<Edit> edits;
  for (std::size_t i = 0; i < values.size(); ++i)
    edits.push_back({EntityKind::setting, "fleet \"v\"." + std::to_string(i), values[i], values[i]});
  ASSERT_TRUE(commit({make_change("home", 1, edits)}));
  case_->restart();

  const auto changes = changes_now(store(), executor_, {.fleet = "home"});
  ASSERT_TRUE(changes.has_value());
  ASSERT_THAT(*changes, SizeIs(1));
  ASSERT_THAT((*changes)[0]->edits, SizeIs(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Edit& edit = (*changes)[0]->edits[i];
    EXPECT_EQ(edit.id, edits[i].id);
    EXPECT_EQ(edit.before, values[i]) << i;
    EXPECT_EQ(edit.after, values[i]) << i;
    EXPECT_EQ(edit.after.kind(), values[i].kind()) << i;
  }
  EXPECT_EQ(entity_table(loaded().fleets.at(0)), replay(*changes));
}

TEST_P(StoreContract, RefusesARevisionThatDoesNotFollowTheHead) {
  const auto at = [](std::int64_t revision) {
    return make_change("home", revision, {set_setting("a.x", 0)});
  };
  ASSERT_TRUE(commit({at(1), at(2)}));
  const std::vector<std::pair<const char*, std::vector<SharedChange>>> cases{
      {"repeated", {at(2)}},
      {"gap", {at(4)}},
      {"zero", {at(0)}},
      {"gap inside", {at(3), at(5)}},
      {"repeated inside", {at(3), at(3)}},
      {"other fleet", {make_change("lab", 3, {set_setting("a.x", 0)})}},
      {"second fleet wrong", {at(3), make_change("lab", 2, {set_setting("a.x", 0)})}},
  };
  for (const auto& [name, changes] : cases) {
    Batch batch = batch_of(changes);
    batch.answers.push_back(make_answer(name));
    const auto outcome = commit(std::move(batch));
    ASSERT_FALSE(outcome.has_value()) << name;
    EXPECT_EQ(outcome.error().code, ErrorCode::conflict) << name;
    EXPECT_EQ(answer("home", "key:k1", name), std::nullopt) << name;
  }
  EXPECT_THAT(revisions({.fleet = "home"}), ElementsAre(1, 2));
  EXPECT_THAT(loaded().fleets, SizeIs(1));
  EXPECT_TRUE(commit({at(3)}));
}

TEST_P(StoreContract, AConflictDoesNotTouchItsNeighbours) {
  std::vector<std::string> outcomes;
  for (const std::int64_t revision : {1, 7, 2, 2, 3}) {
    const auto done = [&outcomes, revision](const Result<void>& outcome) {
      outcomes.push_back(std::to_string(revision) + (outcome ? " stored" : " refused"));
    };
    store().commit(batch_of({make_change("home", revision, {set_setting("a.x", revision)})}), done);
  }
  EXPECT_THAT(outcomes, IsEmpty());  // never in the caller's own turn
  ASSERT_TRUE(executor_.run_until([&] { return outcomes.size() == 5; }));
  EXPECT_THAT(outcomes, ElementsAre("1 stored", "7 refused", "2 stored", "2 refused", "3 stored"));
  EXPECT_EQ(entity_table(loaded().fleets.at(0)), (EntityTable{{"setting fleet a.x", {"3", 3}}}));
}

TEST_P(StoreContract, KeepsFleetsApart) {
  ASSERT_TRUE(
      commit({make_change("home", 1, {register_device("d1")}), make_change("lab", 1, {register_device("d1")}),
              make_change("home", 2, {set_setting("a.x", "home")}),
              make_change("lab", 2, {set_setting("a.x", "lab")}),
              make_change("lab", 3, {set_setting("a.y", "lab")})}));
  ASSERT_TRUE(save({full_record("lab", "d1"), full_record("office", "d1")}));
  case_->restart();
  const StoredHub hub = loaded();
  ASSERT_THAT(hub.fleets, SizeIs(2));
  EXPECT_EQ(hub.fleets[0].name, "home");
  EXPECT_EQ(hub.fleets[0].head, 2);
  EXPECT_THAT(hub.fleets[0].records, IsEmpty());
  EXPECT_EQ(hub.fleets[1].name, "lab");
  EXPECT_EQ(hub.fleets[1].head, 3);
  EXPECT_THAT(hub.fleets[1].entities, SizeIs(3));
  EXPECT_THAT(hub.fleets[1].records, SizeIs(1));
  EXPECT_THAT(revisions({.fleet = "home"}), ElementsAre(1, 2));
  EXPECT_THAT(revisions({.fleet = "office"}), IsEmpty());
}

TEST_P(StoreContract, KeepsTheRecordsOfRegisteredDevices) {
  Batch batch = batch_of({make_change("home", 1, {register_device("d1"), register_device("d2")})});
  batch.records = {full_record("home", "d1"), full_record("home", "stranger")};
  ASSERT_TRUE(commit(std::move(batch)));
  DeviceRecord second;  // with everything at its default
  second.fleet = "home";
  second.device_id = "d2";
  DeviceRecord first = full_record("home", "d1");
  first.settings.refused = sha256("refused");
  first.previous_token_hash = {};
  first.last_seen_ms = 99;
  first.settings.phase = protocol::Phase::refused;
  ASSERT_TRUE(save({first, second}));
  case_->restart();
  const StoredHub hub = loaded();
  ASSERT_THAT(hub.fleets.at(0).records, SizeIs(2));
  expect_equal(hub.fleets[0].records[0], first);
  expect_equal(hub.fleets[0].records[1], second);
}

TEST_P(StoreContract, NeverDeclaredIsNotDeclaredNone) {
  ASSERT_TRUE(commit({make_change("home", 1, {register_device("d1"), register_device("d2")})}));
  DeviceRecord never = full_record("home", "d1");
  never.components.reset();
  DeviceRecord none = full_record("home", "d2");
  none.components = "";
  ASSERT_TRUE(save({never, none}));
  case_->restart();
  const StoredHub hub = loaded();
  expect_equal(hub.fleets.at(0).records.at(0), never);
  expect_equal(hub.fleets.at(0).records.at(1), none);
}

TEST_P(StoreContract, ARemovedDeviceTakesItsRecordAlong) {
  Batch batch = batch_of({make_change("home", 1, {register_device("d1"), register_device("d2")})});
  batch.records = {full_record("home", "d1"), full_record("home", "d2")};
  ASSERT_TRUE(commit(std::move(batch)));
  ASSERT_TRUE(commit({make_change("home", 2, {{EntityKind::device, "d1", JsonObject{}, nullptr}})}));
  ASSERT_TRUE(save({full_record("home", "d1")}));  // a late heartbeat
  case_->restart();
  const StoredHub hub = loaded();
  ASSERT_THAT(hub.fleets.at(0).records, SizeIs(1));
  EXPECT_EQ(hub.fleets[0].records[0].device_id, "d2");
}

TEST_P(StoreContract, FindsAnswersOfItsPrincipal) {
  Batch batch = batch_of({make_change("home", 1, {set_setting("a.x", 1)})});
  batch.answers = {make_answer("id-1")};
  ASSERT_TRUE(commit(std::move(batch)));
  Batch only_answer;
  only_answer.answers = {make_answer("id-2")};
  only_answer.answers[0].request_hash = {};
  ASSERT_TRUE(commit(std::move(only_answer)));
  case_->restart();

  const auto found = answer("home", "key:k1", "id-1");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->fleet, "home");
  EXPECT_EQ(found->principal, "key:k1");
  EXPECT_EQ(found->idempotency_id, "id-1");
  EXPECT_EQ(found->request_hash, sha256("request"));
  EXPECT_EQ(found->at_ms, clock_.wall().time_since_epoch().count());
  EXPECT_EQ(found->status, 201);
  EXPECT_EQ(found->body, R"({"revision":1})");
  EXPECT_TRUE(answer("home", "key:k1", "id-2").has_value());
  EXPECT_FALSE(answer("home", "key:k1", "id-3").has_value());
  EXPECT_FALSE(answer("home", "key:k2", "id-1").has_value());
  EXPECT_FALSE(answer("lab", "key:k1", "id-1").has_value());
}

TEST_P(StoreContract, ARequestIsAnsweredOnceInSevenDays) {
  const auto attempt = [&](std::int64_t revision) {
    Batch batch = batch_of({make_change("home", revision, {set_setting("a.x", revision)})});
    batch.answers = {make_answer("id-1")};
    return commit(std::move(batch));
  };
  ASSERT_TRUE(attempt(1));
  clock_.advance(answer_lifetime);
  const auto again = attempt(2);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::already_exists);
  EXPECT_THAT(revisions({.fleet = "home"}), ElementsAre(1));
  EXPECT_TRUE(answer("home", "key:k1", "id-1").has_value());

  Batch twice;
  twice.answers = {make_answer("id-2"), make_answer("id-2")};
  EXPECT_EQ(commit(std::move(twice)).error().code, ErrorCode::already_exists);
  EXPECT_FALSE(answer("home", "key:k1", "id-2").has_value());

  clock_.advance(Milliseconds(1));
  EXPECT_FALSE(answer("home", "key:k1", "id-1").has_value());
  EXPECT_TRUE(attempt(2));
  EXPECT_TRUE(answer("home", "key:k1", "id-1").has_value());
}

TEST_P(StoreContract, KeepsTheFirstResultOfEachDevice) {
  const std::int64_t now = clock_.wall().time_since_epoch().count();
  ASSERT_TRUE(save({{"home", "a1", "d2", now + 5, true, R"({"message":"yes"})"},
                    {"home", "a1", "d1", now, true, "{}"},
                    {"home", "a2", "d1", now, true, "{}"},
                    {"lab", "a1", "d1", now, true, "{}"}}));
  ASSERT_TRUE(save({{"home", "a1", "d2", now + 9, false, R"({"message":"no"})"}}));
  case_->restart();
  const auto found = results("home", "a1");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].device_id, "d1");
  EXPECT_EQ(found[1].device_id, "d2");
  EXPECT_EQ(found[1].fleet, "home");
  EXPECT_EQ(found[1].action_id, "a1");
  EXPECT_EQ(found[1].at_ms, now + 5);
  EXPECT_TRUE(found[1].ok);
  EXPECT_EQ(found[1].result, R"({"message":"yes"})");
  clock_.advance(answer_lifetime + Milliseconds(1));
  EXPECT_THAT(results("home", "a1"), SizeIs(1));
  EXPECT_THAT(results("home", "a2"), IsEmpty());
}

TEST_P(StoreContract, SelectsChanges) {
  const auto device_and_setting = std::vector{register_device("d2"), set_setting("a.x", 2)};
  ASSERT_TRUE(
      commit({make_change("home", 1, {register_device("d1")}), make_change("home", 2, device_and_setting),
              make_change("home", 3, {set_setting("a.xy", 3), set_setting("a.xz", 3)}),
              make_change("home", 4, {set_setting("b.x", 4)}),
              make_change("home", 5, {set_setting("a.x", 5), set_setting("a.\xc3\xbf", 5)}),
              make_change("lab", 1, {set_setting("a.x", 1)})}));
  struct Case {
    ChangeQuery query;
    std::vector<std::int64_t> expected;
  };
  const auto setting = EntityKind::setting;
  const std::vector<Case> cases{
      {{}, {1, 2, 3, 4, 5}},
      {{.newest_first = true}, {5, 4, 3, 2, 1}},
      {{.since = 2}, {3, 4, 5}},
      {{.until = 2}, {1, 2}},
      {{.since = 1, .until = 3}, {2, 3}},
      {{.since = 5}, {}},
      {{.limit = 2}, {1, 2}},
      {{.limit = 0}, {}},
      {{.limit = SIZE_MAX}, {1, 2, 3, 4, 5}},
      {{.limit = 2, .newest_first = true}, {5, 4}},
      {{.since = 1, .until = 4, .limit = 2, .newest_first = true}, {4, 3}},
      {{.kind = setting}, {2, 3, 4, 5}},
      {{.kind = EntityKind::device}, {1, 2}},
      {{.kind = EntityKind::persona}, {}},
      {{.kind = setting, .id_prefix = "fleet a.x"}, {2, 3, 5}},
      {{.newest_first = true, .kind = setting, .id_prefix = "fleet a.x"}, {5, 3, 2}},
      {{.limit = 1, .newest_first = true, .kind = setting, .id_prefix = "fleet a.x"}, {5}},
      {{.since = 2, .until = 4, .kind = setting, .id_prefix = "fleet a."}, {3}},
      {{.limit = 2, .kind = setting}, {2, 3}},
      {{.kind = setting, .id_prefix = "fleet a.\xc3"}, {5}},
      {{.kind = setting, .id_prefix = "fleet c"}, {}},
      {{.kind = EntityKind::device, .id_prefix = "d2"}, {2}},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    ChangeQuery query = cases[i].query;
    query.fleet = "home";
    EXPECT_EQ(revisions(query), cases[i].expected) << "case " << i;
  }
}

TEST_P(StoreContract, ReadsSeeWhatWasAnsweredBefore) {
  for (std::int64_t revision = 1; revision <= 20; ++revision) {
    ASSERT_TRUE(commit({make_change("home", revision, {set_setting("a.x", revision)})}));
    EXPECT_THAT(revisions({.fleet = "home", .since = revision - 1}), ElementsAre(revision));
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, testing::Values("memory", "sqlite"),
                         [](const auto& store) { return std::string(store.param); });

}  // namespace
}  // namespace starling::hub
