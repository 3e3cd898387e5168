#include "hub/releases/saved_releases.hpp"

#include <gmock/gmock.h>

#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "hub/releases/operators_fixture.hpp"
#include "hub/releases/repository.hpp"

namespace starling::hub {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class SavedReleases : public testing::Test {
 protected:
  fs::path repository() const { return data_ / "releases/default"; }
  Repository open() const {
    auto opened = Repository::open(repository(), {.online_targets = online_targets_, .write = {}});
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  static void add(Repository& repository, const std::string& version) {
    ReleaseTar tar{version.size(), sha256(version).hex(), {{"type", "scheduled"}}};
    const auto keep = [&](const fs::path& as) { return write_file_durably(as, version); };
    EXPECT_TRUE(repository.add(version, "all", std::move(tar), keep, today));
  }
  // The operators' signature, where the hub does not sign by itself.
  void publish(Repository& repository) const {
    const bool begins = !repository.view()->begun();
    std::vector<std::string> roots;
    if (begins) roots.push_back(operators_.root_file(*repository.view()));
    std::optional<std::string> targets;
    if (!online_targets_) targets = operators_.targets_file(*repository.view());
    const auto done = repository.publish(roots, targets, today);
    EXPECT_TRUE(done) << done.error().message;
  }
  void save() const {
    const auto saved = back_up_releases(data_, saved_);
    ASSERT_TRUE(saved) << saved.error().message;
  }
  std::vector<std::string> restore() const {
    const auto staged = stage_releases(saved_, data_);
    EXPECT_TRUE(staged) << staged.error().message;
    const auto put = put_staged_releases(data_, later);
    EXPECT_TRUE(put) << put.error().message;
    return put.value_or(std::vector<std::string>{});
  }
  static std::vector<std::string> versions_in(const Repository& repository) {
    std::vector<std::string> versions;
    for (const auto& [path, tar] : repository.view()->published)
      versions.push_back(parse_tar_path(path)->version);
    return versions;
  }

  static constexpr WallTime later = today + std::chrono::days(1);
  TemporaryFolder temporary_;
  fs::path data_ = temporary_.path() / "data";
  fs::path saved_ = saved_releases_of(temporary_.path() / "hub.backup");
  bool online_targets_ = true;
  Operators operators_;
};

TEST_F(SavedReleases, WhoHasSeenWhatIsLostStillBelievesWhatComesBack) {
  Repository before = open();
  publish(before);
  add(before, "v1.0.0");
  save();
  for (const char* version : {"v1.1.0", "v1.2.0", "v1.3.0"})
    add(before, version);
  const Chain seen = before.view()->chain;
  fs::remove_all(data_);

  EXPECT_THAT(restore(), ElementsAre("default"));
  Repository after = open();
  EXPECT_THAT(versions_in(after), ElementsAre("v1.0.0"));
  EXPECT_FALSE(check_as_client(seen, {}, after.view()->chain, later)) << "as it was saved it is a step back";
  ASSERT_TRUE(after.renew(later));
  const auto believed = check_as_client(seen, {}, after.view()->chain, later);
  EXPECT_TRUE(believed) << believed.error().message;
  const std::int64_t version = after.view()->timestamp.version;
  EXPECT_GE(version, std::chrono::floor<Seconds>(later).time_since_epoch().count());

  ASSERT_TRUE(after.renew(later));
  EXPECT_EQ(after.view()->timestamp.version, version) << "once is enough";
  add(after, "v1.4.0");
  EXPECT_EQ(after.view()->timestamp.version, version + 1);
  EXPECT_TRUE(check_as_client(seen, {}, after.view()->chain, later));
}

TEST_F(SavedReleases, OperatorsSignTargetsAboveWhatMayHaveBeenSeen) {
  online_targets_ = false;
  Repository before = open();
  add(before, "v1.0.0");
  publish(before);
  save();
  add(before, "v1.1.0");
  publish(before);
  const Chain seen = before.view()->chain;
  fs::remove_all(data_);
  restore();

  Repository after = open();
  ASSERT_TRUE(after.renew(later));
  EXPECT_FALSE(check_as_client(seen, {}, after.view()->chain, later));
  EXPECT_EQ(after.view()->alerts(later).size(), 1u);
  EXPECT_FALSE(after.publish({}, operators_.targets_file(*after.view()), later))
      << "the next one is not enough";
  const auto above = operators_.targets_file(
      *after.view(), [&](JsonObject& content) { content["version"] = after.view()->least_version; });
  const auto published = after.publish({}, above, later);
  ASSERT_TRUE(published) << published.error().message;
  EXPECT_TRUE(check_as_client(seen, {}, after.view()->chain, later));
  EXPECT_THAT(after.view()->alerts(later), IsEmpty());
}

TEST_F(SavedReleases, WhatIsPublishedStaysPublished) {
  Repository before = open();
  publish(before);
  add(before, "v1.0.0");
  save();
  add(before, "v1.1.0");
  EXPECT_THAT(restore(), IsEmpty());
  Repository after = open();
  EXPECT_THAT(versions_in(after), ElementsAre("v1.0.0", "v1.1.0"));
  EXPECT_EQ(after.view()->least_version, 0) << "nothing of it is lost";
  ASSERT_TRUE(after.renew(later));
  EXPECT_TRUE(check_as_client(before.view()->chain, {}, after.view()->chain, later));

  fs::resize_file(repository() / "current.json", 5);
  EXPECT_THAT(restore(), ElementsAre("default")) << "one that is damaged gives way";
  EXPECT_TRUE(fs::exists(data_ / "releases/default.replaced-1"));
  EXPECT_THAT(versions_in(open()), ElementsAre("v1.0.0"));
  fs::remove_all(saved_);
  save();
  EXPECT_FALSE(fs::exists(saved_ / "default.replaced-1"));
}

TEST_F(SavedReleases, DraftsAndKeysAreInIt) {
  online_targets_ = false;
  Repository before = open();
  publish(before);
  add(before, "v1.0.0");
  const auto keys = before.view()->online_keys;
  save();
  fs::remove_all(data_);
  restore();
  const Repository after = open();
  EXPECT_EQ(after.view()->drafts, before.view()->drafts);
  EXPECT_EQ(after.view()->online_keys, keys);
  const auto mode = fs::status(repository() / "keys/snapshot.key").permissions();
  EXPECT_EQ(mode, fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(SavedReleases, ThatAreDamagedChangeNothing) {
  Repository before = open();
  publish(before);
  add(before, "v1.0.0");
  save();
  EXPECT_EQ(back_up_releases(data_, saved_).error().code, ErrorCode::already_exists);
  ASSERT_TRUE(
      write_file_durably(Repository::target_file(saved_ / "default", sha256("v1.0.0").hex()), "v6.6.6"));
  const auto refused = stage_releases(saved_, data_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::corrupted);
  EXPECT_FALSE(fs::exists(data_ / "releases.restoring"));
  EXPECT_THAT(versions_in(open()), ElementsAre("v1.0.0"));
}

TEST_F(SavedReleases, WithoutKeysThatCannotBeReadAreNotSaved) {
  Repository before = open();
  publish(before);
  fs::remove_all(repository() / "keys");
  fs::create_symlink("keys", repository() / "keys");  // leads to itself: readable to nobody, not even to root
  EXPECT_FALSE(back_up_releases(data_, saved_));
  EXPECT_FALSE(fs::exists(saved_));
}

TEST_F(SavedReleases, AreNoneWhereThereAreNone) {
  fs::create_directories(data_);
  save();
  EXPECT_FALSE(fs::exists(saved_));
  EXPECT_THAT(restore(), IsEmpty());
}

}  // namespace
}  // namespace starling::hub
