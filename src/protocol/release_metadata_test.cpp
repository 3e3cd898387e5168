#include "protocol/release_metadata.hpp"

#include <gtest/gtest.h>

namespace starling::protocol {
namespace {

ReleaseMetadata some_metadata() {
  return {.version = parse_version("v1.2.3").value(),
          .architecture = Architecture::arm64,
          .type = UpdateType::urgent,
          .description = "Bug fixes",
          .packages = {"libopus0", "libssl3=3.0.17-1~deb12u2"}};
}

TEST(ReleaseMetadata, IsReadAsItWasWritten) {
  const JsonObject json = to_json(some_metadata());
  EXPECT_EQ(boost::json::serialize(json),
            R"({"version":"v1.2.3","architecture":"arm64","type":"urgent","description":"Bug fixes",)"
            R"("packages":["libopus0","libssl3=3.0.17-1~deb12u2"]})");
  EXPECT_EQ(release_metadata_from(json).value(), some_metadata());
}

TEST(ReleaseMetadata, IgnoresWhatItDoesNotKnow) {
  JsonObject json = to_json(some_metadata());
  json["created_at"] = "2026-11-20T22:33:00.000Z";
  EXPECT_EQ(release_metadata_from(json).value(), some_metadata());
}

TEST(ReleaseMetadata, SaysWhatIsWrong) {
  const auto field_of = [](std::string_view key, Json value) {
    JsonObject json = to_json(some_metadata());
    json[key] = std::move(value);
    const auto read = release_metadata_from(json);
    return read ? "taken" : read.error().field;
  };
  EXPECT_EQ(field_of("version", "1.2.3"), "/version");
  EXPECT_EQ(field_of("version", nullptr), "/version");
  EXPECT_EQ(field_of("architecture", "i386"), "/architecture");
  EXPECT_EQ(field_of("type", "soon"), "/type");
  EXPECT_EQ(field_of("description", 7), "/description");
  EXPECT_EQ(field_of("packages", JsonArray{7}), "/packages");
  EXPECT_EQ(field_of("description", JsonString(4097, 'a')), "/description");
}

TEST(ReleaseMetadata, TakesOnlyPackagesThatAptTakesForNames) {
  for (const char* good :
       {"libopus0", "g++", "libstdc++6", "python3.11", "a1", "libssl3=1:3.0.17-1~deb12u2+b1"})
    EXPECT_TRUE(check_package(good)) << good;
  for (const char* bad :
       {"", "a", "-y", "--force-yes", "Lib", "lib opus", "libopus0;reboot", "../x.deb", "./x.deb", "a/b",
        "libopus0=", "libopus0=-o", "libopus0=1;2", "=1", "lib\nopus", "libopus0-", "libopus0=1=2"})
    EXPECT_FALSE(check_package(bad)) << bad;
}

}  // namespace
}  // namespace starling::protocol
