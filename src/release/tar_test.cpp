#include "release/tar.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace starling::release {
namespace {

using testing::HasSubstr;
using Kind = Entry::Kind;

class Kept final : public TarSink {
 public:
  Result<void> begin(const Entry& entry) override {
    entries.push_back(entry);
    return {};
  }
  Result<void> content(std::string_view bytes) override {
    contents += bytes;
    return {};
  }
  std::vector<Entry> entries;
  std::string contents;
};

struct Member {
  Entry entry;
  std::string content = {};
};

std::string bytes_of(const std::vector<Member>& members) {
  std::string tar;
  for (Member member : members) {
    member.entry.size = member.content.size();
    tar += tar_header(member.entry) + member.content;
    tar.append(tar_padding(member.content.size()), '\0');
  }
  return tar + std::string(tar_end, '\0');
}

std::vector<Member> some_members() {
  return {{{.path = "update_metadata.json"}, "{}"},
          {{.path = "payload", .kind = Kind::folder}},
          {{.path = "payload/VERSION"}, "v1.2.3\n"},
          {{.path = "payload/run", .executable = true}, std::string(700, 'r')},
          {{.path = "payload/way", .kind = Kind::link, .target = "run"}}};
}

std::string what_is_wrong(std::string_view tar, std::size_t step = 1000) {
  Kept kept;
  TarReader reader(kept);
  for (std::size_t offset = 0; offset < tar.size(); offset += step) {
    if (const auto fed = reader.feed(tar.substr(offset, step)); !fed) return fed.error().message;
  }
  const auto finished = reader.finish();
  return finished ? "" : finished.error().message;
}

// Puts a member at the end, or in place of one with its path.
std::string with(const Member& member) {
  std::vector<Member> members = some_members();
  members.push_back(member);
  return what_is_wrong(bytes_of(members));
}

TEST(Tar, IsReadInPiecesOfAnySize) {
  const std::string tar = bytes_of(some_members());
  for (const std::size_t step : {1u, 3u, 511u, 512u, 513u, 100'000u}) {
    Kept kept;
    TarReader reader(kept);
    for (std::size_t offset = 0; offset < tar.size(); offset += step)
      ASSERT_TRUE(reader.feed(std::string_view(tar).substr(offset, step)));
    ASSERT_TRUE(reader.finish());
    ASSERT_EQ(kept.entries.size(), 5u);
    EXPECT_EQ(kept.entries[3].path, "payload/run");
    EXPECT_TRUE(kept.entries[3].executable);
    EXPECT_EQ(kept.entries[4].target, "run");
    EXPECT_EQ(kept.contents, "{}v1.2.3\n" + std::string(700, 'r'));
  }
}

TEST(Tar, RefusesEveryChangeOfAHeaderOrOfWhatFills) {
  const std::string tar = bytes_of(some_members());
  // All but the contents: what they say is not the tar's business.
  std::vector<bool> is_content(tar.size());
  for (const auto& [begin, size] : {std::pair(512u, 2u), {2048u, 7u}, {3072u, 700u}})
    std::fill_n(is_content.begin() + begin, size, true);
  for (std::size_t i = 0; i < tar.size(); ++i) {
    if (is_content[i]) continue;
    std::string changed = tar;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_NE(what_is_wrong(changed), "") << "byte " << i;
  }
}

TEST(Tar, RefusesWhatIsCutShortOrGoesOn) {
  const std::string tar = bytes_of(some_members());
  for (std::size_t size = 0; size < tar.size(); ++size)
    EXPECT_NE(what_is_wrong(std::string_view(tar).substr(0, size)), "") << size;
  EXPECT_EQ(what_is_wrong(tar), "");
  EXPECT_THAT(what_is_wrong(tar + '\0'), HasSubstr("something follows"));
}

TEST(Tar, RefusesWhatLeadsElsewhere) {
  EXPECT_EQ(with({{.path = "payload/zoo"}}), "");
  for (const char* path :
       {"payload/zoo/../../etc", "/etc/passwd", "payload/./zoo", "payload//zoo", "zoo", "payloae",
        "payload/..", "payload/way/zoo", "payload/run/zoo", "payload/nowhere/zoo", "payload/abc",
        "payload/way", "update_metadata.json", "payload/z\x1b[31m", "payload/z\xc3"})
    EXPECT_NE(with({{.path = path}}), "") << path;
  for (const char* target : {"/etc", "../..", "../zoo", "a/../../zoo", "", "a/", "a//b", ".", "z\xc3"})
    EXPECT_NE(with({{.path = "payload/zoo", .kind = Kind::link, .target = target}}), "") << target;
}

TEST(Tar, HoldsMetadataAndVersion) {
  auto members = some_members();
  members.erase(members.begin());
  EXPECT_THAT(what_is_wrong(bytes_of(members)), HasSubstr("update_metadata.json must come first"));
  members = some_members();
  members.erase(members.begin() + 2);
  EXPECT_THAT(what_is_wrong(bytes_of(members)), HasSubstr("payload/VERSION is missing"));
  EXPECT_THAT(what_is_wrong(bytes_of({})), HasSubstr("update_metadata.json is missing"));
  members = some_members();
  members[0].content.resize(max_metadata_bytes + 1);
  EXPECT_THAT(what_is_wrong(bytes_of(members)), HasSubstr("larger than 128 KiB"));
}

TEST(Tar, KnowsNamesAsLongAsATarHasRoomFor) {
  const std::string folder = "payload/" + std::string(80, 'a');
  const std::string inner = folder + "/" + std::string(66, 'b');  // 155 bytes
  EXPECT_EQ(inner.size(), 155u);
  auto members = some_members();
  members.insert(members.begin() + 3, {{{.path = folder, .kind = Kind::folder}},
                                       {{.path = inner, .kind = Kind::folder}},
                                       {{.path = inner + "/" + std::string(98, 'c')}, "c"}});
  EXPECT_EQ(what_is_wrong(bytes_of(members)), "");
  EXPECT_EQ(check_path(inner + "/" + std::string(99, 'c')).error().code, ErrorCode::too_large);
  EXPECT_EQ(check_path("payload/" + std::string(100, 'c')).error().code, ErrorCode::too_large);
  EXPECT_TRUE(check_path("payload/" + std::string(91, 'c')));
  std::string deep = "payload";
  for (std::size_t i = 1; i < max_depth; ++i)
    deep += "/d";
  EXPECT_TRUE(check_path(deep));
  EXPECT_EQ(check_path(deep + "/d").error().code, ErrorCode::too_large);
}

TEST(Tar, HoldsNoMoreThanADeviceTakes) {
  std::vector<Member> members = some_members();
  while (members.size() < max_entries)
    members.push_back({{.path = fmt::format("payload/z{:05}", members.size())}});
  EXPECT_EQ(what_is_wrong(bytes_of(members), 1 << 20), "");
  members.push_back({{.path = "payload/zz"}});
  EXPECT_THAT(what_is_wrong(bytes_of(members), 1 << 20), HasSubstr("at most 8192 files"));
  // What its headers promise counts: the bytes need not have come.
  Entry huge{.path = "payload/zz", .size = max_release_bytes};
  std::string tar = bytes_of(some_members());
  tar.resize(tar.size() - tar_end);
  EXPECT_THAT(what_is_wrong(tar + tar_header(huge)), HasSubstr("at most 1024 MiB"));
}

}  // namespace
}  // namespace starling::release
