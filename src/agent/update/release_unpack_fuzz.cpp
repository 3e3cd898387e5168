// Any bytes as a release's tar, in parts of any size: read or refused, never handed over as anything that is
// outside of the release or larger than what came. Headers get their checksum first, to get past it.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>

#include "agent/update/release_tar.hpp"

namespace {

using namespace starling;
using namespace starling::agent;

class Checker final : public ReleaseTar::Sink {
 public:
  Result<void> entry(const ReleaseEntry& entry) override {
    if (!check_release_path(entry.path) || !paths_.insert(entry.path).second) std::abort();
    if (entry.kind == ReleaseEntry::Kind::link && !check_release_link(entry.path, entry.target)) std::abort();
    const std::size_t slash = entry.path.rfind('/');
    if (slash != std::string::npos && !folders_.contains(entry.path.substr(0, slash))) std::abort();
    if (entry.kind == ReleaseEntry::Kind::folder) folders_.insert(entry.path);
    left_ = entry.size;
    return {};
  }
  Result<void> content(std::string_view part) override {
    if (part.empty() || part.size() > left_) std::abort();
    left_ -= part.size();
    return {};
  }
  Result<void> file_end() override {
    if (left_ != 0) std::abort();
    return {};
  }

 private:
  std::set<std::string, std::less<>> paths_, folders_;
  std::uint64_t left_ = 0;
};

void mend_checksums(std::string& tar) {
  for (std::size_t at = 0; at + 512 <= tar.size(); at += 512) {
    if (tar.compare(at + 257, 5, "ustar") != 0) continue;
    tar.replace(at + 148, 8, 8, ' ');
    unsigned sum = 0;
    for (std::size_t i = 0; i < 512; ++i)
      sum += static_cast<unsigned char>(tar[at + i]);
    for (int digit = 5; digit >= 0; --digit, sum /= 8)
      tar[at + 148 + static_cast<std::size_t>(digit)] = static_cast<char>('0' + sum % 8);
    tar[at + 154] = '\0';
  }
}

bool read(const std::string& tar, std::size_t part) {
  Checker checker;
  ReleaseTar reader(checker, tar.size());
  for (std::size_t at = 0; at < tar.size(); at += part) {
    if (!reader.feed(std::string_view(tar).substr(at, part))) return false;
  }
  return reader.finish().has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string tar(reinterpret_cast<const char*>(data), size);
  (void)read(tar, 1000);
  mend_checksums(tar);
  if (read(tar, tar.size() + 1) != read(tar, 97)) std::abort();
  return 0;
}
