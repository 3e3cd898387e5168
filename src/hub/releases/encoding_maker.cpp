#include "hub/releases/encoding_maker.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <memory>
#include <new>

#include "base/files.hpp"
#include "release/delta.hpp"
#include "release/make_delta.hpp"

namespace starling::hub {

namespace {

// What the machine could give without swapping; all of it if that is not known.
std::uint64_t memory_available() {
  constexpr std::string_view name = "MemAvailable:";
  const std::string text = read_file("/proc/meminfo", 64u << 10).value_or("");
  const std::size_t at = text.find(name);
  const std::size_t digits = at == std::string::npos ? at : text.find_first_not_of(' ', at + name.size());
  std::uint64_t kilobytes = 0;
  if (digits == std::string::npos ||
      std::from_chars(text.data() + digits, text.data() + text.size(), kilobytes).ec != std::errc())
    return std::numeric_limits<std::uint64_t>::max();
  return kilobytes << 10;
}

Result<void> check_memory(std::uint64_t needed) {
  const std::uint64_t there = memory_available();
  if (needed <= there / 2) return {};
  return fail(
      ErrorCode::unavailable,
      fmt::format("it takes {} MB of memory, and the hub's machine has {} free", needed >> 20, there >> 20));
}

Result<void> check(std::string_view delta, release::Bytes& from, const TarFile& to) {
  release::MemoryBytes bytes(delta);
  auto reader = release::DeltaReader::open(bytes, from, to.length);
  if (!reader) return fail(reader);
  Hasher hasher(HashAlgorithm::sha256);
  for (;;) {
    const auto piece = reader->next();
    if (!piece) return fail(piece);
    if (piece->empty()) break;
    hasher.update(*piece);
  }
  if (hasher.finish() == to.hash.hex()) return {};
  return fail(ErrorCode::corrupted, "the delta does not give the tar back");
}

}  // namespace

Result<std::string> make_encoding(const TarFile& to, const std::optional<TarFile>& from,
                                  const std::stop_token& stop) try {
  auto new_tar = release::FileBytes::open(to.path);
  if (!new_tar) return fail(new_tar);
  std::unique_ptr<release::Bytes> old_tar = std::make_unique<release::MemoryBytes>("");
  if (from) {
    auto file = release::FileBytes::open(from->path);
    if (!file) return fail(file);
    old_tar = std::make_unique<release::FileBytes>(std::move(*file));
  }
  const std::uint64_t needed = release::bytes_to_make_delta(old_tar->size(), new_tar->size());
  if (auto enough = check_memory(needed); !enough) return fail(enough);
  auto delta = release::make_delta(*old_tar, *new_tar, stop);
  if (!delta) return delta;
  if (auto good = check(*delta, *old_tar, to); !good) return fail(good);
  return delta;
} catch (const std::bad_alloc&) {
  return fail(ErrorCode::unavailable, "there is too little memory for making it");
}

}  // namespace starling::hub
