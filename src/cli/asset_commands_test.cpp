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
