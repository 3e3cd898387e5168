#include "agent/update/release_tar.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/update/release_bench.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// All that was handed over, a line each.
class Recorder final : public ReleaseTar::Sink {
 public:
  Result<void> entry(const ReleaseEntry& entry) override {
    switch (entry.kind) {
      case ReleaseEntry::Kind::folder: said.push_back(entry.path + "/"); break;
      case ReleaseEntry::Kind::link: said.push_back(entry.path + " -> " + entry.target); break;
      case ReleaseEntry::Kind::file: said.push_back(entry.path + (entry.executable ? "*: " : ": ")); break;
    }
    return {};
  }
  Result<void> content(std::string_view part) override { return said.back() += part, Result<void>(); }
  Result<void> file_end() override { return said.back() += ".", Result<void>(); }
  std::vector<std::string> said;
};

Result<void> read(std::string_view tar, Recorder& recorder, std::size_t part_bytes, std::uint64_t max_bytes) {
  ReleaseTar reader(recorder, max_bytes);
  for (std::size_t at = 0; at < tar.size(); at += part_bytes) {
    if (auto fed = reader.feed(tar.substr(at, part_bytes)); !fed) return fed;
  }
  return reader.finish();
}
Result<void> read(std::string_view tar) {
  Recorder recorder;
  return read(tar, recorder, tar.size() + 1, tar.size());
}

std::vector<TarPart> good_parts() {
  return release_parts("v1.0.0", {{"payload/bin/", "", '5', "", 0755},
                                  {"payload/bin/agent", std::string(600, 'x'), '0', "", 0755},
                                  {"payload/bin/starling", "", '2', "../bin/agent", 0777},
                                  {"payload/empty", ""}});
}

TEST(ReleaseTar, HandsOverWhatIsInItHoweverItComes) {
  const std::string tar = tar_of(good_parts());
  for (const std::size_t part_bytes : {std::size_t{1}, std::size_t{511}, std::size_t{513}, tar.size()}) {
    Recorder recorder;
    const auto good = read(tar, recorder, part_bytes, tar.size());
    ASSERT_TRUE(good) << good.error().message;
    EXPECT_THAT(recorder.said,
                ElementsAre(R"(update_metadata.json: {"version":"v1.0.0","architecture":"arm64"}.)",
                            "payload/", "payload/VERSION: v1.0.0\n.", "payload/bin/",
                            "payload/bin/agent*: " + std::string(600, 'x') + ".",
                            "payload/bin/starling -> ../bin/agent", "payload/empty: ."));
  }
}

TEST(ReleaseTar, MakesFoldersThatAreOnlyImplied) {
  std::vector<TarPart> parts =
      release_parts("v1", {{"payload/a/b/c", "1"}, {"payload/a/", "", '5', "", 0755}});
  parts.erase(parts.begin() + 1);
  Recorder recorder;
  const std::string tar = tar_of(parts);
  ASSERT_TRUE(read(tar, recorder, tar.size(), tar.size()));
  recorder.said.erase(recorder.said.begin());
  EXPECT_THAT(recorder.said, ElementsAre("payload/", "payload/VERSION: v1\n.", "payload/a/", "payload/a/b/",
                                         "payload/a/b/c: 1."));
}

TEST(ReleaseTar, ReadsLongNamesFromTheirTwoFields) {
  const std::string folder = "payload/" + std::string(90, 'd') + "/" + std::string(40, 'e');
  const std::string path = folder + "/" + std::string(90, 'f');
  EXPECT_TRUE(read(tar_of(release_parts("v1", {{path, "1"}}))));
  const std::string longest = "payload/" + std::string(147, 'd') + "/" + std::string(100, 'e');
  EXPECT_TRUE(read(tar_of(release_parts("v1", {{longest, "1"}}))));
}

TEST(ReleaseTar, IsCompleteOnlyWhenNothingIsMissing) {
  const std::string tar = tar_of(good_parts());
  for (std::size_t size = 0; size < tar.size(); size += size % 512 < 3 || size % 512 > 508 ? 1 : 251) {
    EXPECT_FALSE(read(std::string_view(tar).substr(0, size))) << size;
  }
  EXPECT_TRUE(read(tar + std::string(9 * 512, '\0')));
}

struct Bad {
  const char* why;
  std::vector<TarPart> parts;
};

TEST(ReleaseTar, RefusesWhatReachesOutOfItsFolder) {
  const std::vector<Bad> cases{
      {"leads elsewhere", {{"payload/../x", "1"}}},
      {"leads elsewhere", {{"/etc/passwd", "1"}}},
      {"leads elsewhere", {{"payload//x", "1"}}},
      {"leads elsewhere", {{"payload/./x", "1"}}},
      {"leads elsewhere", {{"payload/x/..", "", '5'}}},
      {"leads elsewhere", {{"", "1"}}},
      {"beside its payload", {{"etc/passwd", "1"}}},
      {"beside its payload", {{"payload2/x", "1"}}},
      {"beside its payload", {{"payload", "1"}}},
      {"beside its payload", {{"payload", "", '2', "x"}}},
      {"beside its payload", {{"files.list", "1"}}},
      {"leads out", {{"payload/x", "", '2', "/etc/passwd"}}},
      {"leads out", {{"payload/x", "", '2', "../x"}}},
      {"leads out", {{"payload/a/x", "", '2', "../.."}}},
      {"leads out", {{"payload/x", "", '2', "a/../../x"}}},
      {"leads out", {{"payload/x", "", '2', ""}}},
      {"leads out", {{"payload/x", "", '2', "a\tb"}}},
      {"in something that is no folder", {{"payload/x", "", '2', "y"}, {"payload/x/z", "1"}}},
      {"in something that is no folder", {{"payload/x", "1"}, {"payload/x/z", "1"}}},
      {"twice", {{"payload/x", "1"}, {"payload/x", "2"}}},
      {"twice", {{"payload/x", "", '2', "y"}, {"payload/x", "1"}}},
      {"twice", {{"payload/VERSION", "v9"}}},
      {"twice", {{"payload/a/", "", '5'}, {"payload/a/", "", '5'}}},
      {"no file, folder or symbolic link", {{"payload/x", "", '1', "payload/VERSION"}}},
      {"no file, folder or symbolic link", {{"payload/x", "", '3'}}},
      {"no file, folder or symbolic link", {{"payload/x", "", '4'}}},
      {"no file, folder or symbolic link", {{"payload/x", "", '6'}}},
      {"no file, folder or symbolic link", {{"payload/x", "1", 'x'}}},
      {"no file, folder or symbolic link", {{"payload/x", "1", 'L'}}},
      {"rights of another user", {{"payload/x", "1", '0', "", 04755}}},
      {"which it cannot have", {{"payload/x", "1", '2', "y"}}},
      {"which it cannot have", {{"payload/x/", "1", '5'}}},
      {"not plain text", {{"payload/a\nb", "1"}}},
      {"not plain text", {{"payload/a\x7f", "1"}}},
      {"not plain text", {{"payload/\xff", "1"}}},
  };
  for (const Bad& bad : cases) {
    const auto result = read(tar_of(release_parts("v1", bad.parts)));
    ASSERT_FALSE(result) << bad.parts[0].path << " is not refused";
    EXPECT_THAT(result.error().message, HasSubstr(bad.why)) << bad.parts[0].path;
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
  }
}

TEST(ReleaseTar, RefusesWhatIsNoRelease) {
  const auto why = [](const std::string& tar) {
    const auto result = read(tar);
    return result ? "nothing" : result.error().message;
  };
  const std::string good = tar_of(good_parts());
  EXPECT_THAT(why(tar_of({{"payload/VERSION", "v1"}})),
              HasSubstr("does not begin with update_metadata.json"));
  EXPECT_THAT(why(tar_of({{"update_metadata.json", "", '2', "x"}})), HasSubstr("does not begin"));
  EXPECT_THAT(why(tar_of({{"update_metadata.json", "{}"}})), HasSubstr("no payload"));
  EXPECT_THAT(why(std::string(1024, '\0')), HasSubstr("no payload"));
  EXPECT_THAT(why(good + std::string(512, 'x')), HasSubstr("goes on behind its end"));
  EXPECT_THAT(why(good.substr(0, good.size() - 512) + good), HasSubstr("goes on behind its end"));
  EXPECT_THAT(why(std::string(2048, 'x')), HasSubstr("not in the format"));
  std::string damaged = good;
  damaged[3] = 'X';
  EXPECT_THAT(why(damaged), HasSubstr("damaged header"));
  damaged = good;
  damaged[700] = 'X';  // behind the metadata
  EXPECT_THAT(why(damaged), HasSubstr("between its files"));
}

TEST(ReleaseTar, RefusesWhatIsTooLarge) {
  const auto code = [](const std::vector<TarPart>& parts) {
    const auto result = read(tar_of(parts));
    return result ? ErrorCode::internal : result.error().code;
  };
  EXPECT_EQ(code({{"update_metadata.json", std::string((256u << 10) + 1, ' ')}}), ErrorCode::too_large);
  std::string deep = "payload";
  for (int i = 0; i < 32; ++i)
    deep += "/a";
  EXPECT_EQ(code(release_parts("v1", {{deep, "1"}})), ErrorCode::too_large);
  std::vector<TarPart> many = release_parts("v1");
  for (std::size_t i = many.size(); i <= ReleaseTar::max_entries; ++i)
    many.push_back({fmt::format("payload/{}", i), ""});
  EXPECT_EQ(code(many), ErrorCode::too_large);
  many.pop_back();
  EXPECT_EQ(code(many), ErrorCode::internal);
  // Larger than was signed, whatever its headers say.
  const std::string tar = tar_of(good_parts());
  Recorder recorder;
  EXPECT_EQ(read(tar, recorder, 100, tar.size() - 1).error().code, ErrorCode::too_large);
  // A size that the tar does not have.
  std::string header = tar_header({"update_metadata.json", "{}"});
  header.replace(124, 12, "777777777777");
  unsigned sum = 8 * ' ';
  for (std::size_t i = 0; i < 512; ++i)
    if (i < 148 || i >= 156) sum += static_cast<unsigned char>(header[i]);
  header.replace(148, 6, fmt::format("{:06o}", sum));
  EXPECT_EQ(read(header).error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace starling::agent
