// What bench/run_delta.py measures: one thing a call, as a hub or a device does it.
//   starling_delta_tool pack FOLDER TAR | make OLD_TAR NEW_TAR DELTA | apply OLD DELTA OUT
// OLD is a tar, or a folder that one was unpacked to.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "release/delta.hpp"
#include "release/image.hpp"
#include "release/make_delta.hpp"
#include "release/pack.hpp"

namespace {

using namespace starling;
using namespace starling::release;

Result<void> pack(const std::string& folder, const std::string& tar) {
  protocol::ReleaseMetadata metadata;
  metadata.version = {.major = 1, .minor = 0, .patch = 0, .prerelease = {}};
  auto image = ReleaseImage::of_payload(folder, metadata);
  if (!image) return fail(image);
  const auto written = write_tar(*image, tar);
  return written ? Result<void>{} : fail(written);
}

Result<void> make(const std::string& old_tar, const std::string& new_tar, const std::string& out) {
  auto old_bytes = FileBytes::open(old_tar);
  if (!old_bytes) return fail(old_bytes);
  auto new_bytes = FileBytes::open(new_tar);
  if (!new_bytes) return fail(new_bytes);
  const auto delta = make_delta(*old_bytes, *new_bytes);
  if (!delta) return fail(delta);
  std::ofstream(out, std::ios::binary) << *delta;
  return {};
}

Result<std::unique_ptr<Bytes>> open_old(const std::string& path) {
  if (!std::filesystem::is_directory(path)) {
    auto tar = FileBytes::open(path);
    if (!tar) return fail(tar);
    return std::make_unique<FileBytes>(std::move(*tar));
  }
  auto image = ReleaseImage::of_unpacked(path);
  if (!image) return fail(image);
  return std::make_unique<ReleaseImage>(std::move(*image));
}

Result<void> apply(const std::string& old_path, const std::string& delta_path, const std::string& out) {
  auto old_tar = open_old(old_path);
  if (!old_tar) return fail(old_tar);
  auto delta = FileBytes::open(delta_path);
  if (!delta) return fail(delta);
  const auto head = read_delta_head(*delta);
  if (!head) return fail(head);
  auto reader = DeltaReader::open(*delta, **old_tar, head->new_size);
  if (!reader) return fail(reader);
  std::ofstream file(out, std::ios::binary);
  Hasher hasher(HashAlgorithm::sha256);
  while (true) {
    const auto piece = reader->next();
    if (!piece) return fail(piece);
    if (piece->empty()) break;
    hasher.update(*piece);
    file << *piece;
  }
  if (hasher.finish() != head->new_hash.hex())
    return fail(ErrorCode::corrupted, "the result has another hash");
  return {};
}

Result<void> run(const std::vector<std::string>& words) {
  if (words.size() == 3 && words[0] == "pack") return pack(words[1], words[2]);
  if (words.size() == 4 && words[0] == "make") return make(words[1], words[2], words[3]);
  if (words.size() == 4 && words[0] == "apply") return apply(words[1], words[2], words[3]);
  return fail(ErrorCode::invalid_argument,
              "pack FOLDER TAR | make OLD_TAR NEW_TAR DELTA | apply OLD DELTA OUT");
}

}  // namespace

int main(int argc, char** argv) {
  const auto done = run(std::vector<std::string>(argv + 1, argv + argc));
  if (done) return 0;
  fmt::print(stderr, "{}\n", done.error().message);
  return 1;
}
