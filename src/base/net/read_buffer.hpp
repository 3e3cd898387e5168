// Purpose: bytes that were received and not yet understood. Owner: a connection. Thread: one. Lifetime: the
// connection's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace starling::net {

class ReadBuffer {
 public:
  std::string_view unread() const { return {bytes_.get() + begin_, end_ - begin_}; }
  void drop(std::size_t count) { begin_ += count; }
  void added(std::size_t count) { end_ += count; }

  // At least `least` bytes to read into.
  std::span<char> room(std::size_t least) {
    if (capacity_ - end_ < least) make_room(least);
    return {bytes_.get() + end_, capacity_ - end_};
  }

 private:
  void make_room(std::size_t least) {
    const std::size_t kept = end_ - begin_;
    if (capacity_ - kept >= least) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, kept);
    } else {
      const std::size_t capacity = std::max(kept + least, capacity_ * 2);
      std::unique_ptr<char[]> grown(
          new char[capacity]);  // not value-initialised: it is written before it is read
      if (kept > 0) std::memcpy(grown.get(), bytes_.get() + begin_, kept);
      bytes_ = std::move(grown);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = kept;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace starling::net
