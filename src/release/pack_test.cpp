#include "release/pack.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <functional>

#include "release/folder_fixture.hpp"

namespace starling::release {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

using PackTest = FolderTest;

TEST_F(PackTest, TarReadsWhatItWrote) {
  write_client();
  ASSERT_TRUE(pack("release.tar"));
  EXPECT_EQ(output_of("TZ=UTC tar --numeric-owner -tvf release.tar"),
            "-rw-r--r-- 0/0             111 1970-01-01 00:00 update_metadata.json\n"
            "drwxr-xr-x 0/0               0 1970-01-01 00:00 payload/\n"
            "-rw-r--r-- 0/0               7 1970-01-01 00:00 payload/VERSION\n"
            "-rwxr-xr-x 0/0              15 1970-01-01 00:00 payload/client.py\n"
            "drwxr-xr-x 0/0               0 1970-01-01 00:00 payload/lib/\n"
            "lrwxrwxrwx 0/0               0 1970-01-01 00:00 payload/lib/again.py -> ../lib/sound.py\n"
            "-rw-r--r-- 0/0               0 1970-01-01 00:00 payload/lib/empty\n"
            "-rw-r--r-- 0/0            1500 1970-01-01 00:00 payload/lib/sound.py\n"
            "drwxr-xr-x 0/0               0 1970-01-01 00:00 payload/models/\n"
            "-rw-r--r-- 0/0              15 1970-01-01 00:00 payload/requirements.txt\n");
  EXPECT_EQ(
      output_of("tar -xOf release.tar payload/VERSION update_metadata.json"),
      "{\"version\":\"v1.2.3\",\"architecture\":\"all\",\"type\":\"scheduled\",\"description\":\"Bug fixes\","
      "\"packages\":[\"libopus0\"]}\nv1.2.3\n");
}

TEST_F(PackTest, SameInputGivesSameBytes) {
  write_client();
  const auto first = pack("first.tar");
  ASSERT_TRUE(first);
  // Another order on disk, other times, other modes but for the executable bit.
  fs::rename(payload_, root_ / "before");
  fs::create_directory(payload_);
  write("requirements.txt", "opuslib==3.0.1\n");
  write_client();
  fs::permissions(payload_ / "requirements.txt", fs::perms::owner_read);
  fs::last_write_time(payload_ / "client.py", {});
  const auto second = pack("second.tar");
  ASSERT_TRUE(second);
  EXPECT_EQ(bytes_of("first.tar"), bytes_of("second.tar"));
  EXPECT_EQ(first->sha256, sha256(bytes_of("first.tar")));
}

TEST_F(PackTest, SaysWhatIsInIt) {
  write_client();
  const auto summary = pack("release.tar");
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->metadata, metadata());
  EXPECT_EQ(summary->bytes, fs::file_size(root_ / "release.tar"));
  EXPECT_EQ(summary->files, 6u);  // with update_metadata.json
  EXPECT_EQ(summary->links, 1u);
  EXPECT_TRUE(summary->has_requirements);
  std::string places;
  for (const auto& place : summary->places)
    places += fmt::format("{} {} {}\n", place.path, place.files, place.bytes);
  EXPECT_EQ(places, "VERSION 1 7\nclient.py 1 15\nlib/ 3 1500\nmodels/ 0 0\nrequirements.txt 1 15\n");

  auto tar = FileBytes::open(root_ / "release.tar");
  ASSERT_TRUE(tar);
  const auto inspected = inspect_tar(*tar);
  ASSERT_TRUE(inspected);
  EXPECT_EQ(inspected->sha256, summary->sha256);
  EXPECT_EQ(inspected->metadata, metadata());
}

TEST_F(PackTest, AnUnpackedReleaseGivesItsTarBack) {
  write_client();
  write(std::string(90, 'd') + "/" + std::string(50, 'e') + "/" + std::string(80, 'f'), "long");
  ASSERT_TRUE(pack("release.tar"));
  EXPECT_EQ(output_of("mkdir unpacked && tar -xf release.tar -C unpacked"), "");
  std::ofstream(root_ / "unpacked/files.list") << "beside it";
  auto image = ReleaseImage::of_unpacked(root_ / "unpacked");
  ASSERT_TRUE(image) << image.error().message;
  const std::string tar = bytes_of("release.tar");
  ASSERT_EQ(image->size(), tar.size());
  std::string again;
  ASSERT_TRUE(copy_all(*image, [&again](std::string_view bytes) -> Result<void> {
    again += bytes;
    return {};
  }));
  EXPECT_EQ(again, tar);
  // From any place on, in any size.
  for (const std::size_t step : {1u, 7u, 511u, 512u, 513u, 2000u}) {
    for (std::size_t offset = 0; offset < tar.size(); offset += step == 1 ? 97 : step) {
      std::string piece(std::min(step, tar.size() - offset), '?');
      ASSERT_TRUE(image->read(offset, piece));
      ASSERT_EQ(piece, tar.substr(offset, step)) << offset << " " << step;
    }
  }
  std::string past(2, '?');
  EXPECT_EQ(image->read(tar.size() - 1, past).error().code, ErrorCode::invalid_argument);
}

TEST_F(PackTest, WhatIsDamagedOrChangedOnADeviceShows) {
  write_client();
  ASSERT_TRUE(pack("release.tar"));
  output_of("mkdir unpacked && tar -xf release.tar -C unpacked");
  auto image = ReleaseImage::of_unpacked(root_ / "unpacked");
  ASSERT_TRUE(image);
  std::ofstream(root_ / "unpacked/payload/client.py", std::ios::app) << "more";
  const auto read = inspect_tar(*image);
  EXPECT_EQ(read.error().code, ErrorCode::conflict);
  EXPECT_THAT(read.error().message, HasSubstr("client.py"));
}

TEST_F(PackTest, RefusesWhatAReleaseMayNotHold) {
  struct Case {
    std::string_view name;
    std::function<void(const fs::path&)> make;
    std::string_view message;
  };
  const auto link = [](const char* target) {
    return [target](const fs::path& path) { fs::create_symlink(target, path); };
  };
  const Case cases[] = {
      {"pipe", [](const fs::path& path) { ::mkfifo(path.c_str(), 0600); },
       "payload/sub/pipe: a pipe cannot be"},
      {"socket",
       [](const fs::path& path) {
         sockaddr_un address{};
         address.sun_family = AF_UNIX;
         path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
         const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
         ASSERT_EQ(::bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
       },
       "payload/sub/socket: a socket cannot be"},
      {"absolute", link("/etc/passwd"), "'/etc/passwd' is absolute"},
      {"out", link("../../x"), "'../../x' leads out of the folder"},
      {"out-folder", link("../.."), "leads out"},
      {"winding", link("../sub/../../x"), "'..' after a name"},
      {"dot", link("./x"), "cannot be in a link"},
      {"slashes", link("..//x"), "cannot be in a link"},
      {"long-target", [](const fs::path& path) { fs::create_symlink(std::string(101, 'a'), path); },
       "1 to 100 bytes"},
      {"\xff", [](const fs::path& path) { std::ofstream(path) << "x"; },
       "in 'payload/sub': a name or link is not UTF-8"},
      {"line\nfeed", [](const fs::path& path) { std::ofstream(path) << "x"; }, "control characters"},
      {"large",
       [](const fs::path& path) {
         std::ofstream(path) << "";
         fs::resize_file(path, max_release_bytes + 1);
       },
       "at most 1024 MiB"},
      {"other-user",
       [](const fs::path& path) {
         std::ofstream(path) << "x";
         ::chmod(path.c_str(), 04755);
       },
       "set-user-ID"},
  };
  for (const Case& c : cases) {
    fs::remove_all(payload_);
    write("sub/good", "good");
    c.make(payload_ / "sub" / c.name);
    const auto packed = pack("release.tar");
    ASSERT_FALSE(packed) << c.name;
    EXPECT_THAT(packed.error().message, HasSubstr(c.message));
    EXPECT_FALSE(fs::exists(root_ / "release.tar")) << c.name;
    EXPECT_FALSE(fs::exists(root_ / "release.tar.tmp")) << c.name;
  }
}

TEST_F(PackTest, RefusesDevices) {
  write("good", "good");
  // Only root can make one; what a device would be refused as is seen of /dev.
  const auto walked = ReleaseImage::of_payload("/dev", metadata());
  ASSERT_FALSE(walked);
  EXPECT_THAT(walked.error().message,
              testing::AnyOf(HasSubstr("cannot be in a release"), HasSubstr("is absolute")));
}

TEST_F(PackTest, RefusesAFolderWithoutContentOrThatIsNone) {
  EXPECT_THAT(pack("release.tar").error().message, HasSubstr("is empty"));
  fs::remove_all(payload_);
  EXPECT_EQ(pack("release.tar").error().code, ErrorCode::not_found);
  fs::create_directories(payload_ / "VERSION");
  EXPECT_THAT(pack("release.tar").error().message, HasSubstr("payload/VERSION is no file"));
}

TEST_F(PackTest, LinksInsideAreTaken) {
  write("lib/sound.py", "x");
  write("deep/er/x", "x");
  for (const auto& [path, target] : {std::pair("a", "lib/sound.py"),
                                     {"lib/up", ".."},
                                     {"lib/dangling", "nowhere"},
                                     {"deep/er/back", "../../lib"},
                                     {"deep/er/through", "../../a"}})
    fs::create_symlink(target, payload_ / path);
  EXPECT_TRUE(pack("release.tar"));
}

TEST_F(PackTest, LeavesCachesOutAndSaysSo) {
  write("client.py", "x");
  write(".git/config", "x");
  write("lib/__pycache__/client.cpython-311.pyc", "x");
  auto image = ReleaseImage::of_payload(payload_, metadata());
  ASSERT_TRUE(image);
  EXPECT_THAT(image->left_out(), testing::ElementsAre("payload/.git", "payload/lib/__pycache__"));
  ASSERT_TRUE(write_tar(*image, root_ / "release.tar"));
  EXPECT_EQ(output_of("tar -tf release.tar | grep -c -e git -e pyc; true"), "0\n");
}

TEST_F(PackTest, KnowsWhatProgramsRunOn) {
  using protocol::Architecture;
  const auto elf = [](int machine) {
    std::string head(64, '\0');
    head.replace(0, 6,
                 "\x7f"
                 "ELF\2\1");
    head[18] = static_cast<char>(machine);
    return head;
  };
  write("client.py", "#!/usr/bin/python3\n");
  EXPECT_EQ(architecture_of(payload_, {}).value(), Architecture::all);
  EXPECT_EQ(architecture_of(payload_, Architecture::armhf).value(), Architecture::armhf);
  write("bin/agent", elf(183));
  EXPECT_EQ(architecture_of(payload_, {}).value(), Architecture::arm64);
  EXPECT_EQ(architecture_of(payload_, Architecture::all).value(), Architecture::all);
  EXPECT_THAT(architecture_of(payload_, Architecture::amd64).error().message,
              HasSubstr("payload/bin/agent is a program for arm64, in a release for amd64"));
  write("bin/other", elf(40));
  EXPECT_THAT(architecture_of(payload_, {}).error().message,
              HasSubstr("one for armhf: make a release for each"));
}

TEST_F(PackTest, ATarThatContradictsItselfIsRefused) {
  write_client();
  ASSERT_TRUE(pack("release.tar"));
  std::string tar = bytes_of("release.tar");
  tar.replace(tar.find("v1.2.3\n"), 6, "v1.2.4");
  MemoryBytes contradicting(tar);
  EXPECT_THAT(inspect_tar(contradicting).error().message, HasSubstr("payload/VERSION does not say v1.2.3"));
}

}  // namespace
}  // namespace starling::release
