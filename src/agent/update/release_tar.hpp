// Purpose: reads a release's tar as it comes, in parts of any size, and takes nothing from it that could
// reach out of its folder or fill a device. Everything is checked before it is handed over.
// Owner: ReleaseUnpacker. Thread: one. Lifetime: one tar.
//
// The format is POSIX ustar and no extension of it: `update_metadata.json`, then `payload/` with what is
// below it. Files, folders, and links whose targets are relative, go up only at their beginning, and stay in
// `payload`. Folders may come before what is in them, or not at all. Times and owners are ignored.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace starling::agent {

inline constexpr std::string_view release_metadata_path = "update_metadata.json";
inline constexpr std::string_view release_payload = "payload";

struct ReleaseEntry {
  enum class Kind { file, folder, link };
  Kind kind = Kind::file;
  std::string path;
  bool executable = false;  // of a file
  std::uint64_t size = 0;   // of a file
  std::string target;       // of a link
  bool operator==(const ReleaseEntry&) const = default;
};

class ReleaseTar {
 public:
  static constexpr std::size_t max_entries = 8192;    // folders that are only implied are counted, too
  static constexpr std::size_t max_path_bytes = 256;  // more does not fit into a header
  static constexpr std::size_t max_depth = 32;
  static constexpr std::uint64_t max_metadata_bytes = 256u << 10;

  // Is told each entry, a folder before what is in it, then a file's content part by part, then its end. What
  // it fails with ends the reading.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual Result<void> entry(const ReleaseEntry& entry) = 0;
    virtual Result<void> content(std::string_view part) = 0;
    virtual Result<void> file_end() = 0;
  };

  // `max_bytes`: how large the tar may be as a whole, as was signed.
  ReleaseTar(Sink& sink, std::uint64_t max_bytes) : sink_(sink), bytes_left_(max_bytes) {}

  // Errors of both: invalid_argument (it is not what a release is), too_large, the sink's. Nothing may be fed
  // after one.
  Result<void> feed(std::string_view bytes);
  // Nothing more comes.
  Result<void> finish() const;

 private:
  enum class Part { header, content, padding, end };

  std::size_t take_header(std::string_view bytes);
  Result<void> begin_entry();
  Result<void> begin(ReleaseEntry entry);
  Result<void> check_place(const ReleaseEntry& entry);
  Result<void> add_folders_above(std::string_view path);
  Result<void> add(std::string path, ReleaseEntry::Kind kind);
  Result<void> take_content(std::string_view part);
  Result<void> end_content();

  Sink& sink_;
  std::uint64_t bytes_left_;
  Part part_ = Part::header;
  std::string header_;
  bool first_end_block_ = false;
  std::uint64_t content_left_ = 0;
  std::uint64_t padding_left_ = 0;
  struct Seen {
    ReleaseEntry::Kind kind;
    bool implied;
  };
  std::map<std::string, Seen, std::less<>> seen_;
};

// Whether the path of something in a release: relative, of plain names in UTF-8, without control characters.
// Errors: invalid_argument, too_large.
Result<void> check_release_path(std::string_view path);
// Whether a link at `path` stays in the payload, whatever other links there are.
Result<void> check_release_link(std::string_view path, std::string_view target);

}  // namespace starling::agent
