#include "wav_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace recorder {

using starling::ErrorCode;
using starling::fail;
using starling::Result;

namespace {

constexpr std::uint32_t header_bytes = 44, sample_bytes = 2;
constexpr std::uint32_t max_samples = (0xffff'ffff - header_bytes) / sample_bytes;  // the header counts bytes

std::string little_endian(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i)
    text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

std::unexpected<starling::Error> failed(const std::filesystem::path& path) {
  return fail(ErrorCode::io, path.string() + ": " + std::strerror(errno));
}

}  // namespace

Result<WavFile> WavFile::create(std::filesystem::path path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor < 0) return failed(path);
  WavFile file(std::move(path), descriptor);
  if (auto written = file.write_header(); !written) return fail(written);
  return file;
}

Result<void> WavFile::append(std::span<const std::int16_t> samples) {
  if (samples.size() > max_samples - samples_) return fail(ErrorCode::io, path_.string() + ": is full");
  std::string bytes;
  for (const std::int16_t sample : samples)
    bytes += little_endian(static_cast<std::uint16_t>(sample), sample_bytes);
  const std::int64_t end = header_bytes + std::int64_t{samples_} * sample_bytes;
  if (auto written = write(bytes, end); !written) return written;
  samples_ += static_cast<std::uint32_t>(samples.size());
  return {};
}

Result<void> WavFile::sync() {
  if (::fdatasync(file_.number()) != 0) return failed(path_);
  return write_header();
}

Result<void> WavFile::write_header() {
  const std::uint32_t data_bytes = samples_ * sample_bytes;
  const std::string header = "RIFF" + little_endian(header_bytes - 8 + data_bytes, 4) + "WAVEfmt " +
                             little_endian(16, 4) + little_endian(1, 2) /* PCM */ + little_endian(1, 2) +
                             little_endian(rate, 4) + little_endian(rate * sample_bytes, 4) +
                             little_endian(sample_bytes, 2) + little_endian(8 * sample_bytes, 2) + "data" +
                             little_endian(data_bytes, 4);
  return write(header, 0);
}

Result<void> WavFile::write(std::string_view bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file_.number(), bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(path_);
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += count;
  }
  return {};
}

}  // namespace recorder
