#include "release/lzma.hpp"

#include <lzma.h>

#include <algorithm>
#include <array>
#include <bit>
#include <new>

namespace starling::release {
namespace {

constexpr std::uint64_t smallest_window = 4096, largest_window = 8u << 20;

// Both ends know it from the size.
lzma_options_lzma options_for(std::uint64_t size) {
  lzma_options_lzma options{};
  lzma_lzma_preset(&options, 9 | LZMA_PRESET_EXTREME);
  options.dict_size =
      static_cast<std::uint32_t>(std::bit_ceil(std::clamp(size, smallest_window, largest_window)));
  return options;
}

std::array<lzma_filter, 2> filters_of(lzma_options_lzma& options) {
  return {{{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}}};
}

// Everything is given at once or made in pieces; only memory can be lacking.
void require(lzma_ret code) {
  if (code != LZMA_OK && code != LZMA_STREAM_END) throw std::bad_alloc();
}

}  // namespace

std::string lzma_encode(std::string_view bytes, const std::stop_token& stop) {
  lzma_options_lzma options = options_for(bytes.size());
  const auto filters = filters_of(options);
  lzma_stream stream = LZMA_STREAM_INIT;
  require(lzma_raw_encoder(&stream, filters.data()));
  const std::unique_ptr<lzma_stream, decltype(&lzma_end)> ended(&stream, &lzma_end);
  stream.next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
  stream.avail_in = bytes.size();
  std::string out;
  std::array<std::uint8_t, 65536> block;
  lzma_ret code = LZMA_OK;
  while (code != LZMA_STREAM_END && !stop.stop_requested()) {
    stream.next_out = block.data();
    stream.avail_out = block.size();
    code = lzma_code(&stream, LZMA_FINISH);
    require(code);
    out.append(reinterpret_cast<const char*>(block.data()), block.size() - stream.avail_out);
  }
  return out;
}

struct LzmaDecoder::State {
  Bytes& from;
  std::uint64_t offset, packed_left, left;
  lzma_stream stream = LZMA_STREAM_INIT;
  std::array<char, 16384> packed{};

  State(Bytes& f, std::uint64_t o, std::uint64_t p, std::uint64_t size)
      : from(f), offset(o), packed_left(p), left(size) {
    lzma_options_lzma options = options_for(size);
    require(lzma_raw_decoder(&stream, filters_of(options).data()));
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { lzma_end(&stream); }

  Result<void> refill() {
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(packed.size(), packed_left));
    if (auto read = from.read(offset, std::span(packed).first(count)); !read) return read;
    offset += count;
    packed_left -= count;
    stream.next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
    stream.avail_in = count;
    return {};
  }
};

LzmaDecoder::LzmaDecoder(Bytes& from, std::uint64_t offset, std::uint64_t packed_size, std::uint64_t size)
    : state_(std::make_unique<State>(from, offset, packed_size, size)) {}
LzmaDecoder::LzmaDecoder(LzmaDecoder&&) noexcept = default;
LzmaDecoder::~LzmaDecoder() = default;

Result<void> LzmaDecoder::read(std::span<char> into) {
  const auto wrong = [] { return fail(ErrorCode::malformed, "the delta cannot be unpacked"); };
  if (into.size() > state_->left) return wrong();
  state_->left -= into.size();
  lzma_stream& stream = state_->stream;
  stream.next_out = reinterpret_cast<std::uint8_t*>(into.data());
  stream.avail_out = into.size();
  while (stream.avail_out > 0) {
    if (stream.avail_in == 0 && state_->packed_left > 0) {
      if (auto filled = state_->refill(); !filled) return filled;
    }
    const lzma_ret code = lzma_code(&stream, state_->packed_left == 0 ? LZMA_FINISH : LZMA_RUN);
    if (code == LZMA_MEM_ERROR) throw std::bad_alloc();
    const bool more = code == LZMA_OK || (code == LZMA_STREAM_END && stream.avail_out == 0);
    if (!more) return wrong();
  }
  return {};
}

bool LzmaDecoder::at_end() const {
  return state_->left == 0;
}

}  // namespace starling::release
