#include <gmock/gmock.h>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

using testing::HasSubstr;

class AssetCommands : public ApplicationTest {
 protected:
  static constexpr const char* asset = R"({"name":"moo.wav","size":12345,"sha256":"0123456789abcdef",
      "used_by":[{"layer":"persona:Cow","key":"assets"}]})";
  TemporaryFolder folder_;
};

TEST_F(AssetCommands, AFileIsGivenToTheHubWithItsHash) {
  const std::string file = (folder_ / "moo").string();
  ASSERT_TRUE(write_file_durably(file, "moo"));
  hub().on("PUT /api/v1/assets/moo.wav", std::string(R"({"revision":7,"asset":)") + asset + "}", 201);
  const Ran ran = run({"asset", "add", "moo.wav", file, "--reason", "farm"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("revision 7: put asset moo.wav"));
  const auto asked = hub().asked().front();
  EXPECT_EQ(asked.line, "PUT /api/v1/assets/moo.wav?sha256=" + sha256("moo").hex() + "&reason=farm");
  EXPECT_EQ(asked.body, "moo");
  EXPECT_EQ(run({"asset", "add", "moo.wav", file + "-none"}).code, 1);
}

class AssetDownload : public AssetCommands {
 protected:
  AssetDownload() {
    hub().on("GET /api/v1/assets/moo.wav",
             R"({"name":"moo.wav","size":9,"used_by":[],"sha256":")" + hash_ + "\"}");
  }
  // From `first` on.
  void hub_sends(const std::string& bytes, std::size_t first = 0) {
    http::Response response;
    response.status = first == 0 ? 200 : 206;
    if (first > 0) response.headers.set("Content-Range", "bytes " + std::to_string(first) + "-8/9");
    response.body = bytes.substr(first);
    hub().on("GET /api/v1/asset-files/" + hash_, std::move(response));
  }
  Ran download() { return run({"asset", "download", "moo.wav", file_.string()}); }
  std::string there() const { return read_file(file_, 100).value_or("nothing"); }

  const std::string moo_ = "moooooooo";
  const std::string hash_ = sha256(moo_).hex();
  const std::filesystem::path file_ = folder_ / "cow.wav";
  const std::filesystem::path part_ = folder_ / "cow.wav.part";
};

TEST_F(AssetDownload, BringsTheFile) {
  hub_sends(moo_);
  const Ran ran = download();
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("cow.wav: 9 B"));
  EXPECT_EQ(there(), moo_);
  EXPECT_FALSE(std::filesystem::exists(part_));
  EXPECT_EQ(run({"asset", "download", "moo.wav", folder_.path().string()}).code, 0);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "moo.wav"));
}

TEST_F(AssetDownload, GoesOnWhereItEnded) {
  ASSERT_TRUE(write_file_durably(part_, moo_.substr(0, 4)));
  hub_sends(moo_, 4);
  EXPECT_EQ(download().code, 0);
  EXPECT_EQ(hub().asked().back().range, "bytes=4-");
  EXPECT_EQ(there(), moo_);
}

TEST_F(AssetDownload, WhatWasOfAnotherFileIsFetchedAnew) {
  ASSERT_TRUE(write_file_durably(part_, "baaa"));
  hub_sends(moo_, 4);
  hub_sends(moo_);
  EXPECT_EQ(download().code, 0);
  EXPECT_EQ(there(), moo_);
  ASSERT_TRUE(write_file_durably(part_, "longer than all of it"));
  EXPECT_EQ(download().code, 0);
}

TEST_F(AssetDownload, WhatIsDamagedIsNotKept) {
  hub_sends("mooooooo!");
  const Ran ran = download();
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr(hash_));
  EXPECT_EQ(there(), "nothing");
  EXPECT_FALSE(std::filesystem::exists(part_));
  hub().on("GET /api/v1/assets/cow.wav", R"({"title":"Not found","status":404,"code":"not_found"})", 404);
  EXPECT_EQ(run({"asset", "download", "cow.wav", file_.string()}).code, 1);
}

TEST_F(AssetCommands, TheListSaysWhatNamesThem) {
  hub().on("GET /api/v1/assets", std::string(R"({"items":[)") + asset + R"(],"next":null})");
  const Ran ran = run({"asset", "list"});
  EXPECT_THAT(ran.out, HasSubstr("12.3 kB"));
  EXPECT_THAT(ran.out, HasSubstr("0123456789ab "));
  EXPECT_THAT(ran.out, HasSubstr("assets of persona:Cow"));
}

TEST_F(AssetCommands, AWriteThatNamesWhatNoAssetIsNotesIt) {
  hub().on(
      "PUT /api/v1/personas/Cow",
      R"({"revision":8,"changed":[],"masked":[],"masked_count":0,"targeted":1,"missing_assets":["a.wav"]})");
  const Ran ran = run({"persona", "put", "Cow", "-"}, "{}");
  EXPECT_THAT(ran.err, HasSubstr("no asset is called a.wav"));
}

}  // namespace
}  // namespace starling::cli
