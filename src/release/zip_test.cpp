#include "release/zip.hpp"

#include <gmock/gmock.h>

#include "release/folder_fixture.hpp"

namespace starling::release {
namespace {

using testing::HasSubstr;

class ZipTest : public FolderTest {
 protected:
  // Of release.tar; what went wrong if it did.
  std::string zip() {
    auto tar = FileBytes::open(root_ / "release.tar");
    ZipStream stream(*tar);
    std::string out;
    while (true) {
      const auto piece = stream.next();
      if (!piece) return piece.error().message;
      largest_piece_ = std::max(largest_piece_, piece->size());
      if (piece->empty()) return out;
      out += *piece;
    }
  }

  std::size_t largest_piece_ = 0;
};

TEST_F(ZipTest, HasTheLayoutOfTheDocument) {
  write_client();
  std::string noise;
  for (std::uint32_t i = 0, x = 1; i < 300'000; ++i, x = x * 1664525 + 1013904223)
    noise += static_cast<char>(x >> 24);
  write("noise", noise);
  ASSERT_TRUE(pack("release.tar"));
  std::ofstream(root_ / "update.zip", std::ios::binary) << zip();
  EXPECT_LT(largest_piece_, 200'000u);
  EXPECT_EQ(output_of("python3 -m zipfile -t update.zip"), "Done testing\n");
  EXPECT_EQ(
      output_of("python3 -c \"import zipfile; print('\\n'.join(zipfile.ZipFile('update.zip').namelist()))\""),
      "update_metadata.json\npi_client/\npi_client/VERSION\npi_client/client.py\npi_client/lib/\n"
      "pi_client/lib/again.py\npi_client/lib/empty\npi_client/lib/sound.py\npi_client/models/\npi_client/"
      "noise\n"
      "pi_client/requirements.txt\n");
  EXPECT_EQ(
      output_of(
          "python3 -m zipfile -e update.zip out && tar -xf release.tar && cat out/update_metadata.json && "
          "cmp out/pi_client/noise payload/noise && rm payload/lib/again.py && cat "
          "out/pi_client/lib/again.py "
          "&& rm out/pi_client/lib/again.py && diff -r out/pi_client payload"),
      "{\"version\":\"v1.2.3\",\"update_type\":\"scheduled\",\"description\":\"Bug fixes\","
      "\"requires_system_packages\":true,\"system_packages\":[\"libopus0\"]}\n../lib/sound.py");
}

TEST_F(ZipTest, SameTarGivesSameBytes) {
  write_client();
  ASSERT_TRUE(pack("release.tar"));
  EXPECT_EQ(zip(), zip());
}

TEST_F(ZipTest, EndsWithAnErrorWhereTheTarIsWrong) {
  write_client();
  ASSERT_TRUE(pack("release.tar"));
  std::filesystem::resize_file(root_ / "release.tar", 2048);
  EXPECT_THAT(zip(), HasSubstr("ends too early"));
  std::ofstream(root_ / "release.tar") << std::string(5000, 'x');
  EXPECT_THAT(zip(), HasSubstr("no tar of a release"));
}

}  // namespace
}  // namespace starling::release
