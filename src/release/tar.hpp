// Purpose: the one form of a release's tar, written and read. What is not in that form to the byte is
// refused, so a release is known by what it holds: entries in their order give back its bytes (see
// ReleaseImage). Owner: the download, the upload. Thread: one. Lifetime: TarReader one tar; views only during
// a call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "release/entry.hpp"

namespace starling::release {

constexpr std::size_t tar_block = 512;
constexpr std::size_t tar_end = 2 * tar_block;  // zeros

// How many zeros follow a file of that size.
constexpr std::uint64_t tar_padding(std::uint64_t size) {
  return (tar_block - size % tar_block) % tar_block;
}

// What stands before an entry's content: POSIX ustar, without times and owners. check_path() and check_link()
// said that it has room for the names.
std::string tar_header(const Entry& entry);

class TarSink {
 public:
  virtual ~TarSink() = default;
  virtual Result<void> begin(const Entry& entry) = 0;
  virtual Result<void> content(std::string_view bytes) = 0;  // of the file that was begun last
};

// Is given a tar in pieces of any size. What is passed on has been checked as TreeRules says, but is only as
// good as the hash of the whole, which the caller checks. After an error it must not be used again.
class TarReader {
 public:
  explicit TarReader(TarSink& sink) : sink_(sink) {}
  // Errors: malformed, invalid_argument, too_large (and what the sink says).
  Result<void> feed(std::string_view bytes);
  // Errors: malformed, if the tar ends too early or lacks what every release has.
  Result<void> finish();

 private:
  enum class State { header, content, padding, end, done };
  Result<void> take_block();
  Result<void> take_header();

  TarSink& sink_;
  TreeRules rules_;
  State state_ = State::header;
  std::string block_;            // what is there of a header, of padding or of the end
  std::uint64_t remaining_ = 0;  // of a file's content
  std::uint64_t padding_ = 0;    // after it
};

}  // namespace starling::release
