#include <gmock/gmock.h>

#include "agent/assets/asset_bench.hpp"

namespace starling::agent {
namespace {

using protocol::Phase;
using testing::ElementsAre;
using testing::HasSubstr;

class Assets : public testing::Test, public AssetBench {
 protected:
  Assets() {
    EXPECT_TRUE(restart());
    has(moo);
    has(baa);
  }
  void confirm() { pass(Seconds(60)); }
  Json heard(std::string_view key) const { return settings->values_for_modules().find(key)->second; }
  std::string path(const std::string& name, const std::string& content) const {
    return asset_path(name, asset_of(content));
  }
};

TEST_F(Assets, ADocumentWaitsForItsFilesAndModulesHearOfPaths) {
  hold_downloads = true;
  offer(document(1, {{"moo.wav", moo}, {"baa.wav", baa}}));
  EXPECT_EQ(settings->cursor().revision, 0);
  EXPECT_EQ(recorder.last_status.phase, Phase::staging);
  EXPECT_TRUE(recorder.last_status.errors.empty());
  hold_downloads = false;
  run();
  EXPECT_EQ(settings->cursor().revision, 1);
  EXPECT_EQ(recorder.last_status.phase, Phase::provisional);
  EXPECT_EQ(heard("sounds.all"),
            Json(JsonArray{"/state/" + path("baa.wav", baa), "/state/" + path("moo.wav", moo)}));
  EXPECT_EQ(settings->values().find("sounds.all")->second, Json(JsonArray{"baa.wav", "moo.wav"}));
  expect_whole();
}

TEST_F(Assets, EditsAndConfirmationsDoNotWaitForThem) {
  hold_downloads = true;
  offer(document(1, {}, 7));
  offer(document(2, {{"moo.wav", moo}}));
  bool done = false;
  settings->set("sounds.volume", 3, [&](const Result<void>& result) { done = result.has_value(); });
  EXPECT_TRUE(done);
  confirm();
  EXPECT_EQ(settings->state(), SettingsCore::State::idle);
  EXPECT_EQ(settings->cursor().revision, 1);
}

TEST_F(Assets, OneThatTheHubDoesNotHaveIsSaidAndTriedAgain) {
  const std::string cow = "cow";
  offer(document(1, {{"cow.wav", cow}, {"moo.wav", moo}}));
  EXPECT_EQ(settings->cursor().revision, 0);
  ASSERT_EQ(recorder.last_status.errors.size(), 1u);
  EXPECT_THAT(recorder.last_status.errors[0].message, HasSubstr("asset 'cow.wav': the hub does not have"));
  EXPECT_EQ(recorder.last_status.phase, Phase::staging);
  const int so_far = downloads;
  offer(document(1, {{"cow.wav", cow}, {"moo.wav", moo}}));  // as after a reconnect: no reason to ask again
  EXPECT_EQ(downloads, so_far);
  for (int hours = 0; hours < 24; ++hours)
    for (int steps = 0; steps < 720; ++steps)
      pass(Seconds(5));
  EXPECT_LT(downloads, 120);
  EXPECT_GT(downloads, 48);
  has(cow);
  pass(AssetCore::longest_backoff);
  EXPECT_EQ(settings->cursor().revision, 1);
}

TEST_F(Assets, AHubThatIsBackIsAskedAtOnce) {
  hub_is_there = false;
  const auto update = document(1, {{"moo.wav", moo}});
  offer(update);
  EXPECT_THAT(recorder.last_status.errors.at(0).message, HasSubstr("no hub"));
  hub_is_there = true;
  offer(update);
  EXPECT_EQ(settings->cursor().revision, 1);
}

TEST_F(Assets, ANewerDocumentTakesThePlaceOfOneThatWaits) {
  hold_downloads = true;
  offer(document(1, {{"moo.wav", moo}}));
  ASSERT_TRUE(asked);
  offer(document(2, {{"baa.wav", baa}}));
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->first, path("baa.wav", baa));
  hold_downloads = false;
  run();
  EXPECT_EQ(settings->cursor().revision, 2);
  EXPECT_EQ(kept_files(), 1u);
}

TEST_F(Assets, NewContentUnderTheSameNameIsAChangeToModules) {
  offer(document(1, {{"moo.wav", moo}}));
  recorder.said.clear();
  offer(document(2, {{"moo.wav", baa}}));
  EXPECT_THAT(recorder.said, testing::Contains("prepare sounds.all"));
  EXPECT_EQ(heard("sounds.all"), Json(JsonArray{"/state/" + path("moo.wav", baa)}));
}

TEST_F(Assets, TheSameContentIsOneFile) {
  offer(document(1, {{"moo.wav", moo}, {"cow.wav", moo}}));
  EXPECT_EQ(downloads, 1);
  EXPECT_EQ(kept_files(), 1u);
}

TEST_F(Assets, WhatItWouldGoBackToIsKeptUntilTheNewIsConfirmed) {
  offer(document(1, {{"moo.wav", moo}}));
  confirm();
  offer(document(2, {{"baa.wav", baa}}));
  run();
  EXPECT_EQ(kept_files(), 2u);
  settings->unhealthy("deaf");
  run();
  EXPECT_EQ(heard("sounds.all"), Json(JsonArray{"/state/" + path("moo.wav", moo)}));
  expect_whole();
  EXPECT_EQ(kept_files(), 1u);
  offer(document(3, {{"baa.wav", baa}}, 6));
  confirm();
  EXPECT_EQ(kept_files(), 1u);
  EXPECT_EQ(content_of(path("baa.wav", baa)), baa);
}

TEST_F(Assets, ADamagedOrLostOneIsFetchedAgain) {
  offer(document(1, {{"moo.wav", moo}, {"baa.wav", baa}}));
  confirm();
  disk.put(path("moo.wav", moo), "mooooooXooooooo");
  ASSERT_TRUE(disk.remove_tree(path("baa.wav", baa)));
  ASSERT_TRUE(restart());
  EXPECT_THAT(damaged, ElementsAre(HasSubstr("'moo.wav' is damaged")));
  expect_whole();
}

TEST_F(Assets, ADownloadGoesOnWhereItEnded) {
  disk.put(path("moo.wav", moo) + ".part", moo.substr(0, 10));
  offer(document(1, {{"moo.wav", moo}}));
  EXPECT_EQ(settings->cursor().revision, 1);
  disk.put(path("baa.wav", baa) + ".part", "something");
  offer(document(2, {{"baa.wav", baa}}));
  EXPECT_EQ(settings->cursor().revision, 2);
}

TEST_F(Assets, AFullDiskIsSaidBeforeAnythingIsFetched) {
  disk.set_free_bytes(AssetCore::reserve_bytes);
  offer(document(1, {{"moo.wav", moo}}));
  EXPECT_EQ(downloads, 0);
  EXPECT_THAT(recorder.last_status.errors.at(0).message, HasSubstr("kept free"));
  disk.set_free_bytes(1u << 30);
  pass(AssetCore::first_backoff);
  EXPECT_EQ(settings->cursor().revision, 1);
}

TEST_F(Assets, OverAMeteredLinkNothingComesUntilItMay) {
  const Values metered{{"updates.metered", true}};
  offer(document(1, {{"moo.wav", moo}}, 5, metered));
  pass(std::chrono::hours(24));
  EXPECT_EQ(downloads, 0);
  EXPECT_EQ(recorder.last_status.phase, Phase::staging);
  EXPECT_THAT(recorder.last_status.errors.at(0).message, HasSubstr("updates.whole_on_metered"));
  offer(document(2, {{"moo.wav", moo}}, 5, {{"updates.metered", true}, {"updates.whole_on_metered", true}}));
  EXPECT_EQ(settings->cursor().revision, 2);
  offer(document(3, {}, 6, metered));
  EXPECT_EQ(settings->cursor().revision, 3);

  offer(document(4, {{"baa.wav", baa}}, 5, metered));
  EXPECT_EQ(settings->cursor().revision, 3);
  settings->set("updates.whole_on_metered", true, [](const Result<void>& set) { EXPECT_TRUE(set); });
  run();
  EXPECT_EQ(settings->cursor().revision, 4);
  expect_whole();
}

TEST_F(Assets, ADamagedOneSaysThatTheLinkKeepsItAway) {
  offer(document(1, {{"moo.wav", moo}}, 5, {{"updates.metered", true}, {"updates.whole_on_metered", true}}));
  confirm();
  settings->set("updates.whole_on_metered", false, [](const Result<void>& set) { EXPECT_TRUE(set); });
  disk.put(path("moo.wav", moo), "mooooooXooooooo");
  ASSERT_TRUE(restart());
  ASSERT_FALSE(damaged.empty());
  EXPECT_THAT(damaged.back(), HasSubstr("'moo.wav' is damaged: the link is metered"));
  EXPECT_NE(content_of(path("moo.wav", moo)), moo);
  settings->set("updates.whole_on_metered", true, [](const Result<void>& set) { EXPECT_TRUE(set); });
  run();
  expect_whole();
}

TEST_F(Assets, ATransferFollowsWhatTheLinkMayBeUsedFor) {
  hold_downloads = true;
  offer(document(1, {{"moo.wav", moo}}, 5, {{"updates.bytes_per_second", 1'000}}));
  ASSERT_TRUE(asked);
  EXPECT_EQ(limit, 1'000u);
  offer(document(2, {{"moo.wav", moo}}, 5, {{"updates.bytes_per_second", 2'000}}));
  ASSERT_TRUE(asked);
  EXPECT_EQ(limit, 2'000u);
  offer(document(3, {{"moo.wav", moo}}, 5, {{"updates.metered", true}}));
  EXPECT_FALSE(asked);
  EXPECT_EQ(recorder.last_status.phase, Phase::staging);
}

TEST_F(Assets, ThePersonasOwnAreHeardByName) {
  protocol::ConfigUpdate update = document(1, {});
  auto persona = protocol::SettingsDocument::from_json(update.payload).value();
  persona.persona = JsonObject{{"name", "Cow"}, {"assets", JsonArray{"moo.wav", "own.wav"}}};
  persona.assets.emplace("moo.wav", asset_of(moo));
  update.hash = persona.hash();
  update.payload = persona.to_json();
  offer(update);
  EXPECT_EQ(heard("persona.assets"),
            Json(JsonObject{{"moo.wav", "/state/" + path("moo.wav", moo)}, {"own.wav", "own.wav"}}));
}

TEST_F(Assets, WithoutAnybodyToFetchThemADocumentIsRefused) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.core->offer(document(1, {{"moo.wav", moo}}));
  EXPECT_EQ(bench.recorder.last_status.phase, Phase::refused);
}

TEST(AssetPath, EndsAsTheNameDoes) {
  const protocol::AssetFile file = asset_of(moo);
  const std::string plain = "assets/" + file.sha256.hex();
  EXPECT_EQ(asset_path("a.WAV", file), plain + ".WAV");
  for (const char* name : {"a", "a.", "a.b/c", "a.part", "a.w\xc3\xa4v", "a.12345678901234567"})
    EXPECT_EQ(asset_path(name, file), plain) << name;
}

}  // namespace
}  // namespace starling::agent
