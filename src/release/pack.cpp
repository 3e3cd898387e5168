#include "release/pack.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <system_error>

#include "base/files.hpp"
#include "base/write_all.hpp"
#include "release/folder_walk.hpp"
#include "release/requirements.hpp"
#include "release/tar.hpp"

namespace starling::release {
namespace {

namespace fs = std::filesystem;
using protocol::Architecture;

std::unexpected<Error> failed(std::string_view doing, const fs::path& path) {
  const int error = errno;
  const ErrorCode code = error == ENOENT                     ? ErrorCode::not_found
                         : error == EACCES || error == EPERM ? ErrorCode::permission_denied
                                                             : ErrorCode::io;
  return fail(code, fmt::format("{} {}: {}", doing, path.string(), std::generic_category().message(error)));
}

// Counts what passes, and keeps the two files that say which release it is, and what it needs of Python.
class Inspection final : public TarSink {
 public:
  Result<void> begin(const Entry& entry) override {
    keep_ = entry.path == metadata_path       ? &metadata_
            : entry.path == version_path      ? &version_
            : entry.path == requirements_path ? &requirements_
                                              : nullptr;
    count(entry);
    return {};
  }

  Result<void> content(std::string_view bytes) override {
    if (keep_ != nullptr && keep_->size() + bytes.size() <= max_metadata_bytes) *keep_ += bytes;
    return {};
  }

  Result<Summary> finish() {
    const auto json = parse_json(metadata_);
    if (!json) return fail(json, metadata_path);
    if (!json->is_object())
      return fail(ErrorCode::invalid_argument, fmt::format("{} is no object", metadata_path));
    auto metadata = protocol::release_metadata_from(json->get_object());
    if (!metadata) return fail(metadata, metadata_path);
    if (version_ != to_string(metadata->version) + "\n") {
      return fail(ErrorCode::invalid_argument, fmt::format("{} does not say {}, as {} does", version_path,
                                                           to_string(metadata->version), metadata_path));
    }
    if (summary_.wheels > 0) {
      if (auto good = check_requirements(requirements_); !good) return fail(good);
    }
    summary_.metadata = std::move(*metadata);
    for (auto& [path, place] : places_)
      summary_.places.push_back(std::move(place));
    return std::move(summary_);
  }

 private:
  void count(const Entry& entry) {
    if (entry.kind == Entry::Kind::file) ++summary_.files;
    if (entry.kind == Entry::Kind::folder) ++summary_.folders;
    if (entry.kind == Entry::Kind::link) ++summary_.links;
    if (entry.path == requirements_path && entry.kind == Entry::Kind::file) summary_.has_requirements = true;
    if (is_wheel(entry.path)) ++summary_.wheels;
    if (entry.path.size() <= payload_path.size() || !entry.path.starts_with(payload_path)) return;
    const std::string in_payload = entry.path.substr(payload_path.size() + 1);
    const std::size_t slash = in_payload.find('/');
    const bool folder = slash != std::string::npos || entry.kind == Entry::Kind::folder;
    Summary::Place& place = places_[in_payload.substr(0, slash)];
    place.path = in_payload.substr(0, slash) + (folder ? "/" : "");
    place.bytes += entry.size;
    if (entry.kind != Entry::Kind::folder) ++place.files;
  }

  Summary summary_;
  std::map<std::string, Summary::Place> places_;
  std::string metadata_, version_, requirements_;
  std::string* keep_ = nullptr;
};

// The file that a tar becomes: until it is whole it has another name.
class Output {
 public:
  static Result<Output> create(const fs::path& path) {
    Output out(path);
    ::unlink(out.temporary_.c_str());
    out.file_.reset(::open(out.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!out.file_) return failed("creating", out.temporary_);
    return out;
  }
  Output(Output&&) noexcept = default;
  ~Output() {
    if (file_) ::unlink(temporary_.c_str());
  }

  Result<void> write(std::string_view bytes) { return write_all(file_, bytes, temporary_); }

  Result<void> finish() {
    if (::fsync(file_.number()) != 0) return failed("syncing", temporary_);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failed("renaming onto", path_);
    file_.reset();
    return fsync_folder(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
  }

 private:
  explicit Output(const fs::path& path) : path_(path), temporary_(path.string() + ".tmp") {}
  fs::path path_, temporary_;
  FileDescriptor file_;
};

std::optional<Architecture> architecture_in(std::string_view head) {
  // e_machine of an ELF file; all of ours are little-endian.
  if (head.size() < 20 || !head.starts_with("\x7f"
                                            "ELF"))
    return {};
  switch (static_cast<unsigned char>(head[18]) | static_cast<unsigned char>(head[19]) << 8) {
    case 62: return Architecture::amd64;
    case 183: return Architecture::arm64;
    case 40: return Architecture::armhf;
    default: return {};
  }
}

// The first program that was found for each.
Result<std::map<Architecture, std::string>> find_programs(const fs::path& folder) {
  const auto walk = walk_folder(folder, payload_path, LeaveOut::caches);
  if (!walk) return fail(walk);
  std::map<Architecture, std::string> programs;
  for (const auto& [entry, source] : walk->found) {
    std::array<char, 20> head{};
    if (entry.kind != Entry::Kind::file || entry.size < head.size()) continue;
    auto file = FileBytes::open(source);
    if (!file) return fail(file);
    if (auto read = file->read(0, head); !read) return fail(read, source.string());
    if (const auto found = architecture_in(std::string_view(head.data(), head.size())))
      programs.emplace(*found, entry.path);
  }
  return programs;
}

}  // namespace

Result<Summary> write_tar(ReleaseImage& image, const fs::path& to) {
  auto output = Output::create(to);
  if (!output) return fail(output);
  Inspection inspection;
  TarReader reader(inspection);
  Hasher hasher(HashAlgorithm::sha256);
  const auto copied = copy_all(image, [&](std::string_view bytes) -> Result<void> {
    hasher.update(bytes);
    if (auto read = reader.feed(bytes); !read) return read;
    return output->write(bytes);
  });
  if (!copied) return fail(copied);
  if (auto finished = reader.finish(); !finished) return fail(finished);
  auto summary = inspection.finish();
  if (!summary) return summary;
  if (auto finished = output->finish(); !finished) return fail(finished);
  summary->bytes = image.size();
  summary->sha256 = Digest::from_hex(hasher.finish()).value();
  return summary;
}

Result<Summary> inspect_tar(Bytes& tar) {
  Inspection inspection;
  TarReader reader(inspection);
  Hasher hasher(HashAlgorithm::sha256);
  const auto copied = copy_all(tar, [&](std::string_view bytes) {
    hasher.update(bytes);
    return reader.feed(bytes);
  });
  if (!copied) return fail(copied);
  if (auto finished = reader.finish(); !finished) return fail(finished);
  auto summary = inspection.finish();
  if (!summary) return summary;
  summary->bytes = tar.size();
  summary->sha256 = Digest::from_hex(hasher.finish()).value();
  return summary;
}

Result<Architecture> architecture_of(const fs::path& folder, std::optional<Architecture> wanted) {
  if (wanted == Architecture::all) return Architecture::all;
  const auto programs = find_programs(folder);
  if (!programs) return fail(programs);
  for (const auto& [architecture, path] : *programs) {
    if (wanted && architecture != *wanted) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{} is a program for {}, in a release for {}", path, to_string(architecture),
                              to_string(*wanted)));
    }
  }
  if (programs->size() > 1) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{} is a program for {}, {} one for {}: make a release for each, or one for 'all'",
                    programs->begin()->second, to_string(programs->begin()->first),
                    programs->rbegin()->second, to_string(programs->rbegin()->first)));
  }
  if (wanted) return *wanted;
  return programs->empty() ? Architecture::all : programs->begin()->first;
}

}  // namespace starling::release
