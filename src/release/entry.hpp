// Purpose: what a release may hold, in which order: the rules that packing, reading and installing share.
// Owner: values. Thread: any; TreeRules one. Lifetime: TreeRules one release.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace starling::release {

struct Entry {
  enum class Kind { file, folder, link };
  std::string path;  // "payload/bin/tool"; no "/" at the end of a folder
  Kind kind = Kind::file;
  bool executable = false;  // files only
  std::uint64_t size = 0;   // files only
  std::string target{};     // links only

  bool operator==(const Entry&) const = default;
};

constexpr std::string_view metadata_path = "update_metadata.json";
constexpr std::string_view payload_path = "payload";
constexpr std::string_view version_path = "payload/VERSION";

constexpr std::size_t max_path_bytes =
    254;  // and the last 99 must have a "/" before them: as a tar has room for
constexpr std::size_t max_target_bytes = 100;
constexpr std::size_t max_depth = 32;
constexpr std::size_t max_entries = 8192;
constexpr std::uint64_t max_metadata_bytes = 128u << 10;
constexpr std::uint64_t max_release_bytes = std::uint64_t{1} << 30;  // of all files together

// Errors: invalid_argument and too_large, saying what is wrong with it.
Result<void> check_path(std::string_view path);
// A link leads to a place in the payload, by its words alone: "../" as often as needed, then names, and never
// ".." after a name, which could be a link itself. Errors: invalid_argument.
Result<void> check_link(std::string_view path, std::string_view target);

// Is shown every entry in its order: the metadata first, then payload/ sorted by bytes, each in a folder that
// was there before.
class TreeRules {
 public:
  // Errors: invalid_argument, too_large.
  Result<void> admit(const Entry& entry);
  // Errors: invalid_argument, if metadata or VERSION is missing.
  Result<void> finish() const;

 private:
  std::set<std::string, std::less<>> folders_;
  std::string last_;
  std::size_t count_ = 0;
  std::uint64_t bytes_ = 0;
  bool has_version_ = false;
};

}  // namespace starling::release
