// Purpose: a temporary folder to make releases of. Owner: a test. Thread: one. Lifetime: one test.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/temporary_folder.hpp"
#include "protocol/release_metadata.hpp"
#include "release/image.hpp"
#include "release/pack.hpp"

namespace starling::release {

class FolderTest : public testing::Test {
 protected:
  FolderTest() {
    payload_ = root_ / "pi_client";
    std::filesystem::create_directory(payload_);
  }

  void write(const std::string& path, std::string_view content, bool executable = false) const {
    const std::filesystem::path file = payload_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    using enum std::filesystem::perms;
    std::filesystem::permissions(file, executable ? owner_all : owner_read | owner_write | group_write);
  }

  // The folder of most tests.
  void write_client() const {
    write("client.py", "print('hello')\n", true);
    write("requirements.txt", "opuslib==3.0.1\n");
    write("VERSION", "v0.0.1\n");
    write("lib/sound.py", std::string(1500, 's'));
    write("lib/empty", "");
    std::filesystem::create_directory(payload_ / "models");
    std::filesystem::create_symlink("../lib/sound.py", payload_ / "lib/again.py");
  }

  static protocol::ReleaseMetadata metadata(std::string_view version = "v1.2.3") {
    protocol::ReleaseMetadata out;
    out.version = protocol::parse_version(version).value();
    out.description = "Bug fixes";
    out.packages = {"libopus0"};
    return out;
  }

  Result<Summary> pack(const std::string& name) const {
    auto image = ReleaseImage::of_payload(payload_, metadata());
    if (!image) return fail(image);
    return write_tar(*image, root_ / name);
  }

  std::string bytes_of(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(root_ / name, std::ios::binary).rdbuf();
    return out.str();
  }

  // What another program prints.
  std::string output_of(const std::string& command) const {
    const std::string file = (root_ / "output").string();
    const int status =
        std::system(("cd " + root_.string() + " && { " + command + "; } > " + file + " 2>&1").c_str());
    return status == 0 ? bytes_of("output") : "failed: " + bytes_of("output");
  }

  TemporaryFolder temporary_;
  std::filesystem::path root_ = temporary_.path(), payload_;
};

}  // namespace starling::release
