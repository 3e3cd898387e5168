// Purpose: an open file descriptor that is closed exactly once. Owner: values, moved. Thread: any, one at a
// time. Lifetime: the descriptor's.
#pragma once

#include <unistd.h>

#include <utility>

namespace starling {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~FileDescriptor() { reset(); }

  explicit operator bool() const { return number_ >= 0; }
  int number() const { return number_; }                // -1: none
  int release() { return std::exchange(number_, -1); }  // the caller closes it
  void reset(int number = -1) {
    if (number_ >= 0) ::close(number_);
    number_ = number;
  }

 private:
  int number_ = -1;
};

}  // namespace starling
