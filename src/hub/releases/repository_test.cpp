#include "hub/releases/repository.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "hub/releases/operators_fixture.hpp"
#include "protocol/tuf/target_search.hpp"
#include "protocol/tuf/trusted_metadata.hpp"

namespace starling::hub {
namespace {

namespace fs = std::filesystem;
namespace tuf = protocol::tuf;
using tuf::SigningKey;
using tuf::SigningKeys;

class RepositoryTest : public testing::Test {
 protected:
  Repository open(bool online_targets = false, Repository::Write write = {}) const {
    auto opened = Repository::open(folder_ / "fleet", {online_targets, std::move(write)});
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  static Result<void> add(Repository& repository, const std::string& version, const std::string& bytes,
                          WallTime now = today) {
    ReleaseTar tar{bytes.size(), sha256(bytes).hex(), {{"type", "scheduled"}}};
    const auto keep = [&](const fs::path& as) { return write_file_durably(as, bytes); };
    return repository.add(version, "all", std::move(tar), keep, now);
  }
  Result<void> begin(Repository& repository, WallTime now = today) const {
    return repository.publish({operators_.root_file(*repository.view())},
                              operators_.targets_file(*repository.view()), now);
  }
  // What a device gets that begins with the first root, from the files alone; "" if nothing of that name.
  std::string get(const std::string& path, WallTime now = today) const {
    const Repository repository = open();
    const Chain& chain = repository.view()->chain;
    if (chain.root_version == 0) return "";
    const auto root = [&](std::int64_t version) {
      return read_file(Repository::metadata_file(folder_ / "fleet", version, "root"), 1u << 20).value();
    };
    auto trusted = tuf::TrustedMetadata::from_root(root(1), now).value();
    for (std::int64_t version = 2; version <= chain.root_version; ++version)
      EXPECT_TRUE(trusted.update_root(root(version)));
    const auto timestamp = trusted.update_timestamp(chain.timestamp);
    EXPECT_TRUE(timestamp) << timestamp.error().message;
    const auto snapshot = trusted.update_snapshot(chain.snapshot);
    EXPECT_TRUE(snapshot) << snapshot.error().message;
    const std::map<std::string, std::string> files = {{"targets", chain.targets},
                                                      {"schedule", chain.schedule}};
    auto search = tuf::TargetSearch::of(path).value();
    Result<tuf::TargetSearch::Visit> visit =
        tuf::TargetSearch::Visit{"targets", &trusted.root().keys, &trusted.root().targets};
    while (visit) {
      auto targets = trusted.check_targets(visit->role, files.at(visit->role), *visit->keys, *visit->signers);
      EXPECT_TRUE(targets) << targets.error().message;
      if (!targets) return "";
      if (const auto found = search.enter(std::move(*targets))) {
        const std::string hash = found->hashes.at(0).hex;
        EXPECT_TRUE(repository.view()->served_hash(served_name(path, hash)));
        return read_file(Repository::target_file(folder_ / "fleet", hash), 1u << 20).value_or("missing");
      }
      visit = search.next();
    }
    return "";
  }
  static std::string served_name(const std::string& path, const std::string& hash) {
    const std::size_t at = path.rfind('/') + 1;
    return path.substr(0, at) + hash + "." + path.substr(at);
  }
  static std::string file_of(std::string_view version) { return tar_path(version, "all"); }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path();
  Operators operators_;
};

TEST_F(RepositoryTest, ADraftIsPublishedOnceItIsSigned) {
  Repository repository = open();
  ASSERT_TRUE(add(repository, "v1.0.0", "one"));
  EXPECT_EQ(repository.view()->drafts.size(), 1);
  EXPECT_EQ(get(file_of("v1.0.0")), "");
  ASSERT_TRUE(begin(repository));
  EXPECT_TRUE(repository.view()->drafts.empty());
  EXPECT_EQ(get(file_of("v1.0.0")), "one");
  EXPECT_EQ(get("schedules/v1.0.0.json"),
            R"({"version":"v1.0.0","type":"scheduled","at":"02:00","window_minutes":120})");

  ASSERT_TRUE(add(repository, "v1.1.0", "two"));
  EXPECT_EQ(get(file_of("v1.1.0")), "");
  const auto signed_now = repository.publish({}, operators_.targets_file(*repository.view()), today);
  ASSERT_TRUE(signed_now) << signed_now.error().message;
  EXPECT_EQ(get(file_of("v1.1.0")), "two");
  EXPECT_EQ(get(file_of("v1.0.0")), "one");
  EXPECT_EQ(open().view()->published.size(), 2);

  JsonObject soon{{"type", "scheduled"}, {"now", true}};
  ASSERT_TRUE(repository.set_schedule("v1.1.0", soon, today));
  EXPECT_EQ(get("schedules/v1.1.0.json"), R"({"type":"scheduled","now":true,"version":"v1.1.0"})");
  EXPECT_EQ(repository.set_schedule("v9.0.0", soon, today).error().code, ErrorCode::not_found);
}

TEST_F(RepositoryTest, WithOnlineTargetsItIsPublishedAtOnce) {
  Repository repository = open(true);
  ASSERT_TRUE(add(repository, "v1.0.0", "early"));
  ASSERT_TRUE(repository.publish({operators_.root_file(*repository.view())}, {}, today));
  EXPECT_TRUE(repository.view()->signs_targets);
  EXPECT_EQ(get(file_of("v1.0.0")), "early");
  ASSERT_TRUE(add(repository, "v1.0.1", "later"));
  EXPECT_EQ(get(file_of("v1.0.1")), "later");
}

TEST_F(RepositoryTest, AVersionStaysWhatItIs) {
  Repository repository = open();
  ASSERT_TRUE(add(repository, "v1.0.0", "one"));
  EXPECT_TRUE(add(repository, "v1.0.0", "one"));
  EXPECT_EQ(add(repository, "v1.0.0", "other").error().code, ErrorCode::already_exists);
  EXPECT_EQ(add(repository, "1.0.0", "x").error().code, ErrorCode::invalid_argument);
  ASSERT_TRUE(repository.delete_draft("v1.0.0"));
  EXPECT_EQ(repository.delete_draft("v1.0.0").error().code, ErrorCode::not_found);
  EXPECT_FALSE(fs::exists(Repository::target_file(folder_ / "fleet", sha256("one").hex())));
  ASSERT_TRUE(add(repository, "v1.0.0", "other"));
  ASSERT_TRUE(begin(repository));
  EXPECT_EQ(add(repository, "v1.0.0", "one").error().code, ErrorCode::already_exists);
  EXPECT_EQ(repository.delete_draft("v1.0.0").error().code, ErrorCode::failed_precondition);
}

struct Forgery {
  const char* name;
  std::function<void(Operators&)> with;
  std::function<void(JsonObject&)> forge;
  ErrorCode code;
};

TEST_F(RepositoryTest, WhatADeviceWouldRefuseIsNotPublished) {
  Repository repository = open();
  ASSERT_TRUE(begin(repository));
  ASSERT_TRUE(add(repository, "v1.0.0", "one"));
  const auto nothing = [](Operators&) {};
  const auto unchanged = [](JsonObject&) {};
  const auto first = [](JsonObject& content) -> JsonObject& {
    return content["targets"].as_object().begin()->value().as_object();
  };
  const std::string foreign(64, 'a');
  const Forgery cases[] = {
      {"one signature of two", [](Operators& all) { all.targets.pop_back(); }, unchanged,
       ErrorCode::unauthenticated},
      {"keys of somebody else",
       [](Operators& all) {
         all.targets = {SigningKey::make(), SigningKey::make()};
       },
       unchanged, ErrorCode::unauthenticated},
      {"a version left out", nothing, [](JsonObject& content) { content["version"] = 3; },
       ErrorCode::conflict},
      {"the same version", nothing, [](JsonObject& content) { content["version"] = 1; }, ErrorCode::conflict},
      {"expired", nothing, [](JsonObject& content) { content["expires"] = "2026-11-01T00:00:00Z"; },
       ErrorCode::failed_precondition},
      {"a tar that is not here", nothing,
       [&](JsonObject& content) { first(content)["hashes"].as_object()["sha256"] = foreign; },
       ErrorCode::failed_precondition},
      {"another length", nothing, [&](JsonObject& content) { first(content)["length"] = 1000; },
       ErrorCode::failed_precondition},
      {"no release", nothing,
       [](JsonObject& content) {
         content["targets"].as_object()["schedules/v1.0.0.json"] = tuf::target_json(1, std::string(64, '0'));
       },
       ErrorCode::invalid_argument},
      {"no schedule", nothing, [](JsonObject& content) { content.erase("delegations"); },
       ErrorCode::failed_precondition},
  };
  const std::string before = repository.view()->chain.timestamp;
  for (const Forgery& each : cases) {
    Operators operators = operators_;
    each.with(operators);
    const auto published =
        repository.publish({}, operators.targets_file(*repository.view(), each.forge), today);
    ASSERT_FALSE(published) << each.name;
    EXPECT_EQ(published.error().code, each.code) << each.name << ": " << published.error().message;
    EXPECT_EQ(open().view()->chain.timestamp, before) << each.name;
  }
  ASSERT_TRUE(repository.publish({}, operators_.targets_file(*repository.view()), today));
  const auto dropped = repository.publish(
      {}, operators_.targets_file(*repository.view(), [](JsonObject& c) { c["targets"] = JsonObject(); }),
      today);
  EXPECT_EQ(dropped.error().code, ErrorCode::conflict);
}

TEST_F(RepositoryTest, ARootIsReplacedByItsOwners) {
  Repository repository = open();
  const auto unfit = [&](Operators operators, const char* role) {
    RepositoryView view = *repository.view();
    if (*role != '\0') view.online_keys.at(role) = SigningKey::make().public_json();
    return repository.publish({operators.root_file(view)}, operators.targets_file(*repository.view()), today);
  };
  EXPECT_EQ(unfit(operators_, "timestamp").error().code, ErrorCode::failed_precondition);
  EXPECT_EQ(repository.publish({}, operators_.targets_file(*repository.view()), today).error().code,
            ErrorCode::failed_precondition);
  EXPECT_EQ(repository.publish({operators_.root_file(*repository.view())}, {}, today).error().code,
            ErrorCode::failed_precondition);
  ASSERT_TRUE(begin(repository));
  ASSERT_TRUE(add(repository, "v1.0.0", "one"));

  Operators thief = operators_;
  thief.root = {SigningKey::make()};
  EXPECT_EQ(repository.publish({thief.root_file(*repository.view(), 2)}, {}, today).error().code,
            ErrorCode::unauthenticated);
  Operators next = operators_;
  next.targets = {SigningKey::make()};
  next.threshold = 1;
  // Its targets have to be signed by the new keys with it.
  EXPECT_EQ(repository.publish({next.root_file(*repository.view(), 2)}, {}, today).error().code,
            ErrorCode::failed_precondition);
  const auto rotated = repository.publish({next.root_file(*repository.view(), 2)},
                                          next.targets_file(*repository.view()), today);
  ASSERT_TRUE(rotated) << rotated.error().message;
  EXPECT_EQ(get(file_of("v1.0.0")), "one");
  EXPECT_EQ(repository.publish({}, operators_.targets_file(*repository.view()), today).error().code,
            ErrorCode::unauthenticated);
}

// A hub whose disk is gone makes new keys; the root's owners let it go on.
TEST_F(RepositoryTest, OnlineKeysAreReplacedThroughTheRoot) {
  {
    Repository repository = open();
    ASSERT_TRUE(begin(repository));
    fs::remove(folder_ / "fleet/keys/timestamp.key");
    fs::remove(folder_ / "fleet/keys/snapshot.key");
  }
  Repository repository = open();
  EXPECT_EQ(repository.renew(today + std::chrono::days(3)).error().code, ErrorCode::unauthenticated);
  ASSERT_TRUE(repository.publish({operators_.root_file(*repository.view(), 2)}, {}, today));
  ASSERT_TRUE(add(repository, "v1.0.0", "one"));
  ASSERT_TRUE(repository.publish({}, operators_.targets_file(*repository.view()), today));
  EXPECT_EQ(get(file_of("v1.0.0")), "one");
}

// What somebody gets who has copied the whole disk of the hub.
TEST_F(RepositoryTest, StolenHubKeysPublishNothing) {
  Repository repository = open();
  ASSERT_TRUE(begin(repository));
  ASSERT_TRUE(add(repository, "v6.6.6", "evil"));
  const OnlineKeys stolen = OnlineKeys::load(folder_ / "fleet/keys", true).value();
  for (const SigningKey* key : {&stolen.snapshot, &stolen.timestamp, &stolen.schedule, &*stolen.targets}) {
    Operators thief;
    thief.targets = {*key};
    EXPECT_EQ(repository.publish({}, thief.targets_file(*repository.view()), today).error().code,
              ErrorCode::unauthenticated);
  }
  // Nor does a device take it from a hub that checks nothing.
  const RepositoryView view = *repository.view();
  const std::string evil =
      sign(tuf::targets_content(9, std::chrono::floor<Seconds>(today) + ten_years,
                                {{file_of("v6.6.6"), tuf::target_json(4, sha256("evil").hex())}}),
           SigningKeys{*stolen.targets, stolen.schedule})
          .value();
  const auto later = std::chrono::floor<Seconds>(today) + std::chrono::days(7);
  Chain forged = view.chain;
  forged.targets = evil;
  forged.snapshot = sign(tuf::snapshot_content(9, later,
                                               {{"targets.json", tuf::file_meta(9, evil)},
                                                {"schedule.json", tuf::file_meta(9, forged.schedule)}}),
                         SigningKeys{stolen.snapshot})
                        .value();
  forged.timestamp = sign(tuf::timestamp_content(9, later, tuf::file_meta(9, forged.snapshot)),
                          SigningKeys{stolen.timestamp})
                         .value();
  EXPECT_EQ(check_as_client(view.chain, {}, forged, today).error().code, ErrorCode::unauthenticated);
  // The schedule can be written by whoever has the hub, and delegates to releases nothing.
  EXPECT_FALSE(tuf::is_delegated(view.targets.delegations.roles.at(0), file_of("v6.6.6")));
}

TEST_F(RepositoryTest, KeysAreForTheHubAlone) {
  const Repository repository = open(true);
  for (const char* name : {"snapshot", "timestamp", "schedule", "targets"}) {
    struct stat status {};
    ASSERT_EQ(::stat((folder_ / "fleet/keys" / (std::string(name) + ".key")).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777u, 0600u) << name;
  }
  EXPECT_EQ(open(true).view()->online_keys, repository.view()->online_keys);
}

TEST_F(RepositoryTest, SignaturesAreRenewedWellBeforeTheyExpire) {
  Repository repository = open();
  ASSERT_TRUE(begin(repository));
  ASSERT_TRUE(add(repository, "v1.0.0", "one"));
  ASSERT_TRUE(repository.publish({}, operators_.targets_file(*repository.view()), today));
  std::int64_t timestamps = repository.view()->timestamp.version;
  const std::int64_t snapshots = repository.view()->snapshot.version;
  ASSERT_TRUE(repository.renew(today + std::chrono::hours(24)));
  EXPECT_EQ(repository.view()->timestamp.version, timestamps);  // nothing is due
  WallTime now = today;
  for (int day = 0; day < 90; ++day) {
    now += std::chrono::days(1);
    ASSERT_TRUE(repository.renew(now));
    EXPECT_GT(repository.view()->timestamp.expires, now + std::chrono::days(4)) << day;
    EXPECT_GT(repository.view()->snapshot.expires, now + std::chrono::days(18)) << day;
    EXPECT_GT(repository.view()->schedule.expires, now + std::chrono::days(18)) << day;
  }
  EXPECT_EQ(repository.view()->snapshot.version, snapshots + 8);
  // A hub that was off for a year goes on where it was.
  now += std::chrono::days(365);
  timestamps = repository.view()->timestamp.version;
  Repository again = open();
  EXPECT_LT(again.view()->timestamp.expires, now);
  ASSERT_TRUE(again.renew(now));
  EXPECT_EQ(again.view()->timestamp.version, timestamps + 1);
  EXPECT_EQ(get(file_of("v1.0.0"), now), "one");
}

TEST_F(RepositoryTest, OperatorsAreToldBeforeTheirSignaturesExpire) {
  Repository repository = open();
  ASSERT_TRUE(repository.publish({operators_.root_file(*repository.view(), 1, std::chrono::days(400))},
                                 operators_.targets_file(*repository.view()), today));
  EXPECT_TRUE(repository.view()->alerts(today + std::chrono::days(309)).empty());
  const auto alerts = repository.view()->alerts(today + std::chrono::days(311));
  ASSERT_EQ(alerts.size(), 1);
  EXPECT_NE(alerts[0].find("root.json expires on 2028-01-01"), std::string::npos) << alerts[0];
}

// The hub dies at each write of publishing: before it, or in the midst of it.
TEST_F(RepositoryTest, DyingAtAnyWriteLeavesTheOldOrTheNewRepository) {
  {
    Repository repository = open();
    ASSERT_TRUE(begin(repository));
    ASSERT_TRUE(add(repository, "v1.0.0", "one"));
    ASSERT_TRUE(repository.publish({}, operators_.targets_file(*repository.view()), today));
    ASSERT_TRUE(add(repository, "v2.0.0", "two"));
  }
  const fs::path before = folder_ / "before";
  fs::copy(folder_ / "fleet", before, fs::copy_options::recursive);
  Operators next = operators_;
  next.targets = {SigningKey::make()};  // and the root changes with it
  next.threshold = 1;
  bool came_to_its_end = false;
  int published = 0;
  for (int deadly = 0; !came_to_its_end; ++deadly) {
    for (const bool torn : {false, true}) {
      fs::remove_all(folder_ / "fleet");
      fs::copy(before, folder_ / "fleet", fs::copy_options::recursive);
      int writes = 0;
      const auto write = [&](const fs::path& path, std::string_view content) -> Result<void> {
        if (writes++ < deadly) return write_file_durably(path, content);
        fs::path temporary = path;
        temporary += ".tmp";
        if (torn) (void)write_file_durably(temporary, content.substr(0, content.size() / 2));
        return fail(ErrorCode::io, "the hub has died");
      };
      {
        Repository repository = open(false, write);
        const RepositoryView view = *repository.view();
        const auto done = repository.publish({next.root_file(view, 2)}, next.targets_file(view), today);
        came_to_its_end = done.has_value();
      }
      EXPECT_EQ(get(file_of("v1.0.0")), "one") << deadly;
      const std::string two = get(file_of("v2.0.0"));
      EXPECT_EQ(two, came_to_its_end ? "two" : "") << deadly;
      published += two == "two" ? 1 : 0;
      // And what did not come to its end does when it is tried again.
      Repository again = open();
      if (again.view()->published.size() == 2) continue;
      const auto done =
          again.publish({next.root_file(*again.view(), 2)}, next.targets_file(*again.view()), today);
      EXPECT_TRUE(done) << done.error().message;
      EXPECT_EQ(get(file_of("v2.0.0")), "two") << deadly;
    }
  }
  EXPECT_EQ(published, 2);
}

TEST_F(RepositoryTest, WhatIsLeftOverIsSwept) {
  {
    Repository repository = open();
    ASSERT_TRUE(add(repository, "v1.0.0", "one"));
  }
  const fs::path fleet = folder_ / "fleet";
  ASSERT_TRUE(write_file_durably(fleet / "targets" / std::string(64, 'e'), "nobody's"));
  const Repository repository = open();
  EXPECT_EQ(repository.view()->drafts.size(), 1);
  EXPECT_FALSE(fs::exists(fleet / "targets" / std::string(64, 'e')));
  EXPECT_TRUE(fs::exists(fleet / "targets" / sha256("one").hex()));
}

TEST_F(RepositoryTest, DamageIsNamed) {
  {
    Repository repository = open();
    ASSERT_TRUE(begin(repository));
  }
  ASSERT_TRUE(write_file_durably(folder_ / "fleet/current.json", "{\"root\":1"));
  const auto opened = Repository::open(folder_ / "fleet", {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::corrupted);
  EXPECT_NE(opened.error().message.find("current.json"), std::string::npos);
}

}  // namespace
}  // namespace starling::hub
