// A tar that is taken is the only one with these entries: written again from what was read it has the same
// bytes, in whatever pieces it came. Its ZIP can be made.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "release/pack.hpp"
#include "release/tar.hpp"
#include "release/zip.hpp"

namespace {

using namespace starling;
using namespace starling::release;

class Rewritten final : public TarSink {
 public:
  Result<void> begin(const Entry& entry) override {
    end_file();
    bytes_ += tar_header(entry);
    padding_ = static_cast<std::size_t>(tar_padding(entry.size));
    return {};
  }
  Result<void> content(std::string_view bytes) override {
    bytes_ += bytes;
    return {};
  }
  std::string finish() {
    end_file();
    return bytes_ + std::string(tar_end, '\0');
  }

 private:
  void end_file() { bytes_.append(padding_, '\0'); }
  std::string bytes_;
  std::size_t padding_ = 0;
};

bool is_taken(std::string_view bytes, std::size_t step) {
  Rewritten rewritten;
  TarReader reader(rewritten);
  for (std::size_t offset = 0; offset < bytes.size(); offset += step) {
    if (!reader.feed(bytes.substr(offset, step))) return false;
  }
  if (!reader.finish()) return false;
  if (rewritten.finish() != bytes) std::abort();
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const bool taken = is_taken(bytes, 4096);
  if (is_taken(bytes, 509) != taken) std::abort();
  MemoryBytes tar(bytes);
  const auto summary = inspect_tar(tar);
  if (summary && !taken) std::abort();
  ZipStream zip(tar);
  while (true) {
    const auto piece = zip.next();
    if (!piece && summary) std::abort();
    if (!piece || piece->empty()) return 0;
  }
}
