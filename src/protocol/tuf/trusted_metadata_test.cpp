#include "protocol/tuf/trusted_metadata.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "protocol/tuf/test_repository.hpp"

namespace starling::protocol::tuf {
namespace {

using test::TestKey;
using test::TestKeys;
using test::TestRepository;

// What a device keeps, from one update cycle to the next.
struct Device {
  std::string root, timestamp, snapshot, targets;
};

// What the repository answers; made wrong by the attacks below.
struct Answers {
  std::vector<std::string> new_roots;
  std::string timestamp, snapshot, targets;
};

Answers answers_of(const TestRepository& repository) {
  return {.new_roots = {},
          .timestamp = repository.timestamp_file(),
          .snapshot = repository.snapshot_file(),
          .targets = repository.targets_file()};
}

// One cycle of section 5, as the client runs it, but without a network.
Result<void> update(Device& device, const Answers& answers, WallTime now = test::today) {
  Result<TrustedMetadata> trusted = TrustedMetadata::from_root(device.root, now);
  if (!trusted) return fail(trusted);
  for (const std::string& root : answers.new_roots) {
    if (const auto updated = trusted->update_root(root); !updated) return updated;
    if (trusted->online_keys_revoked()) device.timestamp = device.snapshot = "";
    device.root = root;
  }
  if (const auto fresh = trusted->check_root_is_fresh(); !fresh) return fresh;
  (void)trusted->load_timestamp(device.timestamp);
  const Result<bool> is_new = trusted->update_timestamp(answers.timestamp);
  if (!is_new) return fail(is_new);
  if (*is_new) device.timestamp = answers.timestamp;
  (void)trusted->load_snapshot(device.snapshot);
  if (!trusted->has_current_snapshot()) {
    if (const auto updated = trusted->update_snapshot(answers.snapshot); !updated) return updated;
    device.snapshot = answers.snapshot;
  }
  const Root& root = trusted->root();
  const auto targets = trusted->check_targets("targets", answers.targets, root.keys, root.targets);
  if (!targets) return fail(targets);
  device.targets = answers.targets;
  return {};
}

// A device that has followed `repository` up to here.
Device device_of(const TestRepository& repository) {
  Device device{.root = repository.root_file(), .timestamp = {}, .snapshot = {}, .targets = {}};
  const auto updated = update(device, answers_of(repository));
  EXPECT_TRUE(updated) << updated.error().message;
  return device;
}

// The next version of everything but root.
void release(TestRepository& repository, int version) {
  repository.timestamp["version"] = repository.snapshot["version"] = repository.targets["version"] = version;
  repository.promised()["version"] = repository.listed("targets.json")["version"] = version;
}

struct Attack {
  const char* name;
  std::function<void(TestRepository&)> before;  // the device follows what this makes
  std::function<void(TestRepository&)> attack;
  ErrorCode code;
  const char* says;
};

const auto nothing = [](TestRepository&) {};

const std::vector<Attack>& attacks() {
  static const std::vector<Attack> all = {
      {"timestamp by another key", nothing, [](auto& r) { r.timestamp_keys = {TestKey('x')}; },
       ErrorCode::unauthenticated, "timestamp.json has 0 of the 1"},
      {"snapshot by the timestamp's key", nothing, [](auto& r) { r.snapshot_keys = r.timestamp_keys; },
       ErrorCode::unauthenticated, "snapshot.json has 0 of the 1"},
      {"targets by another key", nothing, [](auto& r) { r.targets_keys = {TestKey('x')}; },
       ErrorCode::unauthenticated, "targets.json has 0 of the 1"},
      {"unsigned targets", nothing, [](auto& r) { r.targets_keys = {}; }, ErrorCode::unauthenticated,
       "targets.json has 0 of the 1"},
      {"too few sign the targets",
       [](auto& r) {
         r.targets_keys = {TestKey('1'), TestKey('2'), TestKey('3')};
         r.give("targets", r.targets_keys, 3);
       },
       [](auto& r) {
         r.targets_keys = {TestKey('1'), TestKey('2')};
       },
       ErrorCode::unauthenticated, "has 2 of the 3"},
      {"one key is counted twice",
       [](auto& r) {
         r.targets_keys = {TestKey('1'), TestKey('2')};
         r.give("targets", r.targets_keys, 2);
       },
       [](auto& r) {
         r.targets_keys = {TestKey('1'), TestKey('1')};
       },
       ErrorCode::invalid_argument, "two of one key"},

      {"timestamp expired", nothing, [](auto& r) { r.timestamp["expires"] = "2026-11-27T00:00:00Z"; },
       ErrorCode::failed_precondition, "timestamp.json expired at 2026-11-27"},
      {"snapshot expired", nothing, [](auto& r) { r.snapshot["expires"] = "2026-11-26T23:59:59Z"; },
       ErrorCode::failed_precondition, "snapshot.json expired"},
      {"targets expired", nothing, [](auto& r) { r.targets["expires"] = "2000-01-01T00:00:00Z"; },
       ErrorCode::failed_precondition, "targets.json expired"},

      {"timestamp rolled back", nothing, [](auto& r) { r.timestamp["version"] = 4; }, ErrorCode::conflict,
       "timestamp.json goes back from version 5 to 4"},
      {"snapshot rolled back", nothing, [](auto& r) { r.snapshot["version"] = r.promised()["version"] = 4; },
       ErrorCode::conflict, "the snapshot that timestamp.json names goes back from version 5 to 4"},
      {"targets rolled back", nothing,
       [](auto& r) { r.targets["version"] = r.listed("targets.json")["version"] = 4; }, ErrorCode::conflict,
       "targets.json goes back from version 5 to 4"},
      {"a delegated role is taken away", [](auto& r) { r.listed("voices.json"); },
       [](auto& r) { r.snapshot["meta"].as_object().erase("voices.json"); }, ErrorCode::conflict,
       "no longer lists voices.json"},

      {"an older snapshot than is named", nothing, [](auto& r) { r.snapshot["version"] = 5; },
       ErrorCode::conflict, "snapshot.json has version 5, but timestamp.json names 6"},
      {"older targets than are listed", nothing, [](auto& r) { r.targets["version"] = 5; },
       ErrorCode::conflict, "targets.json has version 5, but snapshot.json names 6"},
      {"a snapshot of another hash", nothing,
       [](auto& r) {
         r.promised()["hashes"] = JsonObject{{"sha256", sha256("other").hex()}};
       },
       ErrorCode::corrupted, "snapshot.json does not have the hash"},
      {"targets of another hash", nothing,
       [](auto& r) {
         r.listed("targets.json")["hashes"] = JsonObject{{"sha256", sha256("other").hex()}};
       },
       ErrorCode::corrupted, "targets.json does not have the hash"},
      {"targets of another length", nothing, [](auto& r) { r.listed("targets.json")["length"] = 10; },
       ErrorCode::corrupted, "bytes instead of 10"},
      {"targets that are not listed", nothing,
       [](auto& r) {
         r.snapshot["meta"] = JsonObject{{"other.json", JsonObject{{"version", 1}}}};
       },
       ErrorCode::conflict, "no longer lists targets.json"},
      {"a snapshot as timestamp", nothing,
       [](auto& r) {
         r.snapshot["meta"].as_object()["snapshot.json"] = JsonObject{{"version", 6}};
         r.timestamp = r.snapshot;
       },
       ErrorCode::invalid_argument, "must be \"timestamp\""},
  };
  return all;
}

TEST(TrustedMetadata, FollowsARepository) {
  TestRepository repository;
  Device device = device_of(repository);
  for (int version = 2; version < 5; ++version) {
    release(repository, version);
    const auto updated = update(device, answers_of(repository));
    ASSERT_TRUE(updated) << updated.error().message;
    EXPECT_EQ(device.targets, repository.targets_file());
  }
}

TEST(TrustedMetadata, WithstandsAttacks) {
  for (const Attack& one : attacks()) {
    TestRepository repository;
    one.before(repository);
    release(repository, 5);
    Device device = device_of(repository);
    const Device before = device;
    release(repository, 6);
    one.attack(repository);
    const auto updated = update(device, answers_of(repository));
    ASSERT_FALSE(updated) << one.name;
    EXPECT_EQ(updated.error().code, one.code) << one.name << ": " << updated.error().message;
    EXPECT_NE(updated.error().message.find(one.says), std::string::npos)
        << one.name << ": " << updated.error().message;
    EXPECT_EQ(device.targets, before.targets) << one.name;
  }
}

TEST(TrustedMetadata, AChangedByteAnywhereIsNoticed) {
  const TestRepository repository;
  const Device device = device_of(repository);
  const Answers good = answers_of(repository);
  for (std::string Answers::*part : {&Answers::timestamp, &Answers::snapshot, &Answers::targets}) {
    for (std::size_t i = 0; i < (good.*part).size(); ++i) {
      Answers changed = good;
      (changed.*part)[i] ^= 1;
      Device fresh{.root = device.root, .timestamp = {}, .snapshot = {}, .targets = {}};
      const auto updated = update(fresh, changed);
      // Between the parts of the file is room that no signature covers.
      if (updated) {
        EXPECT_EQ(parse_json(changed.*part).value(), parse_json(good.*part).value()) << i;
      }
    }
  }
}

TEST(TrustedMetadata, KeepsATimestampOfTheSameVersion) {
  TestRepository repository;
  Device device = device_of(repository);
  const std::string kept = device.timestamp;
  repository.promised()["version"] = 100;
  const auto updated = update(device, answers_of(repository));
  EXPECT_TRUE(updated) << updated.error().message;
  EXPECT_EQ(device.timestamp, kept);
}

TEST(TrustedMetadata, AFrozenRepositoryIsNoticed) {
  const TestRepository repository;
  Device device = device_of(repository);
  const WallTime end = std::chrono::sys_days(std::chrono::year(2030) / 1 / 1);
  EXPECT_TRUE(update(device, answers_of(repository), end - Seconds(1)));
  const auto frozen = update(device, answers_of(repository), end);
  EXPECT_EQ(frozen.error().code, ErrorCode::failed_precondition);
  EXPECT_NE(frozen.error().message.find("root.json expired"), std::string::npos);
}

struct RootStep {
  const char* name;
  std::function<void(TestRepository&)> change;  // of the root's content
  TestKeys signed_by;
  std::optional<ErrorCode> code;
};

TEST(TrustedMetadata, FollowsRootsOnlyStepByStep) {
  const TestKey a('a'), b('b'), c('c');
  const RootStep steps[] = {
      {"the next one", nothing, {a, b}, {}},
      {"new keys, signed by old and new", [&](auto& r) { r.give("root", {c}); }, {a, b, c}, {}},
      {"new keys, not signed by them",
       [&](auto& r) { r.give("root", {c}); },
       {a, b},
       ErrorCode::unauthenticated},
      {"new keys, not by the old ones",
       [&](auto& r) { r.give("root", {c}); },
       {c},
       ErrorCode::unauthenticated},
      {"too few of the old ones", [&](auto& r) { r.give("root", {c}); }, {a, c}, ErrorCode::unauthenticated},
      {"a lower threshold", [&](auto& r) { r.give("root", {a}); }, {a}, ErrorCode::unauthenticated},
      {"a higher one, met",
       [&](auto& r) {
         r.give("root", {a, b, c}, 3);
       },
       {a, b, c},
       {}},
      {"a higher one, not met",
       [&](auto& r) {
         r.give("root", {a, b, c}, 3);
       },
       {a, b},
       ErrorCode::unauthenticated},
      {"a version left out", [](auto& r) { r.root["version"] = 3; }, {a, b}, ErrorCode::conflict},
      {"the same version", [](auto& r) { r.root["version"] = 1; }, {a, b}, ErrorCode::conflict},
      {"expired",
       [](auto& r) { r.root["expires"] = "2020-01-01T00:00:00Z"; },
       {a, b},
       ErrorCode::failed_precondition},
      {"not readable", [](auto& r) { r.root.erase("keys"); }, {a, b}, ErrorCode::invalid_argument},
  };
  for (const RootStep& step : steps) {
    TestRepository repository;
    repository.root_keys = {a, b};
    repository.give("root", {a, b}, 2);
    Device device = device_of(repository);
    repository.root["version"] = 2;
    step.change(repository);
    Answers answers = answers_of(repository);
    answers.new_roots = {test::sign(repository.root, step.signed_by)};
    const auto updated = update(device, answers);
    EXPECT_EQ(updated.has_value(), !step.code) << step.name << (updated ? "" : updated.error().message);
    if (!updated && step.code) {
      EXPECT_EQ(updated.error().code, *step.code) << step.name << updated.error().message;
    }
  }
}

TEST(TrustedMetadata, ARootThatIsNotSignedByItselfIsNotTrusted) {
  TestRepository repository;
  repository.root_keys = {TestKey('x')};
  EXPECT_EQ(TrustedMetadata::from_root(repository.root_file(), test::today).error().code,
            ErrorCode::unauthenticated);
}

TEST(TrustedMetadata, AnExpiredRootCanBeReplaced) {
  TestRepository repository;
  repository.root["expires"] = "2026-01-01T00:00:00Z";
  Device device{.root = repository.root_file(), .timestamp = {}, .snapshot = {}, .targets = {}};
  repository.root["version"] = 2;
  repository.root["expires"] = "2030-01-01T00:00:00Z";
  Answers answers = answers_of(repository);
  answers.new_roots = {repository.root_file()};
  EXPECT_TRUE(update(device, answers));
}

// Whoever stole the timestamp's key has raised the versions as far as they go.
TEST(TrustedMetadata, RecoversFromVersionsThatWereFastForwarded) {
  for (const char* stolen : {"timestamp", "snapshot"}) {
    TestRepository repository;
    release(repository, 1'000'000);
    // The role keeps one of its keys, so that the old files would still verify.
    const TestKeys both = {TestKey(stolen[0]), TestKey('z')};
    repository.give(stolen, both);
    (stolen[0] == 't' ? repository.timestamp_keys : repository.snapshot_keys) = both;
    Device device = device_of(repository);
    repository.give(stolen, {TestKey('z')});
    repository.root["version"] = 2;
    release(repository, 2);
    Answers answers = answers_of(repository);
    EXPECT_EQ(update(device, answers).error().code, ErrorCode::conflict);
    answers.new_roots = {repository.root_file()};
    const auto updated = update(device, answers);
    EXPECT_TRUE(updated) << stolen << updated.error().message;
  }
}

TEST(TrustedMetadata, KeepsTheOrderOfTheWorkflow) {
  const TestRepository repository;
  auto trusted = TrustedMetadata::from_root(repository.root_file(), test::today).value();
  EXPECT_EQ(trusted.update_snapshot(repository.snapshot_file()).error().code, ErrorCode::failed_precondition);
  EXPECT_EQ(trusted.snapshot_says("targets").error().code, ErrorCode::failed_precondition);
  ASSERT_TRUE(trusted.load_timestamp(repository.timestamp_file()));
  EXPECT_EQ(trusted.update_snapshot(repository.snapshot_file()).error().code, ErrorCode::failed_precondition);
  EXPECT_EQ(trusted.update_root(repository.root_file()).error().code, ErrorCode::failed_precondition);
  EXPECT_FALSE(trusted.update_timestamp(repository.timestamp_file()).value());
  ASSERT_TRUE(trusted.update_snapshot(repository.snapshot_file()));
  EXPECT_EQ(trusted.snapshot_says("other").error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace starling::protocol::tuf
