// Purpose: a WAV file (16 bit, mono) that grows and can be played at any time, also after a pulled plug.
// Owner: Recorder. Thread: one. Lifetime: one recording.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace recorder {

class WavFile {
 public:
  static constexpr std::uint32_t rate = 16'000;

  // Errors of all: io, with the path. There must be no such file yet.
  static starling::Result<WavFile> create(std::filesystem::path path);
  starling::Result<void> append(std::span<const std::int16_t> samples);
  // What was appended is on disk, and then the header says so.
  starling::Result<void> sync();

  const std::filesystem::path& path() const { return path_; }
  std::uint32_t samples() const { return samples_; }
  double seconds() const { return static_cast<double>(samples_) / rate; }

 private:
  WavFile(std::filesystem::path path, int descriptor) : path_(std::move(path)), file_(descriptor) {}
  starling::Result<void> write_header();
  starling::Result<void> write(std::string_view bytes, std::int64_t offset);

  std::filesystem::path path_;
  starling::FileDescriptor file_;
  std::uint32_t samples_ = 0;
};

}  // namespace recorder
