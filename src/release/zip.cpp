#include "release/zip.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>
#include <vector>

#include "protocol/release_metadata.hpp"
#include "release/tar.hpp"

namespace starling::release {
namespace {

constexpr std::size_t piece = std::size_t{32} << 10;
constexpr std::uint16_t version_needed = 20, made_by_unix = 3 << 8 | version_needed;
constexpr std::uint16_t flags = 1 << 3 | 1 << 11;  // sizes follow the content; names are UTF-8
constexpr std::uint16_t deflated = 8;
constexpr std::uint16_t midnight = 0, first_of_1980 = 1 << 5 | 1;

void append16(std::string& out, std::uint16_t number) {
  out += static_cast<char>(number & 0xff);
  out += static_cast<char>(number >> 8);
}

void append32(std::string& out, std::uint32_t number) {
  append16(out, static_cast<std::uint16_t>(number & 0xffff));
  append16(out, static_cast<std::uint16_t>(number >> 16));
}

std::string zip_name(const Entry& entry) {
  if (!entry.path.starts_with(payload_path)) return entry.path;
  return "pi_client" + entry.path.substr(payload_path.size()) +
         (entry.kind == Entry::Kind::folder ? "/" : "");
}

std::uint32_t attributes_of(const Entry& entry) {
  switch (entry.kind) {
    case Entry::Kind::folder: return std::uint32_t{0040755} << 16 | 0x10;
    case Entry::Kind::link: return std::uint32_t{0120777} << 16;
    case Entry::Kind::file: break;
  }
  return std::uint32_t{entry.executable ? 0100755u : 0100644u} << 16;
}

// Our metadata under the names that the documents have.
Result<std::string> document_metadata(std::string_view text) {
  const auto json = parse_json(text);
  if (!json) return fail(json, metadata_path);
  if (!json->is_object())
    return fail(ErrorCode::invalid_argument, fmt::format("{} is no object", metadata_path));
  const auto metadata = protocol::release_metadata_from(json->get_object());
  if (!metadata) return fail(metadata, metadata_path);
  const JsonObject out{{"version", to_string(metadata->version)},
                       {"update_type", to_string(metadata->type)},
                       {"description", metadata->description},
                       {"requires_system_packages", !metadata->packages.empty()},
                       {"system_packages", JsonArray(metadata->packages.begin(), metadata->packages.end())}};
  return boost::json::serialize(out) + "\n";
}

}  // namespace

// Takes the entries of the tar, and gives the bytes of the ZIP.
class ZipStream::Writer final : public TarSink {
 public:
  Writer() : reader_(*this) {
    if (deflateInit2(&deflate_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() override { deflateEnd(&deflate_); }

  Result<void> feed(std::string_view tar) { return reader_.feed(tar); }

  Result<void> finish() {
    if (auto read = reader_.finish(); !read) return read;
    if (auto closed = close_entry(); !closed) return closed;
    const std::uint64_t start = sent_ + out_.size();
    out_ += directory_;
    append32(out_, 0x06054b50);
    append32(out_, 0);  // one disk
    append16(out_, entries_);
    append16(out_, entries_);
    append32(out_, static_cast<std::uint32_t>(directory_.size()));
    append32(out_, static_cast<std::uint32_t>(start));
    append16(out_, 0);
    return {};
  }

  std::string take() {
    sent_ += out_.size();
    return std::exchange(out_, {});
  }
  std::size_t ready() const { return out_.size(); }

 private:
  Result<void> begin(const Entry& entry) override {
    if (auto closed = close_entry(); !closed) return closed;
    entry_ = entry;
    open_ = true;
    start_ = sent_ + out_.size();
    size_ = packed_ = 0;
    crc_ = static_cast<std::uint32_t>(crc32(0, nullptr, 0));
    const std::string name = zip_name(entry);
    append32(out_, 0x04034b50);
    append_common(out_);
    append32(out_, 0);
    append32(out_, 0);
    append32(out_, 0);
    append16(out_, static_cast<std::uint16_t>(name.size()));
    append16(out_, 0);
    out_ += name;
    if (entry.kind == Entry::Kind::link) compress(entry.target, Z_NO_FLUSH);
    return {};
  }

  Result<void> content(std::string_view bytes) override {
    if (entry_.path == metadata_path) {
      metadata_ += bytes;  // at most max_metadata_bytes, the reader has seen to it
    } else {
      compress(bytes, Z_NO_FLUSH);
    }
    return {};
  }

  Result<void> close_entry() {
    if (!open_) return {};
    if (entry_.path == metadata_path) {
      const auto text = document_metadata(metadata_);
      if (!text) return fail(text);
      compress(*text, Z_NO_FLUSH);
    }
    compress({}, Z_FINISH);
    deflateReset(&deflate_);
    append32(out_, 0x08074b50);
    append_sizes(out_);

    const std::string name = zip_name(entry_);
    append32(directory_, 0x02014b50);
    append16(directory_, made_by_unix);
    append_common(directory_);
    append_sizes(directory_);
    append16(directory_, static_cast<std::uint16_t>(name.size()));
    append16(directory_, 0);  // extra field
    append16(directory_, 0);  // comment
    append16(directory_, 0);  // disk
    append16(directory_, 0);  // internal attributes
    append32(directory_, attributes_of(entry_));
    append32(directory_, static_cast<std::uint32_t>(start_));
    directory_ += name;
    ++entries_;
    open_ = false;
    return {};
  }

  static void append_common(std::string& out) {
    append16(out, version_needed);
    append16(out, flags);
    append16(out, deflated);
    append16(out, midnight);
    append16(out, first_of_1980);
  }

  void append_sizes(std::string& out) const {
    append32(out, crc_);
    append32(out, static_cast<std::uint32_t>(packed_));
    append32(out, static_cast<std::uint32_t>(size_));
  }

  void compress(std::string_view bytes, int flush) {
    const auto* const in = reinterpret_cast<const unsigned char*>(bytes.data());
    crc_ = static_cast<std::uint32_t>(crc32(crc_,
                                            bytes.empty() ? reinterpret_cast<const unsigned char*>("") : in,
                                            static_cast<unsigned>(bytes.size())));
    size_ += bytes.size();
    deflate_.next_in = const_cast<unsigned char*>(in);  // NOLINT: zlib does not write there
    deflate_.avail_in = static_cast<unsigned>(bytes.size());
    std::array<unsigned char, piece> block;
    do {
      deflate_.next_out = block.data();
      deflate_.avail_out = block.size();
      deflate(&deflate_, flush);
      const std::size_t made = block.size() - deflate_.avail_out;
      out_.append(reinterpret_cast<const char*>(block.data()), made);
      packed_ += made;
    } while (deflate_.avail_out == 0);
  }

  TarReader reader_;
  z_stream deflate_{};
  std::string out_, directory_, metadata_;
  std::uint64_t sent_ = 0, start_ = 0, size_ = 0, packed_ = 0;
  std::uint32_t crc_ = 0;
  std::uint16_t entries_ = 0;
  Entry entry_;
  bool open_ = false;
};

ZipStream::ZipStream(Bytes& tar) : tar_(tar), writer_(std::make_unique<Writer>()) {}
ZipStream::ZipStream(ZipStream&&) noexcept = default;
ZipStream::~ZipStream() = default;

Result<std::string_view> ZipStream::next() {
  std::array<char, piece> block;
  while (writer_->ready() < piece && !ended_) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), tar_.size() - offset_));
    ended_ = count == 0;
    if (auto read = tar_.read(offset_, std::span(block).first(count)); !read) return fail(read);
    const auto done = ended_ ? writer_->finish() : writer_->feed(std::string_view(block.data(), count));
    if (!done) return fail(done);
    offset_ += count;
  }
  out_ = writer_->take();
  return out_;
}

}  // namespace starling::release
